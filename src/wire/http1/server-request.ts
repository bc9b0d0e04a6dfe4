/**
 * One request on an HTTP/1.1 connection: its body as a source, and its answer, written in order and exactly once.
 *
 * One object does it all, so that a request costs one allocation. A late call for an answered request does nothing or
 * throws; it can never reach the next request on the connection.
 */
import type { BodySink, BodySource } from '../body.ts'
import type { HeaderList } from '../headers.ts'
import type {
  Framing,
  RequestHead,
  ResponseHead,
  ResponseOutcome,
  ServerRequest,
  TakenConnection,
} from '../message.ts'
import { WireError } from '../wire-error.ts'
import type { Http1ServerConnection } from './server-connection.ts'
import { statusLine, writeResponseHead } from './write-head.ts'

const none: Framing = { kind: 'none' }
const chunked: Framing = { kind: 'chunked' }
const untilClose: Framing = { kind: 'close' }

const dropSink: BodySink = { data: () => true, end: () => undefined, fail: () => undefined }

export class Http1Request implements ServerRequest, BodySource, BodySink {
  readonly connection: Http1ServerConnection
  readonly head: RequestHead
  /** Whether the client lets the connection live on. */
  readonly keepAlive: boolean
  readonly length: number | undefined
  bytesReceived = 0
  /** Every byte of the body arrived, wanted or not. */
  bodyComplete: boolean
  #sink: BodySink | undefined
  #bodyPaused = false
  #bodyError: WireError | undefined
  #bodyEnded = false

  #answering = false
  #answered = false
  #closing = false
  #status = 0
  #bytesSent = 0
  #framing: Framing = none
  #source: BodySource | undefined
  #sourcePaused = false
  #finished: ((outcome: ResponseOutcome) => void) | undefined
  #gone: ((reason: WireError) => void) | undefined
  #lost: WireError | undefined

  constructor(connection: Http1ServerConnection, head: RequestHead, keepAlive: boolean) {
    this.connection = connection
    this.head = head
    this.keepAlive = keepAlive
    const { framing } = head
    this.length =
      framing.kind === 'length' ? framing.length : framing.kind === 'none' ? 0 : undefined
    this.bodyComplete = this.length === 0
  }

  get body(): BodySource {
    return this
  }

  /** Whether body bytes may be read now. Asked by the connection. */
  get wantsBody(): boolean {
    return this.#sink !== undefined && !this.#bodyPaused && this.#bodyError === undefined
  }

  /** Whether nobody asked for the body, so that it can be dropped. Asked by the connection. */
  get isUnread(): boolean {
    return this.#sink === undefined && this.#bodyError === undefined
  }

  /** Whether the answer was handed over whole. Asked by the connection. */
  get answered(): boolean {
    return this.#answered
  }

  get responseStarted(): boolean {
    return this.#answering
  }

  // The body of the request, as a source.

