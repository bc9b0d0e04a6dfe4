/**
 * One call to an origin: writes its request, takes the request's body as a sink, gives the answer's body as a source.
 *
 * One object does it all. After it ended, late calls from either side do nothing.
 */
import type { Duplex } from 'node:stream'
import type { BodySink, BodySource } from '../../body.ts'
import type { Framing, ResponseHead } from '../../message.ts'
import type {
  OutgoingCall,
  OutgoingRequest,
  RequestOptions,
  ResponseHandler,
} from '../../origin.ts'
import { WireError, type RetryAdvice } from '../../wire-error.ts'
import type { Http1ClientConnection } from './client.ts'
import { writeRequestHead } from '../write-head.ts'

const none: Framing = { kind: 'none' }
const chunked: Framing = { kind: 'chunked' }

export class ClientCall implements OutgoingCall, BodySink, BodySource {
  readonly request: OutgoingRequest
  readonly handler: ResponseHandler
  readonly options: RequestOptions
  /** Until when it may wait in a queue, in the milliseconds of the wheel. */
  queuedUntil = 0
  /** Gives up what it waits for: a dial, or a place in a queue. */
  abandon: (() => void) | undefined
  /** The whole request was handed to the connection. */
  sent = false
  /** Nothing more will be told to the handler. */
  ended = false
  readonly #body: Buffer | BodySource | undefined
  #connection: Http1ClientConnection | undefined
  #framing: Framing = none
  #bodySource: BodySource | undefined
  #bodyPaused = false
  #bytesSent = 0

  #head: ResponseHead | undefined
  length: number | undefined
  #sink: BodySink | undefined
  #answerPaused = false
  #answerError: WireError | undefined
  #answerComplete = false
  #bytesReceived = 0

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

  /** Whether bytes of the answer may be handed over now. Asked by the connection. */
  get wantsAnswer(): boolean {
    return this.#sink !== undefined && !this.#answerPaused
  }

  /** What a repeat after a stale connection would risk. Asked by the connection. */
  get retryAdvice(): RetryAdvice {
    return this.#bodySource === undefined || this.#bytesSent === 0 ? 'idempotent' : 'never'
  }

  // The request.

