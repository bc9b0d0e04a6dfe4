/**
 * Gathers what is written to a socket in one turn of the event loop, so that head, body and framing leave together.
 *
 * All outboxes are emptied one after another when every event of the turn has been handled: writing between two reads
 * would wake the process at the other end once for each of them, instead of once for many.
 *
 * It holds at most `gatherLimit` bytes plus one head; larger pieces pass through without a copy. Back-pressure is the
 * socket's: the caller asks `needsDrain` and waits for the socket's `drain`.
 */
import type { Socket } from 'node:net'

const gatherLimit = 16 * 1024

/** What was added to since the event loop last looked for events. */
let waiting: Outbox[] = []

const flushAll = (): void => {
  const ready = waiting
  waiting = []
  for (let i = 0; i < ready.length; i++) ready[i]!.flushWaiting()
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

  /** Called at the end of the turn. */
  flushWaiting(): void {
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

  /** Writes what was gathered now: before a socket is ended or given away. */
  flush(): void {
    if (this.#bytes === 0) return
    if (this.#socket.destroyed) return this.#drop()
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

  #drop(): void {
    this.#parts.length = 0
    this.#text = ''
    this.#bytes = 0
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    if (waiting.push(this) === 1) setImmediate(flushAll)
  }
}
