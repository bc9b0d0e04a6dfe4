/**
 * CONNECT that is opened up: TLS is ended here with a certificate for the host of the CONNECT, and each request inside
 * goes on like any other. One authority: what a request names must be what CONNECT and the TLS handshake named.
 */
import { randomUUID } from 'node:crypto'
import { TLSSocket, type SecureContext } from 'node:tls'
import type { Handler } from '../exchange/line.ts'
import { Refusal } from '../exchange/refusal.ts'
import { replyTo } from '../exchange/reply.ts'
import { HeaderList } from '../wire/headers.ts'
import { serveHttp1, type Http1ServerOptions } from '../wire/http1/server.ts'
import type { ServerConnection, ServerRequest } from '../wire/message.ts'
import type { WireError } from '../wire/wire-error.ts'
import { beginExchange, replyToHead } from './begin-exchange.ts'

/** What the inside of a CONNECT is handled with. */
export interface InterceptedParts {
  readonly http: Omit<Http1ServerOptions, 'mode' | 'scheme' | 'context'>
  readonly now: () => number
  readonly egress: Handler<{ readonly request: ServerRequest }>
  readonly faultOf: (error: WireError) => Refusal
  /** Told of what was refused before a request of it became an exchange, with the id that the answer names. */
  readonly onRefused: (id: string, refusal: Refusal) => void
  readonly onBug: (error: unknown) => void
  /** Told of connections, so that they end with the listener. */
  readonly connections: {
    add(connection: ServerConnection): void
    remove(connection: ServerConnection): void
  }
}

const handshakeTimeoutMs = 10_000

/** Answers CONNECT and reads the requests inside it. */
export const openIntercepted = (
  request: ServerRequest,
  context: SecureContext,
  parts: InterceptedParts,
): void => {
  const { target } = request.head
  const { socket, early } = request.takeOver({ status: 200, headers: new HeaderList() })
  if (early.length > 0) socket.unshift(early)
  const secure = new TLSSocket(socket, {
    isServer: true,
    secureContext: context,
    ALPNProtocols: ['http/1.1'],
    SNICallback: (name, done) => {
      if (name.toLowerCase() === target.host) done(null, context)
      else done(new Error('the server name is not the host of the CONNECT'))
    },
  })
  const timer = setTimeout(() => secure.destroy(), handshakeTimeoutMs)
  const refuse = (detail: string): void => {
    clearTimeout(timer)
    // Not from inside a callback of the handshake: OpenSSL still works on the connection there.
    setImmediate(() => secure.destroy())
    parts.onRefused(randomUUID(), new Refusal('api.authority', { detail }))
  }
  let isOpen = false
  const failed = (): void => {
    if (isOpen) return
    isOpen = true
    refuse('the TLS handshake inside the CONNECT failed')
  }
  secure.on('error', failed)
  secure.on('close', () => {
    failed()
    setImmediate(() => socket.destroy())
  })
  // Node tells of a handshake that failed by this name alone when no server stands behind the socket.
  secure.on('_tlsError', failed)
  secure.on('secure', () => {
    if (isOpen) return
    isOpen = true
    clearTimeout(timer)
    const name = serverNameOf(secure)
    if (name !== target.host) {
      refuse('the TLS handshake names no server, or another one than the CONNECT')
      return
    }
    serve(secure, request, parts)
  })
}

const serverNameOf = (socket: TLSSocket): string | undefined => {
  const { servername } = socket as unknown as { readonly servername?: string | false }
  return typeof servername === 'string' ? servername.toLowerCase() : undefined
}

const serve = (secure: TLSSocket, around: ServerRequest, parts: InterceptedParts): void => {
  const { host, port } = around.head.target
  const connection: ServerConnection = serveHttp1(
    secure,
    { ...parts.http, mode: 'server', scheme: 'https' },
    {
      onRequest: (inner) => {
        const x = beginExchange(inner, 'egress', 'app', parts.now)
        const { target } = inner.head
        if (target.host === host && target.port === port && target.scheme === 'https') {
          parts.egress(x)
          return
        }
        const refusal = new Refusal('api.authority', {
          detail: `the request names ${target.authority}, the CONNECT around it ${around.head.target.authority}`,
        })
        parts.onRefused(x.id, refusal)
        x.channel.send(replyTo(x, refusal))
      },
      onRefused: (error) => {
        const refusal = parts.faultOf(error)
        const id = randomUUID()
        parts.onRefused(id, refusal)
        return replyToHead(id, 'egress', 'app', refusal)
      },
      onBug: parts.onBug,
      onClosed: (closed) => parts.connections.remove(closed),
    },
  )
  parts.connections.add(connection)
}
