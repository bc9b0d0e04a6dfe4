/**
 * The little of protocol buffers that the SPIFFE Workload API needs: strings, bytes, messages, and maps of strings to
 * bytes (spec: protobuf encoding). Unknown fields are skipped, as they must be; anything cut short is an error.
 */

/** Bytes that are not a message. */
export class ProtobufError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ProtobufError'
  }
}

const lengthDelimited = 2

const writeVarint = (value: number): Buffer => {
  const bytes: number[] = []
  let rest = value
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  bytes.push(rest)
  return Buffer.from(bytes)
}

/** One length-delimited field. An empty value is written too, so that repeated fields keep their count. */
export const writeField = (field: number, value: string | Buffer): Buffer => {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value
  return Buffer.concat([writeVarint(field * 8 + lengthDelimited), writeVarint(bytes.length), bytes])
}

/** A map field: each entry is a message with the key in field 1 and the value in field 2. */
export const writeMap = (field: number, entries: Iterable<readonly [string, Buffer]>): Buffer =>
  Buffer.concat(
    [...entries].map(([key, value]) =>
      writeField(field, Buffer.concat([writeField(1, key), writeField(2, value)])),
    ),
  )

class Cursor {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  varint(): number {
    let value = 0
    for (let shift = 0; shift < 10; shift += 1) {
      const byte = this.#bytes[this.#at]
      if (byte === undefined) throw new ProtobufError('a number is cut short')
      this.#at += 1
      value += (byte & 0x7f) * 128 ** shift
      if (byte < 0x80) return value
    }
    throw new ProtobufError('a number is too long')
  }

  take(length: number): Buffer {
    const end = this.#at + length
    if (end > this.#bytes.length) throw new ProtobufError('a field is cut short')
    const bytes = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return bytes
  }
}

/** The length-delimited fields of a message by number, each with its values in order. */
export const readFields = (message: Buffer): ReadonlyMap<number, readonly Buffer[]> => {
  const fields = new Map<number, Buffer[]>()
  const cursor = new Cursor(message)
  while (!cursor.atEnd) {
    const key = cursor.varint()
    const field = Math.floor(key / 8)
    const wire = key % 8
    if (field === 0) throw new ProtobufError('a field has the number zero')
    if (wire === 0) cursor.varint()
    else if (wire === 1) cursor.take(8)
    else if (wire === 5) cursor.take(4)
    else if (wire === lengthDelimited) {
      const value = cursor.take(cursor.varint())
      const values = fields.get(field)
      if (values) values.push(value)
      else fields.set(field, [value])
    } else throw new ProtobufError(`the wire type ${wire} is not known`)
  }
  return fields
}

type Fields = ReadonlyMap<number, readonly Buffer[]>

/** The last value of a field, as proto3 reads a field that is there more than once; empty when absent. */
export const bytesAt = (fields: Fields, field: number): Buffer =>
  fields.get(field)?.at(-1) ?? Buffer.alloc(0)

const utf8 = new TextDecoder('utf-8', { fatal: true })

const textOf = (bytes: Buffer): string => {
  try {
    return utf8.decode(bytes)
  } catch {
    throw new ProtobufError('a text is not utf-8')
  }
}

/** The text of a field; empty when absent. */
export const textAt = (fields: Fields, field: number): string => textOf(bytesAt(fields, field))

/** Every text of a repeated field. */
export const textsAt = (fields: Fields, field: number): readonly string[] =>
  (fields.get(field) ?? []).map(textOf)

/** A map of strings to bytes. */
export const mapAt = (fields: Fields, field: number): ReadonlyMap<string, Buffer> =>
  new Map(
    (fields.get(field) ?? []).map((entry) => {
      const pair = readFields(entry)
      return [textAt(pair, 1), bytesAt(pair, 2)] as const
    }),
  )
