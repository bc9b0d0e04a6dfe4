/**
 * What a hop token is: the calling sidecar's short statement "I call you, on this connection, for this user's token".
 *
 * For the minter, the verifier and the stages between them. A profile says how the statement is written; `bound` (ours)
 * is a JWT under the key of the X.509-SVID of the connection. JWT-SVIDs and WIMSE tokens can become further profiles
 * without the stages noticing.
 *
 * Claims of `bound`, header `typ: sallyport-hop+jwt`, `alg` that of the SVID's key, no `kid`, since the only key that
 * can verify it is the one of the peer's certificate:
 *
 * | claim | value |
 * | --- | --- |
 * | `iss`, `sub` | SPIFFE ID of the caller |
 * | `aud` | SPIFFE ID of the callee, one text |
 * | `iat`, `exp` | seconds; at most 60 apart |
 * | `cnf` | `{"x5t#S256": …}`, thumbprint of the caller's certificate on this connection (RFC 8705 §3.1) |
 * | `ath` | base64url SHA-256 of the user's token, if the request carries one (as RFC 9449 §4.2) |
 * | `txn` | transaction id (RFC 8417 §2.2) |
 * | `act` | who called the caller, nested, nearest outermost (RFC 8693 §4.1) |
 *
 * What the receiver may conclude: the peer on this connection makes this call, with this user's token and no other.
 * `act` and `txn` are the caller's word: proven to be said by the caller, not proven to be so.
 *
 * Reuse. Tokens are not one-time: a token is worth nothing on any other connection, so a replay needs the private key
 * and could as well mint. One token therefore serves all calls with the same certificate, audience, user token, chain
 * and transaction for half of its life, and the receiver verifies it once. A transaction id given by the caller of the
 * minter (from the hop token of the request that caused this call) is kept; otherwise the id is made together with the
 * token and is shared by the calls that share the token. Such an id groups calls; the trace id tells them apart. Where
 * each call needs an id of its own, `transaction: per_request` makes a token per request at the price of a signature
 * and a verification.
 */
import type { HopSigner, TokenPeer, VerifiedCaller } from '../verified-token.ts'

/** The header that carries a hop token. It is removed from everything that does not come from a mesh peer. */
export const hopTokenHeader = 'x-sallyport-hop'

/** The `typ` of a hop token. */
export const hopTokenType = 'sallyport-hop+jwt'

/** The most earlier callers a token can name; a longer chain is taken for a loop. */
export const maxChainLength = 16

/** The longest life of a hop token in milliseconds, whatever its sender is configured to. */
export const maxHopLifetimeMs = 60_000

/** What a token is to be minted for. */
export interface HopTokenRequest {
  /** SPIFFE ID of the callee. */
  readonly audience: string
  /** `hash` of the user's token that the request carries. */
  readonly userTokenHash: string | undefined
  /** SPIFFE IDs of who called us, nearest first; empty where the call begins here. */
  readonly chain: readonly string[]
  /** Transaction id of the request that caused this one, if there is one. */
  readonly transaction: string | undefined
}

/** What the receiver knows by itself and holds a token against. */
export interface HopExpectation {
  /** Our own SPIFFE ID. */
  readonly audience: string
  /** Base64url SHA-256 of the user's token that the request carries, whether or not that token is acceptable. */
  readonly userTokenHash: string | undefined
}

/** One way to write the caller's statement. */
export interface HopProfile {
  readonly name: string
  /** The headers that it uses, in lower case; the sidecar removes them from what is not of the mesh. */
  readonly headers: readonly string[]
  /** Headers to add to a request that goes out over a connection authenticated with `signer`. */
  readonly mint: (
    signer: HopSigner,
    request: HopTokenRequest,
  ) => readonly (readonly [string, string])[]
  /** Judges the statement of `peer`; `all` gives the values of a header. @throws {TokenError} */
  readonly verify: (
    all: (name: string) => readonly string[],
    peer: TokenPeer,
    expected: HopExpectation,
  ) => VerifiedCaller
}
