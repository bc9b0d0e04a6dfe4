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

/**
 * The memory. Two generations instead of an order of age: when the young one is full it becomes the old one, and what
 * was old is forgotten at once, so that remembering costs one insertion.
 */
export class Causes {
  #young = new Map<string, Remembered>()
  #old = new Map<string, Remembered>()
  readonly #now: () => number
  readonly #generation: number
  readonly #lifeMs: number

  constructor(now: () => number, limits = { most: 20_000, lifeMs: 300_000 }) {
    this.#now = now
    this.#generation = Math.ceil(limits.most / 2)
    this.#lifeMs = limits.lifeMs
  }

  remember(traceId: string, cause: Cause): void {
    if (this.#young.size >= this.#generation) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(traceId, { cause, until: this.#now() + this.#lifeMs })
  }

  recall(traceId: string): Cause | undefined {
    const found = this.#young.get(traceId) ?? this.#old.get(traceId)
    return found === undefined || found.until < this.#now() ? undefined : found.cause
  }
}
