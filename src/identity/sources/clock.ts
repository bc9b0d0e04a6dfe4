/** Time as this folder needs it: what the time is, and a call later. Tests hold both. */

/** A source of time. `now` is milliseconds since 1970. */
export interface Clock {
  now(): number
  /** Calls `run` once after `delayMs`; the returned function cancels it. The timer does not keep the process alive. */
  after(delayMs: number, run: () => void): () => void
}

/** The longest delay that Node's timers take; a later moment is reached in steps by whoever asked. */
export const longestDelayMs = 2_147_483_647

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, Math.min(Math.max(delayMs, 0), longestDelayMs))
    timer.unref()
    return () => clearTimeout(timer)
  },
}
