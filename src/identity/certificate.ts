/**
 * Reads one X.509 certificate from DER (RFC 5280 §4), for the validators of peers and of third-party servers.
 *
 * Only what a verdict needs is read, and it is read strictly: one of each extension, nothing left over.
 * No signature, time or name is judged here, so a `Certificate` is a claim and not yet a fact.
 */
import { X509Certificate, createHash } from 'node:crypto'
import { IdentityError } from './identity-error.ts'
import {
  DerError,
  DerReader,
  bitString,
  boolean,
  integerBytes,
  objectId,
  readAll,
  readOnly,
  smallInteger,
  tag,
  time,
  wholeBytes,
} from './x509/der.ts'
import { readNameConstraints } from './x509/name-constraints.ts'
import type { NameConstraints } from './x509/name-constraints.ts'
import type { DerValue } from './x509/der.ts'
import { nameText, readGeneralName, readGeneralNames, readRelativeNames } from './x509/names.ts'
import type { GeneralName } from './x509/names.ts'
import { oid } from './x509/oids.ts'
import { readAlgorithm } from './x509/signature.ts'
import type { Algorithm } from './x509/signature.ts'

/** The bits of keyUsage, RFC 5280 §4.2.1.3. */
export type KeyUsage =
  | 'digitalSignature'
  | 'contentCommitment'
  | 'keyEncipherment'
  | 'dataEncipherment'
  | 'keyAgreement'
  | 'keyCertSign'
  | 'cRLSign'
  | 'encipherOnly'
  | 'decipherOnly'

/** An extension as it stands: `value` is the DER inside its octet string. */
export interface Extension {
  readonly id: string
  readonly critical: boolean
  readonly value: Buffer
}

/** A certificate that was read and not yet judged. Times are milliseconds since 1970. */
export interface Certificate {
  readonly der: Buffer
  /** base64url SHA-256 of `der`. */
  readonly thumbprint: string
  readonly signed: Buffer
  readonly signature: Buffer
  readonly algorithm: Algorithm
  /** Lower-case hex without leading zeros. */
  readonly serial: string
  /** RFC 5280 §4.1.2.2: positive and at most 20 bytes. Old roots break this, so it is said and not thrown. */
  readonly serialIsSound: boolean
  /** DER of the names. */
  readonly issuer: Buffer
  readonly subject: Buffer
  readonly notBefore: number
  readonly notAfter: number
  /** DER of the SubjectPublicKeyInfo, not yet judged. */
  readonly spki: Buffer
  readonly extensions: readonly Extension[]
  readonly names: readonly GeneralName[]
  readonly namesCritical: boolean
  readonly basicConstraints:
    | { readonly ca: boolean; readonly pathLength: number | undefined; readonly critical: boolean }
    | undefined
  readonly keyUsage: ReadonlySet<KeyUsage> | undefined
  readonly keyUsageCritical: boolean
  readonly extendedKeyUsage: ReadonlySet<string> | undefined
  readonly extendedKeyUsageCritical: boolean
  readonly subjectKeyId: Buffer | undefined
  /** The authority key identifier; `namesIssuer` when it also points at a certificate by issuer and serial. */
  readonly authorityKey:
    { readonly id: Buffer | undefined; readonly namesIssuer: boolean } | undefined
  readonly nameConstraints: NameConstraints | undefined
  /** Critical extensions that this code does not act on. Any of them refuses the path. */
  readonly unhandledCritical: readonly string[]
}

/** The largest certificate that is read at all. */
export const maxCertificateBytes = 64 * 1024
const maxExtensions = 64

const usageBits: readonly KeyUsage[] = [
  'digitalSignature',
  'contentCommitment',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
]

const readKeyUsage = (value: Buffer): ReadonlySet<KeyUsage> => {
  const reader = new DerReader(value)
  const { bytes } = bitString(reader.next(tag.bitString).content)
  reader.finish()
  const usage = new Set<KeyUsage>()
  for (const [index, name] of usageBits.entries()) {
    if (((bytes[index >> 3] ?? 0) >> (7 - (index & 7))) & 1) usage.add(name)
  }
  return usage
}

