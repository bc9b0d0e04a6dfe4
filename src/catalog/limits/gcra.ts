/** The generic cell rate algorithm (ITU-T I.371) for one bucket: one number, no timers. */

/** A sustained rate with a burst. */
export interface Rate {
  /** Time that one request takes from the bucket. */
  readonly intervalMs: number
  /** Requests that may come at once after a pause. */
  readonly burst: number
}

/** One bucket. Time is given with each question, in ms. */
export class Gcra {
  readonly #rate: Rate
  #emptyAt = 0

  constructor(rate: Rate) {
    this.#rate = rate
  }

  /** When the next request may go; in the past or now when it may go at once. */
  nextAt(now: number): number {
    return Math.max(this.#emptyAt, now) - this.#rate.intervalMs * (this.#rate.burst - 1)
  }

  /** Takes one request if it may go now. */
  take(now: number): 'taken' | 'not-yet' {
    if (this.nextAt(now) > now) return 'not-yet'
    this.#emptyAt = Math.max(this.#emptyAt, now) + this.#rate.intervalMs
    return 'taken'
  }
}
