/**
 * All limits of one API and caller in one place: quota, breaker, concurrency, rate; with a queue where one is declared.
 *
 * For the egress line: `enter` before an attempt, `leave` after it. Answers at once when nobody has to wait. Counts are
 * those of this process.
 */
import type { LimitSettings } from '../entry/limits.ts'
import { Breaker } from './breaker.ts'
import type { CallOutcome } from './breaker.ts'
import { Gcra } from './gcra.ts'
import { RetryBudget } from './retry.ts'
import { WaitingRoom } from './waiting-room.ts'
import type { Waiter } from './waiting-room.ts'

/** A call may go, or when to come back. */
export type Admission =
  | {
      readonly kind: 'admitted'
      /** Time spent in queues, for `sallyport.queue.us`. */
      readonly waitedMs: number
      /** Gives the place back; exactly once matters, more is harmless. */
      leave(outcome: CallOutcome): void
    }
  | {
      readonly kind: 'refused'
      readonly code: 'limit.rate' | 'limit.concurrency' | 'limit.quota' | 'api.circuit-open'
      readonly retryAfterMs: number
      readonly detail: string
    }

/** Time and timers, passed in. */
export interface LimitClock {
  readonly now: () => number
  /** Runs `task` after `ms`; the result stops it. */
  readonly after: (task: () => void, ms: number) => () => void
}

const dayMs = 86_400_000
const defaultPriority = 5

interface Turn {
  readonly since: number
  readonly settle: (admission: Admission) => void
  readonly as: 'call' | 'probe'
}

/** The limits of one API for one caller. */
class CallerLimits {
  readonly #name: string
  readonly #settings: LimitSettings
  readonly #clock: LimitClock
  readonly #breaker: Breaker | undefined
  readonly #rate: Gcra | undefined
  readonly #rateRoom: WaitingRoom<Turn>
  readonly #flightRoom: WaitingRoom<Turn>
  #inFlight = 0
  #day = -1
  #used = 0
  #stopTimer: (() => void) | undefined

  constructor(
    name: string,
    settings: LimitSettings,
    clock: LimitClock,
    breaker: Breaker | undefined,
  ) {
    this.#name = name
    this.#settings = settings
    this.#clock = clock
    this.#breaker = breaker
    const { rate, concurrency } = settings
    this.#rate = rate && new Gcra({ intervalMs: rate.per / rate.requests, burst: rate.burst })
    this.#rateRoom = new WaitingRoom(rate?.queue ?? 0)
    this.#flightRoom = new WaitingRoom(concurrency?.queue ?? 0)
  }

  /** Nothing waits and nothing flies, so the caller can be forgotten once its bucket is full. */
  get idle(): boolean {
    const now = this.#clock.now()
    return (
      this.#inFlight === 0 &&
      this.#rateRoom.size === 0 &&
      this.#flightRoom.size === 0 &&
      this.#used === 0 &&
      (this.#rate?.nextAt(now) ?? now) <= now
    )
  }

  enter(priority: number): Admission | Promise<Admission> {
    const now = this.#clock.now()
    const quota = this.#quota(now)
    if (quota) return quota
    const circuit = this.#breaker?.before(now)
    if (circuit?.decision === 'refuse') {
      return {
        kind: 'refused',
        code: circuit.code,
        retryAfterMs: circuit.retryAfterMs,
        detail: `${this.#name} failed too often and is left alone`,
      }
    }
    let answer: Admission | undefined
    let resolve: ((admission: Admission) => void) | undefined
    const turn: Turn = {
      since: now,
      as: circuit?.as ?? 'call',
      settle: (admission) => {
        if (admission.kind === 'refused' && turn.as === 'probe')
          this.#breaker?.after('probe', 'ignored', this.#clock.now())
        answer = admission
        resolve?.(admission)
      },
    }
    this.#askForFlight(turn, priority, now)
    return answer ?? new Promise((done) => (resolve = done))
  }

  #quota(now: number): Admission | undefined {
    const { daily_quota: quota } = this.#settings
    if (quota === undefined) return undefined
    const day = Math.floor(now / dayMs)
    if (day !== this.#day) {
      this.#day = day
      this.#used = 0
    }
    if (this.#used < quota) return undefined
    return {
      kind: 'refused',
      code: 'limit.quota',
      retryAfterMs: (day + 1) * dayMs - now,
      detail: `the ${quota} calls of today to ${this.#name} are used up`,
    }
  }

  #askForFlight(turn: Turn, priority: number, now: number): void {
    const { concurrency } = this.#settings
    if (!concurrency || this.#inFlight < concurrency.requests) {
      this.#inFlight++
      return this.#askForRate(turn, priority, now)
    }
    this.#queue(this.#flightRoom, { priority, until: now + concurrency.wait, value: turn }, now)
  }

