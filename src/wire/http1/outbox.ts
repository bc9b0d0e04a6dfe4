/**
 * Gathers what is written to a socket in one turn of the event loop, so that head, body and framing leave together.
 *
 * It holds at most `gatherLimit` bytes plus one head; larger pieces pass through without a copy. Back-pressure is the
 * socket's: the caller asks `needsDrain` and waits for the socket's `drain`.
 */
import type { Socket } from 'node:net'

const gatherLimit = 16 * 1024

/** How many socket events are being handled inside one another. */
let depth = 0
/** What was added to while a socket event is handled. */
const waiting: Outbox[] = []

/** Begins the handling of a socket event; what is written until `leaveTurn` leaves together, without a tick of its own. */
export const enterTurn = (): void => {
  depth++
}

/** Ends it, also after an error. */
export const leaveTurn = (): void => {
  if (--depth > 0) return
  for (let i = 0; i < waiting.length; i++) waiting[i]!.flushWaiting()
  waiting.length = 0
}

export class Outbox {
  readonly #socket: Socket
  #text = ''
  #parts: (string | Buffer)[] = []
  #bytes = 0
  #scheduled = false
  constructor(socket: Socket) {
    this.#socket = socket
  }

  /** Called when its turn ends. */
  readonly flushWaiting = (): void => {
    this.#scheduled = false
    this.flush()
  }

  /** Whether the socket has more than it can send; nothing more should be produced until it drains. */
  get needsDrain(): boolean {
    return this.#socket.writableNeedDrain
  }

  /** Adds latin1 text: a head, or framing. */
  addText(text: string): void {
    this.#text += text
    this.#bytes += text.length
    this.#schedule()
  }

  addBytes(chunk: Buffer): void {
    if (chunk.length >= gatherLimit) {
      // Corked, so that the gathered bytes and the large chunk leave in one system call without being copied.
      this.#socket.cork()
      this.flush()
      this.#socket.write(chunk)
      this.#socket.uncork()
      return
    }
    if (this.#text !== '') {
      this.#parts.push(this.#text)
      this.#text = ''
    }
    this.#parts.push(chunk)
    this.#bytes += chunk.length
    if (this.#bytes >= gatherLimit) this.flush()
    else this.#schedule()
  }

  /** Writes what was gathered now. */
  flush(): void {
    if (this.#bytes === 0) return
    const parts = this.#parts
    if (parts.length === 0) {
      const text = this.#text
      this.#text = ''
      this.#bytes = 0
      this.#socket.write(text, 'latin1')
      return
    }
    const whole = Buffer.allocUnsafe(this.#bytes)
    let at = 0
    for (const part of parts) {
      if (typeof part === 'string') at += whole.write(part, at, 'latin1')
      else {
        whole.set(part, at)
        at += part.length
      }
    }
    if (this.#text !== '') whole.write(this.#text, at, 'latin1')
    parts.length = 0
    this.#text = ''
    this.#bytes = 0
    this.#socket.write(whole)
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    if (depth > 0) waiting.push(this)
    else process.nextTick(this.flushWaiting)
  }
}
