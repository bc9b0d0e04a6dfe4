/**
 * Base64 and hexadecimal as Go's standard library reads them, with its errors and byte positions.
 *
 * Used by the encoding and JWT functions. Does not check that the bits after the last byte are zero, as Go does not.
 */

/** What a text was refused for, in Go's words. */
export class DecodeError extends Error {}

const standardAlphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const urlAlphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const standardValues = valuesOf(standardAlphabet)
const urlValues = valuesOf(urlAlphabet)

const newLine = 10
const carriageReturn = 13
const padding = 61

function valuesOf(alphabet: string): Int8Array {
  const values = new Int8Array(256).fill(-1)
  for (let index = 0; index < alphabet.length; index++) values[alphabet.charCodeAt(index)] = index
  return values
}

/** Padded standard base64 (RFC 4648 §4); line ends are skipped. @throws DecodeError */
export function decodeBase64(text: string): Buffer {
  return decodePadded(text, standardValues)
}

/** Base64url (RFC 4648 §5), padded or not. @throws DecodeError */
export function decodeBase64Url(text: string): Buffer {
  let padded = text
  if (!text.endsWith('=')) {
    const rest = Buffer.byteLength(text) % 4
    if (rest === 1) throw new DecodeError(`illegal base64url string: ${text}`)
    padded = text + '='.repeat(rest === 0 ? 0 : 4 - rest)
  }
  return decodePadded(padded, urlValues)
}

function decodePadded(text: string, values: Int8Array): Buffer {
  const source = Buffer.from(text, 'utf8')
  const out = Buffer.allocUnsafe(Math.ceil(source.length / 4) * 3)
  let size = 0
  let at = 0
  for (;;) {
    const quantum = [0, 0, 0, 0]
    let count = 0
    while (count < 4) {
      if (at === source.length) {
        if (count === 0) return out.subarray(0, size)
        throw illegal(at - count)
      }
      const byte = source[at++]!
      const value = values[byte]!
      if (value >= 0) quantum[count++] = value
      else if (byte === padding) return endOfText(source, at, quantum, count, out, size)
      else if (byte !== newLine && byte !== carriageReturn) throw illegal(at - 1)
    }
    size = put(out, size, quantum, 3)
  }
}

function endOfText(
  source: Buffer,
  after: number,
  quantum: readonly number[],
  count: number,
  out: Buffer,
  size: number,
): Buffer {
  let at = after
  if (count < 2) throw illegal(at - 1)
  if (count === 2) {
    at = skipLineEnds(source, at)
    if (at === source.length) throw illegal(source.length)
    if (source[at] !== padding) throw illegal(at - 1)
    at++
  }
  at = skipLineEnds(source, at)
  if (at < source.length) throw illegal(at)
  return out.subarray(0, put(out, size, quantum, count - 1))
}

function skipLineEnds(source: Buffer, start: number): number {
  let at = start
  while (source[at] === newLine || source[at] === carriageReturn) at++
  return at
}

function put(out: Buffer, size: number, quantum: readonly number[], bytes: number): number {
  const bits = (quantum[0]! << 18) | (quantum[1]! << 12) | (quantum[2]! << 6) | quantum[3]!
  for (let index = 0; index < bytes; index++) out[size + index] = (bits >> (16 - 8 * index)) & 0xff
  return size + bytes
}

function illegal(at: number): DecodeError {
  return new DecodeError(`illegal base64 data at input byte ${at}`)
}

/** The bytes of a hexadecimal text, of either case. @throws DecodeError */
export function decodeHex(text: string): Buffer {
  const source = Buffer.from(text, 'utf8')
  for (const byte of source) {
    if (!isHexDigit(byte)) throw new DecodeError(`encoding/hex: invalid byte: ${unicodeName(byte)}`)
  }
  if (source.length % 2 === 1) throw new DecodeError('encoding/hex: odd length hex string')
  return Buffer.from(text, 'hex')
}

function isHexDigit(byte: number): boolean {
  return (byte >= 48 && byte <= 57) || (byte >= 97 && byte <= 102) || (byte >= 65 && byte <= 70)
}

function unicodeName(byte: number): string {
  const name = `U+${byte.toString(16).toUpperCase().padStart(4, '0')}`
  const printable = (byte >= 32 && byte < 127) || (byte > 160 && byte !== 173)
  return printable ? `${name} '${String.fromCharCode(byte)}'` : name
}
