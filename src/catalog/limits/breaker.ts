/**
 * A circuit breaker: after failures in a row an API is left alone for a while, then tried with single probes.
 *
 * A pure state machine; time is given with each question. What counts as a failure is `judgeOutcome`'s.
 */

/** Settings of one breaker; times in ms. */
export interface BreakerSettings {
  readonly failures: number
  readonly open_for: number
  readonly probes: number
}

/** Whether a call may go. */
export type BreakerDecision =
  | { readonly decision: 'go'; readonly as: 'call' | 'probe' }
  | {
      readonly decision: 'refuse'
      readonly code: 'api.circuit-open'
      readonly retryAfterMs: number
    }

/** How a call ended, for the breaker. `ignored`: it says nothing of the API's health (refused here, cancelled by the app). */
export type CallOutcome = 'success' | 'failure' | 'ignored'

/** 5xx, a fault of the wire and a time-out are failures; 429 is the API's own limit and is honoured elsewhere. */
export const judgeOutcome = (
  result:
    | { readonly status: number }
    | { readonly fault: 'refused' | 'reset' | 'timeout' | 'tls' | 'dns' | 'cancelled' },
): CallOutcome => {
  if ('fault' in result) return result.fault === 'cancelled' ? 'ignored' : 'failure'
  return result.status >= 500 && result.status !== 501 ? 'failure' : 'success'
}

/** The breaker of one API. */
export class Breaker {
  readonly #settings: BreakerSettings
  #failures = 0
  #openUntil: number | undefined
  #probing = 0
  #passed = 0

  constructor(settings: BreakerSettings) {
    this.#settings = settings
  }

  /** `closed`, `open`, or `half-open` when probes are let through, at `now`. */
  state(now: number): 'closed' | 'open' | 'half-open' {
    if (this.#openUntil === undefined) return 'closed'
    return now < this.#openUntil ? 'open' : 'half-open'
  }

  /** Asks before a call. A probe must be followed by {@link after}. */
  before(now: number): BreakerDecision {
    const state = this.state(now)
    if (state === 'closed') return { decision: 'go', as: 'call' }
    if (state === 'half-open' && this.#probing < 1) {
      this.#probing++
      return { decision: 'go', as: 'probe' }
    }
    return {
      decision: 'refuse',
      code: 'api.circuit-open',
      retryAfterMs: Math.max(1_000, (this.#openUntil ?? now) - now),
    }
  }

  /** Tells how a call ended. */
  after(as: 'call' | 'probe', outcome: CallOutcome, now: number): void {
    if (as === 'probe') this.#probing = Math.max(0, this.#probing - 1)
    if (outcome === 'ignored') return
    // A call from before the circuit opened says nothing about now.
    if (as === 'call' && this.#openUntil !== undefined) return
    if (outcome === 'success') return this.#succeed(as)
    this.#failures++
    if (as === 'probe' || this.#failures >= this.#settings.failures) {
      this.#openUntil = now + this.#settings.open_for
      this.#passed = 0
    }
  }

  #succeed(as: 'call' | 'probe'): void {
    this.#failures = 0
    if (as === 'call' || ++this.#passed < this.#settings.probes) return
    this.#openUntil = undefined
    this.#passed = 0
  }
}
