/**
 * What an OAuth client is configured with, and what it needs from outside: the shapes that the files here share.
 *
 * The settings are those of `authentication` in a catalog entry, so that one can be handed over as it is.
 */
import type { Secret } from '../../secret.ts'

/** How we prove to the token endpoint who we are (RFC 6749 §2.3.1, RFC 7523 §2.2, RFC 8705 §2). */
export type ClientAuthentication = 'client_secret_basic' | 'private_key_jwt' | 'tls_client_auth'

interface EndpointSettings {
  readonly token_url: string
  readonly client_id: string
  /** Scopes, separated by blanks. */
  readonly scope?: string | undefined
  readonly audience?: string | undefined
  readonly client_authentication: ClientAuthentication
}

/** RFC 6749 §4.4: the workload as itself. */
export interface ClientCredentialsSettings extends EndpointSettings {
  readonly kind: 'oauth2-client-credentials'
}

/** RFC 7523 §2.1: for a subject that we may speak for. */
export interface JwtBearerSettings extends EndpointSettings {
  readonly kind: 'oauth2-jwt-bearer'
  readonly issuer: string
  readonly subject: string
  /** Life of the assertion in milliseconds. */
  readonly lifetime: number
}

/** RFC 8693: for the user whose token the request carries. */
export interface TokenExchangeSettings extends EndpointSettings {
  readonly kind: 'oauth2-token-exchange'
  readonly subject_token_type: string
}

/** How access tokens of one API are obtained. */
export type OAuthSettings = ClientCredentialsSettings | JwtBearerSettings | TokenExchangeSettings

/** The certificate that the transport presents to the token endpoint: that of the workload, or one of its own. */
export type ClientCertificate =
  'workload' | { readonly certificatePem: string; readonly privateKeyPem: Secret }

/** A request to a token endpoint. Header values and body are secret. */
export interface TokenRequest {
  readonly url: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: string
  readonly clientCertificate: ClientCertificate | undefined
}

/** What a token endpoint answered. */
export interface TokenAnswer {
  readonly status: number
  readonly contentType: string | undefined
  /** The value of `Retry-After`, if there is one. */
  readonly retryAfter?: string | undefined
  readonly body: Buffer
}

/**
 * Posts one request through the guarded way out: no redirects, no retries, an end at `timeoutMs`, at `maxBytes` and on
 * abort. Rejects when there is no answer.
 */
export type PostTokenRequest = (
  request: TokenRequest,
  limits: { readonly timeoutMs: number; readonly maxBytes: number; readonly signal: AbortSignal },
) => Promise<TokenAnswer>
