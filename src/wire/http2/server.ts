/** How a listener starts HTTP/2 on a socket. It hears of it what it hears of HTTP/1.1. */
import type { Socket } from 'node:net'
import type { Http1ServerHandlers, Http1ServerOptions } from '../http1/server.ts'
import type { ServerConnection } from '../message.ts'
import { Http2ServerConnection } from './server-connection.ts'

/**
 * Speaks HTTP/2 as a server on a connected socket, TLS or not, until it closes. The client's preface is read from the
 * socket, also when it was put back with `unshift`. Every error is handled here from the first moment. A refused head
 * is answered on its own stream; the connection goes on.
 */
export const serveHttp2 = (
  socket: Socket,
  options: Http1ServerOptions,
  handlers: Http1ServerHandlers,
): ServerConnection => new Http2ServerConnection(socket, options, handlers)
