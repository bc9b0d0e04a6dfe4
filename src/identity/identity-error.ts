/**
 * The two errors of this folder: a certificate that was judged and refused, and a file that could not be used.
 *
 * A stage or listener translates the first into a refusal of the `peer` or `hop` family; the second becomes a
 * configuration fault at start and an event (last good kept) at reload.
 */

/** Why a certificate chain was refused. Codes are stable: a refusal code is made from each. */
export type IdentityCode =
  /** The peer showed no certificate. */
  | 'no-certificate'
  /** A certificate is not strict DER, or an extension in it does not parse. */
  | 'malformed'
  | 'expired'
  | 'not-yet-valid'
  /** No path leads to the bundle of the peer's own trust domain, or there is no such bundle. */
  | 'unknown-authority'
  /** Not exactly one URI SAN, or the URI is not a SPIFFE ID with a path. */
  | 'not-spiffe'
  /** The leaf is marked as a certificate authority. */
  | 'not-a-leaf'
  /** Key usage or extended key usage do not allow this use. */
  | 'key-usage'
  /** Too many certificates, bytes, names or signature checks. */
  | 'too-large'
  | 'revoked'
  /** A CRL is configured and is missing or stale, so nothing can be said about revocation. */
  | 'revocation-unknown'
  /** SHA-1, MD5, a short RSA key or a curve that is not allowed. */
  | 'weak'
  /** A name constraint of an authority forbids the name, or cannot be checked. */
  | 'name-constraint'
  /** A critical extension that is not understood. */
  | 'critical-extension'
  /** The peer is a valid workload, but not the one that was expected. */
  | 'wrong-peer'
  /** The server certificate of a third party is for another host. */
  | 'wrong-host'
  /** Our own certificate is no longer valid, so no connection is made or taken. */
  | 'own-expired'

/** A certificate chain that was refused. `detail` says which rule and is safe to log; it holds no key material. */
export class IdentityError extends Error {
  readonly code: IdentityCode
  readonly detail: string

  constructor(code: IdentityCode, detail: string) {
    super(detail)
    this.name = 'IdentityError'
    this.code = code
    this.detail = detail
  }
}

/** What was wrong with a file of keys or certificates, and what to do about it. */
export interface IdentityFileProblem {
  readonly file: string
  readonly expected: string
  readonly got: string
  readonly fix: string
}

/** A file of an identity source that cannot be used. Carries no content of the file. */
export class IdentityFileError extends Error {
  readonly code = 'identity-file'
  readonly problem: IdentityFileProblem

  constructor(problem: IdentityFileProblem) {
    super(`${problem.file}: expected ${problem.expected}, got ${problem.got}; fix: ${problem.fix}`)
    this.name = 'IdentityFileError'
    this.problem = problem
  }
}
