/**
 * One call on one stream to an origin: sends its request, takes the request's body as a sink, gives the answer's body
 * as a source. After it ended, late calls from either side do nothing.
 */
import { constants, type ClientHttp2Stream } from 'node:http2'
import type { BodySink, BodySource } from '../body.ts'
import type { HeaderList } from '../headers.ts'
import type { ResponseHead } from '../message.ts'
import type { OutgoingCall, OutgoingRequest, RequestOptions, ResponseHandler } from '../origin.ts'
import type { Timer } from '../timers.ts'
import { WireError, type RetryAdvice } from '../wire-error.ts'
import type { Http2ClientSession } from './client-session.ts'
import { breakStream, isGrpc, readHttp2ResponseHead, readTrailers, toOutgoing } from './fields.ts'
import { webSocketAccept } from './websocket-key.ts'

const bad = (why: string): WireError =>
  new WireError('bad-upstream-response', `the origin's answer ${why}`)

export class Http2Call implements OutgoingCall, BodySink, BodySource {
  readonly request: OutgoingRequest
  readonly handler: ResponseHandler
  readonly options: RequestOptions
  /** Until when it may wait in a queue, in the milliseconds of the wheel. */
  queuedUntil = 0
  /** Gives up its place in a queue. */
  abandon: (() => void) | undefined
  /** Nothing more will be told to the handler. */
  ended = false
  readonly #body: Buffer | BodySource | undefined
  #session: Http2ClientSession | undefined
  #stream: ClientHttp2Stream | undefined
  #timer: Timer | undefined
  #bodySource: BodySource | undefined
  #sent = false
  #bodyPaused = false
  #bytesSent = 0

  #head: ResponseHead | undefined
  #interims = 0
  length: number | undefined
  #sink: BodySink | undefined
  #answerPaused = false
  #answerError: WireError | undefined
  #answerComplete = false
  #bytesReceived = 0
  #trailers: HeaderList | undefined

  constructor(
    request: OutgoingRequest,
    body: Buffer | BodySource | undefined,
    handler: ResponseHandler,
    options: RequestOptions,
  ) {
    this.request = request
    this.#body = body
    this.handler = handler
    this.options = options
  }

