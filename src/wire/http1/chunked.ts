/**
 * Takes the chunked coding off a body as it arrives (RFC 9112 §7.1), split anywhere.
 *
 * Extensions and trailers are checked, counted and dropped. A bare LF, a size with anything but hex digits, or data
 * that is not followed by CRLF is an error: those are what smuggling is made of.
 */
import { WireError } from '../wire-error.ts'
import { isToken } from './fields.ts'

type Expecting = 'size' | 'data' | 'data-end' | 'trailer' | 'nothing'

const lf = 0x0a
const cr = 0x0d
/** Eight hex digits: one chunk is less than 4 GiB. */
const maxSizeDigits = 8
const extensionGrammar =
  /^(?:;[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:=(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+|"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"))?)+$/
const trailerValue = /^[\t\x20-\x7e\x80-\xff]*$/

const bad = (why: string): WireError => new WireError('malformed', `the chunked body ${why}`)

export class ChunkDecoder {
  readonly #maxOverhead: number
  #expecting: Expecting = 'size'
  #remaining = 0
  /** A line of which only the beginning has arrived. */
  #partialLine = ''
  #overhead = 0
  /** The data found by the last `next`, or undefined. */
  data: Buffer | undefined = undefined

  /** At most `maxOverhead` bytes of extensions and trailers are taken in one body. */
  constructor(maxOverhead: number) {
    this.#maxOverhead = maxOverhead
  }

  /** Whether the last chunk and its trailers have been read. */
  get done(): boolean {
    return this.#expecting === 'nothing'
  }

  /** Makes it ready for another body. */
  reset(): void {
    this.#expecting = 'size'
    this.#remaining = 0
    this.#partialLine = ''
    this.#overhead = 0
    this.data = undefined
  }

  /**
   * Reads from `from` up to the next piece of data, the end of the body, or the end of the input, and gives the
   * offset behind what was read. Throws `malformed` or `too-large`.
   */
  next(input: Buffer, from: number): number {
    this.data = undefined
    let at = from
    while (at < input.length && this.#expecting !== 'nothing') {
      if (this.#expecting === 'data') {
        const end = Math.min(input.length, at + this.#remaining)
        this.data = at === 0 && end === input.length ? input : input.subarray(at, end)
        this.#remaining -= end - at
        if (this.#remaining === 0) this.#expecting = 'data-end'
        return end
      }
      const end = input.indexOf(lf, at)
      if (end === -1) {
        this.#keepPartialLine(input, at)
        return input.length
      }
      const line = this.#takeLine(input, at, end)
      at = end + 1
      this.#readLine(line)
    }
    return at
  }

  #keepPartialLine(input: Buffer, from: number): void {
    const length = this.#partialLine.length + input.length - from
    if (
      this.#expecting === 'data-end' ? length > 1 : length > this.#maxOverhead + maxSizeDigits + 2
    )
      throw bad('has a longer line of size, extensions or trailers than is taken here')
    this.#partialLine += input.toString('latin1', from, input.length)
    // A CR in the middle can never become part of CRLF, so there is no reason to wait for the rest.
    const stray = this.#partialLine.indexOf('\r')
    if (stray !== -1 && stray !== this.#partialLine.length - 1) throw bad('holds a bare CR')
    if (this.#expecting === 'data-end' && stray !== 0) throw bad('has data longer than its chunk')
  }

  /** The line without its CRLF. */
  #takeLine(input: Buffer, from: number, end: number): string {
    if (end === from) {
      if (!this.#partialLine.endsWith('\r')) throw bad('has a line that ends without CR')
      const line = this.#partialLine.slice(0, -1)
      this.#partialLine = ''
      return line
    }
    if (input[end - 1] !== cr) throw bad('has a line that ends without CR')
    const line = this.#partialLine + input.toString('latin1', from, end - 1)
    this.#partialLine = ''
    return line
  }

  #readLine(line: string): void {
    if (this.#expecting === 'data-end') {
      if (line !== '') throw bad('has data longer than its chunk')
      this.#expecting = 'size'
      return
    }
    if (this.#expecting === 'size') return this.#readSize(line)
    if (line === '') {
      this.#expecting = 'nothing'
      return
    }
    this.#count(line.length)
    checkTrailer(line)
  }

  #readSize(line: string): void {
    let digits = 0
    let size = 0
    for (; digits < line.length; digits++) {
      const value = hexValue(line.charCodeAt(digits))
      if (value === -1) break
      size = size * 16 + value
    }
    if (digits === 0 || digits > maxSizeDigits)
      throw bad('has a chunk size that is not 1 to 8 hex digits')
    if (digits < line.length) {
      this.#count(line.length - digits)
      if (!extensionGrammar.test(line.slice(digits)))
        throw bad('has something other than extensions behind a chunk size')
    }
    this.#remaining = size
    this.#expecting = size === 0 ? 'trailer' : 'data'
  }

  #count(bytes: number): void {
    this.#overhead += bytes
    if (this.#overhead > this.#maxOverhead)
      throw bad(`has more than ${this.#maxOverhead} bytes of extensions and trailers`)
  }
}

const hexValue = (code: number): number => {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const lower = code | 0x20
  if (lower >= 0x61 && lower <= 0x66) return lower - 0x57
  return -1
}

const framingNames = /^(?:content-length|transfer-encoding|host|connection|upgrade|trailer|te)$/i

/** A trailer is dropped, but one outside the grammar, or one that speaks of framing, is an attack (security: H4). */
const checkTrailer = (line: string): void => {
  const colon = line.indexOf(':')
  const name = line.slice(0, Math.max(colon, 0))
  if (!isToken(name) || !trailerValue.test(line.slice(colon + 1)))
    throw bad('has a malformed trailer')
  if (framingNames.test(name)) throw bad(`has ${name.toLowerCase()} as a trailer`)
}
