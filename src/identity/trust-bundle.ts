/**
 * Trust bundles: the authorities of one trust domain, from PEM or from a SPIFFE bundle document (JWKS).
 *
 * A bundle says who may issue for its own trust domain and for no other; nothing in this file looks at the names in a
 * certificate. Authorities are read, not judged: path building holds them to the rules at each use.
 */
import { readCertificate } from './certificate.ts'
import type { Certificate } from './certificate.ts'
import type { RevocationLists } from './x509/crl.ts'
import { IdentityError } from './identity-error.ts'
import { DerError } from './x509/der.ts'
import { readPemBlocks } from './x509/pem.ts'

/** A JSON Web Key as it stands in a bundle document. */
export type BundleKey = Readonly<Record<string, unknown>>

/** The authorities of one trust domain. */
export interface TrustBundle {
  readonly trustDomain: string
  readonly authorities: readonly Certificate[]
  /** Keys that verify JWT-SVIDs of this trust domain, by key id. */
  readonly jwtAuthorities: ReadonlyMap<string, BundleKey>
  /** `spiffe_sequence` of a bundle document. */
  readonly sequence?: number
  /** `spiffe_refresh_hint` of a bundle document, in seconds. */
  readonly refreshHintSeconds?: number
}

/** Everything that a peer is judged by: one bundle for each trust domain, and what is revoked. A snapshot. */
export interface TrustBundles {
  readonly byTrustDomain: ReadonlyMap<string, TrustBundle>
  readonly revocation: RevocationLists | 'not-configured'
}

const maxBundleBytes = 4 * 1024 * 1024
const maxKeys = 1_000

const malformed = (reason: string): IdentityError =>
  new IdentityError('malformed', `the trust bundle is malformed: ${reason}`)

const unique = (certificates: readonly Certificate[]): readonly Certificate[] => [
  ...new Map(certificates.map((certificate) => [certificate.thumbprint, certificate])).values(),
]

/** A bundle of these authorities, DER each. @throws IdentityError when one does not parse */
export const bundleOf = (trustDomain: string, authorities: readonly Buffer[]): TrustBundle => ({
  trustDomain,
  authorities: unique(authorities.map((der) => readCertificate(der))),
  jwtAuthorities: new Map(),
})

/**
 * Reads the PEM certificates of a trust domain. A file without any is refused: an empty bundle is a mistake.
 *
 * @throws IdentityError `malformed`
 */
export const readPemBundle = (text: string, trustDomain: string): TrustBundle => {
  try {
    const blocks = readPemBlocks(text, ['CERTIFICATE', 'TRUSTED CERTIFICATE', 'X509 CERTIFICATE'])
    if (blocks.some((block) => block.label === 'TRUSTED CERTIFICATE'))
      throw malformed('it holds openssl trusted certificates, whose extra rules are not read')
    if (blocks.length === 0) throw malformed('there is no certificate in it')
    if (blocks.length > maxKeys)
      throw malformed(`there are more than ${maxKeys} certificates in it`)
    return bundleOf(
      trustDomain,
      blocks.map((block) => block.der),
    )
  } catch (error) {
    if (error instanceof DerError) throw malformed(error.message)
    throw error
  }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const authorityOf = (key: BundleKey): Buffer => {
  const { x5c } = key
  if (!Array.isArray(x5c) || x5c.length !== 1 || typeof x5c[0] !== 'string')
    throw malformed('an x509-svid key does not carry exactly one certificate in x5c')
  const der = Buffer.from(x5c[0], 'base64')
  if (der.length === 0 || der.toString('base64') !== x5c[0])
    throw malformed('an x5c value is not base64')
  return der
}

const countOf = (document: BundleKey, name: string): number | undefined => {
  const value = document[name]
  if (value === undefined) return undefined
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw malformed(`${name} is not a whole number`)
  return value
}

const readKeys = (
  text: string,
): { readonly document: BundleKey; readonly keys: readonly BundleKey[] } => {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    throw malformed('it is not json')
  }
  if (!isRecord(document)) throw malformed('it is not a json object')
  const keys = document['keys']
  if (!Array.isArray(keys)) throw malformed('it has no authorities (keys is missing)')
  if (keys.length > maxKeys) throw malformed(`there are more than ${maxKeys} keys in it`)
  if (!keys.every(isRecord)) throw malformed('a key is not an object')
  return { document, keys }
}

const addJwtKey = (into: Map<string, BundleKey>, key: BundleKey): void => {
  const id = key['kid']
  if (typeof id !== 'string' || id === '') throw malformed('a jwt key has no kid')
  if (into.has(id)) throw malformed('two jwt keys have the same kid')
  into.set(id, key)
}

/**
 * Reads the JWT bundle of a trust domain as the Workload API sends it: a JWKS in which `use` is absent or `jwt-svid`.
 *
 * @throws IdentityError `malformed`
 */
export const readJwtBundle = (text: string): ReadonlyMap<string, BundleKey> => {
  const made = new Map<string, BundleKey>()
  for (const key of readKeys(text).keys) {
    if (key['use'] === undefined || key['use'] === 'jwt-svid') addJwtKey(made, key)
  }
  return made
}

/**
 * Reads a SPIFFE bundle document (SPIFFE Trust Domain and Bundle §4): a JWKS whose keys say what they are for. Keys
 * without `use`, or with one that is not known, are ignored as the standard asks.
 *
 * @throws IdentityError `malformed`
 */
export const readBundleDocument = (text: string, trustDomain: string): TrustBundle => {
  const { document, keys } = readKeys(text)
  const authorities: Buffer[] = []
  const jwtAuthorities = new Map<string, BundleKey>()
  for (const key of keys) {
    if (key['use'] === 'x509-svid') authorities.push(authorityOf(key))
    if (key['use'] === 'jwt-svid') addJwtKey(jwtAuthorities, key)
  }
  const sequence = countOf(document, 'spiffe_sequence')
  const refreshHintSeconds = countOf(document, 'spiffe_refresh_hint')
  return {
    ...bundleOf(trustDomain, authorities),
    jwtAuthorities,
    ...(sequence === undefined ? {} : { sequence }),
    ...(refreshHintSeconds === undefined ? {} : { refreshHintSeconds }),
  }
}

/** Reads a bundle file: a document when the text is JSON, PEM otherwise. @throws IdentityError `malformed` or `too-large` */
export const readBundle = (content: Buffer, trustDomain: string): TrustBundle => {
  if (content.length > maxBundleBytes)
    throw new IdentityError('too-large', `the trust bundle is larger than ${maxBundleBytes} bytes`)
  const text = content.toString('utf8')
  return text.trimStart().startsWith('{')
    ? readBundleDocument(text, trustDomain)
    : readPemBundle(text, trustDomain)
}

/** A snapshot of trust in these bundles. @throws IdentityError when two are of the same trust domain */
export const trustIn = (
  bundles: readonly TrustBundle[],
  revocation: RevocationLists | 'not-configured' = 'not-configured',
): TrustBundles => {
  const byTrustDomain = new Map<string, TrustBundle>()
  for (const bundle of bundles) {
    if (byTrustDomain.has(bundle.trustDomain))
      throw malformed(`there are two bundles for ${bundle.trustDomain}`)
    byTrustDomain.set(bundle.trustDomain, bundle)
  }
  return { byTrustDomain, revocation }
}

/** The DER of every authority of every trust domain, each once: what OpenSSL is given for its own, wider check. */
export const allAuthorities = (trust: TrustBundles): readonly Certificate[] =>
  unique([...trust.byTrustDomain.values()].flatMap((bundle) => bundle.authorities))