  /** Opens its stream. Called by the session that took the call. */
  sendOn(session: Http2ClientSession): void {
    const body = this.#body
    const isUpgrade = this.request.upgrade !== undefined
    const isEmpty = !isUpgrade && (body === undefined || body.length === 0)
    let stream: ClientHttp2Stream
    try {
      stream = session.open(this.#requestFields(isEmpty), { endStream: isEmpty })
    } catch (error) {
      this.failed(
        error instanceof WireError
          ? error
          : new WireError('upstream-reset', 'the session is closing', 'safe', error),
      )
      return
    }
    this.#session = session
    this.#stream = stream
    this.#timer = session.options.wheel.timer(() => this.#guard(() => this.#onTime()))
    this.#listen(stream)
    this.#expectWithin(this.options.responseTimeoutMs)
    if (isEmpty || isUpgrade) this.#sent = true
    else if (Buffer.isBuffer(body)) {
      this.#sent = true
      stream.end(body)
    } else {
      this.#bodySource = body!
      body!.start(this)
    }
  }

  cancel(reason: WireError): void {
    if (this.ended) return
    this.ended = true
    this.abandon?.()
    this.abandon = undefined
    this.#stopBody(reason)
    this.#close(constants.NGHTTP2_CANCEL)
    this.#sink = undefined
  }

  // The request's body, as a sink.

  data(chunk: Buffer): boolean {
    const stream = this.#stream
    if (stream === undefined || this.ended || this.#sent) return false
    if (chunk.length === 0) return true
    this.#bytesSent += chunk.length
    const { length } = this.#bodySource ?? {}
    if (length !== undefined && this.#bytesSent > length) {
      this.#breakOff(new WireError('malformed', 'the body is longer than it was declared'))
      return false
    }
    if (this.#head === undefined) this.#expectWithin(this.options.responseTimeoutMs)
    if (stream.write(chunk)) return true
    this.#bodyPaused = true
    return false
  }

  end(): void {
    const stream = this.#stream
    if (stream === undefined || this.ended || this.#sent) return
    const { length } = this.#bodySource ?? {}
    if (length !== undefined && this.#bytesSent < length)
      return this.#breakOff(new WireError('malformed', 'the body is shorter than it was declared'))
    this.#sent = true
    stream.end()
  }

  fail(error: WireError): void {
    if (this.ended || this.#sent) return
    this.#bodySource = undefined
    this.#breakOff(error)
  }

  // The answer's body, as a source.

  start(sink: BodySink): void {
    if (this.#sink !== undefined) throw new WireError('malformed', 'the body is already being read')
    this.#sink = sink
    if (this.#answerError !== undefined) return sink.fail(this.#answerError)
    if (this.#answerComplete) return sink.end(this.#trailers)
    const stream = this.#stream
    stream?.on('data', (chunk: Buffer) => this.#guard(() => this.#onData(chunk)))
  }

  pause(): void {
    if (this.#answerPaused) return
    this.#answerPaused = true
    this.#stream?.pause()
    this.#expectWithin(Infinity)
  }

  resume(): void {
    if (!this.#answerPaused) return
    this.#answerPaused = false
    this.#expectWithin(this.#silence)
    this.#stream?.resume()
  }

  /** The call is over without a whole answer. Called once: by itself, the session or the queue. */
  failed(error: WireError): void {
    if (this.ended) return
    this.ended = true
    this.#timer?.disarm()
    if (error.retry === 'never') this.#stopBody(error)
    if (this.#head === undefined) return this.handler.onFault(error)
    this.#answerError = error
    this.#sink?.fail(error)
  }

  get #silence(): number {
    return this.#session?.options.timeouts.stream_idle ?? Infinity
  }

  #requestFields(isEmpty: boolean) {
    const { method, target, authority, headers, upgrade } = this.request
    if (!/^[A-Z]{1,32}$/.test(method) || !/^[\x21-\x7e]+$/.test(target) || authority === '')
      throw new WireError('malformed', 'the outgoing request holds a space or control')
    const pseudo: Record<string, string> = {
      ':method': upgrade === undefined ? method : 'CONNECT',
      ':scheme': 'https',
      ':authority': authority,
      ':path': target,
    }
    if (upgrade !== undefined) {
      pseudo[':protocol'] = upgrade
      const fields = headers.copy()
      fields.delete('sec-websocket-key')
      return toOutgoing(pseudo, fields)
    }
    const length = this.#body?.length
    if (!isEmpty && length !== undefined) pseudo['content-length'] = String(length)
    // The one TE that HTTP/2 has; gRPC demands it of every hop.
    if (isGrpc(headers)) pseudo['te'] = 'trailers'
    return toOutgoing(pseudo, headers)
  }

  #listen(stream: ClientHttp2Stream): void {
    stream.on('error', () => undefined)
    stream.on('headers', (_headers, _flags, raw: unknown) =>
      this.#guard(() => this.#onInterim(raw as readonly string[])),
    )
    stream.on('response', (_headers, flags, raw: unknown) =>
      this.#guard(() => this.#onResponse(raw as readonly string[], flags)),
    )
    stream.on('trailers', (_headers: unknown, _flags: unknown, raw: unknown) => {
      if (this.#head !== undefined && isGrpc(this.#head.headers))
        this.#trailers = readTrailers(raw as readonly string[], 100)
    })
    stream.on('end', () => this.#guard(() => this.#onEnd()))
    stream.on('drain', () => this.#guard(() => this.#drained()))
    stream.on('close', () => this.#guard(() => this.#onClose()))
  }

  #onInterim(raw: readonly string[]): void {
    const limit = this.#session!.options.limits.informational_responses
    const { head } = readHttp2ResponseHead(raw, this.request.method, 100)
    if (++this.#interims > limit) throw bad(`has more than ${limit} interim heads`)
    if (head.status > 101) this.handler.onInterim?.(head.status, head.headers)
  }

  #onResponse(raw: readonly string[], flags: number): void {
    if (this.ended) return
    const stream = this.#stream!
    const { limits } = this.#session!.options
    const { head, length } = readHttp2ResponseHead(raw, this.request.method, limits.header_count)
    if (head.status < 200) throw bad('ends with an interim status')
    if (this.request.upgrade !== undefined && head.status < 300) return this.#takenOver(head)
    const endsHere = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0
    if (endsHere && length !== undefined && length > 0) throw bad('is shorter than declared')
    this.length = endsHere ? 0 : length
    const limit = this.options.maxResponseBytes
    if (limit !== undefined && length !== undefined && length > limit)
      throw new WireError('response-too-large', `the answer is longer than ${limit} bytes`)
    this.#expectWithin(this.#silence)
    this.#head = head
    if (endsHere) this.#answerComplete = true
    try {
      this.handler.onHead(head, this)
    } catch (error) {
      // What the handler refused to take is no answer; it hears of a fault instead.
      this.#head = undefined
      throw error
    }
    if (endsHere) this.#complete()
    else if (this.#sink === undefined && !this.ended) stream.pause()
  }

  #takenOver(head: ResponseHead): void {
    const stream = this.#stream!
    const { handler } = this
    this.ended = true
    this.#timer?.disarm()
    this.#stream = undefined
    for (const name of ['end', 'drain', 'trailers', 'headers']) stream.removeAllListeners(name)
    if (handler.onTakenOver === undefined) {
      stream.close(constants.NGHTTP2_CANCEL)
      return handler.onFault(bad('opens a connection that nobody takes over'))
    }
    const key = this.request.headers.get('sec-websocket-key')
    if (key !== undefined) head.headers.set('sec-websocket-accept', webSocketAccept(key))
    handler.onTakenOver({ ...head, status: 101 }, stream, Buffer.alloc(0))
  }

  #onData(chunk: Buffer): void {
    if (this.ended) return
    this.#bytesReceived += chunk.length
    this.#expectWithin(this.#silence)
    const limit = this.options.maxResponseBytes
    if (limit !== undefined && this.#bytesReceived > limit)
      throw new WireError('response-too-large', `the answer is longer than ${limit} bytes`)
    if (this.length !== undefined && this.#bytesReceived > this.length)
      throw bad('is longer than declared')
    if (this.#sink?.data(chunk) === false) this.pause()
  }

  #onEnd(): void {
    if (this.ended || this.#head === undefined || this.#answerComplete) return
    // A stream that was reset is ended too; a part must not pass for the whole.
    if (this.#stream!.rstCode !== constants.NGHTTP2_NO_ERROR) return
    if (this.length !== undefined && this.#bytesReceived < this.length)
      throw bad('is shorter than declared')
    this.#complete()
  }

  #complete(): void {
    this.#answerComplete = true
    if (this.ended) return
    this.ended = true
    this.#timer?.disarm()
    if (!this.#sent) {
      const early = 'the origin answered without reading the whole body'
      this.#stopBody(new WireError('cancelled', early))
      this.#close(constants.NGHTTP2_NO_ERROR)
    } else if (this.#sink === undefined) this.#stream?.resume()
    this.#sink?.end(this.#trailers)
  }

  #onClose(): void {
    if (this.ended) return
    const code = this.#stream?.rstCode ?? 0
    const mayRepeat = this.#head === undefined && this.#bytesSent === 0
    const advice: RetryAdvice = !mayRepeat
      ? 'never'
      : code === constants.NGHTTP2_REFUSED_STREAM
        ? 'safe'
        : this.#session?.used === true && this.#session.isGone
          ? 'idempotent'
          : 'never'
    this.failed(
      new WireError(
        'upstream-reset',
        'the origin ended the stream before its answer was complete',
        advice,
      ),
    )
  }

  #drained(): void {
    if (!this.#bodyPaused) return
    this.#bodyPaused = false
    this.#bodySource?.resume()
  }

  /** Expects something within `delayMs`, and everything by the deadline. */
  #expectWithin(delayMs: number): void {
    const { deadline } = this.options
    const left =
      deadline === undefined ? delayMs : deadline - (this.#session?.options.wheel.now() ?? 0)
    const delay = Math.max(0, Math.min(delayMs, left))
    if (delay === Infinity) this.#timer?.disarm()
    else this.#timer?.arm(delay)
  }

  #onTime(): void {
    const { deadline } = this.options
    const now = this.#session?.options.wheel.now() ?? 0
    if (deadline !== undefined && deadline <= now)
      return this.#breakOff(new WireError('deadline', 'the deadline of the request has passed'))
    if (this.#head === undefined)
      return this.#breakOff(new WireError('response-timeout', 'the origin did not answer in time'))
    this.#breakOff(
      new WireError('upstream-stalled', 'the origin stopped in the middle of its answer'),
    )
  }

  #guard(work: () => void): void {
    try {
      work()
    } catch (error) {
      const isOurs = error instanceof WireError
      if (!isOurs) this.#session?.options.onBug?.(error)
      try {
        this.#breakOff(
          isOurs ? error : new WireError('bug', 'the answer could not be handled', 'never', error),
        )
      } catch (again) {
        this.#session?.options.onBug?.(again)
      }
    }
  }

  #breakOff(error: WireError): void {
    this.#close(constants.NGHTTP2_CANCEL)
    this.failed(error)
  }

  #close(code: number): void {
    this.#timer?.disarm()
    const stream = this.#stream
    if (stream === undefined) return
    if (!stream.closed) breakStream(stream, code)
    stream.resume()
  }

  #stopBody(reason: WireError): void {
    const source = this.#bodySource
    this.#bodySource = undefined
    if (source !== undefined && !this.#sent) source.cancel(reason)
  }
}
