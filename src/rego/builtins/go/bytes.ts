/**
 * Bytes inside Rego strings, for the functions that decode, hash or sign.
 *
 * A Go string holds any bytes; a JavaScript string does not. A byte that is not part of valid UTF-8 is kept as the
 * lone surrogate U+DC80…U+DCFF, so that decoding, passing through a policy and encoding again gives the same bytes.
 * Does not change well-formed text in either direction.
 */
import { isUtf8 } from 'node:buffer'

const escapeBase = 0xdc00

function isEscape(unit: number): boolean {
  return unit >= 0xdc80 && unit <= 0xdcff
}

/** The bytes that `text` stands for. A lone surrogate that stands for no byte becomes U+FFFD. */
export function bytesOf(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text, 'utf8')
  const parts: Buffer[] = []
  let start = 0
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit >= 0xd800 && unit <= 0xdbff && isLow(text.charCodeAt(index + 1))) {
      index++
      continue
    }
    if (!isEscape(unit)) continue
    parts.push(Buffer.from(text.slice(start, index), 'utf8'), Buffer.from([unit - escapeBase]))
    start = index + 1
  }
  parts.push(Buffer.from(text.slice(start), 'utf8'))
  return Buffer.concat(parts)
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff
}

/** The text of `bytes`; a byte that is not part of valid UTF-8 is kept, see above. */
export function textOf(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (isUtf8(buffer)) return buffer.toString('utf8')
  let text = ''
  let start = 0
  let index = 0
  while (index < buffer.length) {
    const size = sequenceLength(buffer, index)
    if (size > 0) {
      index += size
      continue
    }
    text += buffer.toString('utf8', start, index) + String.fromCharCode(escapeBase + buffer[index]!)
    index++
    start = index
  }
  return text + buffer.toString('utf8', start)
}

/** Length of the valid UTF-8 sequence at `index`, or 0 when there is none. */
function sequenceLength(buffer: Buffer, index: number): number {
  const lead = buffer[index]!
  if (lead < 0x80) return 1
  const size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2
  if (lead < 0xc2 || lead > 0xf4 || index + size > buffer.length) return 0
  return isUtf8(buffer.subarray(index, index + size)) ? size : 0
}
