/** Finds the name that somebody most likely meant: for unknown keys, values, commands and options. */

const distance = (left: string, right: string): number => {
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row]
    for (let column = 1; column <= right.length; column += 1) {
      const change = left[row - 1] === right[column - 1] ? 0 : 1
      current.push(
        Math.min(previous[column]! + 1, current[column - 1]! + 1, previous[column - 1]! + change),
      )
    }
    previous = current
  }
  return previous[right.length]!
}

const longest = 64

const comparable = (text: string): string => text.toLowerCase().replaceAll(/[-_. ]/g, '')

/** The candidate nearest to `text`, or undefined when none is near enough to be a slip of the pen. */
export const nearest = (text: string, candidates: readonly string[]): string | undefined => {
  if (text.length > longest) return undefined
  const wanted = comparable(text)
  const ranked = candidates
    .map((name) => ({ name, away: distance(wanted, comparable(name)) }))
    .sort((left, right) => left.away - right.away)
  const best = ranked[0]
  if (!best) return undefined
  const allowed = Math.max(1, Math.floor(Math.max(wanted.length, best.name.length) / 3))
  return best.away <= allowed ? best.name : undefined
}
