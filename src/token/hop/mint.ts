/**
 * Mints hop tokens for the calls of this workload, and reuses them as `hop-token.ts` explains.
 *
 * For the stage that attaches tokens to an outbound request. The signer must be the identity that the connection to the
 * callee is authenticated with: a token that names another certificate is refused at the other end. It does not decide
 * whether the call may be made.
 */
import { BoundedCache } from '../bounded-cache.ts'
import type { HopSection, SignatureAlgorithm } from '../section.ts'
import { algorithmOfKey, signToken } from '../signature.ts'
import { TokenError } from '../token-error.ts'
import type { HopSigner, TokenClock } from '../verified-token.ts'
import { hopTokenType, maxChainLength } from './hop-token.ts'
import type { HopTokenRequest } from './hop-token.ts'

/** What {@link HopMinter} is built from. */
export interface HopMinterParts {
  readonly section: HopSection
  readonly clock: Pick<TokenClock, 'now'>
  /** A new transaction id: at least 128 bits of randomness in letters, digits, `-`, `_`, `.` or `~`. */
  readonly makeTransactionId: () => string
}

interface Minted {
  readonly token: string
  readonly from: number
  readonly until: number
}

interface Actor {
  readonly sub: string
  readonly act?: Actor
}

const transactionPattern = /^[A-Za-z0-9._~-]{1,128}$/

/** Whether `text` can be a transaction id. */
export const isTransactionId = (text: string): boolean => transactionPattern.test(text)

const actorOf = (chain: readonly string[]): Actor | undefined =>
  chain.reduceRight<Actor | undefined>(
    (act, sub) => (act === undefined ? { sub } : { sub, act }),
    undefined,
  )

const algorithmOf = (signer: HopSigner): SignatureAlgorithm => {
  const algorithm = algorithmOfKey(signer.privateKey)
  if (algorithm !== undefined) return algorithm
  throw new TokenError(
    'algorithm',
    'the key of our certificate cannot sign tokens; use P-256, P-384, P-521, Ed25519 or RSA',
  )
}

export class HopMinter {
  readonly #parts: HopMinterParts
  readonly #minted: BoundedCache<Minted>

  constructor(parts: HopMinterParts) {
    this.#parts = parts
    this.#minted = new BoundedCache(parts.section.cache)
  }

  /**
   * A token of `signer` for one audience.
   *
   * @throws {TokenError} `too-large` when the chain is too long, `malformed` for a transaction id that is none, `algorithm`
   */
  mint(signer: HopSigner, request: HopTokenRequest): string {
    if (request.chain.length > maxChainLength) {
      throw new TokenError(
        'too-large',
        `the call has passed through more than ${maxChainLength} services; look for a loop`,
      )
    }
    if (request.transaction !== undefined && !isTransactionId(request.transaction)) {
      throw new TokenError('malformed', 'the transaction id is not one')
    }
    if (this.#parts.section.transaction === 'per_request') return this.#make(signer, request)
    const now = this.#parts.clock.now()
    const key = `${signer.thumbprint}|${request.audience}|${request.userTokenHash ?? ''}|${request.transaction ?? ''}|${request.chain.join(' ')}`
    const known = this.#minted.get(key)
    if (known !== undefined && now >= known.from && now < known.until) return known.token
    const token = this.#make(signer, request)
    this.#minted.set(key, { token, from: now, until: now + this.#parts.section.lifetime / 2 })
    return token
  }

  #make(signer: HopSigner, request: HopTokenRequest): string {
    const issuedAt = Math.floor(this.#parts.clock.now() / 1_000)
    const { uri } = signer.spiffeId
    const act = actorOf(request.chain)
    const claims = {
      iss: uri,
      sub: uri,
      aud: request.audience,
      iat: issuedAt,
      exp: issuedAt + Math.floor(this.#parts.section.lifetime / 1_000),
      cnf: { 'x5t#S256': signer.thumbprint },
      ...(request.userTokenHash !== undefined && { ath: request.userTokenHash }),
      txn: request.transaction ?? this.#parts.makeTransactionId(),
      ...(act !== undefined && { act }),
    }
    return signToken({ typ: hopTokenType }, claims, algorithmOf(signer), signer.privateKey)
  }
}
