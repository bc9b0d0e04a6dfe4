/**
 * How a listener starts HTTP/1.1 on a socket, and what it hears of it.
 */
import type { Socket } from 'node:net'
import type { ResponseHead, ServerConnection, ServerRequest } from '../message.ts'
import type { WireLimits, WireTimeouts } from '../section.ts'
import type { TimerWheel } from '../timers.ts'
import type { WireError } from '../wire-error.ts'
import { Http1ServerConnection } from './server-connection.ts'

export interface Http1ServerOptions {
  readonly limits: WireLimits
  readonly timeouts: WireTimeouts
  readonly wheel: TimerWheel
  /** A server of one service refuses CONNECT with 405; a forward proxy hands it on. */
  readonly mode: 'server' | 'forward-proxy'
  /** What a request without a scheme was sent over; decides the default port of the authority. */
  readonly scheme: 'http' | 'https'
  readonly slashes: 'merge' | 'keep'
  readonly underscores: 'refuse' | 'drop' | 'unsafe-allow'
  /** Set as the connection's context. */
  readonly context?: unknown
}

/** What is answered to bytes that are not an acceptable request. */
export interface RefusalReply {
  readonly head: ResponseHead
  readonly body: Buffer
}

export interface Http1ServerHandlers {
  onRequest(request: ServerRequest): void
  /** A head was refused. Gives the answer to send before the connection closes; a bare status when it gives none. */
  onRefused?(error: WireError, connection: ServerConnection): RefusalReply | undefined
  /** A handler threw what is not a WireError; the connection has been closed. */
  onBug?(error: unknown): void
  /** The connection is closed, or was taken over; called exactly once. */
  onClosed?(connection: ServerConnection): void
}

/**
 * Speaks HTTP/1.1 as a server on a connected socket, TLS or not, from now until it closes or is taken over. Every
 * error on the socket is handled here from the first moment.
 */
export const serveHttp1 = (
  socket: Socket,
  options: Http1ServerOptions,
  handlers: Http1ServerHandlers,
): ServerConnection => new Http1ServerConnection(socket, options, handlers)