  start(sink: BodySink): void {
    // A call that failed before it got a byte may be repeated, and then another sink takes its place.
    if (
      this.#sink !== undefined &&
      (this.bytesReceived > 0 || this.#bodyEnded) &&
      this.length !== 0
    )
      throw new WireError('malformed', 'the body is already being read')
    this.#sink = sink
    this.#bodyPaused = false
    if (this.#bodyError !== undefined) {
      sink.fail(this.#bodyError)
      return
    }
    if (this.bodyComplete) {
      this.#bodyEnded = true
      sink.end()
      return
    }
    if (this.head.expectContinue && this.bytesReceived === 0 && !this.#answering) {
      this.connection.outbox.addText('HTTP/1.1 100 Continue\r\n\r\n')
    }
    this.connection.readBody()
  }

  pause(): void {
    this.#bodyPaused = true
    if (!this.bodyComplete) this.connection.pauseBody()
  }

  resume(): void {
    if (!this.#bodyPaused) return
    this.#bodyPaused = false
    if (!this.bodyComplete && this.#lost === undefined) this.connection.readBody()
  }

  cancel(_reason: WireError): void {
    if (this.#bodyEnded) return
    this.dropBody()
    if (this.#lost === undefined && !this.bodyComplete) this.connection.readBody()
  }

  /** The answer is complete and the little that is left of the body is of no use. Called by the connection. */
  dropBody(): void {
    this.#bodyEnded = true
    this.#bodyPaused = false
    this.#sink = dropSink
  }

  /** Takes a piece of the body from the connection. */
  bodyData(chunk: Buffer | undefined, last: boolean): void {
    if (last) this.bodyComplete = true
    const sink = this.#sink ?? dropSink
    if (chunk !== undefined) {
      this.bytesReceived += chunk.length
      // A sink that cancelled while it took the chunk waits for nothing.
      if (!sink.data(chunk) && !last && this.#sink === sink) this.pause()
    }
    if (!last || this.#bodyEnded) return
    this.#bodyEnded = true
    sink.end()
  }

  /** Tells the consumer that the body broke. The connection cannot be used again. */
  bodyFailed(error: WireError): void {
    if (this.#bodyError !== undefined || this.bodyComplete) return
    this.#bodyError = error
    if (this.#bodyEnded || this.#sink === undefined) return
    this.#bodyEnded = true
    this.#sink.fail(error)
  }

  // The answer.

  respond(
    head: ResponseHead,
    body?: Buffer | BodySource,
    finished?: (outcome: ResponseOutcome) => void,
  ): void {
    if (this.#answering) throw new WireError('malformed', 'the request is already answered')
    const source = body === undefined || Buffer.isBuffer(body) ? undefined : body
    if (this.#lost !== undefined) {
      this.#answering = true
      source?.cancel(this.#lost)
      finished?.({ status: head.status, bytes: 0, error: this.#lost })
      return
    }
    const framing = this.#framingFor(head, body)
    const closing = framing.kind === 'close' || this.connection.mustClose(this)
    const text = writeResponseHead(head, framing, this.#connectionLine(closing))
    this.#answering = true
    this.#closing = closing
    this.#status = head.status
    this.#finished = finished
    this.#framing = framing
    this.connection.outbox.addText(text)
    if (source === undefined) {
      if (this.#carriesBody(head.status) && Buffer.isBuffer(body) && body.length > 0) {
        this.#bytesSent = body.length
        this.connection.outbox.addBytes(body)
      }
      return this.#finish(undefined)
    }
    if (!this.#carriesBody(head.status)) {
      source.cancel(new WireError('cancelled', 'this answer carries no body'))
      return this.#finish(undefined)
    }
    this.#source = source
    source.start(this)
  }

  inform(status: number, headers: HeaderList): void {
    if (this.#answering || this.#lost !== undefined || this.head.version === '1.0') return
    if (status < 102 || status > 199) throw new WireError('malformed', 'not an interim status')
    this.connection.outbox.addText(statusLine(status, undefined) + headers.toLines() + '\r\n')
  }

  takeOver(head: ResponseHead): TakenConnection {
    const isConnect = this.head.method === 'CONNECT'
    const fits = isConnect
      ? head.status >= 200 && head.status < 300
      : this.head.upgrade !== undefined && head.status === 101
    if (this.#answering || !fits)
      throw new WireError('malformed', 'only an unanswered CONNECT or upgrade can be taken over')
    if (this.#lost !== undefined) throw this.#lost
    const lines = isConnect ? '' : `connection: upgrade\r\nupgrade: ${this.head.upgrade}\r\n`
    this.connection.outbox.addText(
      statusLine(head.status, head.reason) + head.headers.toLines() + lines + '\r\n',
    )
    this.#answering = true
    this.#answered = true
    this.#gone = undefined
    return { socket: this.connection.socket, early: this.connection.release() }
  }

  whenGone(listener: (reason: WireError) => void): void {
    this.#gone = listener
  }

  abort(reason?: WireError): void {
    this.connection.destroy(reason)
  }

  allowStreaming(): void {
    this.connection.streamFreely()
  }

  // The body of the answer, as a sink.

  data(chunk: Buffer): boolean {
    if (this.#answered) return false
    if (chunk.length === 0) return !this.connection.outbox.needsDrain
    const { outbox } = this.connection
    this.#bytesSent += chunk.length
    if (this.#framing.kind === 'length' && this.#bytesSent > this.#framing.length) {
      this.fail(new WireError('bad-upstream-response', 'the body is longer than declared'))
      return false
    }
    if (this.#framing.kind === 'chunked') {
      outbox.addText(`${chunk.length.toString(16)}\r\n`)
      outbox.addBytes(chunk)
      outbox.addText('\r\n')
    } else outbox.addBytes(chunk)
    if (!outbox.needsDrain) return true
    this.#sourcePaused = true
    this.connection.waitForDrain()
    return false
  }

  end(): void {
    if (this.#answered) return
    if (this.#framing.kind === 'length' && this.#bytesSent < this.#framing.length)
      return this.fail(new WireError('bad-upstream-response', 'the body is shorter than declared'))
    if (this.#framing.kind === 'chunked') this.connection.outbox.addText('0\r\n\r\n')
    this.#finish(undefined)
  }

  fail(error: WireError): void {
    if (this.#answered) return
    const source = this.#source
    this.#source = undefined
    source?.cancel(error)
    this.#answered = true
    this.#gone = undefined
    this.#report(error)
    // The client must see that the answer is cut: neither the last chunk nor the declared length arrives.
    this.connection.destroy(error)
  }

  /** The socket has room again. Called by the connection. */
  drained(): void {
    if (!this.#sourcePaused) return
    this.#sourcePaused = false
    this.#source?.resume()
  }

  /** The connection is gone. Called by it, once. */
  connectionLost(reason: WireError): void {
    if (this.#lost !== undefined) return
    this.#lost = reason
    const gone = this.#gone
    this.#gone = undefined
    this.bodyFailed(reason)
    if (this.#answered) return
    const answering = this.#answering
    this.#answered = answering
    this.#source?.cancel(reason)
    this.#source = undefined
    gone?.(reason)
    if (answering) this.#report(reason)
  }

  #finish(error: WireError | undefined): void {
    this.#answered = true
    this.#source = undefined
    this.#gone = undefined
    this.#report(error)
    this.connection.answered(this.#closing)
  }

  #report(error: WireError | undefined): void {
    const finished = this.#finished
    this.#finished = undefined
    finished?.({ status: this.#status, bytes: this.#bytesSent, error })
  }

  #carriesBody(status: number): boolean {
    return this.head.method !== 'HEAD' && status !== 204 && status !== 304
  }

  /** RFC 9110 §6.4.1 and RFC 9112 §6: which framing the answer gets. */
  #framingFor(head: ResponseHead, body: Buffer | BodySource | undefined): Framing {
    if (head.status < 200) throw new WireError('malformed', 'an interim status is not an answer')
    if (head.status === 204) return none
    if (!this.#carriesBody(head.status)) {
      const length = head.declaredLength ?? (Buffer.isBuffer(body) ? body.length : undefined)
      return length === undefined ? none : { kind: 'length', length }
    }
    const length = body?.length ?? (body === undefined ? 0 : undefined)
    if (length !== undefined) return { kind: 'length', length }
    return this.head.version === '1.0' ? untilClose : chunked
  }

  #connectionLine(closing: boolean): '' | 'connection: close\r\n' | 'connection: keep-alive\r\n' {
    if (closing) return 'connection: close\r\n'
    return this.head.version === '1.0' ? 'connection: keep-alive\r\n' : ''
  }
}
