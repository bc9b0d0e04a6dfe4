/**
 * Judges what a token endpoint answered (RFC 6749 §5, RFC 8693 §2.2).
 *
 * For the keeper of access tokens. Only a bearer token that can stand in a header is taken; everything else is an error
 * that repeats nothing of the answer but the registered error word.
 */
import { Secret } from '../../secret.ts'
import { isJsonObject, parseStrictJson, StrictJsonError } from '../strict-json.ts'
import type { OAuthSettings, TokenAnswer } from './oauth-client.ts'
import { OAuthError } from './oauth-error.ts'

/** An access token as the server gave it. */
export interface GivenToken {
  readonly accessToken: Secret
  /** Life in milliseconds from the moment the request was sent. */
  readonly lifetimeMs: number
}

/** The most bytes of an answer that are read. */
export const maxAnswerBytes = 64 * 1024
/** What a token without `expires_in` is trusted for. */
const assumedLifetimeMs = 300_000
const maxLifetimeMs = 86_400_000
const maxTokenLength = 16 * 1024
/** RFC 6750 §2.1, b64token: what may follow `Bearer`. */
const bearerToken = /^[A-Za-z0-9\-._~+/]+=*$/
const errorWord = /^[a-z][a-z0-9_]{0,63}$/
const maxRetryAfterMs = 300_000
const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token'
const jwtType = 'urn:ietf:params:oauth:token-type:jwt'

const parseBody = (answer: TokenAnswer): Readonly<Record<string, unknown>> | undefined => {
  if (
    answer.contentType !== undefined &&
    !/^application\/([a-z0-9.+-]+\+)?json\s*(;|$)/i.test(answer.contentType)
  )
    return undefined
  try {
    const value = parseStrictJson(answer.body, 16)
    return isJsonObject(value) ? value : undefined
  } catch (error) {
    if (error instanceof StrictJsonError) return undefined
    throw error
  }
}

const retryAfterOf = (answer: TokenAnswer): number | undefined => {
  const seconds = /^\d{1,6}$/.test(answer.retryAfter ?? '') ? Number(answer.retryAfter) : undefined
  return seconds === undefined ? undefined : Math.min(seconds * 1_000, maxRetryAfterMs)
}

const refusalOf = (answer: TokenAnswer): OAuthError => {
  const { status } = answer
  if (status === 429 || status >= 500)
    return new OAuthError(
      'unavailable',
      `the token endpoint answered ${status}`,
      retryAfterOf(answer),
    )
  if (status >= 300 && status < 400)
    return new OAuthError(
      'answer',
      `the token endpoint redirects (${status}); redirects are not followed, configure the final URL`,
    )
  const named = parseBody(answer)?.['error']
  const word = typeof named === 'string' && errorWord.test(named) ? ` with ${named}` : ''
  return new OAuthError('refused', `the token endpoint refused (${status})${word}`)
}

const lifetimeOf = (body: Readonly<Record<string, unknown>>): number => {
  const given = body['expires_in']
  if (given === undefined) return assumedLifetimeMs
  // Some servers send the number as a text.
  const seconds = typeof given === 'string' && /^\d{1,9}$/.test(given) ? Number(given) : given
  if (typeof seconds !== 'number' || !(seconds > 0))
    throw new OAuthError('answer', 'the token endpoint gave a token without a usable expires_in')
  return Math.min(seconds * 1_000, maxLifetimeMs)
}

/**
 * The access token of an answer.
 *
 * @throws {OAuthError} `refused`, `unavailable` or `answer`
 */
export const readTokenAnswer = (answer: TokenAnswer, settings: OAuthSettings): GivenToken => {
  if (answer.status !== 200) throw refusalOf(answer)
  const body = answer.body.length > maxAnswerBytes ? undefined : parseBody(answer)
  if (body === undefined)
    throw new OAuthError('answer', 'the token endpoint did not answer with acceptable JSON')
  const token = body['access_token']
  if (typeof token !== 'string' || token.length > maxTokenLength || !bearerToken.test(token)) {
    throw new OAuthError('answer', 'the token endpoint gave no usable access_token')
  }
  const type = body['token_type']
  if (typeof type !== 'string' || type.toLowerCase() !== 'bearer')
    throw new OAuthError('answer', 'the token endpoint gave a token that is not a bearer token')
  if (settings.kind === 'oauth2-token-exchange') {
    // RFC 8693 §2.2.1: issued_token_type is required; a refresh or ID token must not be sent as an access token.
    const issued = body['issued_token_type']
    if (issued !== accessTokenType && issued !== jwtType)
      throw new OAuthError('answer', 'the token endpoint exchanged for another kind of token')
  }
  return { accessToken: new Secret(token), lifetimeMs: lifetimeOf(body) }
}
