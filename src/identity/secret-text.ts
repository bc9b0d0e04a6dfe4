/** Text that must not be printed: it shows `[secret]` wherever it is logged, inspected or made into JSON. */
import { inspect } from 'node:util'

/** Holds a secret until `reveal` is called at the one place that needs it. */
export class SecretText {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  /** The text itself. Call it only where the secret is handed to the library that needs it. */
  reveal(): string {
    return this.#text
  }

  toString(): string {
    return '[secret]'
  }

  toJSON(): string {
    return '[secret]'
  }

  [inspect.custom](): string {
    return '[secret]'
  }
}
