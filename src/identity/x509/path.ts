/**
 * Builds and checks the path from a leaf to an authority that is trusted (RFC 5280 §6.1), for peers and servers alike.
 *
 * Authorities are held to the rules too, trusted ones included, except that nobody's signature over a trusted one is
 * asked for. Work is bounded: certificates, signature checks and name comparisons. What a leaf must be is the
 * caller's business, and so is its name.
 */
import type { Certificate } from '../certificate.ts'
import { IdentityError } from '../identity-error.ts'
import { DerError } from './der.ts'
import { checkNames } from './name-constraints.ts'
import type { GeneralName } from './names.ts'
import { oid } from './oids.ts'
import { isSignedBy, readPublicKey } from './signature.ts'
import type { PublicKeyInfo } from './signature.ts'

/** What a path is asked for. */
export interface PathQuestion {
  readonly leaf: Certificate
  readonly intermediates: readonly Certificate[]
  readonly anchors: readonly Certificate[]
  /** Milliseconds since 1970. */
  readonly now: number
  /** Purposes that an authority with an extended key usage must allow. */
  readonly purposes: readonly string[]
  /** `strict` also asks for what RFC 5280 §4.2 demands of conforming authorities; `svid` for what X509-SVID does. */
  readonly rules: 'svid' | 'strict' | 'tolerant'
  /** Judges an intermediate before its signature is looked at; throws to refuse it. */
  readonly judgeIntermediate?: (certificate: Certificate) => void
  /** Asked about each certificate below an authority, with that authority; throws when it is revoked. */
  readonly judgeRevocation?: (certificate: Certificate, issuer: Certificate) => void
  /** The most intermediates that are not self-issued; unlimited (but for the bounds) when absent. */
  readonly maxIntermediates?: number
}

/** Certificates on one path, the leaf and the trusted authority included. */
export const maxPathCertificates = 10
/** A P-521 check costs about a millisecond, so this holds a handshake under 20 ms. */
const maxSignatureChecks = 16
const maxNameComparisons = 250_000

const emptyName = Buffer.from([0x30, 0x00])

/** True when a certificate is issued in its own name (RFC 5280 §3.2), as at a change of key. */
const isSelfIssued = (certificate: Certificate): boolean =>
  certificate.issuer.equals(certificate.subject)

/** @throws IdentityError `expired` or `not-yet-valid` */
export const checkValidity = (certificate: Certificate, now: number, what: string): void => {
  if (now > certificate.notAfter)
    throw new IdentityError(
      'expired',
      `${what} expired at ${new Date(certificate.notAfter).toISOString()}`,
    )
  if (now < certificate.notBefore)
    throw new IdentityError(
      'not-yet-valid',
      `${what} is not valid before ${new Date(certificate.notBefore).toISOString()}`,
    )
}

/** The key of a certificate, after the allow-list. @throws IdentityError `weak` or `malformed` */
export const publicKeyOf = (certificate: Certificate): PublicKeyInfo => {
  const known = keys.get(certificate)
  if (known) return known
  try {
    const made = readPublicKey(certificate.spki)
    keys.set(certificate, made)
    return made
  } catch (error) {
    if (error instanceof DerError)
      throw new IdentityError('malformed', `a public key is malformed: ${error.message}`)
    throw error
  }
}
const keys = new WeakMap<Certificate, PublicKeyInfo>()

const checkAuthority = (question: PathQuestion, authority: Certificate, trusted: boolean): void => {
  const what = trusted ? 'the trusted authority' : 'an intermediate authority'
  checkValidity(authority, question.now, what)
  if (authority.unhandledCritical.length > 0)
    throw new IdentityError(
      'critical-extension',
      `${what} has the critical extension ${authority.unhandledCritical[0]}, which is not understood`,
    )
  if (!authority.basicConstraints?.ca)
    throw new IdentityError('unknown-authority', `${what} is not marked as a certificate authority`)
  const usage = authority.keyUsage
  if (usage ? !usage.has('keyCertSign') : question.rules === 'svid' && !trusted)
    throw new IdentityError('key-usage', `${what} may not sign certificates (no keyCertSign)`)
  const extended = authority.extendedKeyUsage
  const allowed =
    !extended ||
    extended.has(oid.anyExtendedKeyUsage) ||
    question.purposes.every((purpose) => extended.has(purpose))
  if (!allowed) throw new IdentityError('key-usage', `${what} may not issue for this use`)
  if (!trusted && !authority.serialIsSound)
    throw new IdentityError('malformed', `${what} has a serial number outside the rules`)
  if (!trusted) question.judgeIntermediate?.(authority)
  if (question.rules === 'strict') checkConforming(authority, trusted)
}

/** RFC 5280 §4.1.2.6 and §4.2.1: what a conforming authority must carry. */
const checkConforming = (authority: Certificate, trusted: boolean): void => {
  const wrong = (rule: string) =>
    new IdentityError('malformed', `an authority breaks rfc 5280: ${rule}`)
  if (authority.subject.equals(emptyName)) throw wrong('its subject is empty')
  if (!authority.basicConstraints?.critical) throw wrong('its basic constraints are not critical')
  // Public roots without a subject key id exist, and a root is chosen by whoever runs this.
  if (!authority.subjectKeyId && !trusted) throw wrong('it has no subject key id')
  const key = authority.authorityKey
  if (trusted && isSelfIssued(authority)) checkRootKeyId(authority)
  else if (!key?.id) throw wrong('it has no authority key id')
  const constraints = authority.extensions.find((extension) => extension.id === oid.nameConstraints)
  if (constraints && !constraints.critical) throw wrong('its name constraints are not critical')
}

