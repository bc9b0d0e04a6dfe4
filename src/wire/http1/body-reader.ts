/**
 * Finds the pieces of one message body in the bytes of a connection, by the framing that its head gave.
 *
 * Both ends of the codec use it; waiting, limits and back-pressure are theirs.
 */
import type { Framing } from '../message.ts'
import { ChunkDecoder } from './chunked.ts'

export class BodyReader {
  readonly #chunks: ChunkDecoder
  #kind: Framing['kind'] = 'none'
  #left = 0
  /** The body is complete. */
  done = true
  /** The piece that the last `next` found, or undefined. */
  data: Buffer | undefined = undefined

  /** At most `maxOverhead` bytes of chunk extensions and trailers are taken in one body. */
  constructor(maxOverhead: number) {
    this.#chunks = new ChunkDecoder(maxOverhead)
  }

  /** How many bytes of the body are still to come, or Infinity when that is not known. */
  get left(): number {
    if (this.done) return 0
    return this.#kind === 'length' ? this.#left : Infinity
  }

  begin(framing: Framing): void {
    this.#kind = framing.kind
    this.#left = framing.kind === 'length' ? framing.length : 0
    this.done = framing.kind === 'none' || (framing.kind === 'length' && framing.length === 0)
    this.data = undefined
    if (framing.kind === 'chunked') this.#chunks.reset()
  }

  /** Takes what comes next from the beginning of the input; gives how many bytes of it are used. */
  next(input: Buffer): number {
    if (this.#kind === 'chunked') {
      const used = this.#chunks.next(input, 0)
      this.data = this.#chunks.data
      this.done = this.#chunks.done
      return used
    }
    if (this.#kind === 'close') {
      this.data = input
      return input.length
    }
    const used = Math.min(input.length, this.#left)
    this.data = used === input.length ? input : input.subarray(0, used)
    this.#left -= used
    this.done = this.#left === 0
    return used
  }
}
