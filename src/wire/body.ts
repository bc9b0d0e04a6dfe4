/**
 * How a body moves from whoever has it to whoever wants it: pushed, with back-pressure, without stream objects.
 *
 * A source pushes nothing before `start`. After `data` gave false it stops until `resume`. It calls exactly one of
 * `end` and `fail`, once, and nothing after it or after `cancel`.
 */
import type { HeaderList } from './headers.ts'
import { WireError } from './wire-error.ts'

export interface BodySink {
  /** Takes a chunk, which it must not change; false asks the source to wait until `resume`. */
  data(chunk: Buffer): boolean
  /** The body is complete. Trailers come only from HTTP/2; an HTTP/1.1 body has none. */
  end(trailers?: HeaderList): void
  /** The body will never be complete; what came so far must not pass for the whole. */
  fail(error: WireError): void
}

export interface BodySource {
  /** Bytes that will come when that is known, else undefined. */
  readonly length: number | undefined
  start(sink: BodySink): void
  pause(): void
  resume(): void
  /** The consumer wants no more; the source frees what it holds and stays silent. */
  cancel(reason: WireError): void
}

/**
 * Reads a whole body of at most `limit` bytes and calls `done` once. A longer one is cancelled and gives `too-large`
 * as soon as that is known.
 */
export const collectBody = (
  body: BodySource,
  limit: number,
  done: (error: WireError | undefined, bytes: Buffer) => void,
): void => {
  const chunks: Buffer[] = []
  let total = 0
  let finished = false
  const nothing = Buffer.alloc(0)
  const tooLarge = (): void => {
    finished = true
    const error = new WireError('too-large', `the body is longer than ${limit} bytes`)
    body.cancel(error)
    done(error, nothing)
  }
  if (body.length !== undefined && body.length > limit) return tooLarge()
  body.start({
    data: (chunk) => {
      if (finished) return false
      total += chunk.length
      if (total > limit) {
        tooLarge()
        return false
      }
      chunks.push(chunk)
      return true
    },
    end: () => {
      if (finished) return
      finished = true
      done(undefined, chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, total))
    },
    fail: (error) => {
      if (finished) return
      finished = true
      done(error, nothing)
    },
  })
}