const readBasicConstraints = (
  value: Buffer,
  critical: boolean,
): Certificate['basicConstraints'] => {
  const reader = readOnly(value, tag.sequence)
  const flag = reader.optional(tag.boolean)
  const length = reader.optional(tag.integer)
  reader.finish()
  return {
    ca: flag !== undefined && boolean(flag.content),
    pathLength: length === undefined ? undefined : smallInteger(length.content),
    critical,
  }
}

const readExtendedKeyUsage = (value: Buffer): ReadonlySet<string> => {
  const purposes = readAll(readOnly(value, tag.sequence), tag.oid, 64)
  if (purposes.length === 0) throw new DerError('an extended key usage is empty')
  return new Set(purposes.map((purpose) => objectId(purpose.content)))
}

const readSubjectKeyId = (value: Buffer): Buffer => {
  const reader = new DerReader(value)
  const id = reader.next(tag.octetString).content
  reader.finish()
  return id
}

/** Context tags of AuthorityKeyIdentifier (RFC 5280 §4.2.1.1) in their order: key id, issuer, serial. */
const readAuthorityKeyId = (value: Buffer): Certificate['authorityKey'] => {
  const reader = readOnly(value, tag.sequence)
  const id = reader.optional(0x80)?.content
  const issuer = reader.optional(0xa1)
  const serial = reader.optional(0x82)
  reader.finish()
  return { id, namesIssuer: issuer !== undefined || serial !== undefined }
}

/** Nothing is done with these addresses; an empty or broken list is still a broken certificate. */
const checkInfoAccess = (value: Buffer): void => {
  const descriptions = readAll(readOnly(value, tag.sequence), tag.sequence, 64)
  if (descriptions.length === 0) throw new DerError('the authority information access is empty')
  for (const description of descriptions) {
    const reader = new DerReader(description.content)
    objectId(reader.next(tag.oid).content)
    readGeneralName(reader.next())
    reader.finish()
  }
}

const readExtensions = (der: Buffer): readonly Extension[] => {
  const seen = new Set<string>()
  const values = readAll(readOnly(der, tag.sequence), tag.sequence, maxExtensions)
  if (values.length === 0) throw new DerError('the list of extensions is empty')
  return values.map((entry) => {
    const reader = new DerReader(entry.content)
    const id = objectId(reader.next(tag.oid).content)
    const flag = reader.optional(tag.boolean)
    const value = reader.next(tag.octetString).content
    reader.finish()
    if (seen.has(id)) throw new DerError(`extension ${id} is there twice`)
    seen.add(id)
    return { id, critical: flag !== undefined && boolean(flag.content), value }
  })
}

/** Extensions that are acted on, or that say nothing about trust and may be marked critical without harm. */
const handled: ReadonlySet<string> = new Set([
  oid.subjectAltName,
  oid.basicConstraints,
  oid.keyUsage,
  oid.extendedKeyUsage,
  oid.nameConstraints,
  oid.certificatePolicies,
])

const hexSerial = (bytes: Buffer): string =>
  bytes
    .toString('hex')
    .replace(/^(00)+(?=..)/, '')
    .replace(/^0(?=.)/, '')

/** Version 1 is the default, and old roots have it; they carry no constraints, so no path ends at one. */
const readVersion = (wrapped: DerValue | undefined): 1 | 2 | 3 => {
  if (!wrapped) return 1
  const reader = new DerReader(wrapped.content)
  const number = smallInteger(reader.next(tag.integer).content)
  reader.finish()
  if (number !== 1 && number !== 2) throw new DerError('the version is not known')
  return number === 1 ? 2 : 3
}

