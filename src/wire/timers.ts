/**
 * One coarse wheel for every timeout of every connection, instead of one timer of the runtime for each.
 *
 * Arming is a few assignments, so it can be done for each chunk. A timer fires at its time or up to two ticks later,
 * never earlier. The clock is handed in; a test holds it and calls `advance`.
 */

const slotCount = 512

/** One timeout that can be armed again and again. Owned by one connection or call. */
export class Timer {
  readonly #wheel: TimerWheel
  readonly #onTime: () => void
  /** When to fire, in the wheel's milliseconds; Infinity when disarmed. Read by the wheel only. */
  deadline = Infinity
  /** The tick of the slot that holds it, or -1. Written by the wheel only. */
  heldAt = -1

  constructor(wheel: TimerWheel, onTime: () => void) {
    this.#wheel = wheel
    this.#onTime = onTime
  }

  /** Fires `delayMs` from now, whatever was armed before. */
  arm(delayMs: number): void {
    this.deadline = this.#wheel.now() + delayMs
    this.#wheel.hold(this)
  }

  disarm(): void {
    this.deadline = Infinity
  }

  get armed(): boolean {
    return this.deadline !== Infinity
  }

  /** Called by the wheel. */
  fire(): void {
    this.deadline = Infinity
    this.#onTime()
  }
}

export interface TimerWheelOptions {
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number
  /** Milliseconds between two looks at the clock. */
  readonly tickMs?: number
  /** Whether the test turns the wheel by `advance`; otherwise it turns by itself, and never keeps the process alive. */
  readonly drivenBy?: 'clock' | 'test'
}

export class TimerWheel {
  readonly #clock: () => number
  readonly #tickMs: number
  readonly #selfDriven: boolean
  readonly #slots: Timer[][] = Array.from({ length: slotCount }, () => [])
  #coarse: number
  #tick: number
  #held = 0
  #interval: NodeJS.Timeout | undefined

  constructor(options: TimerWheelOptions) {
    this.#clock = options.now
    this.#tickMs = options.tickMs ?? 100
    this.#selfDriven = options.drivenBy !== 'test'
    this.#coarse = options.now()
    this.#tick = Math.floor(this.#coarse / this.#tickMs)
  }

  /** Number of timers that the wheel holds, for tests and metrics; disarmed ones leave it when their slot comes. */
  get size(): number {
    return this.#held
  }

  timer(onTime: () => void): Timer {
    return new Timer(this, onTime)
  }

  /** The time of the last tick while the wheel turns: cheap, and at most one tick old. */
  now(): number {
    if (this.#interval === undefined) this.#coarse = this.#clock()
    return this.#coarse
  }

  /** Called by a timer that was armed. */
  hold(timer: Timer): void {
    if (this.#held === 0) this.#start()
    // One tick is added because `now` may be a tick old: late is allowed, early is not.
    const due = Math.floor(timer.deadline / this.#tickMs) + 2
    if (timer.heldAt !== -1 && timer.heldAt <= due) return
    if (timer.heldAt !== -1) this.#release(timer)
    this.#insert(timer, due)
  }

  /** Looks at the clock and fires what is due. */
  advance(): void {
    this.#coarse = this.#clock()
    const target = Math.floor(this.#coarse / this.#tickMs)
    // After a long sleep every slot is looked at once, not once for each tick that was slept through.
    const first = Math.max(this.#tick + 1, target - slotCount + 1)
    for (let tick = first; tick <= target; tick++) {
      this.#tick = tick
      this.#turn(tick)
    }
    if (this.#held === 0) this.stop()
  }

  /** Stops turning; what is armed stays, and turns again when something is armed. */
  stop(): void {
    clearInterval(this.#interval)
    this.#interval = undefined
  }

  #start(): void {
    this.#coarse = this.#clock()
    this.#tick = Math.floor(this.#coarse / this.#tickMs)
    if (!this.#selfDriven || this.#interval) return
    this.#interval = setInterval(() => this.advance(), this.#tickMs)
    this.#interval.unref()
  }

  #insert(timer: Timer, due: number): void {
    // What is further away than one turn waits in the last slot of this turn and is looked at again.
    const at = Math.max(this.#tick + 1, Math.min(due, this.#tick + slotCount - 1))
    timer.heldAt = at
    this.#slots[at % slotCount]!.push(timer)
    this.#held++
  }

  #release(timer: Timer): void {
    const slot = this.#slots[timer.heldAt % slotCount]!
    const index = slot.indexOf(timer)
    const last = slot.pop()!
    if (last !== timer) slot[index] = last
    timer.heldAt = -1
    this.#held--
  }

  #turn(tick: number): void {
    const slot = this.#slots[tick % slotCount]!
    if (slot.length === 0) return
    const timers = slot.splice(0)
    this.#held -= timers.length
    for (const timer of timers) timer.heldAt = -1
    for (const timer of timers) {
      if (timer.deadline === Infinity || timer.heldAt !== -1) continue
      if (timer.deadline <= this.#coarse) timer.fire()
      else this.#insert(timer, Math.floor(timer.deadline / this.#tickMs) + 2)
    }
  }
}
