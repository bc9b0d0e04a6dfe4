/** Certificates for tests, made when the test runs: whole trust domains, and single shapes that break one rule each. */
import { createPublicKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import {
  freshKey,
  issueIntermediate,
  issueRoot,
  issueSvid,
  validFor,
} from '../../src/identity/authority.ts'
import type { Authority, IssuedCertificate, Validity } from '../../src/identity/authority.ts'
import { readCertificate } from '../../src/identity/certificate.ts'
import { bundleOf, trustIn } from '../../src/identity/trust-bundle.ts'
import type { TrustBundles } from '../../src/identity/trust-bundle.ts'
import { assembleIdentity } from '../../src/identity/workload-identity.ts'
import type { WorkloadIdentity } from '../../src/identity/workload-identity.ts'
import { oid } from '../../src/identity/x509/oids.ts'
import {
  extension,
  freshSerial,
  keyIdOf,
  spkiOf,
  writeCertificate,
  writeName,
} from '../../src/identity/x509/write.ts'
import type { ExtensionText } from '../../src/identity/x509/write.ts'

const hour = 3_600_000

/** A root and an intermediate of one trust domain, and what they issue. */
export interface TrustDomain {
  readonly name: string
  readonly root: Authority
  readonly intermediate: Authority
  /** Trust in this trust domain alone. */
  readonly trust: TrustBundles
  svid(path: string, validity?: Validity): IssuedCertificate
  identity(path: string, validity?: Validity): WorkloadIdentity
}

/** Makes a trust domain whose authorities are valid for a day around `now`. */
export const aTrustDomain = (name: string, now = Date.now()): TrustDomain => {
  const root = issueRoot(name, validFor(now, 24 * hour))
  const intermediate = issueIntermediate(root, name, validFor(now, 24 * hour))
  const trust = trustIn([bundleOf(name, [root.certificate.der])])
  const svid = (path: string, validity = validFor(now, hour)) =>
    issueSvid(intermediate, { spiffeId: `spiffe://${name}${path}`, validity })
  return {
    name,
    root,
    intermediate,
    trust,
    svid,
    identity: (path, validity) => {
      const issued = svid(path, validity)
      return assembleIdentity(issued.chain, issued.privateKey, trust, now, 'test')
    },
  }
}

/** What makes a leaf; everything that is left out is as a good X.509-SVID has it. */
export interface LeafShape {
  readonly extensions?: (good: readonly ExtensionText[]) => readonly ExtensionText[]
  readonly subject?: Buffer
  readonly issuer?: Buffer
  readonly serial?: Buffer
  readonly validity?: Validity
  readonly key?: KeyObject
  readonly signingKey?: KeyObject
  readonly digest?: 'sha256' | 'sha1'
}

/** The extension with the same id replaced, or added. */
export const replaced = (
  good: readonly ExtensionText[],
  one: ExtensionText,
): readonly ExtensionText[] => [...good.filter((other) => other.id !== one.id), one]

/** All but the extension with this id. */
export const without = (good: readonly ExtensionText[], id: string): readonly ExtensionText[] =>
  good.filter((one) => one.id !== id)

/** A leaf for `spiffe://<domain>/workload`, changed in one way. */
export const aLeaf = (
  domain: TrustDomain,
  shape: LeafShape = {},
  now = Date.now(),
): IssuedCertificate => {
  const privateKey = shape.key ?? freshKey()
  const spki = spkiOf(createPublicKey(privateKey))
  const issuer = domain.intermediate
  const good = [
    extension.basicConstraints(false),
    extension.keyUsage('digitalSignature'),
    extension.extendedKeyUsage(oid.serverAuth, oid.clientAuth),
    extension.subjectAltName([{ uri: `spiffe://${domain.name}/workload` }], false),
    extension.subjectKeyId(keyIdOf(spki)),
    extension.authorityKeyId(keyIdOf(issuer.certificate.spki)),
  ]
  const der = writeCertificate({
    serial: shape.serial ?? freshSerial(),
    issuer: shape.issuer ?? issuer.certificate.subject,
    subject: shape.subject ?? writeName([[oid.commonName, 'workload']]),
    ...(shape.validity ?? validFor(now, hour)),
    spki,
    extensions: shape.extensions?.(good) ?? good,
    signingKey: shape.signingKey ?? issuer.privateKey,
    ...(shape.digest ? { digest: shape.digest } : {}),
  })
  return { chain: [der, ...issuer.intermediates], privateKey }
}

/** What makes an authority; everything that is left out is as a good one has it. */
export interface AuthorityShape {
  readonly extensions?: (good: readonly ExtensionText[]) => readonly ExtensionText[]
  readonly validity?: Validity
  readonly key?: KeyObject
  readonly digest?: 'sha256' | 'sha1'
  readonly serial?: Buffer
}

let made = 0

/** An authority under `parent`, changed in one way. */
export const anAuthority = (
  parent: Authority,
  trustDomain: string,
  shape: AuthorityShape = {},
  now = Date.now(),
): Authority => {
  const privateKey = shape.key ?? freshKey()
  const spki = spkiOf(createPublicKey(privateKey))
  made += 1
  const good = [
    extension.basicConstraints(true),
    extension.keyUsage('keyCertSign', 'cRLSign'),
    extension.subjectAltName([{ uri: `spiffe://${trustDomain}` }], false),
    extension.subjectKeyId(keyIdOf(spki)),
    extension.authorityKeyId(keyIdOf(parent.certificate.spki)),
  ]
  const der = writeCertificate({
    serial: shape.serial ?? freshSerial(),
    issuer: parent.certificate.subject,
    subject: writeName([[oid.commonName, `authority ${made}`]]),
    ...(shape.validity ?? validFor(now, 24 * hour)),
    spki,
    extensions: shape.extensions?.(good) ?? good,
    signingKey: parent.privateKey,
    ...(shape.digest ? { digest: shape.digest } : {}),
  })
  return {
    certificate: readCertificate(der),
    privateKey,
    intermediates: [der, ...parent.intermediates],
  }
}

/** The same trust domain with another issuing authority. */
export const issuingFrom = (domain: TrustDomain, intermediate: Authority): TrustDomain => ({
  ...domain,
  intermediate,
})
