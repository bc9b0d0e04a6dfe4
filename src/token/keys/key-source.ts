/**
 * The keys of one provider over time: loaded at start, refreshed, kept while their source fails, given up in the end.
 *
 * For the verifier of user tokens. One load at a time; an unknown key id may cause one per cooldown and no more, so
 * that a stranger cannot make us flood an issuer; a failed load changes nothing but the age of what we have, and past
 * `maxStaleMs` there are no keys rather than old ones. It judges no token.
 */
import type { KeyObject } from 'node:crypto'
import type { SignatureAlgorithm } from '../section.ts'
import type { TokenClock } from '../verified-token.ts'
import { loadTimeoutMs } from './key-documents.ts'
import type { LoadKeyDocument } from './key-documents.ts'
import { documentDigest, KeySetError, readKeySet } from './key-set.ts'
import type { IgnoredKey, KeySet } from './key-set.ts'

/** `loading`: nothing yet; `fresh`: last load good; `stale`: last load failed, keys still serve; `unavailable`: no keys. */
export type KeySourceState = 'loading' | 'fresh' | 'stale' | 'unavailable'

/** Something that an operator wants to know. */
export type KeySourceEvent =
  | {
      readonly kind: 'state'
      readonly provider: string
      readonly state: KeySourceState
      readonly detail: string | undefined
    }
  | {
      readonly kind: 'keys-changed'
      readonly provider: string
      readonly revision: number
      readonly keyCount: number
    }
  | ({ readonly kind: 'key-ignored'; readonly provider: string } & IgnoredKey)

export interface KeySourceStatus {
  readonly provider: string
  readonly state: KeySourceState
  readonly revision: number
  readonly keyCount: number
  /** Milliseconds since 1970 of the last good load. */
  readonly loadedAt: number | undefined
  /** Why the last load failed, if it did. */
  readonly failure: string | undefined
}

export interface KeySourceParts {
  readonly provider: string
  readonly load: LoadKeyDocument
  readonly refreshMs: number
  readonly cooldownMs: number
  readonly maxStaleMs: number
  readonly clock: TokenClock
  readonly onEvent: (event: KeySourceEvent) => void
}

const firstRetryMs = 1_000
const lastRetryMs = 60_000

export class KeySource {
  readonly #parts: KeySourceParts
  #keys: KeySet | undefined
  #digest: string | undefined
  #revision = 0
  #state: KeySourceState = 'loading'
  #failure: string | undefined
  #failures = 0
  #loadedAt: number | undefined
  #attemptedAt: number | undefined
  #loading: Promise<void> | undefined
  #cancelTimer: (() => void) | undefined
  #abort: AbortController | undefined
  #closed = false

  constructor(parts: KeySourceParts) {
    this.#parts = parts
  }

  /** Changes whenever the set of keys changes. */
  get revision(): number {
    return this.#revision
  }

  /** Whether the last load failed, so that a key that is missing here may exist at the issuer. */
  get isFailing(): boolean {
    return this.#failures > 0
  }

  get status(): KeySourceStatus {
    return {
      provider: this.#parts.provider,
      state: this.isUsable()
        ? this.#state
        : this.#loadedAt === undefined
          ? 'loading'
          : 'unavailable',
      revision: this.#revision,
      keyCount: this.#keys?.keyCount ?? 0,
      loadedAt: this.#loadedAt,
      failure: this.#failure,
    }
  }

  /** Whether there are keys that are not too old to be used. */
  isUsable(): boolean {
    if (this.#keys === undefined || this.#loadedAt === undefined) return false
    const now = this.#parts.clock.now()
    // A clock that was set back must not make old keys young for longer than they may be.
    if (now < this.#loadedAt) this.#loadedAt = now
    if (now - this.#loadedAt <= this.#parts.maxStaleMs) return true
    this.#enter('unavailable', this.#failure ?? 'the keys are older than max_stale')
    return false
  }

  /** The key for `algorithm` and `keyId` among the usable ones. */
  find(algorithm: SignatureAlgorithm, keyId: string | undefined): KeyObject | undefined {
    return this.isUsable() ? this.#keys?.find(algorithm, keyId) : undefined
  }

  /** Loads now, or joins the load under way. Never rejects. */
  refresh(): Promise<void> {
    if (this.#closed) return Promise.resolve()
    this.#loading ??= this.#attempt().finally(() => {
      this.#loading = undefined
      this.#schedule()
    })
    return this.#loading
  }

  /** A promise of a load that may bring a key that is missing, or undefined while the cooldown lasts. */
  refreshForMissing(): Promise<void> | undefined {
    if (this.#closed) return undefined
    if (this.#loading !== undefined) return this.#loading
    const now = this.#parts.clock.now()
    const since =
      this.#attemptedAt === undefined ? Number.POSITIVE_INFINITY : now - this.#attemptedAt
    return since >= this.#parts.cooldownMs || since < 0 ? this.refresh() : undefined
  }

  close(): void {
    this.#closed = true
    this.#cancelTimer?.()
    this.#abort?.abort()
  }

  async #attempt(): Promise<void> {
    this.#attemptedAt = this.#parts.clock.now()
    try {
      await this.#take(await this.#loadInTime())
      this.#failures = 0
      this.#failure = undefined
      this.#enter('fresh', undefined)
    } catch (error) {
      if (this.#closed) return
      this.#failures += 1
      this.#failure =
        error instanceof KeySetError
          ? error.message
          : `the keys cannot be fetched: ${messageOf(error)}`
      this.#enter(this.isUsable() ? 'stale' : 'unavailable', this.#failure)
    }
  }

  /** Loads with a limit of our own, so that a loader that never answers cannot hold us. */
  #loadInTime(): Promise<Uint8Array> {
    const abort = new AbortController()
    this.#abort = abort
    return new Promise((resolve, reject) => {
      const cancel = this.#parts.clock.after(loadTimeoutMs, () => {
        abort.abort()
        reject(new KeySetError(`no answer within ${loadTimeoutMs / 1_000} s`))
      })
      const give = this.#parts.load(abort.signal)
      give.then(resolve, reject).finally(cancel)
    })
  }

  async #take(document: Uint8Array): Promise<void> {
    const digest = documentDigest(document)
    if (digest !== this.#digest) {
      const keys = await readKeySet(document)
      this.#keys = keys
      this.#digest = digest
      this.#revision += 1
      const { provider, onEvent } = this.#parts
      for (const ignored of keys.ignored) onEvent({ kind: 'key-ignored', provider, ...ignored })
      onEvent({ kind: 'keys-changed', provider, revision: this.#revision, keyCount: keys.keyCount })
    }
    this.#loadedAt = this.#parts.clock.now()
  }

  #schedule(): void {
    if (this.#closed) return
    this.#cancelTimer?.()
    const retryMs = Math.min(firstRetryMs * 2 ** (this.#failures - 1), lastRetryMs)
    const delayMs =
      this.#failures === 0 ? this.#parts.refreshMs : Math.min(retryMs, this.#parts.refreshMs)
    this.#cancelTimer = this.#parts.clock.after(delayMs, () => void this.refresh())
  }

  #enter(state: KeySourceState, detail: string | undefined): void {
    if (state === this.#state) return
    this.#state = state
    this.#parts.onEvent({ kind: 'state', provider: this.#parts.provider, state, detail })
  }
}

/** A failure of the transport in one line; codes only, since messages may quote what a server sent. */
const messageOf = (error: unknown): string => {
  const code = (error as { readonly code?: unknown } | undefined)?.code
  return typeof code === 'string' ? code : 'transport failure'
}
