/**
 * Verifies the hop token of a request against the peer on the connection: who calls, for which user's token.
 *
 * For the stage that verifies tokens. The only key that is tried is that of the peer's certificate, so there is no
 * issuer to trust and no key to distribute; a token that was taken from another workload fails here whatever it says.
 * It does not judge the peer's certificate, which was done when the connection was made, nor the user's token.
 */
import { parseSpiffeId } from '../../identity/spiffe-id.ts'
import { BoundedCache } from '../bounded-cache.ts'
import { maxTokenLength, parseClaims, parseToken } from '../parse.ts'
import type { HopSection } from '../section.ts'
import { algorithmOfKey, verifySignature } from '../signature.ts'
import { isJsonObject } from '../strict-json.ts'
import { TokenError, tokenFingerprint } from '../token-error.ts'
import { tokenHash } from '../token-hash.ts'
import type { Claims, TokenClock, TokenPeer, VerifiedCaller } from '../verified-token.ts'
import { hopTokenType, maxChainLength, maxHopLifetimeMs } from './hop-token.ts'
import type { HopExpectation } from './hop-token.ts'
import { isTransactionId } from './mint.ts'

/** What {@link HopVerifier} is built from. */
export interface HopVerifierParts {
  readonly section: HopSection
  readonly clock: Pick<TokenClock, 'now'>
}

interface Remembered {
  readonly caller: VerifiedCaller
  readonly audience: string
  readonly from: number
  readonly until: number
}

const own = (claims: Claims, name: string): unknown =>
  Object.hasOwn(claims, name) ? claims[name] : undefined

const readSeconds = (claims: Claims, name: string): number => {
  const value = own(claims, name)
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value * 1_000
  throw new TokenError('malformed', `${name} of the hop token is not a whole number of seconds`)
}

const readSpiffeId = (value: unknown): string => {
  if (typeof value !== 'string')
    throw new TokenError('malformed', 'the chain of the hop token is not one of SPIFFE IDs')
  try {
    return parseSpiffeId(value).uri
  } catch {
    throw new TokenError('malformed', 'the chain of the hop token is not one of SPIFFE IDs')
  }
}

const readChain = (claims: Claims): readonly string[] => {
  const chain: string[] = []
  for (let actor = own(claims, 'act'); actor !== undefined;) {
    if (!isJsonObject(actor))
      throw new TokenError('malformed', 'act of the hop token is not an object')
    if (chain.length === maxChainLength)
      throw new TokenError('too-large', `the hop token names more than ${maxChainLength} callers`)
    chain.push(readSpiffeId(own(actor, 'sub')))
    actor = own(actor, 'act')
  }
  return Object.freeze(chain)
}

const checkBinding = (claims: Claims, peer: TokenPeer): void => {
  const confirmation = own(claims, 'cnf')
  const thumbprint = isJsonObject(confirmation) ? own(confirmation, 'x5t#S256') : undefined
  if (thumbprint === peer.thumbprint) return
  throw new TokenError(
    'unbound',
    'the hop token is bound to another certificate than that of this connection',
  )
}

const checkParties = (claims: Claims, peer: TokenPeer, audience: string): void => {
  const { uri } = peer.spiffeId
  if (own(claims, 'iss') !== uri || own(claims, 'sub') !== uri)
    throw new TokenError('issuer', 'the hop token is of another workload than the peer')
  // One audience as a text: a list could be valid at several services.
  if (own(claims, 'aud') !== audience)
    throw new TokenError('audience', 'the hop token is meant for another service')
}

export class HopVerifier {
  readonly #skew: number
  readonly #clock: Pick<TokenClock, 'now'>
  readonly #remembered: BoundedCache<Remembered>

  constructor({ section, clock }: HopVerifierParts) {
    this.#skew = section.clock_skew
    this.#clock = clock
    this.#remembered = new BoundedCache(section.cache)
  }

