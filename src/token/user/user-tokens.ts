/**
 * The end user's token, verified on this hop: on whose behalf a request is made.
 *
 * For the stage that verifies tokens. One instance lives as long as one revision of the configuration; it owns the key
 * sources and what is remembered. A token that was seen before, or whose key is known, is judged without a promise; only
 * a key that may have to be fetched makes one. Who the peer is and what policy says of the claims is decided elsewhere.
 */
import type { KeyObject } from 'node:crypto'
import { BoundedCache } from '../bounded-cache.ts'
import { keyDocumentOf } from '../keys/key-documents.ts'
import { KeySource } from '../keys/key-source.ts'
import type { KeySourceEvent, KeySourceStatus } from '../keys/key-source.ts'
import { maxTokenLength, parseClaims, parseToken, unverifiedIssuer } from '../parse.ts'
import type { ParsedToken } from '../parse.ts'
import type { ProviderSection, TokenRequirement, TokensSection } from '../section.ts'
import { verifySignature } from '../signature.ts'
import { TokenError } from '../token-error.ts'
import { tokenHash } from '../token-hash.ts'
import type {
  Claims,
  FetchDocument,
  HeaderView,
  TokenClock,
  VerifiedToken,
} from '../verified-token.ts'
import { claimHeaders } from './claim-headers.ts'
import { judgeClaims } from './claims.ts'
import { findToken, placesOf } from './find-token.ts'
import type { FoundToken } from './find-token.ts'
import { checkRequirement } from './requirement.ts'

/** What {@link UserTokens} is built from. */
export interface UserTokensParts {
  readonly section: TokensSection
  readonly fetchDocument: FetchDocument
  readonly clock: TokenClock
  readonly onEvent: (event: KeySourceEvent) => void
}

/** The check that one route asks for, prepared once. */
export interface UserTokenCheck {
  /**
   * Verifies the user token of a request. Gives undefined when the route does not look at user tokens, or when they are
   * optional and there is none; a promise only when keys have to be fetched.
   *
   * @param thumbprint of the peer's certificate on this connection, for tokens that are bound to one
   * @throws {TokenError} (or rejects with one)
   */
  readonly verify: (
    headers: HeaderView,
    thumbprint: string | undefined,
  ) => VerifiedToken | undefined | Promise<VerifiedToken | undefined>
  /** The headers that the application is given of a verified token. */
  readonly headersFor: (token: VerifiedToken) => readonly (readonly [string, string])[]
  /** Headers that we may set from claims; they are removed from every incoming request on this route. */
  readonly claimHeaderNames: readonly string[]
  /** Headers in which the token came and that are not handed to the application (`forward: false`). */
  readonly withheldHeaders: (token: VerifiedToken) => readonly string[]
}

interface Remembered {
  readonly token: VerifiedToken
  readonly revision: number
  readonly from: number
  readonly until: number
}

interface Provider {
  readonly name: string
  readonly section: ProviderSection
  readonly keys: KeySource
  readonly remembered: BoundedCache<Remembered>
}

/** How often a key file is looked at for a change, in milliseconds. */
const fileRefreshMs = 2_000
/** `typ` values of access tokens (RFC 9068 §2.1) and of plain JWTs; DPoP proofs, logout and event tokens are others. */
const acceptedTypes = ['jwt', 'at+jwt', 'jose'] as const
const keysRetryMs = 5_000

export class UserTokens {
  readonly #providers: ReadonlyMap<string, Provider>
  readonly #clock: TokenClock