  #askForRate(turn: Turn, priority: number, now: number): void {
    const { rate } = this.#settings
    if (!this.#rate || !rate) return this.#admit(turn, now)
    const ahead = this.#rateRoom.first()
    if ((!ahead || priority < ahead.priority) && this.#rate.take(now) === 'taken')
      return this.#admit(turn, now)
    this.#queue(this.#rateRoom, { priority, until: now + rate.wait, value: turn }, now)
  }

  #queue(room: WaitingRoom<Turn>, waiter: Waiter<Turn>, now: number): void {
    const leaves = room.join(waiter)
    if (leaves) this.#refuse(room, leaves, now)
    this.#plan()
  }

  #admit(turn: Turn, now: number): void {
    this.#used++
    let left = false
    turn.settle({
      kind: 'admitted',
      waitedMs: now - turn.since,
      leave: (outcome) => {
        if (left) return
        left = true
        this.#breaker?.after(turn.as, outcome, this.#clock.now())
        this.#leaveFlight()
      },
    })
  }

  #leaveFlight(): void {
    this.#inFlight--
    const now = this.#clock.now()
    this.#expire(now)
    const next = this.#flightRoom.next()
    if (!next) return
    this.#inFlight++
    this.#askForRate(next.value, next.priority, now)
    this.#plan()
  }

  #refuse(room: WaitingRoom<Turn>, waiter: Waiter<Turn>, now: number): void {
    const { rate } = this.#settings
    if (room === this.#flightRoom) {
      return waiter.value.settle({
        kind: 'refused',
        code: 'limit.concurrency',
        retryAfterMs: 1_000,
        detail: `as many calls to ${this.#name} as allowed are in flight`,
      })
    }
    const ahead = this.#rateRoom.size * (rate ? rate.per / rate.requests : 0)
    const retryAfterMs = Math.max(1, Math.ceil((this.#rate?.nextAt(now) ?? now) - now + ahead))
    waiter.value.settle({
      kind: 'refused',
      code: 'limit.rate',
      retryAfterMs,
      detail: `calls to ${this.#name} come faster than ${rate?.requests} per ${rate?.per} ms`,
    })
    this.#leaveFlight()
  }

  #expire(now: number): void {
    for (const waiter of this.#flightRoom.expire(now)) this.#refuse(this.#flightRoom, waiter, now)
    for (const waiter of this.#rateRoom.expire(now)) this.#refuse(this.#rateRoom, waiter, now)
  }

  /** One timer for the next thing that will happen by itself. */
  #plan(): void {
    this.#stopTimer?.()
    this.#stopTimer = undefined
    const now = this.#clock.now()
    const times = [this.#flightRoom.nextExpiry(), this.#rateRoom.nextExpiry()]
    if (this.#rateRoom.size > 0) times.push(this.#rate?.nextAt(now))
    const next = times.filter((time) => time !== undefined).sort((a, b) => a - b)[0]
    if (next !== undefined)
      this.#stopTimer = this.#clock.after(() => this.#tick(), Math.max(0, Math.ceil(next - now)))
  }

  #tick(): void {
    const now = this.#clock.now()
    this.#expire(now)
    while (this.#rateRoom.size > 0 && this.#rate?.take(now) === 'taken') {
      const next = this.#rateRoom.next()
      if (next) this.#admit(next.value, now)
    }
    this.#plan()
  }
}

/** Forgetting idle callers above this number keeps memory bounded. */
const mostCallers = 1_000

/** The limits of one API for all its callers, with its breaker and its retry budget, which are the API's as a whole. */
export class ApiLimits {
  readonly budget: RetryBudget
  readonly #name: string
  readonly #settings: LimitSettings
  readonly #clock: LimitClock
  readonly #breaker: Breaker | undefined
  readonly #callers = new Map<string, CallerLimits>()

  constructor(entry: { readonly name: string; readonly limits: LimitSettings }, clock: LimitClock) {
    this.#name = entry.name
    this.#settings = entry.limits
    this.#clock = clock
    this.#breaker = entry.limits.breaker && new Breaker(entry.limits.breaker)
    this.budget = new RetryBudget(entry.limits.retry.budget_percent)
  }

  /** Asks for one attempt of `operation` by `caller` (SPIFFE ID). A value when it is decided at once, a promise when it must wait. */
  enter(caller: string, operation = ''): Admission | Promise<Admission> {
    let limits = this.#callers.get(caller)
    if (!limits) {
      if (this.#callers.size >= mostCallers) this.#forgetIdle()
      limits = new CallerLimits(this.#name, this.#settings, this.#clock, this.#breaker)
      this.#callers.set(caller, limits)
    }
    const { priority } = this.#settings
    return limits.enter(priority[operation] ?? priority[caller] ?? defaultPriority)
  }

  /** State of the circuit, for metrics and readiness. */
  circuit(): 'closed' | 'open' | 'half-open' {
    return this.#breaker?.state(this.#clock.now()) ?? 'closed'
  }

  #forgetIdle(): void {
    for (const [caller, limits] of this.#callers) if (limits.idle) this.#callers.delete(caller)
  }
}
