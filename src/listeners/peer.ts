/**
 * The door that faces the mesh: mutual TLS 1.3, a verified SPIFFE identity before the first byte is read, and
 * nothing in plaintext. ALPN chooses between HTTP/2 and HTTP/1.1; both give the same requests. Hands each request to the line that it was given.
 *
 * A connection whose peer is no longer trusted finishes what it has begun and takes no more.
 */
import { randomUUID } from 'node:crypto'
import type { Server } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Handler } from '../exchange/line.ts'
import { createMeshServer, type MeshTls, type RefusedConnection } from '../identity/mesh-tls.ts'
import type { PeerWatch } from '../identity/peer-watch.ts'
import type { Peer } from '../identity/peer.ts'
import type { TrustBundles } from '../identity/trust-bundle.ts'
import type { Address } from '../units.ts'
import { Refusal } from '../exchange/refusal.ts'
import { serveHttp1, type Http1ServerOptions } from '../wire/http1/server.ts'
import { serveHttp2 } from '../wire/http2/server.ts'
import type { ServerRequest } from '../wire/message.ts'
import type { WireError } from '../wire/wire-error.ts'
import { beginExchange, replyToHead, type RefusedHead } from './begin-exchange.ts'
import { Connections } from './connections.ts'
import { listen, type Listener } from './listener.ts'

/** What the listener is built from. */
export interface PeerListenerParts {
  readonly address: Address
  readonly tls: MeshTls
  readonly watch: PeerWatch
  readonly http: Omit<Http1ServerOptions, 'mode' | 'scheme' | 'context'>
  readonly handshakeTimeoutMs: number
  readonly maxHandshakes: number
  readonly handle: Handler<{ readonly request: ServerRequest }>
  readonly faultOf: (error: WireError) => Refusal
  readonly onRefusedConnection: (refused: RefusedConnection) => void
  readonly onRefusedHead: (refused: RefusedHead) => void
  readonly onRevoked: (peer: Peer) => void
  readonly onBug: (error: unknown) => void
}

/** What the listener keeps with each connection, for the stage that identifies the peer. */
interface PeerContext {
  readonly peer: Peer
  trustedUnder: TrustBundles
}

/** Opens the listener. Rejects when the address cannot be bound. */
export const openPeerListener = (parts: PeerListenerParts): Promise<Listener> => {
  const connections = new Connections()
  const server: Server = createMeshServer({
    ...parts.tls,
    protocols: ['h2', 'http/1.1'],
    handshakeTimeoutMs: parts.handshakeTimeoutMs,
    maxHandshakes: parts.maxHandshakes,
    onPeer: (socket, peer) => serve(socket, peer, parts, connections),
    onRefused: parts.onRefusedConnection,
  })
  server.maxConnections = parts.http.limits.connections
  return listen(server, parts.address, connections)
}

/** How long what is in flight may go on with a peer that is no longer trusted. */
const untrustedGraceMs = 30_000

const serve = (
  socket: TLSSocket,
  peer: Peer,
  parts: PeerListenerParts,
  connections: Connections,
): void => {
  const context: PeerContext = { peer, trustedUnder: parts.tls.trust.current }
  let unwatch = (): void => undefined
  let revoked: NodeJS.Timeout | undefined
  const serveProtocol = socket.alpnProtocol === 'h2' ? serveHttp2 : serveHttp1
  const connection = serveProtocol(
    socket,
    { ...parts.http, mode: 'server', scheme: 'https', context },
    {
      onRequest: (request) =>
        parts.handle(beginExchange(request, 'inbound', 'peer', parts.tls.now)),
      onRefused: (error) => {
        const refusal = parts.faultOf(error)
        const id = randomUUID()
        parts.onRefusedHead({
          id,
          direction: 'inbound',
          refusal,
          remoteAddress: connection.remoteAddress,
          peer: peer.spiffeId,
        })
        return replyToHead(id, 'inbound', 'peer', refusal)
      },
      onBug: parts.onBug,
      onClosed: (closed) => {
        unwatch()
        clearTimeout(revoked)
        connections.remove(closed)
      },
    },
  )
  connections.add(connection)
  unwatch = parts.watch.watch(peer, () => {
    parts.onRevoked(peer)
    connection.drain()
    revoked = setTimeout(() => connection.destroy(), untrustedGraceMs).unref()
  })
}
