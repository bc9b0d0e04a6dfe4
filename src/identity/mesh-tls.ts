/**
 * Mutual TLS inside the mesh, both ends: TLS 1.3 only, no resumption, and our own judgement of the peer's chain
 * before a byte of it is read. Node's verification is on as well: necessary, and not sufficient.
 *
 * Knows who is there, not what they may do: policy comes later.
 */
import { constants } from 'node:crypto'
import type { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect, createSecureContext, createServer } from 'node:tls'
import type { SecureContext, SecureContextOptions, Server, TLSSocket } from 'node:tls'
import type { Live } from '../live.ts'
import { certificatePem } from './certificate.ts'
import { IdentityError } from './identity-error.ts'
import type { IdentityCode } from './identity-error.ts'
import type { Peer } from './peer.ts'
import { isCurrent } from './sources/rotate.ts'
import { allAuthorities } from './trust-bundle.ts'
import type { TrustBundles } from './trust-bundle.ts'
import { maxChainCertificates, verifyPeer } from './verify-peer.ts'
import type { WorkloadIdentity } from './workload-identity.ts'

/** What both ends of mesh TLS need to know. */
export interface MeshTls {
  readonly identity: Live<WorkloadIdentity>
  readonly trust: Live<TrustBundles>
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** A connection that was turned away, with what may be said about it: never a name that was not verified. */
export interface RefusedConnection {
  readonly error: IdentityError | Error
  /** `plaintext`, `handshake` (OpenSSL refused), `identity` (our validator refused) or `overload`. */
  readonly phase: 'plaintext' | 'handshake' | 'identity' | 'overload'
  readonly remoteAddress: string | undefined
  /** base64url SHA-256 of the leaf that was shown, when our validator saw one. */
  readonly thumbprint: string | undefined
}

export interface MeshServerOptions extends MeshTls {
  /** Protocols offered by ALPN, best first, for example `['http/1.1']`. A client that offers only others is refused. */
  readonly protocols: readonly string[]
  /** 10 s when absent. */
  readonly handshakeTimeoutMs?: number
  /** Handshakes in flight above which new connections are closed at once; 256 when absent. */
  readonly maxHandshakes?: number
  /** A verified peer. Bytes of it have not been read yet. */
  onPeer(socket: TLSSocket, peer: Peer): void
  onRefused(refused: RefusedConnection): void
}

const pems = new WeakMap<TrustBundles, readonly string[]>()

const authorityPems = (trust: TrustBundles): readonly string[] => {
  const known = pems.get(trust)
  if (known) return known
  const made = allAuthorities(trust).map((authority) => certificatePem(authority.der))
  pems.set(trust, made)
  return made
}

/**
 * What OpenSSL is told at both ends. Trusted authorities need not be self-signed (X509-SVID §3.1), hence the partial
 * chain. SHA-1 is out, and so are groups that are not elliptic curves.
 */
export const meshContextOptions = (
  identity: WorkloadIdentity,
  trust: TrustBundles,
): SecureContextOptions => ({
  cert: identity.certificatePem,
  key: identity.keyPem.reveal(),
  ca: [...authorityPems(trust)],
  allowPartialTrustChain: true,
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  // Resumption skips the certificate, so an expired or revoked one would come back in. The option ends TLS 1.2 style
  // tickets; the stateful ones of TLS 1.3 find nothing, because no session is ever stored.
  secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
  sigalgs:
    'ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384:ecdsa_secp521r1_sha512:ed25519:rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512:RSA+SHA256:RSA+SHA384:RSA+SHA512',
})

/**
 * OpenSSL has its own opinion on certificates; what it will not load must not reach a listener.
 *
 * @throws IdentityError `malformed`
 */
export const checkLoadable = (identity: WorkloadIdentity, trust: TrustBundles): void => {
  try {
    createSecureContext(meshContextOptions(identity, trust))
  } catch (error) {
    throw new IdentityError('malformed', `openssl does not take it: ${(error as Error).message}`)
  }
}

/** The certificates that the other end sent, DER, leaf first; one more than is allowed at most. */
export const chainOf = (socket: TLSSocket): readonly Buffer[] => {
  const chain: Buffer[] = []
  let one: X509Certificate | undefined = socket.getPeerX509Certificate()
  while (one && chain.length <= maxChainCertificates) {
    chain.push(one.raw)
    one = one.issuerCertificate
  }
  return chain
}

/**
 * Judges the other end of a TLS connection whose handshake is done.
 *
 * @throws IdentityError when Node did not authorise it, when the session was resumed, or when our validator refuses
 */
export const identifyPeer = (socket: TLSSocket, trust: TrustBundles, now: number): Peer => {
  const chain = chainOf(socket)
  if (chain.length === 0)
    throw new IdentityError('no-certificate', 'the peer showed no certificate')
  if (socket.isSessionReused())
    throw new IdentityError('no-certificate', 'the session was resumed without a certificate')
  const peer = verifyPeer(chain, trust, now)
  if (!socket.authorized)
    throw new IdentityError(
      'unknown-authority',
      `openssl refused the certificate: ${String(socket.authorizationError)}`,
    )
  return peer
}

const opensslCodes: Readonly<Record<string, IdentityCode>> = {
  CERT_HAS_EXPIRED: 'expired',
  CERT_NOT_YET_VALID: 'not-yet-valid',
  CERT_REVOKED: 'revoked',
  INVALID_PURPOSE: 'key-usage',
  INVALID_CA: 'unknown-authority',
  CERT_CHAIN_TOO_LONG: 'too-large',
  ERR_SSL_EXCESSIVE_MESSAGE_SIZE: 'too-large',
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: 'no-certificate',
  UNABLE_TO_GET_ISSUER_CERT: 'unknown-authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'unknown-authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'unknown-authority',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'unknown-authority',
  SELF_SIGNED_CERT_IN_CHAIN: 'unknown-authority',
  CERT_SIGNATURE_FAILURE: 'unknown-authority',
}

const codeOf = (value: unknown): string => {
  if (typeof value === 'string') return value
  const code: unknown = (value as { readonly code?: unknown } | null | undefined)?.code
  return typeof code === 'string' ? code : ''
}

/** Names what OpenSSL said about a handshake in our own codes, where it was about a certificate. */
export const handshakeError = (
  error: Error,
  socket: TLSSocket | undefined,
): IdentityError | Error => {
  const reason = codeOf(socket?.authorizationError) || codeOf(error)
  const code = opensslCodes[reason]
  return code ? new IdentityError(code, `openssl refused the certificate: ${reason}`) : error
}

const plaintextCodes: ReadonlySet<string> = new Set([
  'ERR_SSL_HTTP_REQUEST',
  'ERR_SSL_HTTPS_PROXY_REQUEST',
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_UNKNOWN_PROTOCOL',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
])

/** The TCP socket below a TLS socket of a server. Node has no public name for it; without it less is said and counted. */
const socketBelow = (socket: TLSSocket): Socket | undefined =>
  (socket as unknown as { readonly _parent?: Socket | null })._parent ?? undefined

/** Where each connection comes from: a socket that failed no longer knows. */
const addresses = new WeakMap<Socket, string>()

const addressOf = (socket: TLSSocket): string | undefined => {
  const below = socketBelow(socket)
  return socket.remoteAddress ?? (below && addresses.get(below))
}

/** Counts handshakes in flight, so that a flood of half handshakes costs no more than so many. */
const limitHandshakes = (
  server: Server,
  most: number,
  onOverload: (address: string | undefined) => void,
): void => {
  let open = 0
  const pending = new WeakSet<Socket>()
  const settle = (socket: Socket | undefined): void => {
    if (socket && pending.delete(socket)) open -= 1
  }
  server.prependListener('connection', (socket: Socket) => {
    const { remoteAddress } = socket
    if (open >= most) {
      socket.destroy()
      onOverload(remoteAddress)
      return
    }
    if (remoteAddress !== undefined) addresses.set(socket, remoteAddress)
    open += 1
    pending.add(socket)
    socket.once('close', () => settle(socket))
  })
  server.prependListener('secureConnection', (socket) => settle(socketBelow(socket)))
  server.prependListener('tlsClientError', (_error: Error, socket) => settle(socketBelow(socket)))
}

/**
 * A `tls.Server` that follows the live identity and trust; it is not listening yet.
 *
 * New handshakes use the newest certificate and bundles at once; live connections are the business of `PeerWatch`.
 */
export const createMeshServer = (options: MeshServerOptions): Server => {
  const { identity, trust } = options
  const server = createServer({
    ...meshContextOptions(identity.current, trust.current),
    requestCert: true,
    rejectUnauthorized: true,
    ALPNProtocols: [...options.protocols],
    handshakeTimeout: options.handshakeTimeoutMs ?? 10_000,
    pauseOnConnect: false,
  })
  const rebuild = (): void =>
    server.setSecureContext(meshContextOptions(identity.current, trust.current))
  const stops = [identity.subscribe(rebuild), trust.subscribe(rebuild)]
  server.once('close', () => stops.forEach((stop) => stop()))

  limitHandshakes(server, options.maxHandshakes ?? 256, (remoteAddress) =>
    options.onRefused({
      error: new Error('too many handshakes in flight'),
      phase: 'overload',
      remoteAddress,
      thumbprint: undefined,
    }),
  )
  server.on('secureConnection', (socket: TLSSocket) => {
    socket.on('error', () => socket.destroy())
    const remoteAddress = socket.remoteAddress
    try {
      if (!isCurrent(identity.current, options.now()))
        throw new IdentityError('own-expired', 'our own certificate is over and was not renewed')
      const peer = identifyPeer(socket, trust.current, options.now())
      options.onPeer(socket, peer)
    } catch (error) {
      const thumbprint = socket.getPeerX509Certificate()?.fingerprint256
      socket.destroy()
      options.onRefused({
        error: error instanceof Error ? error : new Error(String(error)),
        phase: 'identity',
        remoteAddress,
        thumbprint:
          thumbprint && Buffer.from(thumbprint.replaceAll(':', ''), 'hex').toString('base64url'),
      })
    }
  })
  server.on('tlsClientError', (error: Error, socket: TLSSocket) => {
    const plain = plaintextCodes.has(codeOf(error))
    const remoteAddress = addressOf(socket)
    socket.destroy()
    options.onRefused({
      error: handshakeError(error, socket),
      phase: plain ? 'plaintext' : 'handshake',
      remoteAddress,
      thumbprint: undefined,
    })
  })
  return server
}

export interface ConnectMeshOptions extends MeshTls {
  readonly host: string
  readonly port: number
  /** The only identities that may answer, as SPIFFE IDs; an empty list lets nobody answer. */
  readonly expected: readonly string[]
  readonly protocols: readonly string[]
  /** For the connection and the handshake together. */
  readonly timeoutMs: number
  /** An established connection to use instead of dialling. */
  readonly transport?: Duplex
  readonly signal?: AbortSignal
}

/** A connection to a peer that proved to be one of those that were expected. */
export interface MeshConnection {
  readonly socket: TLSSocket
  readonly peer: Peer
}

const contexts = new WeakMap<WorkloadIdentity, WeakMap<TrustBundles, SecureContext>>()

/** The context for dialling peers, one for each pair of identity and trust: building one costs more than a handshake. */
export const meshSecureContext = (
  identity: WorkloadIdentity,
  trust: TrustBundles,
): SecureContext => {
  const byTrust = contexts.get(identity) ?? new WeakMap<TrustBundles, SecureContext>()
  contexts.set(identity, byTrust)
  const known = byTrust.get(trust)
  if (known) return known
  const made = createSecureContext(meshContextOptions(identity, trust))
  byTrust.set(trust, made)
  return made
}

/**
 * Judges a peer that we dialled: it must be one of those that were expected.
 *
 * @throws IdentityError as {@link identifyPeer}, or `wrong-peer`
 */
export const identifyExpected = (
  socket: TLSSocket,
  options: {
    /** SPIFFE IDs; an empty list lets nobody answer. */
    readonly expected: readonly string[]
    readonly trust: Live<TrustBundles>
    readonly now: () => number
  },
): Peer => {
  const peer = identifyPeer(socket, options.trust.current, options.now())
  if (!options.expected.includes(peer.spiffeId))
    throw new IdentityError(
      'wrong-peer',
      `${peer.spiffeId} answered, expected ${options.expected.join(' or ') || 'nobody'}`,
    )
  return peer
}

/**
 * Dials a peer and verifies it before giving the socket; nothing is written before that.
 *
 * @throws IdentityError when the peer is not who was expected, or our own certificate is over; otherwise the error of
 *   the socket, a time-out with code `ETIMEDOUT`, or the reason of the signal
 */
export const connectMesh = (options: ConnectMeshOptions): Promise<MeshConnection> =>
  new Promise((resolve, reject) => {
    const identity = options.identity.current
    if (!isCurrent(identity, options.now())) {
      reject(new IdentityError('own-expired', 'our own certificate is over and was not renewed'))
      return
    }
    if (options.signal?.aborted) {
      reject(options.signal.reason as Error)
      return
    }
    const socket = connect({
      ...(options.transport
        ? { socket: options.transport }
        : { host: options.host, port: options.port }),
      secureContext: meshSecureContext(identity, options.trust.current),
      ALPNProtocols: [...options.protocols],
      rejectUnauthorized: true,
      // The name of a peer is its SPIFFE ID, which is pinned below; host names mean nothing inside the mesh.
      checkServerIdentity: () => undefined,
    })
    const timer = setTimeout(() => {
      const error = new Error(`no tls session within ${options.timeoutMs} ms`)
      fail(Object.assign(error, { code: 'ETIMEDOUT' }))
    }, options.timeoutMs)
    const settle = (): void => {
      clearTimeout(timer)
      options.signal?.removeEventListener('abort', onAbort)
      socket.removeListener('error', onError)
      socket.removeListener('close', onClose)
    }
    const fail = (error: Error): void => {
      settle()
      socket.on('error', () => undefined)
      socket.destroy()
      reject(error)
    }
    const onAbort = (): void => fail(options.signal!.reason as Error)
    const onError = (error: Error): void => fail(handshakeError(error, socket))
    const onClose = (): void =>
      fail(Object.assign(new Error('the peer closed the connection'), { code: 'ECONNRESET' }))
    options.signal?.addEventListener('abort', onAbort, { once: true })
    socket.once('error', onError)
    socket.once('close', onClose)
    socket.once('secureConnect', () => {
      try {
        const peer = identifyExpected(socket, options)
        settle()
        socket.on('error', () => socket.destroy())
        resolve({ socket, peer })
      } catch (error) {
        fail(error as Error)
      }
    })
  })
