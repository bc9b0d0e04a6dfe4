/**
 * The client's end of one HTTP/2 connection to an origin that is not trusted: carries as many calls at once as the
 * origin takes, says goodbye before it closes, and is not used again after the origin did.
 */
import {
  connect,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ClientSessionRequestOptions,
  type OutgoingHttpHeaders,
} from 'node:http2'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Http1ClientOptions } from '../http1/call/client.ts'
import type { Timer } from '../timers.ts'
import { clientSessionOptions, connectionWindow, maxConcurrentStreams } from './session-options.ts'

/** Who holds the session. */
export interface SessionOwner {
  /** The origin's settings arrived: calls can be sent. Called once. */
  onReady(session: Http2ClientSession): void
  /** A stream ended, so that there is room for another. */
  onRoom(session: Http2ClientSession): void
  /** It takes no more calls; called exactly once, maybe while calls are still running. */
  onClosed(session: Http2ClientSession): void
}

export class Http2ClientSession {
  readonly options: Http1ClientOptions
  readonly #session: ClientHttp2Session
  readonly #socket: Socket
  readonly #owner: SessionOwner
  readonly #idle: Timer
  /** Streams that are open. */
  running = 0
  /** Whether a call was answered on it before. */
  used = false
  #room = 0
  #sent = 0
  #retired = false
  #gone = false

  constructor(socket: Socket, options: Http1ClientOptions, owner: SessionOwner) {
    const isTls = socket instanceof TLSSocket
    this.options = options
    this.#socket = socket
    this.#owner = owner
    socket.on('error', ignore)
    this.#idle = options.wheel.timer(() => this.retire())
    this.#session = connect(isTls ? 'https://origin' : 'http://origin', {
      ...clientSessionOptions(options.limits),
      createConnection: () => socket,
    })
    const session = this.#session
    session.on('error', ignore)
    session.on('close', () => this.#onGone())
    session.on('goaway', () => this.retire())
    session.on('stream', (pushed) => pushed.close())
    let isReady = false
    session.on('remoteSettings', (settings) => {
      this.#room = Math.min(settings.maxConcurrentStreams ?? Infinity, maxConcurrentStreams)
      if (isReady) return
      isReady = true
      session.setLocalWindowSize(connectionWindow)
      this.rest()
      owner.onReady(this)
    })
    socket.on('close', () => this.#onGone())
    this.#idle.arm(options.timeouts.connect)
    if (socket.destroyed) this.#onGone()
  }

  /** Whether a call can be sent on it now. */
  get hasRoom(): boolean {
    return !this.#retired && !this.#gone && !this.#session.closed && this.running < this.#room
  }

  get isGone(): boolean {
    return this.#gone
  }

  /** Whether the origin takes WebSockets over HTTP/2 (RFC 8441 §3). */
  get takesUpgrades(): boolean {
    return this.#session.remoteSettings.enableConnectProtocol === true
  }

  /** Opens a stream. Throws when the session is closing. */
  open(fields: OutgoingHttpHeaders, how: ClientSessionRequestOptions): ClientHttp2Stream {
    const scheme = this.#socket instanceof TLSSocket ? 'https' : 'http'
    const stream = this.#session.request({ ...fields, ':scheme': scheme }, how)
    this.#idle.disarm()
    this.running += 1
    stream.once('close', () => this.#onStreamClosed())
    if (++this.#sent >= this.options.limits.requests_per_connection) this.retire()
    return stream
  }

  /** Takes no more calls; those that run finish, and then it closes. */
  retire(): void {
    if (this.#retired) return
    this.#retired = true
    this.#idle.disarm()
    this.#owner.onClosed(this)
    if (this.#session.destroyed) return
    this.#session.close()
    if (this.running === 0) this.#closeSocketSoon()
  }

  /** Puts it aside for `upstream_idle` when nothing runs. */
  rest(): void {
    if (this.running === 0 && !this.#retired) this.#idle.arm(this.options.timeouts.upstream_idle)
  }

  #onStreamClosed(): void {
    this.running -= 1
    this.used = true
    if (this.#retired) {
      if (this.running === 0) this.#closeSocketSoon()
      return
    }
    this.#owner.onRoom(this)
    this.rest()
  }

  /** An origin that does not close its end is not waited for. */
  #closeSocketSoon(): void {
    setTimeout(() => this.#socket.destroy(), this.options.timeouts.linger).unref()
  }

  #onGone(): void {
    if (this.#gone) return
    this.#gone = true
    this.#idle.disarm()
    if (!this.#retired) {
      this.#retired = true
      this.#owner.onClosed(this)
    }
    this.#session.destroy()
    this.#socket.destroy()
  }
}

const ignore = (): void => {
  // `close` follows.
}
