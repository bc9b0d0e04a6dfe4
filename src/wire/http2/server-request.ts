/**
 * One request on one stream of an HTTP/2 connection: its body as a source, and its answer, written exactly once.
 *
 * One object does it all. What goes wrong ends the stream, never the connection.
 */
import { constants, type ServerHttp2Stream } from 'node:http2'
import type { BodySink, BodySource } from '../body.ts'
import { HeaderList } from '../headers.ts'
import type {
  RequestHead,
  ResponseHead,
  ResponseOutcome,
  ServerRequest,
  TakenConnection,
} from '../message.ts'
import type { Timer } from '../timers.ts'
import { WireError } from '../wire-error.ts'
import { breakStream, isGrpc, toOutgoing, withoutDate } from './fields.ts'
import type { Http2ServerConnection } from './server-connection.ts'

const wrongLength = (): WireError =>
  new WireError('ambiguous-length', 'the body is not as long as content-length says')
const gone = (): WireError => new WireError('client-gone', 'the client ended the stream')

export class Http2Request implements ServerRequest, BodySource, BodySink {
  readonly connection: Http2ServerConnection
  readonly head: RequestHead
  readonly length: number | undefined
  bytesReceived = 0
  readonly #stream: ServerHttp2Stream
  readonly #idle: Timer
  readonly #total: Timer
  #sink: BodySink | undefined
  #reading = false
  #bodyOver: boolean
  #bodyError: WireError | undefined

  #answering = false
  #answered = false
  #taken = false
  #status = 0
  #bytesSent = 0
  #declared: number | undefined
  #source: BodySource | undefined
  #sourcePaused = false
  #trailers: HeaderList | undefined
  #sendsTrailers = false
  /** The answer is written, and the rest of the body is dropped for a while. */
  #lingering = false
  #finished: ((outcome: ResponseOutcome) => void) | undefined
  #gone: ((reason: WireError) => void) | undefined
  #lost: WireError | undefined

