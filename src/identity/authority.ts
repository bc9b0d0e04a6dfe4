/**
 * The development authority: issues roots, intermediates, X.509-SVIDs, server certificates of stand-in third parties
 * and CRLs, all with P-256 keys and such that `openssl verify -x509_strict` agrees.
 *
 * Works in memory and decides nothing: whoever holds an `Authority` may be any workload. Files are another module's.
 */
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { isIP } from 'node:net'
import { readCertificate } from './certificate.ts'
import type { Certificate } from './certificate.ts'
import { parseSpiffeId, parseTrustDomain } from './spiffe-id.ts'
import { ipBytes } from './x509/ip-bytes.ts'
import { oid } from './x509/oids.ts'
import {
  extension,
  freshSerial,
  keyIdOf,
  spkiOf,
  writeCertificate,
  writeName,
  writeRevocationList,
} from './x509/write.ts'
import type { SubjectName } from './x509/write.ts'

/** A certificate with its key. `chain` is DER, this certificate first, its root left out unless it is one. */
export interface IssuedCertificate {
  readonly chain: readonly Buffer[]
  readonly privateKey: KeyObject
}

/** A certificate that may sign others, with its key. */
export interface Authority {
  readonly certificate: Certificate
  readonly privateKey: KeyObject
  /** What is sent below a leaf: this certificate and the intermediates above it, DER; empty for a root. */
  readonly intermediates: readonly Buffer[]
}

/** From when to when, in milliseconds since 1970. */
export interface Validity {
  readonly notBefore: number
  readonly notAfter: number
}

/** Clocks differ; a certificate that starts a minute ago is believed by a machine that is a little behind. */
const backdateMs = 60_000

/** From a minute before now, for this long. */
export const validFor = (now: number, lifetimeMs: number): Validity => ({
  notBefore: now - backdateMs,
  notAfter: now + lifetimeMs,
})

/** A fresh P-256 key. */
export const freshKey = (): KeyObject =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey

const organization = '2.5.4.10'
const nameOf = (commonName: string): Buffer =>
  writeName([
    [organization, 'Sallyport development'],
    [oid.commonName, commonName],
  ])

const spkiOfPrivate = (key: KeyObject): Buffer => spkiOf(createPublicKey(key))

const authorityExtensions = (trustDomain: string, spki: Buffer, pathLength: number | undefined) => [
  extension.basicConstraints(true, pathLength),
  extension.keyUsage('keyCertSign', 'cRLSign'),
  extension.subjectAltName([{ uri: `spiffe://${parseTrustDomain(trustDomain)}` }], false),
  extension.subjectKeyId(keyIdOf(spki)),
]

/** A self-signed root of a trust domain. `label` tells apart the roots of one trust domain. */
export const issueRoot = (trustDomain: string, validity: Validity, label = 'root'): Authority => {
  const privateKey = freshKey()
  const spki = spkiOfPrivate(privateKey)
  const subject = nameOf(`${trustDomain} ${label}`)
  const der = writeCertificate({
    serial: freshSerial(),
    issuer: subject,
    subject,
    ...validity,
    spki,
    extensions: [
      ...authorityExtensions(trustDomain, spki, undefined),
      extension.authorityKeyId(keyIdOf(spki)),
    ],
    signingKey: privateKey,
  })
  return { certificate: readCertificate(der), privateKey, intermediates: [] }
}

/** An intermediate under an authority; it may issue leaves and no further authorities. */
export const issueIntermediate = (
  parent: Authority,
  trustDomain: string,
  validity: Validity,
  label = 'intermediate',
): Authority => {
  const privateKey = freshKey()
  const spki = spkiOfPrivate(privateKey)
  const der = writeCertificate({
    serial: freshSerial(),
    issuer: parent.certificate.subject,
    subject: nameOf(`${trustDomain} ${label}`),
    ...within(parent, validity),
    spki,
    extensions: [
      ...authorityExtensions(trustDomain, spki, 0),
      extension.authorityKeyId(keyIdOf(parent.certificate.spki)),
    ],
    signingKey: parent.privateKey,
  })
  return {
    certificate: readCertificate(der),
    privateKey,
    intermediates: [der, ...parent.intermediates],
  }
}

/** A leaf that outlives its authority would be refused at the end of its life, so it never does. */
const within = (authority: Authority, validity: Validity): Validity => ({
  notBefore: Math.max(validity.notBefore, authority.certificate.notBefore),
  notAfter: Math.min(validity.notAfter, authority.certificate.notAfter),
})