  /**
   * Verifies the hop token in `values`, the values of its header.
   *
   * @throws {TokenError} `missing`, `ambiguous`, or why the token is not this peer's for this call
   */
  verify(values: readonly string[], peer: TokenPeer, expected: HopExpectation): VerifiedCaller {
    const [token] = values
    if (token === undefined || token === '')
      throw new TokenError(
        'missing',
        'the request has no hop token; is there a sidecar at the caller?',
      )
    if (values.length > 1)
      throw new TokenError('ambiguous', 'the request has more than one hop token')
    if (token.length > maxTokenLength)
      throw new TokenError('too-large', `the hop token is longer than ${maxTokenLength} characters`)
    try {
      const caller = this.#recall(token, peer, expected.audience)
      // Also for a token that is remembered: what it says of the user's token must be true of this very request.
      if (caller.userTokenHash !== expected.userTokenHash) {
        throw new TokenError(
          'unbound',
          'the hop token was made for another user token than the request carries',
        )
      }
      return caller
    } catch (error) {
      throw error instanceof TokenError ? error.about(tokenFingerprint(token)) : error
    }
  }

  #recall(token: string, peer: TokenPeer, audience: string): VerifiedCaller {
    const now = this.#clock.now()
    const key = `${tokenHash(token)} ${peer.thumbprint}`
    const known = this.#remembered.get(key)
    if (
      known !== undefined &&
      known.audience === audience &&
      now >= known.from &&
      now < known.until
    )
      return known.caller
    const { caller, issuedAt } = this.#verifyNew(token, peer, audience, now)
    this.#remembered.set(key, {
      caller,
      audience,
      from: issuedAt - this.#skew,
      until: caller.expiresAt + this.#skew,
    })
    return caller
  }

  #verifyNew(
    token: string,
    peer: TokenPeer,
    audience: string,
    now: number,
  ): { caller: VerifiedCaller; issuedAt: number } {
    const algorithm = algorithmOfKey(peer.publicKey)
    if (algorithm === undefined)
      throw new TokenError('algorithm', 'the key of the peer’s certificate cannot sign tokens')
    const parsed = parseToken(token, {
      algorithms: [algorithm],
      types: [hopTokenType],
      typeMayBeAbsent: false,
    })
    const claims = parseClaims(parsed.payload)
    // Before the signature: cheaper, and it names the usual reason, a token that is not of this connection.
    checkBinding(claims, peer)
    if (!verifySignature(algorithm, peer.publicKey, parsed.signingInput, parsed.signature)) {
      throw new TokenError(
        'signature',
        'the hop token is not signed with the key of the peer’s certificate',
      )
    }
    checkParties(claims, peer, audience)
    const { issuedAt, expiresAt } = this.#checkTimes(claims, now)
    const userTokenHash = own(claims, 'ath')
    const transaction = own(claims, 'txn')
    if (userTokenHash !== undefined && typeof userTokenHash !== 'string')
      throw new TokenError('malformed', 'ath of the hop token is not a text')
    if (typeof transaction !== 'string' || !isTransactionId(transaction))
      throw new TokenError('malformed', 'txn of the hop token is not a transaction id')
    const caller = Object.freeze({
      spiffeId: peer.spiffeId.uri,
      chain: readChain(claims),
      transaction,
      userTokenHash,
      expiresAt,
      fingerprint: tokenFingerprint(token),
    })
    return { caller, issuedAt }
  }

  #checkTimes(claims: Claims, now: number): { issuedAt: number; expiresAt: number } {
    const issuedAt = readSeconds(claims, 'iat')
    const expiresAt = readSeconds(claims, 'exp')
    if (expiresAt <= issuedAt || expiresAt - issuedAt > maxHopLifetimeMs)
      throw new TokenError(
        'claim',
        `the hop token does not live between 1 and ${maxHopLifetimeMs / 1_000} s`,
      )
    if (issuedAt - this.#skew > now)
      throw new TokenError('not-yet-valid', 'the hop token is not valid yet; check the clocks')
    if (now >= expiresAt + this.#skew) throw new TokenError('expired', 'the hop token has expired')
    return { issuedAt, expiresAt }
  }
}