  constructor({ section, fetchDocument, clock, onEvent }: UserTokensParts) {
    this.#clock = clock
    this.#providers = new Map(
      Object.entries(section.providers).map(([name, provider]) => {
        const isFile = provider.jwks_file !== undefined
        const keys = new KeySource({
          provider: name,
          load: keyDocumentOf(provider, fetchDocument),
          refreshMs: isFile ? fileRefreshMs : provider.cache.keys,
          cooldownMs: isFile ? fileRefreshMs : provider.cache.cooldown,
          maxStaleMs: provider.max_stale,
          clock,
          onEvent,
        })
        return [
          name,
          {
            name,
            section: provider,
            keys,
            remembered: new BoundedCache<Remembered>(provider.cache.tokens),
          },
        ]
      }),
    )
  }

  /** Starts loading keys; resolves when each provider has loaded them once or failed to. Never rejects. */
  async start(): Promise<void> {
    await Promise.all([...this.#providers.values()].map(({ keys }) => keys.refresh()))
  }

  /** Loads the keys of one provider, or of all, now: for an operator who must make a removed key stop at once. */
  async refresh(provider?: string): Promise<void> {
    const chosen = [...this.#providers.values()].filter(
      ({ name }) => provider === undefined || name === provider,
    )
    await Promise.all(chosen.map(({ keys }) => keys.refresh()))
  }

  /** State of each provider's keys. The sidecar is ready when none is `loading` or `unavailable`. */
  status(): readonly KeySourceStatus[] {
    return [...this.#providers.values()].map(({ keys }) => keys.status)
  }

  /** Stops refreshing. Verification goes on with the keys that are there. */
  close(): void {
    for (const { keys } of this.#providers.values()) keys.close()
  }

  /** Prepares the check of one route. Provider names that do not exist are ignored here; the configuration refuses them. */
  prepare(requirement: TokenRequirement): UserTokenCheck {
    const providers = (requirement.providers ?? [...this.#providers.keys()]).flatMap(
      (name) => this.#providers.get(name) ?? [],
    )
    const places = placesOf(providers.map(({ name, section }) => [name, section]))
    const mappings = (provider: Provider) => [
      ...provider.section.claim_to_headers,
      ...requirement.claim_to_headers,
    ]
    const named = [...providers.flatMap(mappings), ...requirement.claim_to_headers].map(
      ({ header_name: name }) => name,
    )
    return {
      verify: (headers, thumbprint) => {
        if (requirement.user === 'off') return undefined
        const found = findToken(headers, places)
        if (found !== undefined) return this.#verify(found, requirement, thumbprint)
        if (requirement.user === 'optional') return undefined
        throw new TokenError('missing', 'the request has no user token')
      },
      headersFor: (token) => {
        const provider = this.#providers.get(token.provider)
        return provider === undefined ? [] : claimHeaders(token.claims, mappings(provider))
      },
      claimHeaderNames: [...new Set(named)],
      withheldHeaders: (token) => {
        const section = this.#providers.get(token.provider)?.section
        return section === undefined || section.forward
          ? []
          : section.from_headers.map(({ name }) => name)
      },
    }
  }

  #verify(
    found: FoundToken,
    requirement: TokenRequirement,
    thumbprint: string | undefined,
  ): VerifiedToken | Promise<VerifiedToken> {
    if (found.token.length > maxTokenLength) {
      throw new TokenError('too-large', `the token is longer than ${maxTokenLength} characters`)
    }
    const digest = tokenHash(found.token)
    const finish = (token: VerifiedToken): VerifiedToken =>
      this.#finish(token, requirement, thumbprint)
    try {
      const known = this.#recall(digest, found.providers)
      if (known !== undefined) return finish(known)
      const verified = this.#verifyNew(found, digest)
      if (!(verified instanceof Promise)) return finish(verified)
      return verified.then(finish).catch((error: unknown) => {
        throw described(error, digest)
      })
    } catch (error) {
      throw described(error, digest)
    }
  }

  /** A token that was verified before and would be again: same keys, and now within its time. */
  #recall(digest: string, names: readonly string[]): VerifiedToken | undefined {
    const now = this.#clock.now()
    for (const name of names) {
      const provider = this.#providers.get(name)
      const entry = provider?.remembered.get(digest)
      if (provider === undefined || entry === undefined) continue
      const isGood =
        entry.revision === provider.keys.revision && now >= entry.from && now < entry.until
      if (isGood && provider.keys.isUsable()) return entry.token
      provider.remembered.delete(digest)
    }
    return undefined
  }

  #verifyNew(found: FoundToken, digest: string): VerifiedToken | Promise<VerifiedToken> {
    const candidates = found.providers.flatMap((name) => this.#providers.get(name) ?? [])
    const algorithms = [...new Set(candidates.flatMap(({ section }) => section.algorithms))]
    const parsed = parseToken(found.token, {
      algorithms,
      types: acceptedTypes,
      typeMayBeAbsent: true,
    })
    const claims = parseClaims(parsed.payload)
    const provider = chooseProvider(candidates, claims)
    if (!provider.section.algorithms.includes(parsed.algorithm)) {
      throw new TokenError(
        'algorithm',
        'the token is not signed with an algorithm that its issuer is allowed',
      )
    }
    const accept = (key: KeyObject): VerifiedToken =>
      this.#accept(provider, parsed, claims, key, digest)
    const key = provider.keys.find(parsed.algorithm, parsed.keyId)
    if (key !== undefined) return accept(key)
    const refresh = provider.keys.refreshForMissing()
    if (refresh === undefined) throw keyMissing(provider)
    return refresh.then(() => {
      const fetched = provider.keys.find(parsed.algorithm, parsed.keyId)
      if (fetched === undefined) throw keyMissing(provider)
      return accept(fetched)
    })
  }

  #accept(
    provider: Provider,
    parsed: ParsedToken,
    claims: Claims,
    key: KeyObject,
    digest: string,
  ): VerifiedToken {
    if (!verifySignature(parsed.algorithm, key, parsed.signingInput, parsed.signature)) {
      throw new TokenError('signature', 'the signature is not of the key that the token names')
    }
    const { notBefore, ...judged } = judgeClaims(claims, provider.section, this.#clock.now())
    const token: VerifiedToken = Object.freeze({
      provider: provider.name,
      ...judged,
      hash: digest,
      fingerprint: fingerprintOf(digest),
    })
    const skew = provider.section.clock_skew
    provider.remembered.set(digest, {
      token,
      revision: provider.keys.revision,
      from: notBefore - skew,
      until: judged.expiresAt + skew,
    })
    return token
  }

  /** What depends on the request and not only on the token. */
  #finish(
    token: VerifiedToken,
    requirement: TokenRequirement,
    thumbprint: string | undefined,
  ): VerifiedToken {
    if (token.thumbprint !== undefined && token.thumbprint !== thumbprint) {
      throw new TokenError(
        'unbound',
        'the token is bound to another certificate than that of this connection',
      )
    }
    const skew = this.#providers.get(token.provider)?.section.clock_skew ?? 0
    checkRequirement(token, requirement, this.#clock.now(), skew)
    return token
  }
}

/** The provider whose issuer the token claims; among several, the one whose audience it is for. */
const chooseProvider = (candidates: readonly Provider[], claims: Claims): Provider => {
  const issuer = unverifiedIssuer(claims)
  const matching = candidates.filter(({ section }) => section.issuer === issuer)
  const audiences: readonly unknown[] = [claims['aud']].flat()
  const chosen =
    matching.find(({ section }) =>
      section.audiences.some((audience) => audiences.includes(audience)),
    ) ?? matching[0]
  if (chosen === undefined)
    throw new TokenError('issuer', 'the token is from an issuer that is not accepted here')
  return chosen
}

/** Without the newest keys nobody can tell a wrong key id from a new one, so that is our failure and not the bearer's. */
const keyMissing = ({ keys }: Provider): TokenError =>
  keys.isUsable() && !keys.isFailing
    ? new TokenError('key-unknown', 'the token names a key that its issuer does not have')
    : new TokenError('keys-unavailable', 'the keys of the issuer cannot be fetched', {
        retryAfterMs: keysRetryMs,
      })

const fingerprintOf = (digest: string): string =>
  Buffer.from(digest, 'base64url').toString('hex', 0, 8)

const described = (error: unknown, digest: string): unknown =>
  error instanceof TokenError ? error.about(fingerprintOf(digest)) : error
