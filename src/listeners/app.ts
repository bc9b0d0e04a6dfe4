/**
 * The door that faces the application: an HTTP proxy (absolute-form), CONNECT, and plain requests routed by Host.
 *
 * The destination decides the line: a mesh service takes the outbound line, anything else the egress line, which
 * refuses what the catalog does not declare. CONNECT to a mesh service is answered here, and the requests inside it
 * take the same line as any other; they must stay with the service that the CONNECT named.
 */
import { randomUUID } from 'node:crypto'
import { createServer, type Socket } from 'node:net'
import type { SecureContext } from 'node:tls'
import type { Direction } from '../exchange/exchange.ts'
import type { Handler } from '../exchange/line.ts'
import { Refusal } from '../exchange/refusal.ts'
import { replyTo } from '../exchange/reply.ts'
import type { Address } from '../units.ts'
import { HeaderList } from '../wire/headers.ts'
import { serveHttp1, type Http1ServerOptions } from '../wire/http1/server.ts'
import { recognizeProtocol } from '../wire/http2/prior-knowledge.ts'
import { serveHttp2 } from '../wire/http2/server.ts'
import type { ServerRequest } from '../wire/message.ts'
import type { WireError } from '../wire/wire-error.ts'
import { beginExchange, replyToHead, type RefusedHead } from './begin-exchange.ts'
import { Connections } from './connections.ts'
import { openIntercepted, type InterceptedParts } from './intercepted.ts'
import { listen, type Listener } from './listener.ts'

/** A mesh service, as far as this folder is concerned: something that a line understands. */
export type ServiceHandle = object

type First = { readonly request: ServerRequest }

/** What the listener is built from. */
export interface AppListenerParts {
  readonly address: Address
  readonly http: Omit<Http1ServerOptions, 'mode' | 'scheme' | 'context'>
  readonly now: () => number
  /** The mesh service that a host names, or undefined. */
  readonly serviceOf: (host: string) => ServiceHandle | undefined
  readonly outbound: (x: Parameters<Handler<First>>[0], service: ServiceHandle) => void
  readonly egress: Handler<First>
  /** CONNECT to anything that is not a mesh service; `open` opens it up and reads the requests inside. */
  readonly connect: (
    x: Parameters<Handler<First>>[0],
    open: (context: SecureContext, onRefused: InterceptedParts['onRefused']) => void,
  ) => void
  readonly faultOf: (error: WireError) => Refusal
  readonly onRefusedHead: (refused: RefusedHead) => void
  readonly onBug: (error: unknown) => void
}

/** Opens the listener for the application, or, with `service`, one loopback port that belongs to one service. */
export const openAppListener = (
  parts: AppListenerParts,
  service?: ServiceHandle,
): Promise<Listener> => {
  const connections = new Connections()
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const mode = service === undefined ? 'forward-proxy' : 'server'
    serve(socket, parts, connections, mode, (request) =>
      route(request, parts, connections, service),
    )
  })
  server.maxConnections = parts.http.limits.connections
  return listen(server, parts.address, connections)
}

/** HTTP/1.1, or HTTP/2 with prior knowledge: the first bytes say which. */
const serve = (
  socket: Socket,
  parts: AppListenerParts,
  connections: Connections,
  mode: Http1ServerOptions['mode'],
  onRequest: (request: ServerRequest) => void,
): void => {
  const { wheel, timeouts } = parts.http
  connections.await(socket)
  recognizeProtocol(socket, { wheel, timeoutMs: timeouts.headers }, (protocol) => {
    const speak = protocol === 'http2' ? serveHttp2 : serveHttp1
    connections.add(
      speak(
        socket,
        { ...parts.http, mode, scheme: 'http' },
        {
          onRequest,
          onRefused: (error, { remoteAddress }) => refuseHead(error, remoteAddress, parts),
          onBug: parts.onBug,
          onClosed: (closed) => connections.remove(closed),
        },
      ),
    )
  })
}

const refuseHead = (error: WireError, remoteAddress: string, parts: AppListenerParts) => {
  const refusal = parts.faultOf(error)
  const id = randomUUID()
  const direction: Direction = 'egress'
  parts.onRefusedHead({ id, direction, refusal, remoteAddress, peer: undefined })
  return replyToHead(id, direction, 'app', refusal)
}

const route = (
  request: ServerRequest,
  parts: AppListenerParts,
  connections: Connections,
  fixed: ServiceHandle | undefined,
): void => {
  const { target } = request.head
  const service = fixed ?? parts.serviceOf(target.host)
  const begin = (direction: Direction) => beginExchange(request, direction, 'app', parts.now)
  if (target.form === 'authority') {
    if (service === undefined) {
      parts.connect(begin('egress'), (context, onRefused) =>
        openIntercepted(request, context, { ...parts, connections, onRefused }),
      )
    } else openInside(request, parts, connections, service)
  } else if (service !== undefined) parts.outbound(begin('outbound'), service)
  else parts.egress(begin('egress'))
}

/** Answers CONNECT to a mesh service and reads the requests inside it. */
const openInside = (
  request: ServerRequest,
  parts: AppListenerParts,
  connections: Connections,
  service: ServiceHandle,
): void => {
  const { host } = request.head.target
  const { socket, early } = request.takeOver({ status: 200, headers: new HeaderList() })
  if (early.length > 0) socket.unshift(early)
  serve(socket as Socket, parts, connections, 'server', (inner) => {
    const x = beginExchange(inner, 'outbound', 'app', parts.now)
    if (inner.head.target.host === host) parts.outbound(x, service)
    else
      x.channel.send(
        replyTo(
          x,
          new Refusal('api.authority', {
            detail: `the request names ${inner.head.target.host}, the CONNECT around it ${host}`,
          }),
        ),
      )
  })
}
