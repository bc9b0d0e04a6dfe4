/**
 * Why the app calls out: remembers, by trace id, which inbound request a later outbound call belongs to.
 *
 * An app only has to pass `traceparent` on. The outbound line then continues the chain of callers and the transaction
 * of the request that caused the call; without a match the chain begins here. Bounded in number and in time.
 */

/** What is remembered of an inbound request. */
export interface Cause {
  /** The transaction id of its hop token, if it carried one. */
  readonly transaction: string | undefined
  /** SPIFFE IDs, nearest caller first. */
  readonly chain: readonly string[]
}

interface Remembered {
  readonly cause: Cause
  readonly until: number
}

/** The memory. Oldest entries go first when it is full. */
export class Causes {
  readonly #byTrace = new Map<string, Remembered>()
  readonly #now: () => number
  readonly #most: number
  readonly #lifeMs: number

  constructor(now: () => number, limits = { most: 10_000, lifeMs: 300_000 }) {
    this.#now = now
    this.#most = limits.most
    this.#lifeMs = limits.lifeMs
  }

  remember(traceId: string, cause: Cause): void {
    if (this.#byTrace.size >= this.#most) {
      const oldest = this.#byTrace.keys().next()
      if (!oldest.done) this.#byTrace.delete(oldest.value)
    }
    this.#byTrace.delete(traceId)
    this.#byTrace.set(traceId, { cause, until: this.#now() + this.#lifeMs })
  }

  recall(traceId: string): Cause | undefined {
    const found = this.#byTrace.get(traceId)
    return found === undefined || found.until < this.#now() ? undefined : found.cause
  }
}
