/**
 * Keeps access tokens for third-party APIs: fetched once, shared, renewed before they end, never sent after.
 *
 * For the stage that attaches credentials. One request per token is under way at a time; from 80 % of its life on a
 * token still serves while the next one is fetched; after a failure the endpoint is left alone for a while. There is no
 * timer: an API that is not called costs nothing. Tokens live in memory only.
 */
import { hash } from 'node:crypto'
import type { Secret } from '../../secret.ts'
import { BoundedCache } from '../bounded-cache.ts'
import type { TokenClock } from '../verified-token.ts'
import type { OAuthSettings, PostTokenRequest } from './oauth-client.ts'
import { OAuthError } from './oauth-error.ts'
import { maxAnswerBytes, readTokenAnswer } from './token-answer.ts'
import { buildTokenRequest } from './token-request.ts'

/** What {@link AccessTokens} is built from. */
export interface AccessTokensParts {
  readonly post: PostTokenRequest
  readonly clock: TokenClock
  /** An id that was never used before, for assertions. */
  readonly makeId: () => string
  readonly onEvent: (event: AccessTokenEvent) => void
}

/** Something that an operator wants to know. Never holds a token. */
export interface AccessTokenEvent {
  readonly api: string
  readonly kind: 'obtained' | 'failed' | 'fell-back'
  readonly detail: string
}

/** The token of which API, with which keys, for whom. */
export interface AccessTokenRequest {
  /** Name of the API entry. */
  readonly api: string
  readonly settings: OAuthSettings
  /** Our keys, the current one first; an older one is tried once when the server refuses the current one. */
  readonly keys: readonly Secret[]
  /** The user's token, for an exchange. */
  readonly subjectToken: string | undefined
}

interface Slot {
  accessToken: Secret | undefined
  obtainedAt: number
  renewAt: number
  /** From here on the token is not sent: its end, less the time that a request may need to arrive. */
  until: number
  failures: number
  failure: OAuthError | undefined
  retryAt: number
  underway: Promise<Secret> | undefined
}

const requestTimeoutMs = 5_000
const renewAfter = 0.8
const maxArrivalMs = 10_000
const firstRetryMs = 1_000
const lastRetryMs = 30_000
/** The longest pause that a server can ask for; the reader of answers caps `Retry-After` at the same. */
const maxPauseMs = 300_000
/** Least time between two tokens that were thrown away because the API refused them. */
const replaceCooldownMs = 10_000
/** Tokens kept at most; one per API, and one per user where tokens are exchanged. */
const maxTokens = 10_000

const emptySlot = (): Slot => ({
  accessToken: undefined,
  obtainedAt: 0,
  renewAt: 0,
  until: 0,
  failures: 0,
  failure: undefined,
  retryAt: 0,
  underway: undefined,
})

const slotKey = ({ api, settings, keys, subjectToken }: AccessTokenRequest): string => {
  const parts = [
    api,
    JSON.stringify(settings),
    keys[0]?.reveal() ?? '',
    settings.kind === 'oauth2-token-exchange' ? (subjectToken ?? '') : '',
  ]
  return hash('sha256', JSON.stringify(parts), 'base64url')
}

export class AccessTokens {
  readonly #parts: AccessTokensParts
  readonly #slots = new BoundedCache<Slot>(maxTokens)

  constructor(parts: AccessTokensParts) {
    this.#parts = parts
  }

  /**
   * A token that is good now, without a promise when one is at hand.
   *
   * @throws {OAuthError} (or rejects with one) when there is none; the call must not go out then
   */
  get(request: AccessTokenRequest): Secret | Promise<Secret> {
    const slot = this.#slotOf(request)
    const now = this.#parts.clock.now()
    const held = now >= slot.obtainedAt && now < slot.until ? slot.accessToken : undefined
    if (held !== undefined) {
      // The rejection is kept in the slot and told as an event; the token that we have still serves.
      if (now >= slot.renewAt && this.#mayAsk(slot, now))
        this.#renew(request, slot).catch(() => undefined)
      return held
    }
    if (slot.underway !== undefined) return slot.underway
    if (!this.#mayAsk(slot, now)) {
      const { code, detail } =
        slot.failure ?? new OAuthError('unavailable', 'the token endpoint failed')
      throw new OAuthError(code, detail, slot.retryAt - now)
    }
    return this.#renew(request, slot)
  }

  /** Forgets a token that the API refused, so that the next call gets another; at most once per cooldown. */
  discard(request: AccessTokenRequest, refused: Secret): void {
    const slot = this.#slotOf(request)
    const now = this.#parts.clock.now()
    if (slot.accessToken?.equals(refused) !== true || now - slot.obtainedAt < replaceCooldownMs)
      return
    slot.accessToken = undefined
  }

  #slotOf(request: AccessTokenRequest): Slot {
    const key = slotKey(request)
    const known = this.#slots.get(key)
    if (known !== undefined) return known
    const slot = emptySlot()
    this.#slots.set(key, slot)
    return slot
  }

