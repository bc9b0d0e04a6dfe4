/**
 * What the development authority gives out over the Workload API: X.509-SVIDs that it renews at half of their life, and
 * JWT-SVIDs (JWT-SVID §2 and §3) signed with a key that lives in memory.
 *
 * For one machine: every process that can open the socket is every one of the listed workloads.
 */
import { createPublicKey, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { LiveValue } from '../../live.ts'
import { freshKey, issueSvid, validFor } from '../authority.ts'
import type { Clock } from '../sources/clock.ts'
import { authorityFiles, openAuthority, trustDomainOfFolder } from '../sources/authority-folder.ts'
import { renewalTime } from '../sources/rotate.ts'
import { parseSpiffeId } from '../spiffe-id.ts'
import { readPemBlocks } from '../x509/pem.ts'
import type { JwtSvidRequest, JwtSvid, X509SvidResponse } from './messages.ts'
import type { WorkloadApiContent } from './server.ts'

export interface AuthorityContentOptions {
  /** The folder that `sallyport certs init` made. */
  readonly folder: string
  /** The identities to give out, the default one first. */
  readonly spiffeIds: readonly string[]
  readonly lifetimeMs: number
  /** Life of JWT-SVIDs; five minutes when absent, as SPIRE has it. */
  readonly jwtLifetimeMs?: number
  readonly clock: Clock
  /** A number in [0, 1) for jitter. */
  readonly random: () => number
  /** Told when a renewal failed; the last identities stay. */
  readonly onFault: (error: unknown) => void
}

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A JWT-SVID: ES256 over subject, audience and times, and nothing else. */
const jwtSvid = (
  key: KeyObject,
  keyId: string,
  claims: {
    readonly sub: string
    readonly aud: readonly string[]
    readonly iat: number
    readonly exp: number
  },
): string => {
  const signed = `${part({ alg: 'ES256', kid: keyId, typ: 'JWT' })}.${part(claims)}`
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' })
  return `${signed}.${signature.toString('base64url')}`
}

const issueAll = (options: AuthorityContentOptions): X509SvidResponse => {
  const { folder, spiffeIds, lifetimeMs, clock } = options
  const bundle = readPemBlocks(readFileSync(authorityFiles(folder).bundle, 'latin1'), [
    'CERTIFICATE',
  ])
  const authority = openAuthority(folder)
  return {
    svids: spiffeIds.map((spiffeId) => {
      const issued = issueSvid(authority, { spiffeId, validity: validFor(clock.now(), lifetimeMs) })
      return {
        spiffeId,
        chain: Buffer.concat(issued.chain),
        key: issued.privateKey.export({ format: 'der', type: 'pkcs8' }),
        bundle: Buffer.concat(bundle.map((block) => block.der)),
        hint: '',
      }
    }),
    crls: [],
    federated: new Map(),
  }
}

/**
 * Opens the content for `serveWorkloadApi`.
 *
 * @throws IdentityFileError when the folder was not initialised; SpiffeIdError when an id is malformed or foreign
 */
export const openAuthorityContent = (
  options: AuthorityContentOptions,
): WorkloadApiContent & { close(): void } => {
  const { clock } = options
  const trustDomain = trustDomainOfFolder(options.folder)
  const foreign = options.spiffeIds.find((text) => parseSpiffeId(text).trustDomain !== trustDomain)
  if (foreign !== undefined) throw new Error(`${foreign} is not an id of ${trustDomain}`)
  const jwtKey = freshKey()
  const keyId = createPublicKey(jwtKey).export({ format: 'jwk' }).x!.slice(0, 16)
  const jwks = {
    keys: [
      {
        ...createPublicKey(jwtKey).export({ format: 'jwk' }),
        kid: keyId,
        use: 'jwt-svid',
        alg: 'ES256',
      },
    ],
  }
  const x509 = new LiveValue(issueAll(options))
  let cancel: () => void = () => undefined
  const arm = (): void => {
    const issuedAt = clock.now()
    const due = renewalTime(issuedAt, issuedAt + options.lifetimeMs, options.random())
    cancel = clock.after(due - issuedAt, () => {
      try {
        x509.set(issueAll(options))
      } catch (error) {
        options.onFault(error)
      }
      arm()
    })
  }
  arm()
  return {
    x509,
    jwtBundles: new LiveValue(
      new Map([[`spiffe://${trustDomain}`, Buffer.from(JSON.stringify(jwks))]]),
    ),
    signJwtSvids: (request: JwtSvidRequest): readonly JwtSvid[] => {
      const iat = Math.floor(clock.now() / 1000)
      const exp = iat + Math.floor((options.jwtLifetimeMs ?? 300_000) / 1000)
      return options.spiffeIds
        .filter((id) => request.spiffeId === '' || id === request.spiffeId)
        .map((sub) => ({
          spiffeId: sub,
          token: jwtSvid(jwtKey, keyId, { sub, aud: request.audiences, iat, exp }),
          hint: '',
        }))
    },
    close: () => cancel(),
  }
}
