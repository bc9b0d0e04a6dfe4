/**
 * A strict JSON reader (RFC 8259) that keeps nothing: it says whether the bytes are safe to hand to a parser.
 *
 * For answers of third parties and for requests that a policy reads. Takes chunks cut anywhere. Finds what parsers
 * disagree on or die of: duplicate keys, prototype keys (compared after escapes), depth, key count, bytes that are not
 * UTF-8, and any departure from the grammar. It never recurses, and its memory is bounded by the key count.
 */

/** What may be in a document. */
export interface JsonLimits {
  /** Deepest nesting of arrays and objects. */
  readonly depth: number
  /** Most object members in the whole document. */
  readonly keys: number
}

/** Why a document is not safe to read. */
export interface JsonFault {
  readonly reason:
    | 'json-malformed'
    | 'json-depth'
    | 'json-keys'
    | 'json-duplicate-key'
    | 'json-prototype-key'
    | 'invalid-utf8'
  /** What and where, without any text of the document. */
  readonly detail: string
  /** Byte at which it was found. */
  readonly offset: number
}

type State =
  | 'value'
  | 'value-or-end'
  | 'key-or-end'
  | 'key'
  | 'colon'
  | 'after'
  | 'string'
  | 'escape'
  | 'unicode'
  | 'number'
  | 'literal'

type NumberState = 'minus' | 'zero' | 'integer' | 'dot' | 'fraction' | 'e' | 'sign' | 'exponent'

const forbiddenKeys = new Set(['__proto__', 'constructor'])

/** The longest member name; longer ones are a bomb of another kind. */
const longestKey = 8 * 1024

const [quote, backslash, comma, colon] = [0x22, 0x5c, 0x2c, 0x3a]
const [openBrace, closeBrace, openBracket, closeBracket] = [0x7b, 0x7d, 0x5b, 0x5d]
const escapes: Readonly<Record<number, number>> = {
  0x22: 0x22,
  0x5c: 0x5c,
  0x2f: 0x2f,
  0x62: 8,
  0x66: 12,
  0x6e: 10,
  0x72: 13,
  0x74: 9,
}
const literals: Readonly<Record<number, string>> = { 0x74: 'true', 0x66: 'false', 0x6e: 'null' }

const isSpace = (byte: number): boolean =>
  byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39

