/**
 * The server's end of one HTTP/1.1 connection: finds requests in the bytes, hands them on one at a time, in order.
 *
 * While a request is handled, later ones wait unparsed in a bounded buffer and the socket is paused, which is how
 * pipelining keeps order and back-pressure. Who may ask for what is not decided here.
 */
import type { Socket } from 'node:net'
import { HeaderList } from '../headers.ts'
import type { Framing, ServerConnection } from '../message.ts'
import type { Timer } from '../timers.ts'
import { WireError } from '../wire-error.ts'
import { BodyReader } from './body-reader.ts'
import { Outbox } from './outbox.ts'
import { RequestScan, requestRules } from './request-scan.ts'
import { readRequestHead, type RequestRules } from './request-head.ts'
import type { Http1ServerHandlers, Http1ServerOptions } from './server.ts'
import { Http1Request } from './server-request.ts'
import { writeResponseHead } from './write-head.ts'

const nothing = Buffer.alloc(0)

export class Http1ServerConnection implements ServerConnection {
  readonly protocol = 'http/1.1'
  readonly socket: Socket
  readonly remoteAddress: string
  readonly remotePort: number
  readonly options: Http1ServerOptions
  readonly outbox: Outbox
  context: unknown
  readonly #handlers: Http1ServerHandlers
  readonly #rules: RequestRules
  readonly #idle: Timer
  readonly #total: Timer
  /** The body of the request in hand. */
  readonly #body: BodyReader
  /** Bytes that arrived and are not used yet. */
  #pending: Buffer = nothing
  readonly #scan: RequestScan
  #request: Http1Request | undefined
  #reading = false
  /** Whether what is thrown now comes from a handler, not from a parser. */
  #inHandler = false
  #draining = false
  #closed = false
  /** Bytes of a refused body that may still be read and dropped; -1 when not lingering. */
  #lingerLeft = -1
  #requests = 0

