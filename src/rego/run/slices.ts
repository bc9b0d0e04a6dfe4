/**
 * Work that can be put down and taken up again. Compiling a large bundle takes longer than requests may wait; as a
 * generator that yields often it runs at once where nobody waits, and in slices between requests where somebody does.
 */

/** Work in steps; each `yield` is a place where it may rest. */
export type Steps<T> = Generator<undefined, T, undefined>

/** How work in slices shares the event loop. */
export interface Pace {
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number
  /** Milliseconds that a slice may take. */
  readonly sliceMs: number
  /** Resolves when others have had their turn. */
  readonly rest: () => Promise<void>
}

/** Slices of eight milliseconds, with everything that waits in between. */
export const politePace: Pace = {
  now: () => performance.now(),
  sliceMs: 8,
  rest: () =>
    new Promise((resolve) => {
      setImmediate(resolve)
    }),
}

/** Does all of it now. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

/** Does it slice by slice; rejects with what the work throws. */
export async function inSlices<T>(steps: Steps<T>, pace: Pace): Promise<T> {
  let until = pace.now() + pace.sliceMs
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
    if (pace.now() < until) continue
    await pace.rest()
    until = pace.now() + pace.sliceMs
  }
}

const pieceSize = 64

/** A list in pieces that take little time each. */
export function* piecesOf<T>(list: readonly T[]): Generator<readonly T[], void, undefined> {
  for (let at = 0; at < list.length; at += pieceSize) yield list.slice(at, at + pieceSize)
}