/** A root that points at its authority must point at itself, by key and nothing else (CA/Browser Forum §7.1.2.1.3). */
const checkRootKeyId = (root: Certificate): void => {
  const key = root.authorityKey
  if (!key) return
  const own = key.id !== undefined && (!root.subjectKeyId || root.subjectKeyId.equals(key.id))
  if (own && !key.namesIssuer) return
  throw new IdentityError('malformed', 'a root has an authority key id that is not its own key id')
}

const mayHaveIssued = (issuer: Certificate, certificate: Certificate): boolean =>
  issuer.subject.equals(certificate.issuer) &&
  !certificate.issuer.equals(emptyName) &&
  (!certificate.authorityKey?.id ||
    !issuer.subjectKeyId ||
    issuer.subjectKeyId.equals(certificate.authorityKey.id))

/** Names that constraints apply to: the alternative names, and the subject unless it is empty. */
const constrainedNames = (certificate: Certificate): readonly GeneralName[] =>
  certificate.subject.equals(emptyName)
    ? certificate.names
    : [...certificate.names, { kind: 'directory', name: certificate.subject }]

class Search {
  readonly #question: PathQuestion
  readonly #names = { left: maxNameComparisons }
  #signaturesLeft = maxSignatureChecks
  #failure: IdentityError | undefined

  constructor(question: PathQuestion) {
    this.#question = question
  }

  run(): readonly Certificate[] {
    const path = this.#extend([this.#question.leaf])
    if (path) return path
    throw (
      this.#failure ??
      new IdentityError('unknown-authority', 'no trusted authority issued this certificate')
    )
  }

  /** Tries trusted authorities first, then intermediates, depth first. */
  #extend(path: readonly Certificate[]): readonly Certificate[] | undefined {
    const last = path.at(-1)!
    for (const anchor of this.#question.anchors) {
      if (!mayHaveIssued(anchor, last)) continue
      const whole = this.#attempt(path, anchor, 'trusted')
      if (whole) return whole
    }
    if (path.length + 1 >= maxPathCertificates) return undefined
    for (const candidate of this.#question.intermediates) {
      if (!mayHaveIssued(candidate, last) || this.#isOn(path, candidate)) continue
      const longer = this.#attempt(path, candidate, 'intermediate')
      const whole = longer && this.#extend(longer)
      if (whole) return whole
    }
    return undefined
  }

  #isOn(path: readonly Certificate[], candidate: Certificate): boolean {
    return path.some(
      (one) => one.subject.equals(candidate.subject) && one.spki.equals(candidate.spki),
    )
  }

  #attempt(
    path: readonly Certificate[],
    issuer: Certificate,
    role: 'trusted' | 'intermediate',
  ): readonly Certificate[] | undefined {
    try {
      this.#check(path, issuer, role)
      return [...path, issuer]
    } catch (caught) {
      const error =
        caught instanceof DerError ? new IdentityError('malformed', caught.message) : caught
      if (!(error instanceof IdentityError) || error.code === 'too-large') throw error
      this.#failure ??= error
      return undefined
    }
  }

  #check(
    path: readonly Certificate[],
    issuer: Certificate,
    role: 'trusted' | 'intermediate',
  ): void {
    const question = this.#question
    checkAuthority(question, issuer, role === 'trusted')
    const between = path.slice(1).filter((one) => !isSelfIssued(one)).length
    const room = issuer.basicConstraints?.pathLength
    if (room !== undefined && between > room)
      throw new IdentityError('unknown-authority', 'an authority allows fewer authorities below it')
    if (question.maxIntermediates !== undefined && between > question.maxIntermediates)
      throw new IdentityError('unknown-authority', 'the path has too many intermediates')
    const child = path.at(-1)!
    this.#signaturesLeft -= 1
    if (this.#signaturesLeft < 0)
      throw new IdentityError('too-large', `more than ${maxSignatureChecks} signatures to check`)
    if (!isSignedBy(publicKeyOf(issuer), child.algorithm, child.signed, child.signature))
      throw new IdentityError(
        'unknown-authority',
        'a signature does not match the key of the authority',
      )
    if (issuer.nameConstraints) this.#checkConstraints(path, issuer)
    question.judgeRevocation?.(child, issuer)
  }

  #checkConstraints(path: readonly Certificate[], issuer: Certificate): void {
    for (const [index, one] of path.entries()) {
      if (index > 0 && isSelfIssued(one)) continue
      checkNames(constrainedNames(one), issuer.nameConstraints!, this.#names)
    }
  }
}

/**
 * The first path that holds, leaf first and trusted authority last. The leaf's own validity is checked too.
 *
 * @throws IdentityError with the reason of the first candidate that failed, or `unknown-authority` when there is none
 */
export const findPath = (question: PathQuestion): readonly Certificate[] => {
  checkValidity(question.leaf, question.now, 'the certificate')
  return new Search(question).run()
}
