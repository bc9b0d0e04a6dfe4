/**
 * A value that changes while the process runs: a certificate, a trust bundle, a policy revision, a configuration.
 *
 * Readers call `current` for each decision, so a change takes effect without a restart, and subscribe only when
 * they hold something that must be rebuilt (a TLS context, an index). A reader that needs one consistent view over
 * a whole request reads `current` once and keeps it.
 */
export interface Live<T> {
  readonly current: T
  /** Calls `listener` after each change, until the returned function is called. */
  subscribe(listener: (value: T) => void): () => void
}

/** The writable end of a {@link Live}. Only the owner of the value holds it. */
export class LiveValue<T> implements Live<T> {
  #current: T
  readonly #listeners = new Set<(value: T) => void>()

  constructor(initial: T) {
    this.#current = initial
  }

  get current(): T {
    return this.#current
  }

  /** Replaces the value, then tells every subscriber in the order of subscription. */
  set(value: T): void {
    this.#current = value
    for (const listener of this.#listeners) listener(value)
  }

  subscribe(listener: (value: T) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}