  /** Writes the request. Called by the connection that took the call. */
  sendOn(connection: Http1ClientConnection): void {
    this.#connection = connection
    const body = this.#body
    this.#framing = this.#framingFor(body)
    let text: string
    try {
      text = writeRequestHead(this.request, this.#framing)
    } catch (error) {
      connection.destroy()
      this.failed(
        error instanceof WireError
          ? error
          : new WireError('bug', 'the request head', 'never', error),
      )
      return
    }
    const { outbox } = connection
    outbox.addText(text)
    connection.expectWithin(this.options.responseTimeoutMs, this.options.deadline)
    if (body === undefined || body.length === 0) {
      this.sent = true
      return
    }
    if (Buffer.isBuffer(body)) {
      outbox.addBytes(body)
      this.sent = true
      return
    }
    this.#bodySource = body
    body.start(this)
  }

  cancel(reason: WireError): void {
    if (this.ended) return
    this.ended = true
    this.abandon?.()
    this.abandon = undefined
    this.#stopBody(reason)
    this.#connection?.destroy()
    this.#connection = undefined
    if (this.#head !== undefined) this.#sink = undefined
  }

  // The request's body, as a sink.

  data(chunk: Buffer): boolean {
    const connection = this.#connection
    if (connection === undefined || this.ended || this.sent) return false
    if (chunk.length === 0) return true
    const { outbox } = connection
    this.#bytesSent += chunk.length
    if (this.#framing.kind === 'length' && this.#bytesSent > this.#framing.length) {
      this.#breakOff(new WireError('malformed', 'the body is longer than it was declared'))
      return false
    }
    if (this.#framing.kind === 'chunked') {
      outbox.addText(`${chunk.length.toString(16)}\r\n`)
      outbox.addBytes(chunk)
      outbox.addText('\r\n')
    } else outbox.addBytes(chunk)
    if (this.#head === undefined)
      connection.expectWithin(this.options.responseTimeoutMs, this.options.deadline)
    if (!outbox.needsDrain) return true
    this.#bodyPaused = true
    return false
  }

  end(): void {
    const connection = this.#connection
    if (connection === undefined || this.ended || this.sent) return
    if (this.#framing.kind === 'length' && this.#bytesSent < this.#framing.length)
      return this.#breakOff(new WireError('malformed', 'the body is shorter than it was declared'))
    if (this.#framing.kind === 'chunked') connection.outbox.addText('0\r\n\r\n')
    this.sent = true
  }

  fail(error: WireError): void {
    if (this.#connection === undefined || this.ended || this.sent) return
    this.#bodySource = undefined
    this.#breakOff(error)
  }

  /** The socket has room again. Called by the connection. */
  drained(): void {
    if (!this.#bodyPaused) return
    this.#bodyPaused = false
    this.#bodySource?.resume()
  }

  // The answer, from the connection.

  answered(head: ResponseHead, framing: Framing): void {
    this.#head = head
    this.length =
      framing.kind === 'length' ? framing.length : framing.kind === 'none' ? 0 : undefined
    try {
      this.handler.onHead(head, this)
    } catch (error) {
      // What the handler refused to take is no answer; it hears of a fault instead.
      this.#head = undefined
      throw error
    }
  }

  answerData(chunk: Buffer): void {
    this.#bytesReceived += chunk.length
    const limit = this.options.maxResponseBytes
    if (limit !== undefined && this.#bytesReceived > limit)
      throw new WireError('response-too-large', `the answer is longer than ${limit} bytes`)
    if (this.#sink !== undefined && !this.#sink.data(chunk)) this.pause()
  }

  answerEnded(): void {
    this.#connection = undefined
    if (this.#bodySource !== undefined && !this.sent)
      this.#stopBody(
        new WireError('cancelled', 'the origin answered without reading the whole body'),
      )
    this.#answerComplete = true
    if (this.ended) return
    this.ended = true
    this.#sink?.end()
  }

  takenOver(head: ResponseHead, socket: Duplex, early: Buffer): void {
    this.#connection = undefined
    this.ended = true
    if (this.handler.onTakenOver === undefined) {
      socket.destroy()
      this.handler.onFault(
        new WireError('bad-upstream-response', 'nobody takes the connection over'),
      )
      return
    }
    this.handler.onTakenOver(head, socket, early)
  }

  /** The call is over without a whole answer. Called once: by the connection, the queue or the dial. */
  failed(error: WireError): void {
    if (this.ended) return
    this.ended = true
    this.#connection = undefined
    if (error.retry === 'never') this.#stopBody(error)
    if (this.#head === undefined) return this.handler.onFault(error)
    this.#answerError = error
    this.#sink?.fail(error)
  }

  // The answer's body, as a source.

  start(sink: BodySink): void {
    if (this.#sink !== undefined) throw new WireError('malformed', 'the body is already being read')
    this.#sink = sink
    if (this.#answerError !== undefined) return sink.fail(this.#answerError)
    if (this.#answerComplete) return sink.end()
    this.#connection?.readAnswer()
  }

  pause(): void {
    if (this.#answerPaused) return
    this.#answerPaused = true
    this.#connection?.pauseAnswer()
  }

  resume(): void {
    if (!this.#answerPaused) return
    this.#answerPaused = false
    this.#connection?.readAnswer()
  }

  #framingFor(body: Buffer | BodySource | undefined): Framing {
    if (body === undefined || body.length === 0) {
      const { method } = this.request
      const usuallyHasBody = method === 'POST' || method === 'PUT' || method === 'PATCH'
      return usuallyHasBody ? { kind: 'length', length: 0 } : none
    }
    return body.length === undefined ? chunked : { kind: 'length', length: body.length }
  }

  #breakOff(error: WireError): void {
    this.#connection?.destroy()
    this.failed(error)
  }

  #stopBody(reason: WireError): void {
    const source = this.#bodySource
    this.#bodySource = undefined
    if (source !== undefined && !this.sent) source.cancel(reason)
  }
}
