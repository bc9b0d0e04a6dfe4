/**
 * What the rest of the sidecar learns from a token that passed, and what it must bring along to have one judged.
 *
 * For stages, policy input and telemetry. Values of these types are made only by the verifiers of this folder.
 */
import type { KeyObject } from 'node:crypto'

/** Claims as parsed, frozen to the last leaf because they are shared by every request that brings the same token. */
export type Claims = Readonly<Record<string, unknown>>

/** The end user's token, verified: on whose behalf the request is made. */
export interface VerifiedToken {
  /** Name of the provider in the configuration. */
  readonly provider: string
  readonly issuer: string
  readonly subject: string | undefined
  readonly audiences: readonly string[]
  readonly scopes: readonly string[]
  readonly claims: Claims
  /** Milliseconds since 1970 after which it must not be used, skew not included; infinity when it has no `exp`. */
  readonly expiresAt: number
  /** `cnf["x5t#S256"]`: base64url SHA-256 of the certificate that it is bound to, if it is. */
  readonly thumbprint: string | undefined
  /** Base64url SHA-256 of the token text: the `ath` of a hop token. */
  readonly hash: string
  /** First 8 bytes of the SHA-256 in hexadecimal, for logs. */
  readonly fingerprint: string
}

/** The calling sidecar's token, verified: who calls, for which user's token, at the end of which chain. */
export interface VerifiedCaller {
  /** SPIFFE ID of the caller; equal to that of the peer on the connection. */
  readonly spiffeId: string
  /** Who called the caller, nearest first: the caller's word, proven to be said by it and not proven to be so. */
  readonly chain: readonly string[]
  /** Transaction id. */
  readonly transaction: string
  /** Base64url SHA-256 of the user's token that this call carries, if it carries one. */
  readonly userTokenHash: string | undefined
  /** Milliseconds since 1970. */
  readonly expiresAt: number
  readonly fingerprint: string
}

/** What this library needs of the header list of a request; names are lower case. */
export interface HeaderView {
  all(name: string): readonly string[]
}

/** The other end of the mutual TLS connection, as far as tokens are concerned. */
export interface TokenPeer {
  readonly spiffeId: { readonly uri: string }
  /** Base64url SHA-256 of the leaf certificate in DER. */
  readonly thumbprint: string
  readonly publicKey: KeyObject
}

/** Our own end: who signs hop tokens. A `WorkloadIdentity` is one. */
export interface HopSigner {
  readonly spiffeId: { readonly uri: string }
  /** Base64url SHA-256 of the leaf certificate in DER: the client certificate of the connection that carries the token. */
  readonly thumbprint: string
  readonly privateKey: KeyObject
}

/** Time as the library needs it. */
export interface TokenClock {
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Calls `action` once after `delayMs`, without keeping the process alive; returns a function that prevents it. */
  readonly after: (delayMs: number, action: () => void) => () => void
}

/** The clock of the machine. */
export const systemClock: TokenClock = {
  now: Date.now,
  after: (delayMs, action) => {
    const timer = setTimeout(action, delayMs)
    timer.unref()
    return () => clearTimeout(timer)
  },
}

/** A document as it came over the network. */
export interface FetchedDocument {
  readonly status: number
  readonly contentType: string | undefined
  readonly body: Buffer
}

/**
 * Fetches one document through the guarded way out. It must not follow redirects, must stop at `maxBytes` and at
 * `timeoutMs`, and rejects when it cannot answer. What came back is judged here.
 */
export type FetchDocument = (
  url: string,
  limits: { readonly timeoutMs: number; readonly maxBytes: number; readonly signal: AbortSignal },
) => Promise<FetchedDocument>