  constructor(connection: Http2ServerConnection, stream: ServerHttp2Stream, head: RequestHead) {
    const { wheel, timeouts } = connection.options
    const { framing } = head
    this.connection = connection
    this.#stream = stream
    this.head = head
    this.length =
      framing.kind === 'length' ? framing.length : framing.kind === 'none' ? 0 : undefined
    this.#bodyOver = framing.kind === 'none'
    this.#idle = wheel.timer(() => connection.guard(this, () => this.#onIdle()))
    this.#total = wheel.timer(() => connection.guard(this, () => this.#onTotal()))
    if (!this.#bodyOver) {
      this.#idle.arm(timeouts.stream_idle)
      this.#total.arm(timeouts.request)
    }
    stream.on('aborted', () => this.#onGone())
    stream.on('close', () => this.#onClose())
    stream.on('drain', () => this.#onDrain())
    stream.on('wantTrailers', () => this.#writeTrailers())
  }

  get body(): BodySource {
    return this
  }

  get responseStarted(): boolean {
    return this.#answering
  }

  start(sink: BodySink): void {
    // A call that failed before it got a byte may be repeated, and then another sink takes its place.
    if (this.#sink !== undefined && this.bytesReceived > 0)
      throw new WireError('malformed', 'the body is already being read')
    this.#sink = sink
    if (this.#bodyError !== undefined) return sink.fail(this.#bodyError)
    if (this.#bodyOver) return sink.end()
    if (this.head.expectContinue && !this.#reading && !this.#answering)
      this.#stream.additionalHeaders({ ':status': 100 })
    if (this.#reading) this.#stream.resume()
    else this.#read()
  }

  pause(): void {
    // The consumer's silence is not the client's.
    this.#idle.disarm()
    this.#stream.pause()
  }

  resume(): void {
    if (this.#bodyOver || this.#lost !== undefined) return
    this.#idle.arm(this.connection.options.timeouts.stream_idle)
    this.#stream.resume()
  }

  cancel(_reason: WireError): void {
    if (this.#bodyOver) return
    this.#bodyOver = true
    this.#sink = undefined
    this.#idle.disarm()
    this.#total.disarm()
    // Nothing is read any more, so the client's window stays shut; the stream ends with the answer.
    this.#stream.pause()
  }

  respond(
    head: ResponseHead,
    body?: Buffer | BodySource,
    finished?: (outcome: ResponseOutcome) => void,
  ): void {
    if (this.#answering) throw new WireError('malformed', 'the request is already answered')
    if (this.head.upgrade !== undefined && head.status < 300)
      throw new WireError('bad-upstream-response', 'the origin answered an upgrade without one')
    const source = body === undefined || Buffer.isBuffer(body) ? undefined : body
    if (this.#lost !== undefined) {
      this.#answering = true
      source?.cancel(this.#lost)
      return finished?.({ status: head.status, bytes: 0, error: this.#lost })
    }
    const carriesBody = this.head.method !== 'HEAD' && head.status !== 204 && head.status !== 304
    const declared = carriesBody ? body?.length : head.declaredLength
    const isEmpty = !carriesBody || (body?.length ?? (source === undefined ? 0 : undefined)) === 0
    this.#sendsTrailers = !isEmpty && source !== undefined && isGrpc(head.headers)
    this.#writeHead(head, declared, isEmpty)
    this.#answering = true
    this.#status = head.status
    this.#finished = finished
    if (isEmpty) {
      source?.cancel(new WireError('cancelled', 'this answer carries no body'))
      return this.#finish()
    }
    if (source === undefined) {
      this.#bytesSent = body!.length!
      this.#stream.end(body as Buffer)
      return this.#finish()
    }
    this.#declared = declared
    this.#source = source
    source.start(this)
  }

  inform(status: number, headers: HeaderList): void {
    if (this.#answering || this.#lost !== undefined) return
    if (status < 102 || status > 199) throw new WireError('malformed', 'not an interim status')
    this.#stream.additionalHeaders(toOutgoing({ ':status': status }, headers))
  }

  takeOver(head: ResponseHead): TakenConnection {
    if (this.#answering || this.head.upgrade === undefined || head.status !== 101)
      throw new WireError('malformed', 'only an unanswered upgrade can be taken over')
    if (this.#lost !== undefined) throw this.#lost
    // RFC 8441 §5: 200 stands for 101, and the key is not part of the handshake.
    const headers = head.headers.copy()
    headers.delete('sec-websocket-accept')
    this.#stream.respond(toOutgoing({ ':status': 200 }, headers), withoutDate)
    this.#answering = true
    this.#answered = true
    this.#taken = true
    this.#gone = undefined
    this.#idle.disarm()
    this.#total.disarm()
    this.#stream.removeAllListeners('drain')
    return { socket: this.#stream, early: Buffer.alloc(0) }
  }

  whenGone(listener: (reason: WireError) => void): void {
    this.#gone = listener
  }

  allowStreaming(): void {
    this.#total.disarm()
  }

  abort(reason: WireError = new WireError('closing', 'the request was ended here')): void {
    this.#lose(reason)
    breakStream(this.#stream, constants.NGHTTP2_INTERNAL_ERROR)
  }

  data(chunk: Buffer): boolean {
    if (this.#answered) return false
    if (chunk.length === 0) return true
    this.#bytesSent += chunk.length
    if (this.#declared !== undefined && this.#bytesSent > this.#declared) {
      this.fail(new WireError('bad-upstream-response', 'the body is longer than declared'))
      return false
    }
    if (this.#stream.write(chunk)) return true
    this.#sourcePaused = true
    this.#idle.arm(this.connection.options.timeouts.stream_idle)
    return false
  }

  end(trailers?: HeaderList): void {
    if (this.#answered) return
    if (this.#declared !== undefined && this.#bytesSent < this.#declared)
      return this.fail(new WireError('bad-upstream-response', 'the body is shorter than declared'))
    this.#trailers = trailers
    this.#stream.end()
    this.#finish()
  }

  fail(error: WireError): void {
    if (this.#answered) return
    const source = this.#source
    this.#source = undefined
    source?.cancel(error)
    this.#answered = true
    this.#gone = undefined
    this.#report(error)
    // The client must see that the answer is cut: the end of the stream never arrives.
    breakStream(this.#stream, constants.NGHTTP2_INTERNAL_ERROR)
  }

  /** The connection is gone. Called by it. */
  connectionLost(reason: WireError): void {
    this.connection.guard(this, () => this.#lose(reason))
  }

  #writeHead(head: ResponseHead, declared: number | undefined, isEmpty: boolean): void {
    const pseudo: Record<string, string | number> = { ':status': head.status }
    if (declared !== undefined && (declared > 0 || !isGrpc(head.headers)) && head.status !== 204)
      pseudo['content-length'] = String(declared)
    try {
      this.#stream.respond(toOutgoing(pseudo, head.headers), {
        endStream: isEmpty,
        waitForTrailers: this.#sendsTrailers,
        ...withoutDate,
      })
    } catch (error) {
      throw new WireError(
        'bad-upstream-response',
        'the answer cannot be written as HTTP/2',
        'never',
        error,
      )
    }
  }

  #read(): void {
    const stream = this.#stream
    this.#reading = true
    stream.on('data', (chunk: Buffer) => this.connection.guard(this, () => this.#onData(chunk)))
    stream.on('end', () => this.connection.guard(this, () => this.#onEnd()))
  }

  #onData(chunk: Buffer): void {
    if (this.#bodyOver) return
    this.bytesReceived += chunk.length
    this.#idle.arm(this.connection.options.timeouts.stream_idle)
    const limit = this.connection.options.limits.body_size
    if (limit !== undefined && this.bytesReceived > limit)
      return this.#bodyFailed(new WireError('too-large', `the body is longer than ${limit} bytes`))
    if (this.length !== undefined && this.bytesReceived > this.length)
      return this.#bodyFailed(wrongLength())
    if (this.#sink?.data(chunk) === false) this.pause()
  }

  #onEnd(): void {
    if (this.#bodyOver) return
    // A stream that was reset is ended too; a part must not pass for the whole.
    if (this.#stream.aborted || this.#stream.rstCode !== constants.NGHTTP2_NO_ERROR)
      return this.#bodyFailed(gone())
    if (this.length !== undefined && this.bytesReceived < this.length)
      return this.#bodyFailed(wrongLength())
    this.#bodyOver = true
    this.#idle.disarm()
    this.#total.disarm()
    this.#sink?.end()
  }

  /** Tells the consumer that the body broke. */
  #bodyFailed(error: WireError): void {
    if (this.#bodyOver) return
    this.#bodyOver = true
    this.#bodyError = error
    this.#idle.disarm()
    this.#total.disarm()
    this.#sink?.fail(error)
  }

  #onIdle(): void {
    if (this.#lingering) {
      this.#stream.close(constants.NGHTTP2_NO_ERROR)
      return
    }
    if (this.#sourcePaused)
      return this.fail(new WireError('client-stalled', 'the client does not read the answer'))
    const error = new WireError('body-timeout', 'the body of the request does not arrive')
    this.#bodyFailed(error)
    if (!this.#answering && this.#sink === undefined) this.abort(error)
  }

  #onTotal(): void {
    this.#bodyFailed(new WireError('body-timeout', 'the request did not arrive whole in time'))
  }

  #onDrain(): void {
    if (!this.#sourcePaused) return
    this.#sourcePaused = false
    this.#idle.disarm()
    if (!this.#bodyOver && this.#reading && !this.#stream.isPaused())
      this.#idle.arm(this.connection.options.timeouts.stream_idle)
    this.connection.guard(this, () => this.#source?.resume())
  }

  #writeTrailers(): void {
    try {
      this.#stream.sendTrailers(toOutgoing({}, this.#trailers ?? new HeaderList()))
    } catch {
      this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR)
    }
  }

  #onGone(): void {
    if (this.#taken) return
    this.connection.guard(this, () => this.#lose(gone()))
  }

  #onClose(): void {
    this.#idle.disarm()
    this.#total.disarm()
    if (!this.#taken) this.connection.guard(this, () => this.#lose(gone()))
    this.connection.forget(this)
  }

  /** The stream is over before its answer was. */
  #lose(reason: WireError): void {
    if (this.#lost !== undefined) return
    this.#lost = reason
    const told = this.#gone
    this.#gone = undefined
    this.#bodyFailed(reason)
    if (this.#answered) return
    const { responseStarted } = this
    this.#answered = responseStarted
    this.#source?.cancel(reason)
    this.#source = undefined
    told?.(reason)
    if (responseStarted) this.#report(reason)
  }

  #finish(): void {
    this.#answered = true
    this.#source = undefined
    this.#gone = undefined
    this.#idle.disarm()
    this.#endUnread()
    this.#report(undefined)
  }

  /**
   * The answer is whole and the body is not: a little more of it is dropped, then the client is told to stop. A reset
   * at once would overtake the answer.
   */
  #endUnread(): void {
    const stream = this.#stream
    const { linger } = this.connection.options.timeouts
    this.#bodyOver = true
    this.#total.disarm()
    stream.resume()
    if (stream.endAfterHeaders || stream.readableEnded) return
    let left = this.connection.options.limits.pipelined_size
    this.#lingering = true
    this.#idle.arm(linger)
    stream.on('data', (chunk: Buffer) => {
      left -= chunk.length
      if (left < 0 && stream.writableFinished) stream.close(constants.NGHTTP2_NO_ERROR)
    })
  }

  #report(error: WireError | undefined): void {
    const finished = this.#finished
    this.#finished = undefined
    finished?.({
      status: this.#status,
      bytes: this.#bytesSent,
      error,
      trailers: this.#trailers,
    })
  }
}
