/**
 * Connections to third parties: TLS 1.2 or better to a checked address, with the declared host as SNI and in the
 * certificate, against the system's roots or the entry's own authority, pinned keys and client certificate included.
 *
 * Node's verification and our own (`verifyServer`) must both say yes.
 */
import { createHash, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext, rootCertificates, type SecureContext, type TLSSocket } from 'node:tls'
import { entryPath, type ApiEntry } from '../catalog/entry/entry.ts'
import type { ApiOrigin } from '../egress/forward-to-api.ts'
import type { ApiCall } from '../egress/match-api.ts'
import { IdentityError } from '../identity/identity-error.ts'
import { chainOf } from '../identity/mesh-tls.ts'
import { publicRoots, readRoots, verifyServer } from '../identity/verify-server.ts'
import type { Certificate } from '../identity/certificate.ts'
import type { Secret } from '../secret.ts'
import { dialTcp, dialTls } from '../wire/dial.ts'
import { attribute } from '../telemetry/names.ts'
import type { Attributes } from '../telemetry/traces/span.ts'
import { originKey } from '../wire/origin.ts'
import { WireError } from '../wire/wire-error.ts'

interface ApiTls {
  readonly context: SecureContext
  readonly roots: readonly Certificate[]
  /** Names the trust and the client certificate in the pool key. */
  readonly trustSet: string
  readonly clientIdentity: string
}

/** What the origins need of the world. */
export interface ApiOriginParts {
  readonly now: () => number
  /** Time to connect where the entry sets none. */
  readonly connectTimeoutMs: number
  /** PEM file of authorities that undeclared calls trust besides the public ones. */
  readonly observedCa: string | undefined
}

/** A client certificate that is shown instead of that of the entry. */
export interface ShownCertificate {
  readonly certificatePem: string
  readonly keyPem: Secret
}

/** Gives the origin of a call; entries keep their TLS settings as long as they live. */
export const apiOrigins = (parts: ApiOriginParts) => {
  const tlsOf = new WeakMap<ApiEntry, ApiTls>()
  let open: ApiTls | undefined
  const origins = new WeakMap<readonly string[], Map<string, ApiOrigin>>()
  const handshakes = new Handshakes()

  const settingsOf = (entry: ApiEntry | undefined): ApiTls => {
    // Reading the public roots takes longer than starting; it waits for the first call that needs them.
    if (entry === undefined) return (open ??= publicTls(parts.observedCa))
    const known = tlsOf.get(entry)
    if (known !== undefined) return known
    const made = entryTls(entry)
    tlsOf.set(entry, made)
    return made
  }

  return (api: ApiCall, addresses: readonly string[], shown?: ShownCertificate): ApiOrigin => {
    if (shown !== undefined && api.entry !== undefined) {
      return makeOrigin(api, addresses, entryTls(api.entry, shown), parts, handshakes)
    }
    const byName = origins.get(addresses) ?? new Map<string, ApiOrigin>()
    origins.set(addresses, byName)
    const name = `${api.entry?.name ?? ''}|${api.host}|${api.port}`
    const known = byName.get(name)
    if (known !== undefined) return known
    const made = makeOrigin(api, addresses, settingsOf(api.entry), parts, handshakes)
    byName.set(name, made)
    return made
  }
}

const makeOrigin = (
  api: ApiCall,
  addresses: readonly string[],
  tls: ApiTls,
  parts: ApiOriginParts,
  handshakes: Handshakes,
): ApiOrigin => {
  const { entry, host, port } = api
  const plaintext = entry?.unsafe_plaintext === true
  const timeoutMs = entry?.limits.connect_timeout ?? parts.connectTimeoutMs
  let turn = 0
  const key = originKey({
    scheme: plaintext ? 'http' : 'https',
    host,
    port,
    addresses,
    clientIdentity: tls.clientIdentity,
    trustSet: `${entry?.name ?? ''}|${tls.trustSet}`,
  })
  return {
    key,
    handshake: () => handshakes.of(key),
    dial: async (signal) => {
      const address = addresses[turn++ % addresses.length]!
      if (plaintext) {
        handshakes.notePlain(key, address, port)
        return dialTcp({ address, port, timeoutMs, signal })
      }
      return dialTls({
        address,
        port,
        timeoutMs,
        signal,
        servername: host,
        secureContext: tls.context,
        minVersion: entry?.tls.min_version === '1.3' ? 'TLSv1.3' : 'TLSv1.2',
        alpn: ['http/1.1'],
        peer: {
          kind: 'verified-by',
          verify: (socket) => {
            verify(socket, host, tls, entry, parts.now())
            handshakes.note(key, address, port, socket)
          },
        },
      })
    },
  }
}

