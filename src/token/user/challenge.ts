/**
 * The answer to a request whose token was not acceptable: HTTP status and `WWW-Authenticate` (RFC 6750 §3, RFC 9470 §3).
 *
 * For the stage that makes a refusal of a token error. The text holds only what the configuration says and fixed words,
 * never anything of the token.
 */
import type { TokenChallenge, TokenError, TokenErrorCode } from '../token-error.ts'

/** How a token error is answered. */
export interface TokenAnswer {
  readonly status: 400 | 401 | 403 | 503
  /** Value for `WWW-Authenticate`; absent when signing in again would not help. */
  readonly wwwAuthenticate: string | undefined
  /** Seconds for `Retry-After`. */
  readonly retryAfterSeconds: number | undefined
}

const descriptions: Readonly<Partial<Record<TokenErrorCode, string>>> = {
  'too-large': 'the token is too large',
  malformed: 'the token is malformed',
  algorithm: 'the signature algorithm is not accepted',
  'key-unknown': 'the signing key is not known',
  signature: 'the signature is not valid',
  issuer: 'the issuer is not accepted',
  audience: 'the token is meant for another service',
  expired: 'the token has expired',
  'not-yet-valid': 'the token is not valid yet',
  unbound: 'the token is bound to another certificate',
  claim: 'a claim is not acceptable',
}

/** A quoted-string of RFC 9110 §5.6.4; what it cannot hold becomes a blank. */
const quoted = (text: string): string =>
  `"${text.replace(/[^\x20-\x7e]/g, ' ').replace(/["\\]/g, '\\$&')}"`

const challengeOf = (error: TokenError): TokenChallenge => {
  if (error.challenge !== undefined) return error.challenge
  // RFC 6750 §3.1: a request without a token is told the scheme and no error.
  if (error.code === 'missing') return { error: undefined, description: undefined }
  return { error: 'invalid_token', description: descriptions[error.code] }
}

const statusOf = (error: TokenError): TokenAnswer['status'] => {
  if (error.code === 'keys-unavailable') return 503
  return error.challenge?.error === 'insufficient_scope' ? 403 : 401
}

/**
 * How to answer `error`.
 *
 * @param realm the protection space that the client is told, usually the service's name
 */
export const answerTokenError = (error: TokenError, realm: string): TokenAnswer => {
  const status = statusOf(error)
  if (status === 503) {
    const retryAfterSeconds = Math.max(1, Math.ceil((error.retryAfterMs ?? 1_000) / 1_000))
    return { status, wwwAuthenticate: undefined, retryAfterSeconds }
  }
  const challenge = challengeOf(error)
  const parameters = [
    ['realm', realm],
    ['error', challenge.error],
    ['error_description', challenge.description],
    ['scope', challenge.scope],
    ['acr_values', challenge.acrValues],
    ['max_age', challenge.maxAgeSeconds?.toString()],
  ] as const
  const written = parameters.flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${quoted(value)}`],
  )
  return { status, wwwAuthenticate: `Bearer ${written.join(', ')}`, retryAfterSeconds: undefined }
}
