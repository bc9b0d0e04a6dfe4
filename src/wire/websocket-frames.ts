/**
 * Where the frames of a WebSocket begin and end (RFC 6455 §5.2), and the frame that says goodbye.
 *
 * Bytes are counted, never copied or unmasked. It judges nothing: an endpoint that sends nonsense is the other's affair.
 */
import { randomBytes } from 'node:crypto'

/** Bytes of a frame's head by what its second byte says. */
const headLength = (second: number): number => {
  const length = second & 0x7f
  return 2 + (length === 126 ? 2 : length === 127 ? 8 : 0) + ((second & 0x80) === 0 ? 0 : 4)
}

/** Follows one direction of a WebSocket. */
export class FrameTracker {
  readonly #head = Buffer.alloc(14)
  #headBytes = 0
  #payloadLeft = 0

  /** Whether everything that was seen ends with a whole frame. */
  get atBoundary(): boolean {
    return this.#headBytes === 0 && this.#payloadLeft === 0
  }

  /** Takes the next bytes; gives the offset behind the first frame that ends among them, or -1. */
  push(chunk: Buffer): number {
    let at = 0
    let first = -1
    while (at < chunk.length) {
      if (this.#payloadLeft > 0) {
        const used = Math.min(this.#payloadLeft, chunk.length - at)
        this.#payloadLeft -= used
        at += used
      } else {
        this.#head[this.#headBytes++] = chunk[at++]!
        if (this.#headBytes < 2 || this.#headBytes < headLength(this.#head[1]!)) continue
        this.#payloadLeft = this.#payloadLength()
        this.#headBytes = 0
      }
      if (first === -1 && this.atBoundary) first = at
    }
    return first
  }

  #payloadLength(): number {
    const length = this.#head[1]! & 0x7f
    if (length === 126) return this.#head.readUInt16BE(2)
    return length === 127 ? Number(this.#head.readBigUInt64BE(2) & 0x7fff_ffff_ffff_ffffn) : length
  }
}

/** Status codes of RFC 6455 §7.4.1 that a proxy has a use for. */
export const closeCodes = { goingAway: 1001, policy: 1008, tooBig: 1009 } as const

/**
 * A close frame with a status code. `masked` is what a client sends, `plain` what a server sends.
 */
export const closeFrame = (code: number, form: 'masked' | 'plain'): Buffer => {
  const payload = Buffer.from([code >> 8, code & 0xff])
  if (form === 'plain') return Buffer.concat([Buffer.from([0x88, 2]), payload])
  const mask = randomBytes(4)
  for (let i = 0; i < payload.length; i++) payload[i] = payload[i]! ^ mask[i]!
  return Buffer.concat([Buffer.from([0x88, 0x82]), mask, payload])
}
