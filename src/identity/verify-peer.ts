/**
 * Judges the certificate chain of a mesh peer: an X.509-SVID by the SPIFFE standard, on the bytes that it sent.
 *
 * This is the authority on who a peer is. OpenSSL's verdict comes first and is not enough: it knows nothing of trust
 * domains, of the one URI, nor of which key usages a workload may hold. Who may call whom is decided elsewhere.
 */
import { createHash } from 'node:crypto'
import { readCertificate, subjectText } from './certificate.ts'
import type { Certificate } from './certificate.ts'
import { checkRevocation } from './x509/crl.ts'
import { IdentityError } from './identity-error.ts'
import type { Peer } from './peer.ts'
import { SpiffeIdError, parseSpiffeId } from './spiffe-id.ts'
import type { SpiffeId } from './spiffe-id.ts'
import type { TrustBundles } from './trust-bundle.ts'
import { oid } from './x509/oids.ts'
import { findPath, publicKeyOf } from './x509/path.ts'
import { keyObjectOf } from './x509/signature.ts'

/** The most certificates that a peer may send. */
export const maxChainCertificates = 10
/** The most alternative names in each of them. */
export const maxPeerNames = 100
/** The most bytes that they may have together. */
export const maxChainBytes = 64 * 1024

const emptyName = Buffer.from([0x30, 0x00])
const bothPurposes = [oid.serverAuth, oid.clientAuth]

/** X509-SVID §2: exactly one URI SAN, and it is a SPIFFE ID. */
const idOf = (certificate: Certificate): SpiffeId => {
  const uris = certificate.names.filter((name) => name.kind === 'uri')
  if (uris.length !== 1)
    throw new IdentityError(
      'not-spiffe',
      `the certificate has ${uris.length} uri names, not exactly one`,
    )
  try {
    return parseSpiffeId((uris[0] as { readonly text: string }).text)
  } catch (error) {
    if (error instanceof SpiffeIdError) throw new IdentityError('not-spiffe', error.message)
    throw error
  }
}

/** X509-SVID §4 and §5.2 for a leaf; RFC 5280 where the standard leans on it. */
const judgeLeaf = (leaf: Certificate): SpiffeId => {
  if (leaf.basicConstraints?.ca)
    throw new IdentityError('not-a-leaf', 'the certificate is marked as a certificate authority')
  if (leaf.basicConstraints?.pathLength !== undefined || leaf.nameConstraints)
    throw new IdentityError(
      'not-a-leaf',
      'the certificate has constraints that only an authority has',
    )
  if (!leaf.keyUsage) throw new IdentityError('key-usage', 'the certificate has no key usage')
  if (!leaf.keyUsageCritical) throw new IdentityError('key-usage', 'the key usage is not critical')
  if (leaf.keyUsage.has('keyCertSign') || leaf.keyUsage.has('cRLSign'))
    throw new IdentityError('key-usage', 'the certificate may sign certificates or crls')
  if (!leaf.keyUsage.has('digitalSignature'))
    throw new IdentityError('key-usage', 'the certificate may not make digital signatures')
  const extended = leaf.extendedKeyUsage
  if (extended && !bothPurposes.every((purpose) => extended.has(purpose)))
    throw new IdentityError(
      'key-usage',
      'the extended key usage lacks server or client authentication',
    )
  const id = idOf(leaf)
  if (id.path === '')
    throw new IdentityError('not-spiffe', `${id.uri} names a trust domain and not a workload`)
  if (leaf.subject.equals(emptyName) && !leaf.namesCritical)
    throw new IdentityError(
      'not-spiffe',
      'the subject is empty and the alternative name is not critical',
    )
  if (leaf.unhandledCritical.length > 0)
    throw new IdentityError(
      'critical-extension',
      `the critical extension ${leaf.unhandledCritical[0]} is not understood`,
    )
  if (!leaf.serialIsSound)
    throw new IdentityError(
      'malformed',
      'the serial number is not a positive number of at most 20 bytes',
    )
  return id
}

/** X509-SVID §3.2: an authority that carries a SPIFFE ID carries one, without a path; ours also stays in its domain. */
const judgeIntermediate = (trustDomain: string) => (certificate: Certificate) => {
  if (!certificate.names.some((name) => name.kind === 'uri' && name.text.startsWith('spiffe:')))
    return
  const id = idOf(certificate)
  if (id.path !== '')
    throw new IdentityError('not-spiffe', 'an intermediate authority has the id of a workload')
  if (id.trustDomain !== trustDomain)
    throw new IdentityError(
      'unknown-authority',
      'an intermediate authority is of another trust domain',
    )
}

