/**
 * The registered claims of a user token, judged (RFC 7519 §4.1, RFC 8725 §3.8–3.12, RFC 9068 §4).
 *
 * For the verifier, after the signature was found good. Texts are compared whole and exactly. It does not look at what
 * a route requires, nor at which connection the token arrived on.
 */
import { decodeBase64url } from '../parse.ts'
import type { ProviderSection } from '../section.ts'
import { isJsonObject } from '../strict-json.ts'
import { TokenError } from '../token-error.ts'
import type { Claims, VerifiedToken } from '../verified-token.ts'

/** The part of a provider's configuration that its tokens' claims are held against. */
export type ClaimRules = Pick<
  ProviderSection,
  | 'issuer'
  | 'audiences'
  | 'clock_skew'
  | 'require_expiration'
  | 'max_lifetime'
  | 'certificate_binding'
  | 'id_tokens'
>

/** What the claims say once they are found acceptable, and for how long that holds, skew included, in milliseconds. */
export type JudgedClaims = Pick<
  VerifiedToken,
  'issuer' | 'subject' | 'audiences' | 'scopes' | 'claims' | 'expiresAt' | 'thumbprint'
> & { readonly notBefore: number }

const thumbprintBytes = 32
/** Claims that only other kinds of token have: ID tokens, logout and security event tokens, DPoP proofs (RFC 8725 §3.11). */
const idTokenClaims = ['at_hash', 'c_hash', 's_hash']
const foreignClaims = ['events', 'htm', 'htu']

const own = (claims: Claims, name: string): unknown =>
  Object.hasOwn(claims, name) ? claims[name] : undefined

const optionalText = (claims: Claims, name: string): string | undefined => {
  const value = own(claims, name)
  if (value === undefined || typeof value === 'string') return value
  throw new TokenError('malformed', `${name} is not a text`)
}

/** A NumericDate (RFC 7519 §2) in milliseconds. The reader of the JSON has already refused what is not finite. */
const optionalTime = (claims: Claims, name: string): number | undefined => {
  const value = own(claims, name)
  if (value === undefined) return undefined
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) {
    throw new TokenError('malformed', `${name} is not a number of seconds`)
  }
  return value * 1_000
}

const readAudiences = (claims: Claims): readonly string[] => {
  const value = own(claims, 'aud')
  if (value === undefined) return []
  const listed: readonly unknown[] = Array.isArray(value) ? value : [value]
  return listed.map((audience) => {
    if (typeof audience === 'string') return audience
    throw new TokenError('malformed', 'aud is not a text or a list of texts')
  })
}

/** Scopes of `scope` (RFC 8693 §4.2, RFC 9068 §2.2.3) or, where an issuer uses it instead, of `scp`. */
export const readScopes = (claims: Claims): readonly string[] => {
  const value = own(claims, 'scope') ?? own(claims, 'scp')
  if (value === undefined) return []
  if (typeof value === 'string') return value.split(' ').filter((scope) => scope !== '')
  if (Array.isArray(value) && value.every((scope) => typeof scope === 'string')) return value
  throw new TokenError('malformed', 'scope is not a text')
}

const checkKind = (claims: Claims, rules: ClaimRules): void => {
  const foreign = foreignClaims.find((name) => Object.hasOwn(claims, name))
  if (foreign !== undefined)
    throw new TokenError('malformed', `the claim ${foreign} belongs to another kind of token`)
  const idToken = idTokenClaims.find((name) => Object.hasOwn(claims, name))
  if (idToken === undefined || rules.id_tokens === 'unsafe_accept') return
  throw new TokenError(
    'malformed',
    `the claim ${idToken} belongs to an ID token; send the access token`,
  )
}

const checkTimes = (
  claims: Claims,
  rules: ClaimRules,
  now: number,
): { expiresAt: number; notBefore: number } => {
  const expires = optionalTime(claims, 'exp')
  const notBefore = optionalTime(claims, 'nbf')
  const issued = optionalTime(claims, 'iat')
  if (expires === undefined && rules.require_expiration === true) {
    throw new TokenError('claim', 'the token has no exp; set require_expiration to accept it')
  }
  const skew = rules.clock_skew
  const starts = Math.max(notBefore ?? 0, issued ?? 0)
  if (starts - skew > now)
    throw new TokenError('not-yet-valid', 'the token is not valid yet; check the clocks')
  // RFC 7519 §4.1.4: on or after exp it must not be accepted.
  const ends =
    expires ?? (issued === undefined ? Number.POSITIVE_INFINITY : issued + rules.max_lifetime)
  if (now >= ends + skew) throw new TokenError('expired', 'the token has expired')
  const lifetime = (expires ?? 0) - (issued ?? now + skew)
  if (lifetime > rules.max_lifetime)
    throw new TokenError('claim', 'the token lives longer than max_lifetime')
  return { expiresAt: ends, notBefore: starts }
}

/** The thumbprint of `cnf` (RFC 8705 §3.1). A confirmation that we cannot check is not ignored (RFC 7800 §3.1). */
const readConfirmation = (claims: Claims, rules: ClaimRules): string | undefined => {
  if (rules.certificate_binding === 'unsafe_ignore') return undefined
  const confirmation = own(claims, 'cnf')
  if (confirmation === undefined) {
    if (rules.certificate_binding === 'enforce') return undefined
    throw new TokenError(
      'unbound',
      'the token is not bound to a certificate, and the provider requires it',
    )
  }
  if (!isJsonObject(confirmation)) throw new TokenError('malformed', 'cnf is not an object')
  const others = Object.keys(confirmation).filter((name) => name !== 'x5t#S256')
  const thumbprint = own(confirmation, 'x5t#S256')
  if (thumbprint === undefined || others.length > 0) {
    throw new TokenError(
      'unbound',
      'the token is bound in a way that cannot be checked here; only cnf x5t#S256 can',
    )
  }
  if (typeof thumbprint !== 'string' || decodeBase64url(thumbprint)?.length !== thumbprintBytes) {
    throw new TokenError('malformed', 'cnf x5t#S256 is not a SHA-256 thumbprint')
  }
  return thumbprint
}

/** Freezes a value of JSON to the last leaf; its depth was bounded when it was read. */
const freeze = (value: unknown): void => {
  if (typeof value !== 'object' || value === null) return
  for (const member of Object.values(value)) freeze(member)
  Object.freeze(value)
}

/**
 * Judges the claims of a token whose signature is good.
 *
 * @param now milliseconds since 1970
 * @throws {TokenError} `issuer`, `audience`, `expired`, `not-yet-valid`, `claim`, `unbound`, `malformed`
 */
export const judgeClaims = (claims: Claims, rules: ClaimRules, now: number): JudgedClaims => {
  const issuer = optionalText(claims, 'iss')
  if (issuer !== rules.issuer)
    throw new TokenError('issuer', 'the token is from an issuer that is not accepted here')
  checkKind(claims, rules)
  const audiences = readAudiences(claims)
  if (!audiences.some((audience) => rules.audiences.includes(audience))) {
    throw new TokenError(
      'audience',
      audiences.length === 0 ? 'the token has no aud' : 'the token is meant for another service',
    )
  }
  const times = checkTimes(claims, rules, now)
  const subject = optionalText(claims, 'sub')
  const thumbprint = readConfirmation(claims, rules)
  const scopes = readScopes(claims)
  freeze(claims)
  return { issuer, subject, audiences, scopes, claims, thumbprint, ...times }
}
