/**
 * Looks at the beginning of a request body without taking it away: what was seen is sent first, the rest streams on.
 *
 * For checks that read up to a limit. A body that ends within the limit is wholly in memory and can be sent again.
 */
import { BufferBody } from '../../stages/hold-body.ts'
import type { BodySink, BodySource } from '../../wire/body.ts'
import { WireError } from '../../wire/wire-error.ts'

/** What was seen, and the body to send. */
export interface Peeked {
  readonly seen: Buffer
  readonly body: BodySource
  /** `yes` when all of it is in memory. */
  readonly replayable: 'yes' | 'no'
}

/** Reads up to `limit` bytes; `done` is called once, with an error when the body broke off before. */
export const peekBody = (
  source: BodySource,
  limit: number,
  done: (error: WireError | undefined, peeked: Peeked) => void,
): void => {
  const body = new PeekingBody(source, limit, done)
  body.begin()
}

class PeekingBody implements BodySource, BodySink {
  readonly length: number | undefined
  readonly #source: BodySource
  readonly #limit: number
  readonly #done: (error: WireError | undefined, peeked: Peeked) => void
  readonly #chunks: Buffer[] = []
  #total = 0
  #told = false
  #sink: BodySink | undefined
  #over: (() => void) | undefined

  constructor(
    source: BodySource,
    limit: number,
    done: (error: WireError | undefined, peeked: Peeked) => void,
  ) {
    this.#source = source
    this.#limit = limit
    this.#done = done
    this.length = source.length
  }

  begin(): void {
    this.#source.start(this)
  }

  data(chunk: Buffer): boolean {
    if (this.#sink !== undefined) return this.#sink.data(chunk)
    this.#chunks.push(chunk)
    this.#total += chunk.length
    if (this.#total < this.#limit || this.#told) return !this.#told
    this.#told = true
    this.#done(undefined, { seen: this.#seen(), body: this, replayable: 'no' })
    return this.#sink !== undefined
  }

  end(): void {
    if (this.#sink !== undefined) return this.#sink.end()
    if (this.#told) {
      this.#over = () => this.#sink?.end()
      return
    }
    this.#told = true
    const seen = this.#seen()
    this.#done(undefined, { seen, body: new BufferBody(seen), replayable: 'yes' })
  }

  fail(error: WireError): void {
    if (this.#sink !== undefined) return this.#sink.fail(error)
    if (this.#told) {
      this.#over = () => this.#sink?.fail(error)
      return
    }
    this.#told = true
    this.#done(error, { seen: Buffer.alloc(0), body: this, replayable: 'no' })
  }

  #seen(): Buffer {
    return this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks, this.#total)
  }

  start(sink: BodySink): void {
    let more = true
    for (const chunk of this.#chunks.splice(0)) more = sink.data(chunk) && more
    this.#sink = sink
    if (this.#over !== undefined) this.#over()
    else if (more) this.#source.resume()
  }

  pause(): void {
    this.#source.pause()
  }

  resume(): void {
    if (this.#over === undefined) this.#source.resume()
  }

  cancel(reason: WireError): void {
    this.#sink = { data: () => false, end: () => undefined, fail: () => undefined }
    this.#source.cancel(reason)
  }
}

/** The same body, which fails when it grows over `most` bytes. */
export const limitedBody = (source: BodySource, most: number): BodySource => ({
  length: source.length,
  start: (sink) => {
    let total = 0
    source.start({
      data: (chunk) => {
        total += chunk.length
        if (total <= most) return sink.data(chunk)
        const error = new WireError('too-large', `the body is longer than ${most} bytes`)
        source.cancel(error)
        sink.fail(error)
        return false
      },
      end: (trailers) => {
        if (total <= most) sink.end(trailers)
      },
      fail: (error) => {
        if (total <= most) sink.fail(error)
      },
    })
  },
  pause: () => source.pause(),
  resume: () => source.resume(),
  cancel: (reason) => source.cancel(reason),
})

/** The same body, whose first `most` bytes are shown to `onSeen` when it ends in order. */
export const watchedBody = (
  source: BodySource,
  most: number,
  onSeen: (bytes: Buffer) => void,
): BodySource => ({
  length: source.length,
  start: (sink) => {
    const chunks: Buffer[] = []
    let total = 0
    source.start({
      data: (chunk) => {
        total += chunk.length
        if (total <= most) chunks.push(chunk)
        return sink.data(chunk)
      },
      end: (trailers) => {
        if (total <= most) onSeen(Buffer.concat(chunks))
        sink.end(trailers)
      },
      fail: (error) => sink.fail(error),
    })
  },
  pause: () => source.pause(),
  resume: () => source.resume(),
  cancel: (reason) => source.cancel(reason),
})
