/**
 * Holds the identity and trust that were last good, and asks for new ones when files change or the time has come.
 *
 * The shared half of every source that reads files. A change that cannot be used changes nothing: it is said once,
 * and tried again at the next look.
 */
import { watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { LiveValue } from '../../live.ts'
import type { Clock } from './clock.ts'
import { IdentityError, IdentityFileError } from '../identity-error.ts'
import type { IdentityEvent, IdentitySource } from './identity-source.ts'
import { checkLoadable } from '../mesh-tls.ts'
import { stampOf } from './files.ts'
import { isCurrent, watchExpiry } from './rotate.ts'
import type { TrustBundles } from '../trust-bundle.ts'
import type { WorkloadIdentity } from '../workload-identity.ts'

/** What one look at the files found. */
export interface Loaded {
  readonly identity: WorkloadIdentity
  readonly trust: TrustBundles
  /** Equal text means that nothing which matters has changed. */
  readonly identityKey: string
  readonly trustKey: string
  readonly warnings: readonly { readonly file: string; readonly detail: string }[]
  /** A part that could not be used while the rest could; the part keeps its last good state. */
  readonly fault?: IdentityFileError
}

/** `retry` follows a fault: nothing has changed since, and what is good may be kept. */
export type LoadReason = 'start' | 'changed' | 'due' | 'retry'

export interface KeeperOptions {
  readonly clock: Clock
  readonly everyMs: number
  /** Files whose change is looked for. */
  readonly files: () => readonly string[]
  /** Folders in which a change is noticed at once. */
  readonly folders: readonly string[]
  /** Reads everything. `last` is what is in force, `why` what brought the look about. @throws IdentityFileError */
  readonly load: (last: Loaded | undefined, why: LoadReason) => Loaded
  /** The moment to load again although no file changed. */
  readonly renewAt?: (loaded: Loaded) => number
  onEvent(event: IdentityEvent): void
}

const asFileError = (error: unknown): IdentityFileError => {
  if (error instanceof IdentityFileError) return error
  return new IdentityFileError({
    file: 'identity',
    expected: 'an identity that can be used',
    got: error instanceof Error ? error.message : String(error),
    fix: 'look at the files of the identity source',
  })
}

/** The last good identity and trust, kept current. */
export class IdentityKeeper implements IdentitySource {
  readonly identity: LiveValue<WorkloadIdentity>
  readonly trust: LiveValue<TrustBundles>
  readonly fault = new LiveValue<IdentityFileError | undefined>(undefined)
  readonly #options: KeeperOptions
  readonly #watchers: FSWatcher[] = []
  readonly #said = new Set<string>()
  #loaded: Loaded
  #stamp: string
  #renewAt: number
  #cancelTimer: () => void = () => undefined
  #cancelSoon: () => void = () => undefined
  readonly #stopExpiry: () => void
  #closed = false

  /** Loads once. @throws IdentityFileError when that fails */
  constructor(options: KeeperOptions) {
    this.#options = options
    this.#stamp = stampOf(options.files())
    try {
      this.#loaded = options.load(undefined, 'start')
      checkLoadable(this.#loaded.identity, this.#loaded.trust)
      if (!isCurrent(this.#loaded.identity, options.clock.now()))
        throw new IdentityError('expired', 'the certificate is over')
    } catch (error) {
      throw asFileError(error)
    }
    this.identity = new LiveValue(this.#loaded.identity)
    this.trust = new LiveValue(this.#loaded.trust)
    this.#renewAt = options.renewAt?.(this.#loaded) ?? Number.POSITIVE_INFINITY
    this.#sayWarnings()
    if (this.#loaded.fault) this.#fail(this.#loaded.fault)
    this.#stopExpiry = watchExpiry(this.identity, options.clock, (percent, secondsLeft) => {
      // A source that renews by itself does so around half of the life; that is worth a word only when it fails.
      if (options.renewAt && percent < 100 && this.fault.current === undefined) return
      options.onEvent({ kind: 'expiring', percent, secondsLeft })
    })
    this.#watchFolders()
    this.#arm()
  }

  /** Looks at the files now. `always` loads even if none has changed. */
  check(how: 'if-changed' | 'always' = 'if-changed'): void {
    if (this.#closed) return
    const stamp = stampOf(this.#options.files())
    const due = this.#options.clock.now() >= this.#renewAt
    const pending = this.fault.current !== undefined
    if (how === 'if-changed' && stamp === this.#stamp && !due && !pending) return
    const why = how === 'always' || stamp !== this.#stamp ? 'changed' : due ? 'due' : 'retry'
    this.#stamp = stamp
    try {
      const loaded = this.#options.load(this.#loaded, why)
      checkLoadable(loaded.identity, loaded.trust)
      this.#apply(loaded)
    } catch (error) {
      this.#fail(asFileError(error))
    }
  }

  close(): void {
    this.#closed = true
    this.#cancelTimer()
    this.#cancelSoon()
    this.#stopExpiry()
    for (const watcher of this.#watchers) watcher.close()
  }

  #apply(loaded: Loaded): void {
    const before = this.#loaded
    this.#loaded = loaded
    if (loaded.identityKey !== before.identityKey)
      this.#renewAt = this.#options.renewAt?.(loaded) ?? Number.POSITIVE_INFINITY
    // Trust first: a leaf of a new authority is of no use to whoever does not know the authority yet.
    if (loaded.trustKey !== before.trustKey) {
      this.trust.set(loaded.trust)
      const trustDomains = [...loaded.trust.byTrustDomain.keys()]
      this.#options.onEvent({ kind: 'trust-changed', trustDomains })
    }
    if (loaded.identityKey !== before.identityKey) {
      this.identity.set(loaded.identity)
      this.#options.onEvent({ kind: 'rotated', identity: loaded.identity })
    }
    this.#sayWarnings()
    if (loaded.fault) return this.#fail(loaded.fault)
    if (this.fault.current === undefined) return
    this.fault.set(undefined)
    this.#options.onEvent({ kind: 'recovered' })
  }

  #fail(error: IdentityFileError): void {
    if (this.fault.current?.message === error.message) return
    this.fault.set(error)
    this.#options.onEvent({ kind: 'reload-failed', error })
  }

  #sayWarnings(): void {
    for (const warning of this.#loaded.warnings) {
      const text = `${warning.file}: ${warning.detail}`
      if (this.#said.has(text)) continue
      this.#said.add(text)
      this.#options.onEvent({ kind: 'warning', ...warning })
    }
  }

  #arm(): void {
    this.#cancelTimer = this.#options.clock.after(this.#options.everyMs, () => {
      this.check()
      if (!this.#closed) this.#arm()
    })
  }

  /** Notifications only make it faster; where they do not work (network file systems) the timer still does. */
  #watchFolders(): void {
    for (const folder of new Set(this.#options.folders)) {
      try {
        const watcher = watch(folder, { persistent: false }, () => this.#soon())
        watcher.on('error', () => watcher.close())
        this.#watchers.push(watcher)
      } catch {
        continue
      }
    }
  }

  /** Writers touch several files in a row; one look after a moment sees them together. */
  #soon(): void {
    this.#cancelSoon()
    this.#cancelSoon = this.#options.clock.after(50, () => this.check())
  }
}