const leaf = (
  authority: Authority,
  commonName: string,
  names: readonly SubjectName[],
  purposes: readonly string[],
  validity: Validity,
  key: KeyObject | undefined,
): IssuedCertificate => {
  const privateKey = key ?? freshKey()
  const spki = spkiOfPrivate(privateKey)
  const der = writeCertificate({
    serial: freshSerial(),
    issuer: authority.certificate.subject,
    subject: nameOf(commonName),
    ...within(authority, validity),
    spki,
    extensions: [
      extension.basicConstraints(false),
      extension.keyUsage('digitalSignature'),
      extension.extendedKeyUsage(...purposes),
      extension.subjectAltName(names, false),
      extension.subjectKeyId(keyIdOf(spki)),
      extension.authorityKeyId(keyIdOf(authority.certificate.spki)),
    ],
    signingKey: authority.privateKey,
  })
  return { chain: [der, ...authority.intermediates], privateKey }
}

/**
 * An X.509-SVID for one workload.
 *
 * @throws SpiffeIdError when the id is malformed or names no workload
 */
export const issueSvid = (
  authority: Authority,
  request: {
    readonly spiffeId: string
    readonly dnsNames?: readonly string[]
    readonly validity: Validity
    /** A P-256 private key to certify; a fresh one is made when absent. */
    readonly privateKey?: KeyObject
  },
): IssuedCertificate => {
  const id = parseSpiffeId(request.spiffeId)
  const names = [{ uri: id.uri }, ...(request.dnsNames ?? []).map((dns) => ({ dns }))]
  const commonName = id.path.split('/').at(-1)!.slice(0, 64) || id.trustDomain.slice(0, 64)
  const purposes = [oid.serverAuth, oid.clientAuth]
  return leaf(authority, commonName, names, purposes, request.validity, request.privateKey)
}

/** A TLS server certificate for host names or IP addresses, as a third party has one. */
export const issueServerCertificate = (
  authority: Authority,
  request: { readonly hosts: readonly string[]; readonly validity: Validity },
): IssuedCertificate => {
  const names = request.hosts.map((host) => (isIP(host) ? { ip: ipBytes(host) } : { dns: host }))
  return leaf(
    authority,
    request.hosts[0] ?? 'server',
    names,
    [oid.serverAuth],
    request.validity,
    undefined,
  )
}

/** All of IPv4 and all of IPv6: address and mask. */
const everyAddress = [{ ip: Buffer.alloc(8) }, { ip: Buffer.alloc(32) }]

/**
 * The authority of interception: it may vouch for the declared hosts and for nothing else, and issues leaves only. An
 * application that trusts it trusts it for these names and what is below them (RFC 5280 §4.2.1.10); all addresses are
 * outside of it. Its key is meant to stay in memory.
 */
export const issueInterceptionAuthority = (
  hosts: readonly string[],
  validity: Validity,
): Authority => {
  const privateKey = freshKey()
  const spki = spkiOfPrivate(privateKey)
  const subject = writeName([
    [organization, 'Sallyport interception'],
    [oid.commonName, `interception ${freshSerial().toString('hex').slice(0, 8)}`],
  ])
  const der = writeCertificate({
    serial: freshSerial(),
    issuer: subject,
    subject,
    ...validity,
    spki,
    extensions: [
      extension.basicConstraints(true, 0),
      extension.keyUsage('keyCertSign'),
      extension.nameConstraints(
        hosts.map((dns) => ({ dns })),
        everyAddress,
      ),
      extension.subjectKeyId(keyIdOf(spki)),
      extension.authorityKeyId(keyIdOf(spki)),
    ],
    signingKey: privateKey,
  })
  return { certificate: readCertificate(der), privateKey, intermediates: [] }
}

/** A CRL of an authority, DER. `number` grows with each one. */
export const issueRevocationList = (
  authority: Authority,
  request: {
    readonly number: number
    readonly thisUpdate: number
    readonly nextUpdate: number
    /** Serial numbers in lower-case hex. */
    readonly revoked: readonly string[]
  },
): Buffer =>
  writeRevocationList({
    issuer: authority.certificate.subject,
    keyId: keyIdOf(authority.certificate.spki),
    number: request.number,
    thisUpdate: request.thisUpdate,
    nextUpdate: request.nextUpdate,
    revoked: request.revoked.map((serial) => ({ serial, at: request.thisUpdate })),
    signingKey: authority.privateKey,
  })