  constructor(socket: Socket, options: Http1ServerOptions, handlers: Http1ServerHandlers) {
    this.socket = socket
    this.options = options
    this.#handlers = handlers
    this.context = options.context
    this.remoteAddress = socket.remoteAddress ?? ''
    this.remotePort = socket.remotePort ?? 0
    this.outbox = new Outbox(socket)
    this.#rules = requestRules(options)
    this.#scan = new RequestScan(this.#rules)
    this.#body = new BodyReader(options.limits.chunk_extension_size)
    this.#idle = options.wheel.timer(() => this.#guard(() => this.#onIdle()))
    this.#total = options.wheel.timer(() => this.#guard(() => this.#onTotal()))
    // Handlers for errors come before anything that could raise one (CVE-2025-59465).
    socket.on('error', this.#onError)
    socket.on('close', this.#onClose)
    socket.on('end', this.#onEnd)
    socket.on('drain', this.#onDrain)
    socket.on('data', this.#onData)
    if (socket.destroyed) {
      // Told later, so that whoever made this connection knows of it by then.
      process.nextTick(this.#onClose)
      return
    }
    // A socket that was taken over from another connection is paused until somebody reads it.
    if (socket.isPaused()) socket.resume()
    socket.setNoDelay(true)
    socket.setKeepAlive(true, 15_000)
    this.#idle.arm(options.timeouts.headers)
  }

  get busy(): boolean {
    return this.#request !== undefined
  }

  drain(): void {
    this.#draining = true
    if (this.#request === undefined && this.#lingerLeft === -1 && !this.#closed)
      this.#finishAndClose('everything-arrived')
  }

  destroy(reason: WireError = new WireError('closing', 'the connection was closed here')): void {
    this.#close(reason)
    this.socket.destroy()
  }

  /**
   * Whether the answer to the request in hand must be the last on this connection. A body that nobody started to
   * read is dropped when little of it is left; otherwise the connection is given up.
   */
  mustClose(request: Http1Request): boolean {
    if (this.#draining || !request.keepAlive) return true
    if (this.#requests >= this.options.limits.requests_per_connection) return true
    return !request.bodyComplete && !this.#mayDrop(request)
  }

  #mayDrop(request: Http1Request): boolean {
    if (request.head.expectContinue || !request.isUnread) return false
    return this.#body.left <= this.options.limits.pipelined_size
  }

  /** The consumer of the body is ready for more. Called by the request. */
  readBody(): void {
    if (!this.#reading) this.#read()
  }

  /** The consumer of the body wants to wait; its silence is not the client's. Called by the request. */
  pauseBody(): void {
    this.#idle.disarm()
    this.socket.pause()
  }

  streamFreely(): void {
    this.#total.disarm()
  }

  waitForDrain(): void {
    this.#idle.arm(this.options.timeouts.stream_idle)
  }

  /** The answer is complete. Called by the request, once. */
  answered(closing: boolean): void {
    const request = this.#request
    if (this.#closed || request === undefined) return
    if (closing || (this.#draining && request.bodyComplete)) {
      this.#request = undefined
      return this.#finishAndClose(
        request.bodyComplete ? 'everything-arrived' : 'something-may-come',
      )
    }
    if (request.bodyComplete) this.#becomeIdle()
    else request.dropBody()
    if (!this.#reading) this.#read()
  }

  #becomeIdle(): void {
    this.#request = undefined
    this.#idle.arm(this.options.timeouts.keep_alive)
  }

  /** Leaves the socket to somebody else; gives the bytes that are not used. Called by the request. */
  release(): Buffer {
    this.outbox.flush()
    const early = this.#pending
    this.#pending = nothing
    this.#request = undefined
    this.socket.pause()
    this.socket.removeListener('data', this.#onData)
    this.socket.removeListener('end', this.#onEnd)
    this.socket.removeListener('drain', this.#onDrain)
    this.#shut()
    return early
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#lingerLeft !== -1) {
      this.#lingerLeft -= chunk.length
      if (this.#lingerLeft < 0) this.socket.destroy()
      return
    }
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
    if (!this.#reading) this.#read()
  }

  readonly #onEnd = (): void => {
    if (this.#request === undefined) this.socket.end()
    // A client that stops in the middle has gone; waiting would hold the origin's work for nobody.
    else this.#lose(new WireError('client-gone', 'the client closed the connection'))
  }

  readonly #onFinish = (): void => {
    if (!this.#closed) this.#idle.arm(this.options.timeouts.linger)
  }

  readonly #onError = (): void => {
    // `close` follows, and says all that the request needs to know.
  }

  readonly #onClose = (): void => {
    this.#lose(new WireError('client-gone', 'the client closed the connection'))
  }

  readonly #onDrain = (): void => {
    const request = this.#request
    if (this.#lingerLeft !== -1) return
    this.#idle.disarm()
    if (request !== undefined) {
      if (!request.bodyComplete) this.#idle.arm(this.options.timeouts.stream_idle)
      this.#guard(() => request.drained())
    } else this.#idle.arm(this.options.timeouts.keep_alive)
    if (!this.#reading) this.#read()
  }

  #lose(reason: WireError): void {
    this.#guard(() => this.destroy(reason))
  }

  /** Runs what may call a handler outside of reading. */
  #guard(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#onBug(error)
    }
  }

  #onBug(error: unknown): void {
    this.#handlers.onBug?.(error)
    if (this.#closed) this.socket.destroy()
    else this.#lose(new WireError('bug', 'the request could not be handled', 'never', error))
  }

  #onIdle(): void {
    const request = this.#request
    if (request !== undefined) {
      const stalled = this.outbox.needsDrain
      return this.destroy(
        stalled
          ? new WireError('client-stalled', 'the client does not read the answer')
          : new WireError('body-timeout', 'the body of the request does not arrive'),
      )
    }
    if (this.#lingerLeft !== -1 || this.#pending.length === 0 || this.outbox.needsDrain) {
      this.socket.destroy()
      return
    }
    this.#refuse(new WireError('header-timeout', 'the head of the request did not arrive in time'))
  }

  #onTotal(): void {
    const request = this.#request
    if (request === undefined || request.bodyComplete) return
    if (request.answered) this.socket.destroy()
    else
      request.bodyFailed(new WireError('body-timeout', 'the request did not arrive whole in time'))
  }

  /** Uses what is pending, until it is used up or somebody must act first. */
  #read(): void {
    this.#reading = true
    try {
      while (!this.#closed && this.#lingerLeft === -1) {
        const request = this.#request
        if (request !== undefined && !request.bodyComplete) {
          if (!this.#feedBody(request)) break
          if (request.bodyComplete && request.answered) this.#becomeIdle()
        } else if (request !== undefined) {
          this.#holdBack()
          break
        } else if (this.outbox.needsDrain || !this.#readHead()) break
      }
    } catch (error) {
      this.#onReadError(error)
    } finally {
      this.#reading = false
      this.#inHandler = false
    }
  }

  /** Whatever a handler or a parser throws ends at most this connection (security: I3). */
  #onReadError(error: unknown): void {
    if (!(error instanceof WireError) || this.#inHandler) {
      this.#handlers.onBug?.(error)
      return this.#lose(new WireError('bug', 'the request could not be handled', 'never', error))
    }
    this.#guard(() => {
      if (this.#request === undefined) this.#refuse(error)
      else this.#request.bodyFailed(error)
    })
  }

  #holdBack(): void {
    if (this.#pending.length > this.options.limits.pipelined_size) this.socket.pause()
  }

  /** Gives true when a request was handed on, false when more bytes are needed. */
  #readHead(): boolean {
    if (this.socket.isPaused()) this.socket.resume()
    if (this.#pending.length === 0) return false
    const isFirst = this.#scan.isFresh
    this.#pending = this.#scan.withoutEmptyLine(this.#pending)
    const end = this.#pending.length === 0 ? -1 : this.#scan.find(this.#pending)
    if (end === -1) {
      if (isFirst || !this.#idle.armed) this.#idle.arm(this.options.timeouts.headers)
      return false
    }
    const text = this.#pending.toString('latin1', 0, end)
    const { head, keepAlive } = readRequestHead(text, this.#rules)
    this.#use(end)
    this.#scan.reset()
    this.#idle.disarm()
    this.#requests++
    const request = new Http1Request(this, head, keepAlive)
    this.#expectBody(head.framing)
    this.#request = request
    this.#inHandler = true
    this.#handlers.onRequest(request)
    this.#inHandler = false
    return true
  }

  #expectBody(framing: Framing): void {
    this.#body.begin(framing)
    if (this.#body.done) return
    const limit = this.options.limits.body_size
    if (limit !== undefined && framing.kind === 'length' && framing.length > limit)
      throw new WireError('too-large', `the body is longer than ${limit} bytes`)
    this.#total.arm(this.options.timeouts.request)
    this.#idle.arm(this.options.timeouts.stream_idle)
  }

  /** Gives false when it has to wait: for bytes, or for the consumer. */
  #feedBody(request: Http1Request): boolean {
    if (!request.wantsBody) {
      this.#holdBack()
      return false
    }
    if (this.socket.isPaused()) this.socket.resume()
    if (this.#pending.length === 0) {
      if (!this.#idle.armed) this.#idle.arm(this.options.timeouts.stream_idle)
      return false
    }
    const body = this.#body
    this.#use(body.next(this.#pending))
    const limit = this.options.limits.body_size
    if (limit !== undefined && request.bytesReceived + (body.data?.length ?? 0) > limit)
      throw new WireError('too-large', `the body is longer than ${limit} bytes`)
    if (body.done) {
      this.#total.disarm()
      this.#idle.disarm()
    } else this.#idle.arm(this.options.timeouts.stream_idle)
    if (body.data !== undefined || body.done) this.#hand(request, body.data, body.done)
    return true
  }

  #use(bytes: number): void {
    this.#pending = bytes === this.#pending.length ? nothing : this.#pending.subarray(bytes)
  }

  #hand(request: Http1Request, chunk: Buffer | undefined, last: boolean): void {
    this.#inHandler = true
    request.bodyData(chunk, last)
    this.#inHandler = false
  }

  /** Answers what is not a request, and closes. */
  #refuse(error: WireError): void {
    if (this.#closed) return
    const reply = this.#handlers.onRefused?.(error, this)
    const head = reply?.head ?? { status: error.status, headers: new HeaderList() }
    const body = reply?.body ?? nothing
    const framing = { kind: 'length', length: body.length } as const
    this.outbox.addText(writeResponseHead(head, framing, 'connection: close\r\n'))
    if (body.length > 0) this.outbox.addBytes(body)
    this.#finishAndClose('something-may-come')
  }

  /** Closes after what is written has been sent; reads and drops a little more, so that no reset overtakes it. */
  #finishAndClose(body: 'everything-arrived' | 'something-may-come'): void {
    this.outbox.flush()
    this.#pending = nothing
    this.#total.disarm()
    // A slow reader gets the rest of its answer first; only then the short time to let go begins.
    this.#idle.arm(this.options.timeouts.stream_idle)
    this.socket.once('finish', this.#onFinish)
    this.#lingerLeft =
      body === 'everything-arrived' ? this.options.limits.pipelined_size : 1024 * 1024
    this.socket.end()
    if (this.socket.isPaused()) this.socket.resume()
  }

  #close(reason: WireError): void {
    if (this.#closed) return
    this.#shut()
    const request = this.#request
    this.#request = undefined
    this.#pending = nothing
    request?.connectionLost(reason)
  }

  #shut(): void {
    this.#closed = true
    this.#idle.disarm()
    this.#total.disarm()
    this.#handlers.onClosed?.(this)
  }
}