const parse = (der: Buffer): Certificate => {
  const outer = readOnly(der, tag.sequence)
  const signed = outer.next(tag.sequence)
  const algorithm = readAlgorithm(outer.next(tag.sequence).whole)
  const signature = wholeBytes(outer.next(tag.bitString).content)
  outer.finish()

  const reader = new DerReader(signed.content)
  const version = readVersion(reader.optional(0xa0))
  const serial = integerBytes(reader.next(tag.integer).content)
  const innerAlgorithm = reader.next(tag.sequence).whole
  if (!innerAlgorithm.equals(algorithm.der))
    throw new DerError('the certificate names two different signature algorithms')
  const issuer = reader.next(tag.sequence).whole
  const validity = new DerReader(reader.next(tag.sequence).content)
  const notBefore = time(validity.next())
  const notAfter = time(validity.next())
  validity.finish()
  const subject = reader.next(tag.sequence).whole
  const spki = reader.next(tag.sequence).whole
  reader.optional(0x81)
  reader.optional(0x82)
  const wrapped = reader.optional(0xa3)
  reader.finish()
  if (wrapped && version !== 3) throw new DerError('only version 3 has extensions')
  readRelativeNames(issuer)
  readRelativeNames(subject)

  const extensions = wrapped ? readExtensions(wrapped.content) : []
  const find = (id: string) => extensions.find((extension) => extension.id === id)
  const value = <T>(id: string, read: (bytes: Buffer) => T): T | undefined => {
    const found = find(id)
    return found && read(found.value)
  }
  const basic = find(oid.basicConstraints)
  value(oid.authorityInfoAccess, checkInfoAccess)
  return {
    der,
    thumbprint: createHash('sha256').update(der).digest('base64url'),
    signed: signed.whole,
    signature,
    algorithm,
    serial: hexSerial(serial),
    serialIsSound: serial[0]! < 0x80 && serial.length <= 20 && serial.some((byte) => byte !== 0),
    issuer,
    subject,
    notBefore,
    notAfter,
    spki,
    extensions,
    names: value(oid.subjectAltName, readGeneralNames) ?? [],
    namesCritical: find(oid.subjectAltName)?.critical ?? false,
    basicConstraints: basic && readBasicConstraints(basic.value, basic.critical),
    keyUsage: value(oid.keyUsage, readKeyUsage),
    keyUsageCritical: find(oid.keyUsage)?.critical ?? false,
    extendedKeyUsage: value(oid.extendedKeyUsage, readExtendedKeyUsage),
    extendedKeyUsageCritical: find(oid.extendedKeyUsage)?.critical ?? false,
    subjectKeyId: value(oid.subjectKeyIdentifier, readSubjectKeyId),
    authorityKey: value(oid.authorityKeyIdentifier, readAuthorityKeyId),
    nameConstraints: value(oid.nameConstraints, readNameConstraints),
    unhandledCritical: extensions
      .filter((extension) => extension.critical && !handled.has(extension.id))
      .map((extension) => extension.id),
  }
}

/**
 * Reads one certificate from DER, with nothing after it.
 *
 * @throws IdentityError `malformed` or `too-large`
 */
export const readCertificate = (der: Buffer): Certificate => {
  if (der.length > maxCertificateBytes)
    throw new IdentityError(
      'too-large',
      `a certificate is larger than ${maxCertificateBytes} bytes`,
    )
  try {
    return parse(der)
  } catch (error) {
    if (!(error instanceof DerError)) throw error
    throw new IdentityError('malformed', `the certificate is malformed: ${error.message}`)
  }
}

/** Reads certificates that stand one after another in DER, as the SPIFFE Workload API sends them. */
export const splitCertificates = (der: Buffer): readonly Buffer[] => {
  try {
    return readAll(new DerReader(der), tag.sequence, 1_000).map((value) => Buffer.from(value.whole))
  } catch (error) {
    if (!(error instanceof DerError)) throw error
    throw new IdentityError('malformed', `the list of certificates is malformed: ${error.message}`)
  }
}

/** The PEM of a certificate, as OpenSSL writes it. */
export const certificatePem = (der: Buffer): string => new X509Certificate(der).toString()

/** The subject for people, most specific part first; empty when the subject is. */
export const subjectText = (certificate: Certificate): string => nameText(certificate.subject)