const hexValue = (byte: number): number => {
  if (isDigit(byte)) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

/** Reads one document, chunk by chunk. After a fault every further call gives the same fault. */
export class JsonScanner {
  readonly #limits: JsonLimits
  /** One item per open container: its member names for an object, undefined for an array. */
  readonly #open: (Set<string> | undefined)[] = []
  #state: State = 'value'
  #number: NumberState = 'minus'
  #literal = ''
  #literalAt = 0
  #isKey = false
  #key: number[] = []
  #unicode = 0
  #unicodeDigits = 0
  #highSurrogate = 0
  #utf8Left = 0
  #utf8Low = 0x80
  #utf8High = 0xbf
  #keys = 0
  #offset = 0
  #fault: JsonFault | undefined

  constructor(limits: JsonLimits) {
    this.#limits = limits
  }

  /** Reads more bytes; a fault means that the document must not be passed on. */
  push(chunk: Uint8Array): JsonFault | undefined {
    for (let index = 0; index < chunk.length && !this.#fault; index++) {
      const byte = chunk[index]!
      if (!this.#skipsMark(byte)) this.#step(byte)
      this.#offset++
    }
    return this.#fault
  }

  /** The document is over. */
  end(): JsonFault | undefined {
    if (this.#fault) return this.#fault
    if (this.#state === 'number') this.#endNumber()
    if (!this.#fault && (this.#state !== 'after' || this.#open.length > 0))
      this.#say('json-malformed', 'the document ends too early')
    return this.#fault
  }

  /** RFC 8259 §8.1: a byte order mark may be ignored at the start. */
  #skipsMark(byte: number): boolean {
    return this.#offset < 3 && this.#state === 'value' && byte === [0xef, 0xbb, 0xbf][this.#offset]
  }

  #say(reason: JsonFault['reason'], what: string): void {
    this.#fault ??= { reason, detail: `${what}, at byte ${this.#offset}`, offset: this.#offset }
  }

  #step(byte: number): void {
    if (this.#state === 'string') return this.#inString(byte)
    if (this.#state === 'escape') return this.#inEscape(byte)
    if (this.#state === 'unicode') return this.#inUnicode(byte)
    if (this.#state === 'literal') return this.#inLiteral(byte)
    if (this.#state === 'number') {
      if (this.#inNumber(byte)) return
      this.#endNumber()
      if (this.#fault) return
    }
    if (!isSpace(byte)) this.#structure(byte)
  }

  #structure(byte: number): void {
    switch (this.#state) {
      case 'value':
        return this.#startValue(byte)
      case 'value-or-end':
        return byte === closeBracket ? this.#close(byte) : this.#startValue(byte)
      case 'key-or-end':
        return byte === closeBrace ? this.#close(byte) : this.#startKey(byte)
      case 'key':
        return this.#startKey(byte)
      case 'colon':
        if (byte !== colon) return this.#say('json-malformed', 'a colon is missing')
        this.#state = 'value'
        return
      default:
        return this.#afterValue(byte)
    }
  }

  #afterValue(byte: number): void {
    if (this.#open.length === 0)
      return this.#say('json-malformed', 'something follows the document')
    if (byte !== comma) return this.#close(byte)
    this.#state = this.#open.at(-1) ? 'key' : 'value'
  }

  #close(byte: number): void {
    const expected = this.#open.at(-1) ? closeBrace : closeBracket
    if (byte !== expected)
      return this.#say('json-malformed', 'a comma or a closing bracket is missing')
    this.#open.pop()
    this.#state = 'after'
  }

  #startKey(byte: number): void {
    if (byte !== quote) return this.#say('json-malformed', 'a member name is missing')
    if (++this.#keys > this.#limits.keys)
      return this.#say('json-keys', `more than ${this.#limits.keys} members`)
    this.#isKey = true
    this.#key = []
    this.#state = 'string'
  }

  #startValue(byte: number): void {
    if (byte === quote) {
      this.#isKey = false
      this.#state = 'string'
      return
    }
    if (byte === openBrace || byte === openBracket) {
      if (this.#open.length >= this.#limits.depth)
        return this.#say('json-depth', `nesting deeper than ${this.#limits.depth}`)
      this.#open.push(byte === openBrace ? new Set() : undefined)
      this.#state = byte === openBrace ? 'key-or-end' : 'value-or-end'
      return
    }
    if (byte === 0x2d || isDigit(byte)) {
      this.#number = byte === 0x2d ? 'minus' : byte === 0x30 ? 'zero' : 'integer'
      this.#state = 'number'
      return
    }
    const literal = literals[byte]
    if (literal === undefined) return this.#say('json-malformed', 'a value is missing')
    this.#literal = literal
    this.#literalAt = 1
    this.#state = 'literal'
  }

  #inLiteral(byte: number): void {
    if (byte !== this.#literal.charCodeAt(this.#literalAt))
      return this.#say('json-malformed', 'an unknown word')
    if (++this.#literalAt === this.#literal.length) this.#state = 'after'
  }

  #inNumber(byte: number): boolean {
    const next = nextNumberState(this.#number, byte)
    if (next) this.#number = next
    return next !== undefined
  }

  #endNumber(): void {
    if (!['zero', 'integer', 'fraction', 'exponent'].includes(this.#number))
      return this.#say('json-malformed', 'a number ends too early')
    this.#state = 'after'
  }

  #inString(byte: number): void {
    if (this.#utf8Left > 0) {
      if (byte < this.#utf8Low || byte > this.#utf8High)
        return this.#say('invalid-utf8', 'a byte that is not UTF-8')
      this.#utf8Left--
      this.#utf8Low = 0x80
      this.#utf8High = 0xbf
      return this.#keep(byte)
    }
    if (this.#highSurrogate !== 0 && byte !== backslash) this.#endSurrogate()
    if (byte === quote) return this.#endString()
    if (byte === backslash) {
      this.#state = 'escape'
      return
    }
    if (byte < 0x20) return this.#say('json-malformed', 'a control character in a text')
    if (byte >= 0x80) this.#startSequence(byte)
    this.#keep(byte)
  }

  /** RFC 3629 §4: the allowed second byte depends on the first, which keeps out overlong forms and surrogates. */
  #startSequence(byte: number): void {
    if (byte < 0xc2 || byte > 0xf4) return this.#say('invalid-utf8', 'a byte that is not UTF-8')
    this.#utf8Left = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3
    this.#utf8Low = byte === 0xe0 ? 0xa0 : byte === 0xf0 ? 0x90 : 0x80
    this.#utf8High = byte === 0xed ? 0x9f : byte === 0xf4 ? 0x8f : 0xbf
  }

  #keep(byte: number): void {
    if (!this.#isKey) return
    if (this.#key.length >= longestKey)
      return this.#say('json-keys', `a member name longer than ${longestKey} bytes`)
    this.#key.push(byte)
  }

  #keepCodePoint(point: number): void {
    if (this.#isKey) for (const byte of Buffer.from(String.fromCodePoint(point))) this.#keep(byte)
  }

  #inEscape(byte: number): void {
    if (byte === 0x75) {
      this.#unicode = 0
      this.#unicodeDigits = 0
      this.#state = 'unicode'
      return
    }
    const plain = escapes[byte]
    if (plain === undefined) return this.#say('json-malformed', 'an unknown escape')
    this.#endSurrogate()
    this.#keep(plain)
    this.#state = 'string'
  }

  #inUnicode(byte: number): void {
    const value = hexValue(byte)
    if (value < 0) return this.#say('json-malformed', 'an escape with a wrong digit')
    this.#unicode = this.#unicode * 16 + value
    if (++this.#unicodeDigits < 4) return
    this.#state = 'string'
    const unit = this.#unicode
    if (this.#highSurrogate !== 0 && unit >= 0xdc00 && unit <= 0xdfff) {
      this.#keepCodePoint(0x10000 + ((this.#highSurrogate - 0xd800) << 10) + (unit - 0xdc00))
      this.#highSurrogate = 0
      return
    }
    this.#endSurrogate()
    if (unit >= 0xd800 && unit <= 0xdbff) this.#highSurrogate = unit
    else if (unit >= 0xdc00 && unit <= 0xdfff) this.#say('invalid-utf8', 'half of a surrogate pair')
    else this.#keepCodePoint(unit)
  }

  #endSurrogate(): void {
    if (this.#highSurrogate !== 0) this.#say('invalid-utf8', 'half of a surrogate pair')
    this.#highSurrogate = 0
  }

  #endString(): void {
    if (!this.#isKey) {
      this.#state = 'after'
      return
    }
    const name = Buffer.from(this.#key).toString()
    const names = this.#open.at(-1)!
    if (forbiddenKeys.has(name))
      return this.#say('json-prototype-key', 'a member name that reaches a prototype')
    if (names.has(name))
      return this.#say('json-duplicate-key', 'a member name that stands twice in its object')
    names.add(name)
    this.#state = 'colon'
  }
}

const nextNumberState = (state: NumberState, byte: number): NumberState | undefined => {
  const digit = isDigit(byte)
  const isE = byte === 0x65 || byte === 0x45
  switch (state) {
    case 'minus':
      return byte === 0x30 ? 'zero' : digit ? 'integer' : undefined
    case 'zero':
      return byte === 0x2e ? 'dot' : isE ? 'e' : undefined
    case 'integer':
      return digit ? 'integer' : byte === 0x2e ? 'dot' : isE ? 'e' : undefined
    case 'dot':
      return digit ? 'fraction' : undefined
    case 'fraction':
      return digit ? 'fraction' : isE ? 'e' : undefined
    case 'e':
      return digit ? 'exponent' : byte === 0x2b || byte === 0x2d ? 'sign' : undefined
    default:
      return digit ? 'exponent' : undefined
  }
}

/** Reads a whole document at once. */
export const scanJson = (body: Uint8Array, limits: JsonLimits): JsonFault | undefined => {
  const scanner = new JsonScanner(limits)
  return scanner.push(body) ?? scanner.end()
}
