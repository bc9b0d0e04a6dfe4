/**
 * A strict reader of DER (X.690), for certificates and CRLs that strangers send.
 *
 * Every length is definite, minimal and inside its parent; nothing may be left over; integers, booleans, bit strings
 * and times have one spelling only. There is no recursion: the caller walks a known structure. It does not know what
 * the values mean.
 */

/** Bytes that are not strict DER, or not the structure that was expected. */
export class DerError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'DerError'
  }
}

/** The universal tags that certificates use. */
export const tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  universalString: 0x1c,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const

/** One tag-length-value. `whole` includes the header. Both are views, not copies. */
export interface DerValue {
  readonly tag: number
  readonly content: Buffer
  readonly whole: Buffer
}

/** Walks the values inside one piece of DER, in order. */
export class DerReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  /** The tag of the next value, or undefined at the end. */
  peek(): number | undefined {
    return this.#bytes[this.#at]
  }

  /** The next value. @throws {DerError} at the end, on another tag than `expected`, or on a length that is not DER */
  next(expected?: number): DerValue {
    const bytes = this.#bytes
    const start = this.#at
    const found = bytes[start]
    const first = bytes[start + 1]
    if (found === undefined || first === undefined) throw new DerError('a value is cut short')
    if ((found & 0x1f) === 0x1f) throw new DerError('a tag has more than one byte')
    if (expected !== undefined && found !== expected)
      throw new DerError(`expected tag ${expected}, got tag ${found}`)
    let length = first
    let content = start + 2
    if (first >= 0x80) {
      const count = first & 0x7f
      if (count === 0 || count > 3) throw new DerError('a length is indefinite or too large')
      length = 0
      for (let index = 0; index < count; index += 1)
        length = length * 256 + (bytes[content + index] ?? 0)
      content += count
      if (length < 0x80 || (count > 1 && length < 256 ** (count - 1)))
        throw new DerError('a length is not in its shortest form')
    }
    const end = content + length
    if (end > bytes.length) throw new DerError('a length runs past the end')
    this.#at = end
    return { tag: found, content: bytes.subarray(content, end), whole: bytes.subarray(start, end) }
  }

  /** The next value when it has this tag; otherwise undefined and nothing is read. */
  optional(wanted: number): DerValue | undefined {
    return this.peek() === wanted ? this.next() : undefined
  }

  /** @throws {DerError} when something is left */
  finish(): void {
    if (!this.atEnd) throw new DerError('bytes are left over after a structure')
  }
}

/** A reader of exactly one value with this tag, and nothing after it. */
export const readOnly = (bytes: Buffer, expected: number): DerReader => {
  const outer = new DerReader(bytes)
  const value = outer.next(expected)
  outer.finish()
  return new DerReader(value.content)
}

/** The values of a reader up to its end, at most `most` of them. */
export const readAll = (
  reader: DerReader,
  expected: number | undefined,
  most: number,
): DerValue[] => {
  const values: DerValue[] = []
  while (!reader.atEnd) {
    if (values.length === most) throw new DerError(`more than ${most} values in a list`)
    values.push(reader.next(expected))
  }
  return values
}

/** Checks that an INTEGER is in its shortest form and gives its bytes. */
export const integerBytes = (content: Buffer): Buffer => {
  const first = content[0]
  const second = content[1]
  if (first === undefined) throw new DerError('an integer is empty')
  if (
    second !== undefined &&
    ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80))
  )
    throw new DerError('an integer is not in its shortest form')
  return content
}

/** A small non-negative INTEGER. */
export const smallInteger = (content: Buffer): number => {
  const bytes = integerBytes(content)
  if (bytes.length > 5 || bytes[0]! >= 0x80)
    throw new DerError('an integer is negative or too large')
  return bytes.reduce((total, byte) => total * 256 + byte, 0)
}

/** A BOOLEAN: DER knows 0 and 255 only. */
export const boolean = (content: Buffer): boolean => {
  if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff))
    throw new DerError('a boolean is not DER')
  return content[0] === 0xff
}

/** The dotted form of an OBJECT IDENTIFIER. */
export const objectId = (content: Buffer): string => {
  if (content.length === 0 || content.length > 64 || content.at(-1)! >= 0x80)
    throw new DerError('an object identifier is empty, too long or cut short')
  const arcs: bigint[] = []
  let arc = 0n
  let fresh = true
  for (const byte of content) {
    if (fresh && byte === 0x80) throw new DerError('an object identifier has a padded arc')
    arc = (arc << 7n) | BigInt(byte & 0x7f)
    fresh = byte < 0x80
    if (!fresh) continue
    arcs.push(arc)
    arc = 0n
  }
  const head = arcs[0]!
  const top = head < 40n ? 0n : head < 80n ? 1n : 2n
  return [top, head - top * 40n, ...arcs.slice(1)].join('.')
}

/** A BIT STRING with its count of unused bits, which must be zero bits. */
export const bitString = (content: Buffer): { readonly unused: number; readonly bytes: Buffer } => {
  const unused = content[0]
  if (unused === undefined || unused > 7 || (content.length === 1 && unused !== 0))
    throw new DerError('a bit string is malformed')
  const bytes = content.subarray(1)
  const last = bytes.at(-1) ?? 0
  if ((last & ((1 << unused) - 1)) !== 0) throw new DerError('a bit string has unused bits set')
  return { unused, bytes }
}

/** A BIT STRING of whole bytes, as keys and signatures are. */
export const wholeBytes = (content: Buffer): Buffer => {
  const { unused, bytes } = bitString(content)
  if (unused !== 0) throw new DerError('a bit string is not whole bytes')
  return bytes
}

const utcTimePattern = /^(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/
const generalizedTimePattern = /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/

/** Milliseconds since 1970 of a UTCTime or GeneralizedTime in the one form of RFC 5280 §4.1.2.5. */
export const time = (value: DerValue): number => {
  const text = value.content.toString('latin1')
  const short = value.tag === tag.utcTime
  if (!short && value.tag !== tag.generalizedTime) throw new DerError('a time has another type')
  const match = (short ? utcTimePattern : generalizedTimePattern).exec(text)
  if (!match) throw new DerError('a time is not in the form of rfc 5280')
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const full = short ? year + (year < 50 ? 2000 : 1900) : year
  const date = new Date(0)
  date.setUTCFullYear(full, month - 1, day)
  date.setUTCHours(hour, minute, second)
  const same =
    date.getUTCFullYear() === full &&
    date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day &&
    date.getUTCHours() === hour &&
    date.getUTCMinutes() === minute &&
    date.getUTCSeconds() === second
  if (!same) throw new DerError('a time does not exist')
  return date.getTime()
}

/** ASCII text without control characters, as IA5String names in certificates must be (no embedded NUL). */
export const ia5Text = (content: Buffer): string => {
  for (const byte of content)
    if (byte < 0x20 || byte > 0x7e)
      throw new DerError('a name holds a byte that is not printable ascii')
  return content.toString('latin1')
}
