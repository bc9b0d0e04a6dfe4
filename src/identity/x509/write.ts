/**
 * Writes certificates and CRLs: structures by node-forge's ASN.1 writer, keys and signatures by node:crypto.
 *
 * For the development authority and for tests, which also need certificates that break the rules: nothing here checks
 * what it is asked to write.
 */
import { createHash, randomBytes, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import forge from 'node-forge'
import type { KeyUsage } from '../certificate.ts'
import { oid } from './oids.ts'

const { asn1 } = forge
const { Class, Type } = asn1
type Node = forge.asn1.Asn1

const binary = (bytes: Buffer): string => bytes.toString('latin1')
const derOf = (node: Node): Buffer => Buffer.from(asn1.toDer(node).getBytes(), 'latin1')
const raw = (der: Buffer): Node => asn1.fromDer(binary(der))
const sequence = (...nodes: readonly Node[]): Node =>
  asn1.create(Class.UNIVERSAL, Type.SEQUENCE, true, [...nodes])
const setOf = (...nodes: readonly Node[]): Node =>
  asn1.create(Class.UNIVERSAL, Type.SET, true, [...nodes])
const primitive = (type: forge.asn1.Type, value: string): Node =>
  asn1.create(Class.UNIVERSAL, type, false, value)
const objectIdNode = (id: string): Node => primitive(Type.OID, asn1.oidToDer(id).getBytes())
const octets = (bytes: Buffer): Node => primitive(Type.OCTETSTRING, binary(bytes))
const bits = (bytes: Buffer, unused = 0): Node =>
  primitive(Type.BITSTRING, String.fromCharCode(unused) + binary(bytes))
const flag = (value: boolean): Node => primitive(Type.BOOLEAN, String.fromCharCode(value ? 255 : 0))
const small = (value: number): Node => primitive(Type.INTEGER, asn1.integerToDer(value).getBytes())
const context = (number: number, constructed: boolean, value: Node[] | string): Node =>
  asn1.create(Class.CONTEXT_SPECIFIC, number, constructed, value)

/** RFC 5280 §4.1.2.5: two-digit years through 2049, four digits from then on. */
const timeNode = (ms: number): Node => {
  const date = new Date(Math.floor(ms / 1000) * 1000)
  return date.getUTCFullYear() < 2050
    ? primitive(Type.UTCTIME, asn1.dateToUtcTime(date))
    : primitive(Type.GENERALIZEDTIME, asn1.dateToGeneralizedTime(date))
}

/** An extension to write; `value` is the DER that goes inside the octet string. */
export interface ExtensionText {
  readonly id: string
  readonly critical: boolean
  readonly value: Buffer
}

/** A distinguished name with one attribute in each relative name. */
export const writeName = (attributes: readonly (readonly [id: string, text: string])[]): Buffer =>
  derOf(
    sequence(
      ...attributes.map(([id, text]) =>
        setOf(sequence(objectIdNode(id), primitive(Type.UTF8, binary(Buffer.from(text, 'utf8'))))),
      ),
    ),
  )

/** The SubjectPublicKeyInfo of a key. */
export const spkiOf = (publicKey: KeyObject): Buffer =>
  publicKey.export({ format: 'der', type: 'spki' })

/** RFC 5280 §4.2.1.2, method 1 over the key info as a whole: stable and unique is all that is asked. */
export const keyIdOf = (spki: Buffer): Buffer =>
  createHash('sha256').update(spki).digest().subarray(0, 20)

const usageOrder: readonly KeyUsage[] = [
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

/** The values of the extensions that we write. */
export const extension = {
  basicConstraints: (ca: boolean, pathLength?: number): ExtensionText => ({
    id: oid.basicConstraints,
    critical: true,
    value: derOf(
      sequence(
        ...(ca ? [flag(true)] : []),
        ...(pathLength === undefined ? [] : [small(pathLength)]),
      ),
    ),
  }),
  keyUsage: (...usages: readonly KeyUsage[]): ExtensionText => {
    const indexes = usages.map((usage) => usageOrder.indexOf(usage))
    const last = Math.max(-1, ...indexes)
    const bytes = Buffer.alloc(Math.ceil((last + 1) / 8))
    for (const index of indexes) bytes[index >> 3]! |= 0x80 >> (index & 7)
    return {
      id: oid.keyUsage,
      critical: true,
      value: derOf(bits(bytes, last < 0 ? 0 : 7 - (last & 7))),
    }
  },
  extendedKeyUsage: (...purposes: readonly string[]): ExtensionText => ({
    id: oid.extendedKeyUsage,
    critical: false,
    value: derOf(sequence(...purposes.map(objectIdNode))),
  }),
  subjectKeyId: (keyId: Buffer): ExtensionText => ({
    id: oid.subjectKeyIdentifier,
    critical: false,
    value: derOf(octets(keyId)),
  }),
  authorityKeyId: (keyId: Buffer): ExtensionText => ({
    id: oid.authorityKeyIdentifier,
    critical: false,
    value: derOf(sequence(context(0, false, binary(keyId)))),
  }),
  subjectAltName: (names: readonly SubjectName[], critical: boolean): ExtensionText => ({
    id: oid.subjectAltName,
    critical,
    value: derOf(sequence(...names.map(generalName))),
  }),
  nameConstraints: (
    permitted: readonly SubjectName[],
    excluded: readonly SubjectName[],
  ): ExtensionText => ({
    id: oid.nameConstraints,
    critical: true,
    value: derOf(
      sequence(
        ...(permitted.length > 0
          ? [
              context(
                0,
                true,
                permitted.map((name) => sequence(generalName(name))),
              ),
            ]
          : []),
        ...(excluded.length > 0
          ? [
              context(
                1,
                true,
                excluded.map((name) => sequence(generalName(name))),
              ),
            ]
          : []),
      ),
    ),
  }),
}

/** A name to write: `ip` is its bytes, the others are text. */
export type SubjectName =
  | { readonly uri: string }
  | { readonly dns: string }
  | { readonly email: string }
  | { readonly ip: Buffer }
  | { readonly directory: Buffer }

const generalName = (name: SubjectName): Node => {
  if ('uri' in name) return context(6, false, binary(Buffer.from(name.uri, 'utf8')))
  if ('dns' in name) return context(2, false, binary(Buffer.from(name.dns, 'utf8')))
  if ('email' in name) return context(1, false, binary(Buffer.from(name.email, 'utf8')))
  if ('ip' in name) return context(7, false, binary(name.ip))
  return context(4, true, [raw(name.directory)])
}

const algorithmNode = (key: KeyObject, digest: 'sha256' | 'sha1'): Node => {
  if (key.asymmetricKeyType === 'ed25519') return sequence(objectIdNode(oid.ed25519))
  if (key.asymmetricKeyType === 'ec')
    return sequence(objectIdNode(digest === 'sha1' ? '1.2.840.10045.4.1' : oid.ecdsaWithSha256))
  return sequence(
    objectIdNode(digest === 'sha1' ? '1.2.840.113549.1.1.5' : oid.sha256WithRsa),
    primitive(Type.NULL, ''),
  )
}

/** Sixteen random bytes, positive: a serial number by RFC 5280 §4.1.2.2. */
export const freshSerial = (): Buffer => {
  const serial = randomBytes(16)
  serial[0] = (serial[0]! & 0x7f) | 0x40
  return serial
}

const finish = (signed: Node, key: KeyObject, digest: 'sha256' | 'sha1'): Buffer => {
  const signature = sign(key.asymmetricKeyType === 'ed25519' ? null : digest, derOf(signed), key)
  return derOf(sequence(signed, algorithmNode(key, digest), bits(signature)))
}

/** A certificate to write. Names are DER; times are milliseconds since 1970. */
export interface CertificateText {
  readonly serial: Buffer
  readonly issuer: Buffer
  readonly subject: Buffer
  readonly notBefore: number
  readonly notAfter: number
  readonly spki: Buffer
  readonly extensions: readonly ExtensionText[]
  readonly signingKey: KeyObject
  /** `sha1` exists so that tests can make what must be refused. */
  readonly digest?: 'sha256' | 'sha1'
}

/** Writes and signs a certificate of version 3. */
export const writeCertificate = (text: CertificateText): Buffer => {
  const digest = text.digest ?? 'sha256'
  const extensions = text.extensions.map((one) =>
    sequence(objectIdNode(one.id), ...(one.critical ? [flag(true)] : []), octets(one.value)),
  )
  const signed = sequence(
    context(0, true, [small(2)]),
    primitive(Type.INTEGER, binary(text.serial)),
    algorithmNode(text.signingKey, digest),
    raw(text.issuer),
    sequence(timeNode(text.notBefore), timeNode(text.notAfter)),
    raw(text.subject),
    raw(text.spki),
    ...(extensions.length > 0 ? [context(3, true, [sequence(...extensions)])] : []),
  )
  return finish(signed, text.signingKey, digest)
}

/** A CRL to write. Serials are lower-case hex. */
export interface RevocationListText {
  readonly issuer: Buffer
  readonly keyId: Buffer
  readonly number: number
  readonly thisUpdate: number
  readonly nextUpdate: number
  readonly revoked: readonly { readonly serial: string; readonly at: number }[]
  readonly signingKey: KeyObject
}

const serialNode = (hex: string): Node => {
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
  return primitive(
    Type.INTEGER,
    binary(bytes[0]! >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes),
  )
}

/** Writes and signs a complete CRL of version 2. */
export const writeRevocationList = (text: RevocationListText): Buffer => {
  const entries = text.revoked.map((one) => sequence(serialNode(one.serial), timeNode(one.at)))
  const { authorityKeyId } = extension
  const keyId = authorityKeyId(text.keyId)
  const signed = sequence(
    small(1),
    algorithmNode(text.signingKey, 'sha256'),
    raw(text.issuer),
    timeNode(text.thisUpdate),
    timeNode(text.nextUpdate),
    ...(entries.length > 0 ? [sequence(...entries)] : []),
    context(0, true, [
      sequence(
        sequence(objectIdNode(keyId.id), octets(keyId.value)),
        sequence(objectIdNode(oid.crlNumber), octets(derOf(small(text.number)))),
      ),
    ]),
  )
  return finish(signed, text.signingKey, 'sha256')
}
