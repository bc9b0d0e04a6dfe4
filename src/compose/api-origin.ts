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
import type { ApiCall } from '../egress/match-api.ts'
import { IdentityError } from '../identity/identity-error.ts'
import { chainOf } from '../identity/mesh-tls.ts'
import { publicRoots, readRoots, verifyServer } from '../identity/verify-server.ts'
import type { Certificate } from '../identity/certificate.ts'
import { dialTcp, dialTls } from '../wire/dial.ts'
import { originKey, type Origin } from '../wire/origin.ts'
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
}

/** Gives the origin of a call; entries keep their TLS settings as long as they live. */
export const apiOrigins = (parts: ApiOriginParts) => {
  const tlsOf = new WeakMap<ApiEntry, ApiTls>()
  let open: ApiTls | undefined
  const origins = new WeakMap<readonly string[], Map<string, Origin>>()

  const settingsOf = (entry: ApiEntry | undefined): ApiTls => {
    // Reading the public roots takes longer than starting; it waits for the first call that needs them.
    if (entry === undefined) return (open ??= publicTls())
    const known = tlsOf.get(entry)
    if (known !== undefined) return known
    const made = entryTls(entry)
    tlsOf.set(entry, made)
    return made
  }

  return (api: ApiCall, addresses: readonly string[]): Origin => {
    const byName = origins.get(addresses) ?? new Map<string, Origin>()
    origins.set(addresses, byName)
    const name = `${api.entry?.name ?? ''}|${api.host}|${api.port}`
    const known = byName.get(name)
    if (known !== undefined) return known
    const made = makeOrigin(api, addresses, settingsOf(api.entry), parts)
    byName.set(name, made)
    return made
  }
}

const makeOrigin = (
  api: ApiCall,
  addresses: readonly string[],
  tls: ApiTls,
  parts: ApiOriginParts,
): Origin => {
  const { entry, host, port } = api
  const plaintext = entry?.unsafe_plaintext === true
  const timeoutMs = entry?.limits.connect_timeout ?? parts.connectTimeoutMs
  let turn = 0
  return {
    key: originKey({
      scheme: plaintext ? 'http' : 'https',
      host,
      port,
      addresses,
      clientIdentity: tls.clientIdentity,
      trustSet: `${entry?.name ?? ''}|${tls.trustSet}`,
    }),
    dial: async (signal) => {
      const address = addresses[turn++ % addresses.length]!
      if (plaintext) return dialTcp({ address, port, timeoutMs, signal })
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
          verify: (socket) => verify(socket, host, tls, entry, parts.now()),
        },
      })
    },
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

const publicTls = (): ApiTls => ({
  context: createSecureContext({ ca: [...rootCertificates] }),
  roots: publicRoots(),
  trustSet: 'system',
  clientIdentity: '',
})

const entryTls = (entry: ApiEntry): ApiTls => {
  const { ca, client_certificate: client } = entry.tls
  const authority = ca === undefined ? undefined : readFileSync(entryPath(entry, ca))
  const certificate =
    client === undefined ? undefined : readFileSync(entryPath(entry, client.certificate))
  const key = client === undefined ? undefined : readFileSync(entryPath(entry, client.key))
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
