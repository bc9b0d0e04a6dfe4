/**
 * Mutual TLS inside the mesh, both ends: TLS 1.3 only, no resumption, and our own judgement of the peer's chain
 * before a byte of it is read. Node's verification is on as well: necessary, and not sufficient.
 */
import type { Duplex } from 'node:stream'
import type { Server, TLSSocket } from 'node:tls'
import type { Live } from '../live.ts'
import type { IdentityError } from './identity-error.ts'
import type { Peer } from './peer.ts'
import type { TrustBundles } from './trust-bundle.ts'
import type { WorkloadIdentity } from './workload-identity.ts'

/** What both ends of mesh TLS need to know. */
export interface MeshTls {
  readonly identity: Live<WorkloadIdentity>
  readonly trust: Live<TrustBundles>
  readonly now: () => number
}

/** A connection that was turned away, with what may be said about it: never a name that was not verified. */
export interface RefusedConnection {
  readonly error: IdentityError | Error
  /** `plaintext`, `handshake` (OpenSSL refused) or `identity` (our validator refused). */
  readonly phase: 'plaintext' | 'handshake' | 'identity'
  readonly remoteAddress: string | undefined
  /** base64url SHA-256 of the leaf that was shown, when one was. */
  readonly thumbprint: string | undefined
}

export interface MeshServerOptions extends MeshTls {
  /** Protocols offered by ALPN, best first, for example `['http/1.1']`. A client that offers none gets the last. */
  readonly protocols: readonly string[]
  readonly handshakeTimeoutMs: number
  /** Handshakes in flight above which new connections are closed at once. */
  readonly maxHandshakes: number
  /** A verified peer. Bytes of it have not been read yet. */
  onPeer(socket: TLSSocket, peer: Peer): void
  onRefused(refused: RefusedConnection): void
}

/** A `tls.Server` that follows the live identity and trust; not listening yet. */
export declare const createMeshServer: (options: MeshServerOptions) => Server

export interface ConnectMeshOptions extends MeshTls {
  readonly host: string
  readonly port: number
  /** The only identities that may answer, as SPIFFE IDs. */
  readonly expected: readonly string[]
  readonly protocols: readonly string[]
  readonly timeoutMs: number
  /** An established connection to use instead of dialling. */
  readonly transport?: Duplex
  readonly signal?: AbortSignal
}

/** Dials a peer and verifies it before giving the socket. @throws IdentityError, or the socket's own error */
export declare const connectMesh: (
  options: ConnectMeshOptions,
) => Promise<{ readonly socket: TLSSocket; readonly peer: Peer }>