const read = (chain: readonly Buffer[]): readonly Certificate[] => {
  if (chain.length === 0)
    throw new IdentityError('no-certificate', 'the peer showed no certificate')
  if (chain.length > maxChainCertificates)
    throw new IdentityError(
      'too-large',
      `the chain has more than ${maxChainCertificates} certificates`,
    )
  if (chain.reduce((total, der) => total + der.length, 0) > maxChainBytes)
    throw new IdentityError('too-large', `the chain has more than ${maxChainBytes} bytes`)
  const certificates = chain.map((der) => readCertificate(der))
  if (certificates.some((certificate) => certificate.names.length > maxPeerNames))
    throw new IdentityError('too-large', `a certificate has more than ${maxPeerNames} names`)
  return certificates
}

/**
 * Checks what an X.509-SVID must be by itself, for one that we are about to show: the leaf's rules, and that whatever
 * follows may sign certificates. Neither signatures nor times are looked at.
 *
 * @throws IdentityError with the rule that was broken
 */
export const checkSvidShape = (chain: readonly Buffer[]): SpiffeId => {
  const [leaf, ...intermediates] = read(chain) as [Certificate, ...Certificate[]]
  const id = judgeLeaf(leaf)
  for (const intermediate of intermediates) {
    if (!intermediate.basicConstraints?.ca)
      throw new IdentityError(
        'unknown-authority',
        'a certificate after the leaf is not an authority',
      )
    if (!intermediate.keyUsage?.has('keyCertSign'))
      throw new IdentityError('key-usage', 'an authority after the leaf may not sign certificates')
  }
  return id
}

interface Verdict {
  readonly peer: Peer
  /** The verdict holds in this window and must be reached again outside it. */
  readonly from: number
  readonly until: number
}

const judge = (chain: readonly Buffer[], trust: TrustBundles, now: number): Verdict => {
  const [leaf, ...intermediates] = read(chain) as [Certificate, ...Certificate[]]
  const id = judgeLeaf(leaf)
  const bundle = trust.byTrustDomain.get(id.trustDomain)
  if (!bundle)
    throw new IdentityError('unknown-authority', `there is no trust bundle for ${id.trustDomain}`)
  const publicKey = keyObjectOf(publicKeyOf(leaf))
  const path = findPath({
    leaf,
    intermediates,
    anchors: bundle.authorities,
    now,
    purposes: bothPurposes,
    rules: 'svid',
    judgeIntermediate: judgeIntermediate(id.trustDomain),
  })
  let until = Math.min(...path.map((certificate) => certificate.notAfter))
  const from = Math.max(...path.map((certificate) => certificate.notBefore))
  const peer: Peer = {
    spiffeId: id.uri,
    trustDomain: id.trustDomain,
    path: id.path,
    thumbprint: leaf.thumbprint,
    publicKey,
    serial: leaf.serial,
    dnsNames: leaf.names.flatMap((name) => (name.kind === 'dns' ? [name.text] : [])),
    subject: subjectText(leaf),
    notBefore: from,
    notAfter: until,
    authority: path.at(-1)!.thumbprint,
    chain,
  }
  if (trust.revocation !== 'not-configured') {
    for (const [index, certificate] of path.slice(0, -1).entries()) {
      const need = index === 0 ? 'required' : 'if-listed'
      until = Math.min(
        until,
        checkRevocation(trust.revocation, certificate, path[index + 1]!, now, need),
      )
    }
  }
  return { peer, from, until }
}

/** Verdicts that were reached under one snapshot of trust, by the bytes of the chain. Refusals are not kept. */
const verdicts = new WeakMap<TrustBundles, Map<string, Verdict>>()
const maxVerdicts = 2_000
/** Longer chains are judged each time: remembering them would let a peer fill memory with needless certificates. */
const maxRememberedBytes = 8 * 1024

/** The key of a chain by its array: the array of a verified peer is asked about again and again. */
const chainKeys = new WeakMap<readonly Buffer[], string>()

const chainKey = (chain: readonly Buffer[]): string => {
  const known = chainKeys.get(chain)
  if (known !== undefined) return known
  const hash = createHash('sha256')
  for (const der of chain) hash.update(`${der.length}:`).update(der)
  const key = hash.digest('base64url')
  chainKeys.set(chain, key)
  return key
}

/**
 * Verifies the chain that a peer sent, leaf first, against the bundle of the trust domain that the leaf names.
 *
 * Pure in its three arguments; a verdict under the same snapshot of trust is remembered, so asking again about a
 * connection costs one hash.
 *
 * @param now milliseconds since 1970
 * @throws IdentityError with the rule that was broken
 */
export const verifyPeer = (chain: readonly Buffer[], trust: TrustBundles, now: number): Peer => {
  if (chain.length === 0 || chain.length > maxChainCertificates)
    return judge(chain, trust, now).peer
  const known = verdicts.get(trust) ?? new Map<string, Verdict>()
  verdicts.set(trust, known)
  const key = chainKey(chain)
  const old = known.get(key)
  if (old && now >= old.from && now <= old.until) return old.peer
  const verdict = judge(chain, trust, now)
  if (chain.reduce((total, der) => total + der.length, 0) > maxRememberedBytes) return verdict.peer
  if (known.size >= maxVerdicts) known.clear()
  known.set(key, verdict)
  return verdict.peer
}