  /** A clock that was set back must not keep us from asking for longer than the longest pause. */
  #mayAsk(slot: Slot, now: number): boolean {
    if (slot.underway !== undefined) return false
    return now >= slot.retryAt || slot.retryAt - now > maxPauseMs
  }

  #renew(request: AccessTokenRequest, slot: Slot): Promise<Secret> {
    slot.underway ??= this.#obtain(request, slot).finally(() => {
      slot.underway = undefined
    })
    return slot.underway
  }

  async #obtain(request: AccessTokenRequest, slot: Slot): Promise<Secret> {
    // From before the request was sent: the server counts from when it made the token, which is later.
    const sentAt = this.#parts.clock.now()
    try {
      const { accessToken, lifetimeMs } = await this.#askWithEachKey(request)
      slot.accessToken = accessToken
      slot.obtainedAt = sentAt
      slot.renewAt = sentAt + lifetimeMs * renewAfter
      slot.until = sentAt + lifetimeMs - Math.min(maxArrivalMs, lifetimeMs * 0.1)
      slot.failures = 0
      slot.failure = undefined
      slot.retryAt = 0
      this.#tell(request, 'obtained', `an access token for ${Math.round(lifetimeMs / 1_000)} s`)
      if (this.#parts.clock.now() < slot.until) return accessToken
      throw new OAuthError('answer', 'the access token had expired when it arrived')
    } catch (error) {
      const failure =
        error instanceof OAuthError
          ? error
          : new OAuthError('unavailable', 'the token endpoint cannot be reached')
      slot.failures += 1
      slot.failure = failure
      const pauseMs = Math.min(firstRetryMs * 2 ** (slot.failures - 1), lastRetryMs)
      slot.retryAt = this.#parts.clock.now() + Math.max(pauseMs, failure.retryAfterMs ?? 0)
      this.#tell(request, 'failed', failure.detail)
      throw failure
    }
  }

  async #askWithEachKey(request: AccessTokenRequest) {
    const [current, ...older] = request.keys
    try {
      return await this.#ask(request, current)
    } catch (error) {
      const [previous] = older
      if (!(error instanceof OAuthError) || error.code !== 'refused' || previous === undefined)
        throw error
      this.#tell(request, 'fell-back', `${error.detail}; the previous key is tried`)
      return await this.#ask(request, previous)
    }
  }

  async #ask(request: AccessTokenRequest, secret: Secret | undefined) {
    const { clock, makeId, post } = this.#parts
    const { settings, subjectToken } = request
    const message = buildTokenRequest(settings, { secret, subjectToken, now: clock.now(), makeId })
    const abort = new AbortController()
    const { promise: timedOut, reject } = Promise.withResolvers<never>()
    const cancel = clock.after(requestTimeoutMs, () => {
      abort.abort()
      reject(
        new OAuthError(
          'unavailable',
          `the token endpoint did not answer within ${requestTimeoutMs / 1_000} s`,
        ),
      )
    })
    try {
      const limits = { timeoutMs: requestTimeoutMs, maxBytes: maxAnswerBytes, signal: abort.signal }
      return readTokenAnswer(await Promise.race([post(message, limits), timedOut]), settings)
    } finally {
      cancel()
    }
  }

  #tell({ api }: AccessTokenRequest, kind: AccessTokenEvent['kind'], detail: string): void {
    this.#parts.onEvent({ api, kind, detail })
  }
}
