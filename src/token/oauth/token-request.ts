/**
 * Builds the request for an access token: the grant, and the proof of who asks.
 *
 * For the keeper of access tokens. Pure: no network, no memory; time and randomness are given. A key that does not fit
 * the configured way is an error and never a request without proof.
 */
import type { Secret } from '../../secret.ts'
import { algorithmOfKey, signToken } from '../signature.ts'
import type { OAuthSettings, TokenRequest } from './oauth-client.ts'
import { OAuthError } from './oauth-error.ts'
import { readOAuthKey } from './oauth-key.ts'
import type { OAuthKey } from './oauth-key.ts'

/** What one request is made of beside the settings. */
export interface RequestFacts {
  readonly secret: Secret | undefined
  /** The user's token, for an exchange. */
  readonly subjectToken: string | undefined
  /** Milliseconds since 1970. */
  readonly now: number
  /** An id that was never used before. */
  readonly makeId: () => string
}

/** Life of a client assertion in milliseconds; it is used at once and only once. */
const clientAssertionLifetimeMs = 60_000

const grantTypes = {
  'oauth2-client-credentials': 'client_credentials',
  'oauth2-jwt-bearer': 'urn:ietf:params:oauth:grant-type:jwt-bearer',
  'oauth2-token-exchange': 'urn:ietf:params:oauth:grant-type:token-exchange',
} as const

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token'

interface AssertionClaims {
  readonly issuer: string
  readonly subject: string
  readonly lifetimeMs: number
  readonly extra?: Readonly<Record<string, unknown>>
}

/** A JWT assertion for the token endpoint (RFC 7523 §3). */
const makeAssertion = (
  settings: OAuthSettings,
  key: OAuthKey,
  facts: RequestFacts,
  claims: AssertionClaims,
): string => {
  if (key.privateKey === undefined)
    throw new OAuthError('key', 'the credential holds no private key to sign an assertion with')
  const algorithm = algorithmOfKey(key.privateKey)
  if (algorithm === undefined)
    throw new OAuthError(
      'key',
      'the private key cannot sign an assertion; use P-256, P-384, P-521, Ed25519 or RSA',
    )
  const issuedAt = Math.floor(facts.now / 1_000)
  return signToken(
    { typ: 'JWT', ...(key.keyId !== undefined && { kid: key.keyId }) },
    {
      iss: claims.issuer,
      sub: claims.subject,
      aud: settings.token_url,
      iat: issuedAt,
      exp: issuedAt + Math.floor(claims.lifetimeMs / 1_000),
      jti: facts.makeId(),
      ...claims.extra,
    },
    algorithm,
    key.privateKey,
  )
}

/** One half of a Basic credential as a form value (RFC 6749 §2.3.1). */
const formValue = (text: string): string => new URLSearchParams([['', text]]).toString().slice(1)

/** Adds what proves the client to `form`; gives the header or the certificate that belongs to it. */
const authenticate = (
  settings: OAuthSettings,
  key: OAuthKey,
  facts: RequestFacts,
  form: URLSearchParams,
): Pick<TokenRequest, 'headers' | 'clientCertificate'> => {
  const nothing = { headers: [], clientCertificate: undefined }
  switch (settings.client_authentication) {
    case 'client_secret_basic': {
      if (key.clientSecret !== undefined) {
        const pair = `${formValue(settings.client_id)}:${formValue(key.clientSecret.reveal())}`
        return {
          ...nothing,
          headers: [['authorization', `Basic ${Buffer.from(pair).toString('base64')}`]],
        }
      }
      // RFC 7523 §2.1: with the JWT bearer grant the assertion itself is the proof, and the client need not add one.
      if (settings.kind !== 'oauth2-jwt-bearer')
        throw new OAuthError('key', 'the credential holds no client secret')
      form.set('client_id', settings.client_id)
      return nothing
    }
    case 'private_key_jwt': {
      const claims = {
        issuer: settings.client_id,
        subject: settings.client_id,
        lifetimeMs: clientAssertionLifetimeMs,
      }
      form.set('client_id', settings.client_id)
      form.set('client_assertion_type', assertionType)
      form.set('client_assertion', makeAssertion(settings, key, facts, claims))
      return nothing
    }
    case 'tls_client_auth': {
      form.set('client_id', settings.client_id)
      const { certificatePem, privateKeyPem } = key
      if (certificatePem === undefined && privateKeyPem === undefined)
        return { ...nothing, clientCertificate: 'workload' }
      if (certificatePem === undefined || privateKeyPem === undefined)
        throw new OAuthError('key', 'the credential holds only one of certificate and private key')
      return { ...nothing, clientCertificate: { certificatePem, privateKeyPem } }
    }
  }
}

const addGrant = (
  settings: OAuthSettings,
  key: OAuthKey,
  facts: RequestFacts,
  form: URLSearchParams,
): void => {
  form.set('grant_type', grantTypes[settings.kind])
  if (settings.scope !== undefined) form.set('scope', settings.scope)
  if (settings.audience !== undefined) form.set('audience', settings.audience)
  if (settings.kind === 'oauth2-jwt-bearer') {
    const { issuer, subject, lifetime, scope } = settings
    const extra = scope === undefined ? {} : { scope }
    form.set(
      'assertion',
      makeAssertion(settings, key, facts, { issuer, subject, lifetimeMs: lifetime, extra }),
    )
  }
  if (settings.kind === 'oauth2-token-exchange') {
    if (facts.subjectToken === undefined)
      throw new OAuthError('key', 'the request carries no user token to exchange')
    form.set('subject_token', facts.subjectToken)
    form.set('subject_token_type', settings.subject_token_type)
    form.set('requested_token_type', accessTokenType)
  }
}

/**
 * The request for an access token.
 *
 * @throws {OAuthError} `key` when the secret, or the user's token, is not what the settings need
 */
export const buildTokenRequest = (settings: OAuthSettings, facts: RequestFacts): TokenRequest => {
  const key = readOAuthKey(facts.secret)
  const form = new URLSearchParams()
  addGrant(settings, key, facts, form)
  const { headers, clientCertificate } = authenticate(settings, key, facts, form)
  return {
    url: settings.token_url,
    headers: [
      ['content-type', 'application/x-www-form-urlencoded'],
      ['accept', 'application/json'],
      ...headers,
    ],
    body: form.toString(),
    clientCertificate,
  }
}
