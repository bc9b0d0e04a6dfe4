/**
 * Counts what a peer may do now and then and not all the time: a bucket that is filled at a rate and emptied by events.
 *
 * The session of the runtime counts resets, invalid frames and rejected streams by itself; this is for the rest.
 */

/** A bucket of tokens. */
export class FloodGuard {
  readonly #burst: number
  readonly #perSecond: number
  readonly #now: () => number
  #left: number
  #at: number

  /** `now` gives milliseconds of a clock that never goes back. */
  constructor(burst: number, perSecond: number, now: () => number) {
    this.#burst = burst
    this.#perSecond = perSecond
    this.#now = now
    this.#left = burst
    this.#at = now()
  }

  /** Counts one event; false when it was one too many. */
  allows(): boolean {
    const now = this.#now()
    this.#left = Math.min(this.#burst, this.#left + ((now - this.#at) / 1_000) * this.#perSecond)
    this.#at = now
    if (this.#left < 1) return false
    this.#left -= 1
    return true
  }
}
