/**
 * Refuses requests that come faster than a route, a service or an API allows. Used by all three directions.
 *
 * The generic cell rate algorithm: one number per key, the time at which the bucket is empty again, and no timers.
 * Stands before any signature work, so that a flood costs a map look-up. Counts are those of this process.
 */
import type { Exchange } from '../exchange/exchange.ts'
import type { Stage } from '../exchange/line.ts'
import { Refusal } from '../exchange/refusal.ts'
import type { RateLimit } from './section.ts'

/** A sustained rate with a burst on top of it. */
export interface Bucket {
  /** Milliseconds that one request takes from the bucket. */
  readonly intervalMs: number
  /** Requests that may come at once after a pause. */
  readonly burst: number
}

/** What the limiter answers: pass, or wait. */
export type RateDecision =
  { readonly pass: true } | { readonly pass: false; readonly retryAfterMs: number }

const pass: RateDecision = { pass: true }

/**
 * Theoretical arrival times by key, bounded: when `maxKeys` is reached, the keys whose buckets are full again are
 * forgotten, which changes no answer; if none is, the oldest ones go.
 */
export class RateLimiter {
  readonly #arrivals = new Map<string, number>()
  readonly #maxKeys: number

  constructor(maxKeys = 10_000) {
    this.#maxKeys = maxKeys
  }

  /** Keys that are remembered. */
  get size(): number {
    return this.#arrivals.size
  }

  /** Takes one request from the bucket of `key` at `now` milliseconds, or says how long to wait. */
  take(key: string, rate: Bucket, now: number): RateDecision {
    const arrival = Math.max(this.#arrivals.get(key) ?? now, now)
    const earliest = arrival - rate.intervalMs * (rate.burst - 1)
    if (earliest > now) return { pass: false, retryAfterMs: earliest - now }
    if (this.#arrivals.size >= this.#maxKeys && !this.#arrivals.has(key)) this.#forget(now)
    this.#arrivals.set(key, arrival + rate.intervalMs)
    return pass
  }

  #forget(now: number): void {
    for (const [key, arrival] of this.#arrivals) {
      if (arrival <= now) this.#arrivals.delete(key)
    }
    const tooMany = this.#arrivals.size - this.#maxKeys + 1
    if (tooMany <= 0) return
    for (const key of [...this.#arrivals.keys()].slice(0, Math.max(tooMany, this.#maxKeys >> 4))) {
      this.#arrivals.delete(key)
    }
  }
}

/** What the stage asks of its direction: whose bucket, and how large. */
export interface RateQuestion {
  readonly key: string
  readonly rate: Bucket
}

/** The rate of a configured limit. */
export const rateOf = (limit: RateLimit): Bucket => ({
  intervalMs: limit.rate.perMs / limit.rate.count,
  burst: limit.burst ?? limit.rate.count,
})

const nothing = {}

/** The stage. `question` gives the bucket of an exchange, or undefined where nothing limits it. */
export const limitRate = <Needs>(parts: {
  readonly limiter: RateLimiter
  readonly now: () => number
  readonly question: (x: Exchange & Needs) => RateQuestion | undefined
}): Stage<Needs, object> => ({
  name: 'limit-rate',
  run: (x) => {
    const asked = parts.question(x)
    if (asked === undefined) return nothing
    const decision = parts.limiter.take(asked.key, asked.rate, parts.now())
    if (!decision.pass) throw new Refusal('limit.rate', { retryAfterMs: decision.retryAfterMs })
    return nothing
  },
})
