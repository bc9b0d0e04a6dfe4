/**
 * A value that cannot print itself: a key, a token, a password.
 *
 * Used wherever a secret is held longer than one expression (credentials, private keys, tokens). JSON, string
 * conversion, `util.inspect`, `console.log`, template literals and structured logs all give `[redacted]`; the only
 * way to the value is {@link Secret.reveal}, a word that review can search for. Does NOT protect the memory of the
 * process: whoever can read the heap can read the secret.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { inspect } from 'node:util'

/** What a secret looks like to everything that prints. */
export const redacted = '[redacted]'

/** Holds one secret text. Two secrets compare with {@link Secret.equals}, never with `===`. */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** The secret itself. Call it at the last moment, where the bytes leave for the party that owns them. */
  reveal(): string {
    return this.#value
  }

  /** True for an empty secret, which is always a mistake of configuration. */
  get empty(): boolean {
    return this.#value === ''
  }

  /** Compares without telling, by the time it takes, where two secrets differ. */
  equals(other: Secret): boolean {
    const left = Buffer.from(this.#value)
    const right = Buffer.from(other.#value)
    return left.length === right.length && timingSafeEqual(left, right)
  }

  /** Sixteen hex digits that tell two secrets apart in a ledger; worthless to anyone without `key`. */
  fingerprint(key: Buffer): string {
    return createHmac('sha256', key).update(this.#value).digest('hex').slice(0, 16)
  }

  toString(): string {
    return redacted
  }

  toJSON(): string {
    return redacted
  }

  [Symbol.toPrimitive](): string {
    return redacted
  }

  [inspect.custom](): string {
    return redacted
  }
}
