/**
 * Whether an attempt is repeated, and when: idempotency, a budget, full jitter, and the vendor's `Retry-After`.
 *
 * Pure decisions; the egress line owns the clock and the attempts. The budget keeps a vendor that is down from getting
 * several times the traffic of one that is up (Google SRE book, "Handling Overload").
 */

/** Settings of one API; times in ms. */
export interface RetrySettings {
  readonly attempts: number
  readonly budget_percent: number
  readonly base: number
  readonly longest: number
  readonly statuses: readonly number[]
}

/** How an attempt ended. */
export interface FailedAttempt {
  /** 1 for the first attempt. */
  readonly number: number
  readonly result:
    | { readonly status: number; readonly retryAfter: string | undefined }
    | { readonly fault: 'not-connected' | 'broken' | 'timeout' }
  /** The operation may be repeated (RFC 9110 §9.2.2, or an Idempotency-Key was sent). */
  readonly idempotent: 'yes' | 'no'
  /** The body can be sent again. */
  readonly replayable: 'yes' | 'no'
  /** When the call as a whole must be over. */
  readonly deadline: number
}

/** What to do after an attempt. */
export type RetryDecision =
  | { readonly decision: 'retry'; readonly afterMs: number }
  | {
      readonly decision: 'stop'
      readonly reason:
        'attempts' | 'status' | 'not-idempotent' | 'body' | 'budget' | 'retry-after' | 'deadline'
    }

/** `Retry-After` (RFC 9110 §10.2.3) as ms from `now`; undefined when there is none that can be read. */
export const parseRetryAfter = (text: string | undefined, now: number): number | undefined => {
  if (text === undefined) return undefined
  if (/^\d{1,9}$/.test(text.trim())) return Number(text) * 1_000
  const date = /^[A-Z][a-z]{2}, /.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}

/** True when the request names an idempotency key, so that the vendor itself keeps a repeat from acting twice. */
export const hasIdempotencyKey = (
  headers: readonly (readonly [name: string, value: string])[],
): boolean =>
  headers.some(
    ([name, value]) =>
      /^(idempotency-key|x-idempotency-key|x-request-idempotency-key)$/i.test(name) && value !== '',
  )

/** Decides on a repeat at `now`; `random` gives [0, 1). Takes from the budget when it says retry. */
export const decideRetry = (
  settings: RetrySettings,
  attempt: FailedAttempt,
  budget: RetryBudget,
  now: number,
  random: () => number,
): RetryDecision => {
  const stop = (reason: Extract<RetryDecision, { decision: 'stop' }>['reason']): RetryDecision => ({
    decision: 'stop',
    reason,
  })
  const { result } = attempt
  if ('status' in result && !settings.statuses.includes(result.status)) return stop('status')
  if (attempt.number >= settings.attempts) return stop('attempts')
  // A connection that was never made carried nothing, so any method may be repeated.
  const nothingSent = 'fault' in result && result.fault === 'not-connected'
  // 429 says that the vendor did not act (RFC 6585 §4).
  const notActed = nothingSent || ('status' in result && result.status === 429)
  if (attempt.idempotent === 'no' && !notActed) return stop('not-idempotent')
  if (attempt.replayable === 'no' && !nothingSent) return stop('body')
  const asked = 'status' in result ? parseRetryAfter(result.retryAfter, now) : undefined
  if (asked !== undefined && asked > settings.longest) return stop('retry-after')
  const ceiling = Math.min(settings.longest, settings.base * 2 ** (attempt.number - 1))
  const jitter = Math.floor(random() * (ceiling + 1))
  const afterMs = asked === undefined ? jitter : asked + Math.floor(random() * (settings.base + 1))
  if (now + afterMs >= attempt.deadline) return stop('deadline')
  return budget.spend(now) === 'spent' ? { decision: 'retry', afterMs } : stop('budget')
}

const windowMs = 10_000

/** With hardly any traffic a share of it is nothing; this many repeats per window are always left. */
const reserve = 3

/** Repeats as a share of the calls of the last ten seconds, for one API. */
export class RetryBudget {
  readonly #percent: number
  #calls: number[] = []
  #repeats: number[] = []

  constructor(percent: number) {
    this.#percent = percent
  }

  /** Notes a first attempt. */
  call(now: number): void {
    this.#calls = recent(this.#calls, now)
    this.#calls.push(now)
  }

  /** Takes one repeat, if there is one left. */
  spend(now: number): 'spent' | 'none-left' {
    this.#calls = recent(this.#calls, now)
    this.#repeats = recent(this.#repeats, now)
    if (this.#percent === 0) return 'none-left'
    if (
      this.#repeats.length >=
      Math.max(reserve, Math.floor((this.#calls.length * this.#percent) / 100))
    )
      return 'none-left'
    this.#repeats.push(now)
    return 'spent'
  }
}

/** Dropping only when half is old keeps the cost of a call constant on average. */
const recent = (times: number[], now: number): number[] => {
  const first = times.findIndex((time) => time > now - windowMs)
  if (first === -1) return []
  return first > times.length / 2 || times.length > 100_000
    ? times.slice(first)
    : first === 0
      ? times
      : times.slice(first)
}
