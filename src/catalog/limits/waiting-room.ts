/** Who waits for a turn: by priority (0 first), then by arrival; each for a bounded time. Holds no timers. */

/** Somebody who waits. */
export interface Waiter<T> {
  readonly priority: number
  /** When waiting ends in vain, in ms. */
  readonly until: number
  readonly value: T
}

/** A bounded queue. */
export class WaitingRoom<T> {
  readonly #places: number
  readonly #waiting: Waiter<T>[] = []

  constructor(places: number) {
    this.#places = places
  }

  get size(): number {
    return this.#waiting.length
  }

  /**
   * Takes a place. When all are taken, the last of a lower priority has to go, so that a flood of unimportant calls does
   * not shut out an important one.
   *
   * @returns who must leave: nobody, another, or the newcomer
   */
  join(waiter: Waiter<T>): Waiter<T> | undefined {
    const last = this.#waiting.at(-1)
    let leaves: Waiter<T> | undefined
    if (this.#waiting.length >= this.#places) {
      if (!last || last.priority <= waiter.priority) return waiter
      leaves = this.#waiting.pop()
    }
    const at = this.#waiting.findIndex((one) => one.priority > waiter.priority)
    this.#waiting.splice(at === -1 ? this.#waiting.length : at, 0, waiter)
    return leaves
  }

  /** Removes those whose time is over at `now`. */
  expire(now: number): readonly Waiter<T>[] {
    const over = this.#waiting.filter((one) => one.until <= now)
    for (const one of over) this.leave(one)
    return over
  }

  /** Removes one who gave up. */
  leave(waiter: Waiter<T>): void {
    const at = this.#waiting.indexOf(waiter)
    if (at !== -1) this.#waiting.splice(at, 1)
  }

  /** The first in line, without removing it. */
  first(): Waiter<T> | undefined {
    return this.#waiting[0]
  }

  /** Removes the first in line. */
  next(): Waiter<T> | undefined {
    return this.#waiting.shift()
  }

  /** The moment at which the first of all waiting times ends, or undefined. */
  nextExpiry(): number | undefined {
    return this.#waiting.length === 0
      ? undefined
      : Math.min(...this.#waiting.map((one) => one.until))
  }
}
