/**
 * A socket without a network: bytes are handed in and what is written is kept. For tests that need many thousand
 * connections and the exact order of events.
 */
import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import { HeaderList } from '../../src/wire/headers.ts'
import { serveHttp1, type Http1ServerOptions } from '../../src/wire/http1/server.ts'
import type { RequestHead } from '../../src/wire/message.ts'
import { wireSection } from '../../src/wire/section.ts'
import { TimerWheel } from '../../src/wire/timers.ts'
import type { WireError } from '../../src/wire/wire-error.ts'

export class MemorySocket extends EventEmitter {
  readonly remoteAddress = '127.0.0.1'
  readonly remotePort = 1
  destroyed = false
  writable = true
  writableNeedDrain = false
  written = Buffer.alloc(0)
  #paused = false

  get socket(): Socket {
    return this as unknown as Socket
  }

  /** Bytes from the other end. */
  receive(bytes: Buffer): void {
    if (!this.destroyed) this.emit('data', bytes)
  }

  write(chunk: string | Buffer): boolean {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk
    this.written = Buffer.concat([this.written, bytes])
    return true
  }

  end(): this {
    this.writable = false
    return this
  }

  destroy(): this {
    if (this.destroyed) return this
    this.destroyed = true
    this.writable = false
    this.emit('close')
    return this
  }

  pause(): this {
    this.#paused = true
    return this
  }

  resume(): this {
    this.#paused = false
    return this
  }

  isPaused(): boolean {
    return this.#paused
  }

  cork(): void {}
  uncork(): void {}
  setNoDelay(): void {}
  setKeepAlive(): void {}
}

export interface ParsedMessage {
  readonly head: RequestHead
  body: Buffer
  complete: boolean
}

export interface ParseOutcome {
  readonly messages: ParsedMessage[]
  readonly refused: WireError | undefined
  readonly bodyError: WireError | undefined
  readonly bugs: readonly unknown[]
}

const section = wireSection.parse({})
const wheel = new TimerWheel({ now: () => 0, drivenBy: 'test' })

export const strictOptions: Http1ServerOptions = {
  limits: section.limits,
  timeouts: section.timeouts,
  wheel,
  mode: 'server',
  scheme: 'http',
  slashes: 'keep',
  underscores: 'refuse',
}

/** What the server end makes of the bytes, cut at the given offsets; every whole request is answered with 200. */
export const parseWithServer = (
  bytes: Buffer,
  cuts: readonly number[] = [],
  options: Http1ServerOptions = strictOptions,
): ParseOutcome => {
  const memory = new MemorySocket()
  const messages: ParsedMessage[] = []
  const bugs: unknown[] = []
  let refused: WireError | undefined
  let bodyError: WireError | undefined
  serveHttp1(memory.socket, options, {
    onRequest: (request) => {
      const message: ParsedMessage = { head: request.head, body: Buffer.alloc(0), complete: false }
      messages.push(message)
      request.body.start({
        data: (chunk) => {
          message.body = Buffer.concat([message.body, chunk])
          return true
        },
        end: () => {
          message.complete = true
          if (request.head.method === 'CONNECT') return
          request.respond({ status: 200, headers: new HeaderList() })
        },
        fail: (error) => {
          bodyError = error
        },
      })
    },
    onRefused: (error) => {
      refused = error
      return undefined
    },
    onBug: (error) => bugs.push(error),
  })
  const sorted = [0, ...[...cuts].sort((a, b) => a - b), bytes.length]
  for (let i = 1; i < sorted.length; i++) {
    const piece = bytes.subarray(sorted[i - 1], sorted[i])
    if (piece.length > 0) memory.receive(piece)
  }
  memory.removeAllListeners('close')
  return { messages, refused, bodyError, bugs }
}
