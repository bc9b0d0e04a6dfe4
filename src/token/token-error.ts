/**
 * The error of this library: a stable code, one line of detail, and what the bearer may be told.
 *
 * For the stage that turns it into a refusal. The detail names the rule that failed and never holds any part of a
 * token, a claim's value or a key: what a stranger sent must not reach a log through an error message.
 */
import { hash } from 'node:crypto'

/** Why a token was not accepted. The codes are the reasons of the refusal family `token`. */
export type TokenErrorCode =
  | 'missing'
  | 'ambiguous'
  | 'too-large'
  | 'malformed'
  | 'algorithm'
  | 'key-unknown'
  | 'keys-unavailable'
  | 'signature'
  | 'issuer'
  | 'audience'
  | 'expired'
  | 'not-yet-valid'
  | 'unbound'
  | 'claim'
  | 'step-up'

/** What the answer may tell the bearer, in the words of RFC 6750 §3 and RFC 9470 §3. */
export interface TokenChallenge {
  readonly error:
    'invalid_token' | 'insufficient_scope' | 'insufficient_user_authentication' | undefined
  readonly description: string | undefined
  /** Scopes that are needed, space separated. */
  readonly scope?: string
  /** Authentication context classes that would do, in order of preference, space separated. */
  readonly acrValues?: string
  /** The most seconds that may have passed since the user signed in. */
  readonly maxAgeSeconds?: number
}

export interface TokenErrorFacts {
  readonly challenge?: TokenChallenge
  /** How long to wait before the same request has a chance, in milliseconds. */
  readonly retryAfterMs?: number
  /** {@link tokenFingerprint} of the token, for the log. */
  readonly fingerprint?: string
}

/** A token, or the lack of one, that is not acceptable. */
export class TokenError extends Error {
  override readonly name = 'TokenError'
  readonly code: TokenErrorCode
  /** One line, lower case, without any content of the token. */
  readonly detail: string
  readonly challenge: TokenChallenge | undefined
  readonly retryAfterMs: number | undefined
  readonly fingerprint: string | undefined

  constructor(code: TokenErrorCode, detail: string, facts: TokenErrorFacts = {}) {
    super(`token.${code}: ${detail}`)
    this.code = code
    this.detail = detail
    this.challenge = facts.challenge
    this.retryAfterMs = facts.retryAfterMs
    this.fingerprint = facts.fingerprint
  }

  /** The same error with the fingerprint of the token it is about. */
  about(fingerprint: string): TokenError {
    if (this.fingerprint !== undefined) return this
    const facts: { -readonly [name in keyof TokenErrorFacts]: TokenErrorFacts[name] } = {
      fingerprint,
    }
    if (this.challenge !== undefined) facts.challenge = this.challenge
    if (this.retryAfterMs !== undefined) facts.retryAfterMs = this.retryAfterMs
    return new TokenError(this.code, this.detail, facts)
  }
}

/** The form in which a token may appear in a log: the first 8 bytes of its SHA-256, as 16 hexadecimal digits. */
export const tokenFingerprint = (token: string): string => hash('sha256', token, 'hex').slice(0, 16)
