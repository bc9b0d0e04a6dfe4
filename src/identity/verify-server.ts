/**
 * Judges the certificate of a third-party server on its DER: a second opinion after Node's own, for egress.
 *
 * Looks only at alternative names (never at the common name), knows wildcards in the first label alone, and holds the
 * path to RFC 5280. Says nothing about revocation, nor about whether the host may be called at all.
 */
import { isIP } from 'node:net'
import { rootCertificates } from 'node:tls'
import { readCertificate, splitCertificates } from './certificate.ts'
import type { Certificate } from './certificate.ts'
import { IdentityError } from './identity-error.ts'
import { maxChainBytes, maxChainCertificates } from './verify-peer.ts'
import { ipBytes } from './x509/ip-bytes.ts'
import { oid } from './x509/oids.ts'
import { findPath, publicKeyOf } from './x509/path.ts'
import { readPemBlocks } from './x509/pem.ts'

/** What was verified. Times are milliseconds since 1970. */
export interface VerifiedServer {
  readonly host: string
  /** base64url SHA-256 of the leaf's DER. */
  readonly thumbprint: string
  readonly serial: string
  /** The earliest end on the whole path: for the metric of a third party's certificate expiry. */
  readonly notAfter: number
  /** The path, leaf first and root last. */
  readonly path: readonly Certificate[]
}

export interface VerifyServerOptions {
  /**
   * `strict` asks for all that RFC 5280 demands of a conforming authority (key ids, critical constraints), as
   * `openssl verify -x509_strict` does. `tolerant` is for private authorities that leave those out.
   */
  readonly rules?: 'strict' | 'tolerant'
  /** The most intermediates that are not self-issued. */
  readonly maxIntermediates?: number
}

/** Reads the authorities in PEM texts or DER buffers. One that breaks our reader is left out: it can then not vouch. */
export const readRoots = (roots: readonly (string | Buffer)[]): readonly Certificate[] => {
  const ders = roots.flatMap((root) =>
    typeof root === 'string'
      ? readPemBlocks(root, ['CERTIFICATE']).map((block) => block.der)
      : splitCertificates(root),
  )
  return ders.flatMap((der) => {
    try {
      return [readCertificate(der)]
    } catch (error) {
      if (error instanceof IdentityError) return []
      throw error
    }
  })
}

let bundled: readonly Certificate[] | undefined

/** The roots that come with Node (Mozilla's list), read once. */
export const publicRoots = (): readonly Certificate[] => {
  bundled ??= readRoots(rootCertificates)
  return bundled
}

const labelPattern = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/
const isHostName = (host: string): boolean =>
  host.length <= 253 && host.split('.').every((label) => labelPattern.test(label))

/** RFC 6125 §6.4.3 in its strictest reading: `*` alone, first, and over a name of at least two labels. */
const dnsMatches = (pattern: string, host: string): boolean => {
  const name = pattern.toLowerCase()
  if (!name.startsWith('*.')) return isHostName(name) && name === host
  const parent = name.slice(2)
  const dot = host.indexOf('.')
  return parent.includes('.') && isHostName(parent) && dot > 0 && host.slice(dot + 1) === parent
}

const checkHost = (leaf: Certificate, host: string): void => {
  if (isIP(host)) {
    const wanted = ipBytes(host)
    if (leaf.names.some((name) => name.kind === 'ip' && name.bytes.equals(wanted))) return
    throw new IdentityError('wrong-host', `the certificate is not for ${host}`)
  }
  if (!isHostName(host))
    throw new IdentityError('wrong-host', `${JSON.stringify(host.slice(0, 80))} is not a host name`)
  if (leaf.names.some((name) => name.kind === 'dns' && dnsMatches(name.text, host))) return
  throw new IdentityError('wrong-host', `the certificate is not for ${host}`)
}

const emptyName = Buffer.from([0x30, 0x00])

const judgeLeaf = (leaf: Certificate, rules: 'strict' | 'tolerant'): void => {
  if (leaf.basicConstraints?.ca)
    throw new IdentityError(
      'not-a-leaf',
      'the server certificate is marked as a certificate authority',
    )
  if (leaf.nameConstraints)
    throw new IdentityError('not-a-leaf', 'the server certificate has name constraints')
  if (leaf.unhandledCritical.length > 0)
    throw new IdentityError(
      'critical-extension',
      `the critical extension ${leaf.unhandledCritical[0]} is not understood`,
    )
  const usage = leaf.keyUsage
  if (usage?.has('keyCertSign'))
    throw new IdentityError('key-usage', 'the server certificate may sign certificates')
  if (usage && !usage.has('digitalSignature'))
    throw new IdentityError('key-usage', 'the server certificate may not make digital signatures')
  if (leaf.extendedKeyUsage && !leaf.extendedKeyUsage.has(oid.serverAuth))
    throw new IdentityError('key-usage', 'the extended key usage lacks server authentication')
  if (!leaf.serialIsSound)
    throw new IdentityError(
      'malformed',
      'the serial number is not a positive number of at most 20 bytes',
    )
  if (leaf.issuer.equals(emptyName))
    throw new IdentityError('malformed', 'the certificate does not name its issuer')
  if (rules === 'tolerant') return
  if (!leaf.authorityKey?.id)
    throw new IdentityError(
      'malformed',
      'the certificate breaks rfc 5280: it has no authority key id',
    )
  if (leaf.names.length > 0 && leaf.subject.equals(emptyName) && !leaf.namesCritical)
    throw new IdentityError(
      'malformed',
      'the certificate breaks rfc 5280: its subject is empty and its alternative name not critical',
    )
}

/**
 * Verifies the chain that a server sent, leaf first, for one host.
 *
 * @param host a lower-case ASCII host name without a final dot, or an IP address
 * @param roots authorities to trust, for example {@link publicRoots}
 * @param now milliseconds since 1970
 * @throws IdentityError with the rule that was broken
 */
export const verifyServer = (
  chain: readonly Buffer[],
  host: string,
  roots: readonly Certificate[],
  now: number,
  options: VerifyServerOptions = {},
): VerifiedServer => {
  if (chain.length === 0)
    throw new IdentityError('no-certificate', 'the server showed no certificate')
  if (chain.length > maxChainCertificates)
    throw new IdentityError(
      'too-large',
      `the chain has more than ${maxChainCertificates} certificates`,
    )
  if (chain.reduce((total, der) => total + der.length, 0) > maxChainBytes)
    throw new IdentityError('too-large', `the chain has more than ${maxChainBytes} bytes`)
  const rules = options.rules ?? 'strict'
  const leaf = readCertificate(chain[0]!)
  judgeLeaf(leaf, rules)
  checkHost(leaf, host)
  publicKeyOf(leaf)
  const path = findPath({
    leaf,
    intermediates: chain.slice(1).flatMap((der) => readable(der)),
    anchors: roots,
    now,
    purposes: [oid.serverAuth],
    rules,
    ...(options.maxIntermediates === undefined
      ? {}
      : { maxIntermediates: options.maxIntermediates }),
  })
  return {
    host,
    thumbprint: leaf.thumbprint,
    serial: leaf.serial,
    notAfter: Math.min(...path.map((certificate) => certificate.notAfter)),
    path,
  }
}

/** Servers send needless certificates, old ones among them; one that does not parse is of no use and does no harm. */
const readable = (der: Buffer): readonly Certificate[] => {
  try {
    return [readCertificate(der)]
  } catch (error) {
    if (error instanceof IdentityError) return []
    throw error
  }
}
