/**
 * Holds the request body where something must see it whole before it may pass; everywhere else it streams.
 *
 * The bytes that were judged are the bytes that are forwarded: the body is read once and replayed from memory.
 */
import type { Exchange } from '../exchange/exchange.ts'
import type { Stage } from '../exchange/line.ts'
import { collectBody, type BodySink, type BodySource } from '../wire/body.ts'
import type { ServerRequest } from '../wire/message.ts'
import { wireFault } from './wire-fault.ts'

/** The facts that this stage learns. */
export interface HeldBody {
  /** What is forwarded. */
  readonly body: BodySource
  /** The whole body when it is held, else undefined. */
  readonly held: Buffer | undefined
}

/** The stage. `limitOf` gives the most bytes to hold for an exchange, or undefined to let it stream. */
export const holdBody = <Needs extends { readonly request: ServerRequest }>(
  limitOf: (x: Exchange & Needs) => number | undefined,
): Stage<Needs, HeldBody> => ({
  name: 'hold-body',
  run: (x) => {
    const limit = limitOf(x)
    const source = x.request.body
    if (limit === undefined) return { body: source, held: undefined }
    return new Promise((resolve, reject) => {
      collectBody(source, limit, (error, bytes) => {
        if (error !== undefined) reject(wireFault('app', error))
        else resolve({ body: new BufferBody(bytes), held: bytes })
      })
    })
  },
})

/** A body that is in memory already. Can be started again after it was sent, for a repeated attempt. */
export class BufferBody implements BodySource {
  readonly length: number
  readonly #bytes: Buffer

  constructor(bytes: Buffer) {
    this.#bytes = bytes
    this.length = bytes.length
  }

  start(sink: BodySink): void {
    if (this.#bytes.length > 0) sink.data(this.#bytes)
    sink.end()
  }

  pause(): void {
    // The one chunk was given already.
  }

  resume(): void {
    // There is nothing left to give.
  }

  cancel(): void {
    // Nothing is held open.
  }
}
