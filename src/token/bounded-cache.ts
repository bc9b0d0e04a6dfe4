/**
 * A map that holds at most so many entries and forgets the one that was used longest ago.
 *
 * For verified tokens and minted ones. It knows nothing of time: whoever reads an entry checks that it is still good.
 */
export class BoundedCache<V> {
  readonly #limit: number
  readonly #entries = new Map<string, V>()

  /** @param limit most entries held; 0 remembers nothing */
  constructor(limit: number) {
    this.#limit = limit
  }

  get size(): number {
    return this.#entries.size
  }

  /** The value of `key`, which becomes the most recently used. */
  get(key: string): V | undefined {
    const value = this.#entries.get(key)
    if (value === undefined) return undefined
    this.#entries.delete(key)
    this.#entries.set(key, value)
    return value
  }

  set(key: string, value: V): void {
    if (this.#limit === 0) return
    this.#entries.delete(key)
    if (this.#entries.size >= this.#limit) {
      const oldest = this.#entries.keys().next()
      if (oldest.done !== true) this.#entries.delete(oldest.value)
    }
    this.#entries.set(key, value)
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }
}
