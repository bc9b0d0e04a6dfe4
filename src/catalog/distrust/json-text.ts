/**
 * JSON in and out without changing numbers: `10.50` and `9007199254740993` are written as they were read.
 *
 * For `strip` and `escape`, which must write an answer anew. Everything else passes the bytes as they came. Scan the
 * text with `json-scanner.ts` first: this one trusts it.
 */

interface RawJson {
  rawJSON?: (text: string) => unknown
}

const rawNumber = (JSON as RawJson).rawJSON

/** A number whose text would change if it were written from its value. */
export class ExactNumber {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  /** The nearest double, for validation. */
  get value(): number {
    return Number(this.text)
  }

  toJSON(): unknown {
    return rawNumber ? rawNumber(this.text) : this.value
  }
}

/** Parses JSON; numbers become {@link ExactNumber} where their text matters. */
export const parseExact = (text: string): unknown =>
  JSON.parse(text, (_key: string, value: unknown, context?: { source?: string }) => {
    if (typeof value !== 'number' || context?.source === undefined) return value
    return String(value) === context.source ? value : new ExactNumber(context.source)
  }) as unknown

/** Writes what {@link parseExact} gave. */
export const writeExact = (value: unknown): string => JSON.stringify(value)
