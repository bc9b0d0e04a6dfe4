/** How far two words are apart, to say "did you mean". Decides nothing. */

/** Edits (insert, delete, replace, swap of neighbours) between two words. */
export const editDistance = (a: string, b: string): number => {
  let before: number[] = []
  let above = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const replace = above[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1)
      let best = Math.min(replace, above[column]! + 1, current[column - 1]! + 1)
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        best = Math.min(best, before[column - 2]! + 1)
      }
      current.push(best)
    }
    before = above
    above = current
  }
  return above[b.length]!
}

/** The candidates nearest to `word`, best first, those too far away left out. */
export const nearest = (
  word: string,
  candidates: readonly string[],
  most: number,
): readonly string[] =>
  candidates
    .map((candidate) => ({
      candidate,
      distance: editDistance(word.slice(0, 128), candidate.slice(0, 128)),
    }))
    .filter(
      ({ candidate, distance }) =>
        distance <= Math.max(2, Math.floor(Math.max(word.length, candidate.length) / 3)),
    )
    .sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, most)
    .map(({ candidate }) => candidate)
