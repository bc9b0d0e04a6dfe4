/**
 * The server's end of one HTTP/2 connection: makes a request of each stream, and ends the connection of a peer that
 * floods it, says nothing, or does not finish its heads.
 *
 * Streams fail one by one; what one of them does is no reason to end the others.
 */
import {
  constants,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { Socket } from 'node:net'
import type { Http1ServerHandlers, Http1ServerOptions } from '../http1/server.ts'
import { requestRules } from '../http1/request-scan.ts'
import type { RequestRules } from '../http1/request-head.ts'
import { HeaderList } from '../headers.ts'
import type { RequestHead, ServerConnection } from '../message.ts'
import type { Timer } from '../timers.ts'
import { WireError } from '../wire-error.ts'
import { toOutgoing, withoutDate } from './fields.ts'
import { FloodGuard } from './flood-guard.ts'
import { readHttp2RequestHead } from './request-head.ts'
import { Http2Request } from './server-request.ts'
import { connectionWindow, serverSessionOptions } from './session-options.ts'

/** How often a connection with an unfinished head is looked at. */
const watchEveryMs = 1_000

export class Http2ServerConnection implements ServerConnection {
  readonly protocol = 'h2'
  readonly socket: Socket
  readonly remoteAddress: string
  readonly remotePort: number
  readonly options: Http1ServerOptions
  context: unknown
  readonly #handlers: Http1ServerHandlers
  readonly #rules: RequestRules
  readonly #session: ServerHttp2Session | undefined
  readonly #requests = new Set<Http2Request>()
  readonly #idle: Timer
  readonly #headWatch: Timer
  readonly #pings: FloodGuard
  readonly #settings: FloodGuard
  readonly #refusals: FloodGuard
  #lastStream = 0
  /** Since when a head is unfinished, in the milliseconds of the wheel. */
  #headSince: number | undefined
  #served = 0
  #draining = false
  #closed = false

  constructor(socket: Socket, options: Http1ServerOptions, handlers: Http1ServerHandlers) {
    const { wheel, timeouts } = options
    this.socket = socket
    this.options = options
    this.#handlers = handlers
    this.context = options.context
    this.remoteAddress = socket.remoteAddress ?? ''
    this.remotePort = socket.remotePort ?? 0
    this.#rules = requestRules(options)
    const now = () => wheel.now()
    this.#pings = new FloodGuard(200, 20, now)
    this.#settings = new FloodGuard(100, 10, now)
    this.#refusals = new FloodGuard(200, 20, now)
    this.#idle = wheel.timer(() => this.#onIdle())
    this.#headWatch = wheel.timer(() => this.#lookAtHeads())
    // Handlers for errors come before anything that could raise one (CVE-2025-59465).
    socket.on('error', ignore)
    socket.on('close', () => this.#onClose())
    if (socket.destroyed) {
      this.#onClose()
      return
    }
    this.#session = this.#start(socket)
    this.#idle.arm(timeouts.headers)
    this.#headWatch.arm(watchEveryMs)
  }

  get busy(): boolean {
    return this.#requests.size > 0
  }

  drain(): void {
    this.#draining = true
    if (this.#closed) return
    // GOAWAY; streams that were opened before it finish.
    this.#session?.close()
    if (!this.busy) this.#idle.arm(this.options.timeouts.linger)
  }

  destroy(reason: WireError = new WireError('closing', 'the connection was closed here')): void {
    this.#end(reason, constants.NGHTTP2_NO_ERROR)
  }

  /** A stream is closed. Called by its request. */
  forget(request: Http2Request): void {
    this.#requests.delete(request)
    if (this.busy || this.#closed) return
    const { timeouts } = this.options
    this.#idle.arm(this.#draining ? timeouts.linger : timeouts.keep_alive)
  }

  /** Runs what may call a handler; what it throws ends at most its own stream. Called by the requests. */
  guard(request: Http2Request, work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#handlers.onBug?.(error)
      request.abort(new WireError('bug', 'the request could not be handled', 'never', error))
    }
  }

  #start(socket: Socket): ServerHttp2Session {
    socket.setNoDelay?.(true)
    socket.setKeepAlive?.(true, 15_000)
    const session = performServerHandshake(socket, serverSessionOptions(this.options.limits))
    session.on('error', (error: NodeJS.ErrnoException) => {
      // The session met one of its limits; a connection that merely broke is not worth a word.
      if (error.code?.startsWith('ERR_HTTP2') === true)
        this.#tell(`it breaks HTTP/2: ${error.code}`)
    })
    session.on('close', () => this.#onClose())
    session.on('stream', (stream, _headers, _flags, raw) => {
      this.#onStream(stream, raw)
    })
    session.on('ping', () => this.#count(this.#pings, 'ping'))
    session.on('remoteSettings', () => {
      this.#count(this.#settings, 'settings')
      if (!this.busy && this.#lastStream === 0) this.#idle.arm(this.options.timeouts.keep_alive)
    })
    session.on('goaway', () => this.drain())
    session.setLocalWindowSize(connectionWindow)
    return session
  }

  #onStream(stream: ServerHttp2Stream, raw: readonly string[]): void {
    stream.on('error', ignore)
    if (this.#closed) {
      stream.destroy()
      return
    }
    this.#lastStream = Math.max(this.#lastStream, stream.id ?? 0)
    this.#headSince = undefined
    this.#idle.disarm()
    let head: RequestHead
    try {
      const end = stream.endAfterHeaders ? 'with-head' : 'with-body'
      head = readHttp2RequestHead(raw, end, this.#rules)
      this.#checkLength(head)
    } catch (error) {
      return this.#refuse(stream, error)
    }
    const request = new Http2Request(this, stream, head)
    this.#requests.add(request)
    this.#served += 1
    if (this.#served >= this.options.limits.requests_per_connection && !this.#draining) this.drain()
    this.guard(request, () => this.#handlers.onRequest(request))
  }

  #checkLength({ framing }: RequestHead): void {
    const limit = this.options.limits.body_size
    if (limit !== undefined && framing.kind === 'length' && framing.length > limit)
      throw new WireError('too-large', `the body is longer than ${limit} bytes`)
  }

  /** Answers what is not a request, on its own stream. A peer that sends little else is cut off. */
  #refuse(stream: ServerHttp2Stream, thrown: unknown): void {
    const error =
      thrown instanceof WireError
        ? thrown
        : new WireError('bug', 'the request could not be handled', 'never', thrown)
    if (error !== thrown) this.#handlers.onBug?.(thrown)
    if (!this.busy) this.#idle.arm(this.options.timeouts.keep_alive)
    if (!this.#refusals.allows()) return this.#flood('refused heads')
    try {
      const reply = this.#handlers.onRefused?.(error, this)
      const { status, headers } = reply?.head ?? { status: error.status, headers: new HeaderList() }
      stream.respond(toOutgoing({ ':status': status }, headers), withoutDate)
      stream.end(reply?.body)
      stream.resume()
      // A reset at once would overtake the answer.
      const { wheel, timeouts } = this.options
      wheel.timer(() => stream.close(constants.NGHTTP2_NO_ERROR)).arm(timeouts.linger)
    } catch (failure) {
      this.#handlers.onBug?.(failure)
      stream.close(constants.NGHTTP2_INTERNAL_ERROR)
    }
  }

  #count(guard: FloodGuard, kind: string): void {
    if (!this.#closed && !guard.allows()) this.#flood(`${kind} frames`)
  }

  #flood(what: string): void {
    const reason = this.#tell(`it is flooded with ${what}`)
    this.#end(reason, constants.NGHTTP2_ENHANCE_YOUR_CALM)
  }

  /** Has it counted and written down, as a refused head is; there is nobody to answer. */
  #tell(why: string): WireError {
    const reason = new WireError('malformed', `the connection is closed: ${why}`)
    if (!this.#closed) this.#handlers.onRefused?.(reason, this)
    return reason
  }

  /** A head that was begun and does not end holds a stream that no event tells of; the timers of HTTP/1.1 see none. */
  #lookAtHeads(): void {
    const session = this.#session
    if (this.#closed || session === undefined || session.destroyed) return
    this.#headWatch.arm(watchEveryMs)
    const begun = session.state.lastProcStreamID ?? 0
    if (begun <= this.#lastStream) {
      this.#headSince = undefined
      return
    }
    const now = this.options.wheel.now()
    this.#headSince ??= now
    if (now - this.#headSince < this.options.timeouts.headers) return
    const late = new WireError('header-timeout', 'the head of the request did not arrive in time')
    this.#handlers.onRefused?.(late, this)
    this.#end(late, constants.NGHTTP2_ENHANCE_YOUR_CALM)
  }

  #onIdle(): void {
    if (this.busy || this.#closed) return
    this.#end(new WireError('closing', 'the connection is idle'), constants.NGHTTP2_NO_ERROR)
  }

  #end(reason: WireError, code: number): void {
    if (this.#closed) return
    this.#shut(reason)
    const session = this.#session
    if (session !== undefined && !session.destroyed) {
      session.destroy(undefined, code)
      // The session says goodbye first; a peer that does not listen is not waited for.
      setTimeout(() => this.socket.destroy(), 1_000).unref()
    } else this.socket.destroy()
  }

  #onClose(): void {
    this.#shut(new WireError('client-gone', 'the client closed the connection'))
    this.socket.destroy()
  }

  #shut(reason: WireError): void {
    if (this.#closed) return
    this.#closed = true
    this.#idle.disarm()
    this.#headWatch.disarm()
    for (const request of this.#requests) request.connectionLost(reason)
    this.#requests.clear()
    this.#handlers.onClosed?.(this)
  }
}

const ignore = (): void => {
  // `close` follows, and says all that the requests need to know.
}
