/**
 * A JSON reader for texts that strangers sign: one meaning or none.
 *
 * For tokens and key documents. Beyond JSON.parse it refuses duplicate members, nesting beyond a limit, numbers that
 * are not finite or are integers too large to be exact, byte order marks, invalid UTF-8 and lone surrogates, because
 * another reader could take each of them for something else (RFC 8725 §2.6, RFC 7493). It does not bound the size of
 * the text: callers do.
 */

/** Why a text is not acceptable JSON; the message holds none of it. */
export class StrictJsonError extends Error {
  override readonly name = 'StrictJsonError'
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const maxMembers = 1_000

const numberPattern = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y
const plainStringPattern = /[^"\\\u0000-\u001f]*/y
const hexPattern = /[0-9a-fA-F]{4}/y
const spacePattern = /[ \t\r\n]*/y

const escapes: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ['\\', '\\'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
])

class Reader {
  readonly #text: string
  readonly #maxDepth: number
  #at = 0

  constructor(text: string, maxDepth: number) {
    this.#text = text
    this.#maxDepth = maxDepth
  }

  whole(): unknown {
    this.#space()
    const value = this.#value(1)
    this.#space()
    if (this.#at !== this.#text.length) throw new StrictJsonError('text after the value')
    return value
  }

  #take(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.#text)
    if (match !== null) this.#at += match[0].length
    return match
  }

  #space(): void {
    this.#take(spacePattern)
  }

  #value(depth: number): unknown {
    if (depth > this.#maxDepth) throw new StrictJsonError(`nested deeper than ${this.#maxDepth}`)
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(depth)
      case '[':
        return this.#array(depth)
      case '"':
        return this.#string()
      case 't':
        return this.#word('true', true)
      case 'f':
        return this.#word('false', false)
      case 'n':
        return this.#word('null', null)
      default:
        return this.#number()
    }
  }

  #word<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw new StrictJsonError('not JSON')
    this.#at += word.length
    return value
  }

  #number(): number {
    const match = this.#take(numberPattern)
    if (match === null) throw new StrictJsonError('not JSON')
    const value = Number(match[0])
    if (!Number.isFinite(value)) throw new StrictJsonError('a number that is not finite')
    const isInteger = match[1] === undefined && match[2] === undefined
    if (isInteger && !Number.isSafeInteger(value))
      throw new StrictJsonError('an integer too large to be exact')
    return value
  }

  #string(): string {
    this.#at += 1
    let value = ''
    for (;;) {
      value += this.#take(plainStringPattern)?.[0] ?? ''
      const next = this.#text[this.#at]
      this.#at += 1
      if (next === '"') break
      if (next !== '\\')
        throw new StrictJsonError('a string that does not end, or holds a control character')
      value += this.#escape()
    }
    if (!value.isWellFormed()) throw new StrictJsonError('a string with half a surrogate pair')
    return value
  }

  #escape(): string {
    const letter = this.#text[this.#at] ?? ''
    this.#at += 1
    const simple = escapes.get(letter)
    if (simple !== undefined) return simple
    const digits = letter === 'u' ? this.#take(hexPattern) : null
    if (digits === null) throw new StrictJsonError('an unknown escape in a string')
    return String.fromCharCode(Number.parseInt(digits[0], 16))
  }

  /** Reads `item`s between commas until `end`; the opening character has not been read yet. */
  #list(end: string, item: () => void): void {
    this.#at += 1
    this.#space()
    if (this.#text[this.#at] === end) {
      this.#at += 1
      return
    }
    for (let count = 1; ; count += 1) {
      if (count > maxMembers) throw new StrictJsonError(`more than ${maxMembers} members`)
      this.#space()
      item()
      this.#space()
      const next = this.#text[this.#at]
      this.#at += 1
      if (next === end) return
      if (next !== ',') throw new StrictJsonError('not JSON')
    }
  }

  #array(depth: number): readonly unknown[] {
    const items: unknown[] = []
    this.#list(']', () => items.push(this.#value(depth + 1)))
    return items
  }

  #object(depth: number): Readonly<Record<string, unknown>> {
    const members = new Map<string, unknown>()
    this.#list('}', () => {
      if (this.#text[this.#at] !== '"') throw new StrictJsonError('not JSON')
      const name = this.#string()
      if (members.has(name)) throw new StrictJsonError('a member that appears twice')
      this.#space()
      if (this.#text[this.#at] !== ':') throw new StrictJsonError('not JSON')
      this.#at += 1
      this.#space()
      members.set(name, this.#value(depth + 1))
    })
    // Object.fromEntries defines own properties, so a member called __proto__ stays a plain member.
    return Object.fromEntries(members)
  }
}

/** A JSON object: neither an array nor null. */
export const isJsonObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * The value that `bytes` hold as UTF-8 JSON.
 *
 * @throws {StrictJsonError} when the text is not JSON, or has more than one possible meaning
 */
export const parseStrictJson = (bytes: Uint8Array, maxDepth: number): unknown => {
  let text: string
  try {
    text = decoder.decode(bytes)
  } catch {
    throw new StrictJsonError('not UTF-8')
  }
  return new Reader(text, maxDepth).whole()
}