/** Facts of the last handshake with each place, bounded. */
class Handshakes {
  readonly #byKey = new Map<string, Attributes>()

  of(key: string): Attributes {
    return this.#byKey.get(key) ?? {}
  }

  notePlain(key: string, address: string, port: number): void {
    if (this.#byKey.size >= 2_000) this.#byKey.clear()
    this.#byKey.set(key, {
      [attribute.networkPeerAddress]: address,
      [attribute.networkPeerPort]: port,
    })
  }

  note(key: string, address: string, port: number, socket: TLSSocket): void {
    if (this.#byKey.size >= 2_000) this.#byKey.clear()
    const certificate = socket.getPeerX509Certificate()
    this.#byKey.set(key, {
      [attribute.networkPeerAddress]: address,
      [attribute.networkPeerPort]: port,
      [attribute.tlsEstablished]: true,
      [attribute.tlsResumed]: socket.isSessionReused(),
      [attribute.tlsVersion]: socket.getProtocol()?.replace(/^TLSv/, ''),
      [attribute.tlsCipher]: socket.getCipher().standardName,
      [attribute.tlsNextProtocol]:
        typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : undefined,
      [attribute.tlsServerHash]: certificate?.fingerprint256.replaceAll(':', ''),
      [attribute.tlsServerNotAfter]: certificate?.validToDate.toISOString(),
      [attribute.tlsServerSubject]: certificate?.subject,
      [attribute.tlsServerIssuer]: certificate?.issuer,
    })
  }
}

const verify = (
  socket: TLSSocket,
  host: string,
  tls: ApiTls,
  entry: ApiEntry | undefined,
  now: number,
): void => {
  const chain = chainOf(socket)
  try {
    verifyServer(chain, host, tls.roots, now, {
      rules: entry?.tls.ca === undefined ? 'strict' : 'tolerant',
    })
  } catch (thrown) {
    if (!(thrown instanceof IdentityError)) throw thrown
    throw new WireError('tls-failed', `${host}: ${thrown.detail}`, 'safe', thrown)
  }
  const pins = entry?.tls.pins ?? []
  if (pins.length === 0) return
  const keys = chain.map((der) => pinOf(der))
  if (keys.some((pin) => pins.includes(pin))) return
  throw new WireError('tls-failed', `${host}: no public key of the chain is pinned`, 'safe')
}

/** `sha256/` and the base64 SHA-256 of the SPKI (RFC 7469 §2.4). */
const pinOf = (der: Buffer): string => {
  const spki = new X509Certificate(der).publicKey.export({ type: 'spki', format: 'der' })
  return `sha256/${createHash('sha256').update(spki).digest('base64')}`
}

const publicTls = (extra: string | undefined): ApiTls => {
  const authority = extra === undefined ? undefined : readFileSync(extra, 'utf8')
  const more = authority === undefined ? [] : [authority]
  return {
    context: createSecureContext({ ca: [...rootCertificates, ...more] }),
    roots: [...publicRoots(), ...readRoots(more)],
    trustSet: 'system',
    clientIdentity: '',
  }
}

const entryTls = (entry: ApiEntry, shown?: ShownCertificate): ApiTls => {
  const { ca, client_certificate: client } = entry.tls
  const read = (path: string | undefined): Buffer | undefined =>
    path === undefined ? undefined : readFileSync(entryPath(entry, path))
  const authority = read(ca)
  const certificate =
    shown === undefined ? read(client?.certificate) : Buffer.from(shown.certificatePem)
  const key = shown === undefined ? read(client?.key) : Buffer.from(shown.keyPem.reveal())
  return {
    context: createSecureContext({
      ca: authority ?? [...rootCertificates],
      ...(certificate === undefined ? {} : { cert: certificate, key }),
    }),
    roots: authority === undefined ? publicRoots() : readRoots([authority.toString('utf8')]),
    trustSet: authority === undefined ? 'system' : digest(authority),
    clientIdentity: certificate === undefined ? '' : digest(certificate),
  }
}

const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('base64url')
