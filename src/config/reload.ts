/**
 * Puts a changed configuration into force, whole or not at all, and keeps the last good one when it cannot.
 *
 * For the composition root: it says how a configuration is applied, this says when and what the state is, for
 * `/readyz?verbose`, the metric and the log. Reloads never overlap.
 */
import { LiveValue, type Live } from '../live.ts'
import type { LoadedConfig } from './load.ts'
import { ConfigFaults, type ConfigFault } from './read/fault.ts'
import type { SidecarConfig } from './schema.ts'

/** How the configuration in force stands to the files. */
export interface ReloadStatus {
  /** `current`: what the files say is in force. `stale`: the files are wrong and the last good stays in force. */
  readonly state: 'current' | 'stale'
  readonly revision: string
  /** When the configuration in force was put into force, in milliseconds since 1970. */
  readonly since: number
  /** When the files were last read, in milliseconds since 1970. */
  readonly triedAt: number
  /** Why the files are not in force; empty when they are. */
  readonly faults: readonly ConfigFault[]
  readonly applied: number
  readonly kept: number
  /** Settings whose new value needs a restart, such as the address of a listener. */
  readonly restartNeeded: readonly string[]
}

/** What happened at a reload, for the log and the metric. */
export type ReloadEvent =
  | {
      readonly kind: 'applied'
      readonly revision: string
      readonly restartNeeded: readonly string[]
    }
  | { readonly kind: 'kept'; readonly revision: string; readonly faults: readonly ConfigFault[] }

/** What a reload needs. */
export interface ReloadOptions {
  readonly initial: LoadedConfig
  /** Reads the files again. @throws ConfigFaults */
  readonly load: () => LoadedConfig
  /** Puts `next` into force; when it throws, it must have changed nothing. */
  readonly apply: (next: LoadedConfig) => void | Promise<void>
  readonly onEvent: (event: ReloadEvent) => void
  readonly now: () => number
}

/** Reloads, one at a time. */
export class Reload {
  readonly #options: ReloadOptions
  readonly #status: LiveValue<ReloadStatus>
  readonly #started: LoadedConfig
  #current: LoadedConfig
  #turn: Promise<void> = Promise.resolve()

  constructor(options: ReloadOptions) {
    this.#options = options
    this.#started = options.initial
    this.#current = options.initial
    const now = options.now()
    this.#status = new LiveValue<ReloadStatus>({
      state: 'current',
      revision: options.initial.revision,
      since: now,
      triedAt: now,
      faults: [],
      applied: 0,
      kept: 0,
      restartNeeded: [],
    })
  }

  /** The configuration in force. */
  get current(): LoadedConfig {
    return this.#current
  }

  get status(): Live<ReloadStatus> {
    return this.#status
  }

  /** Reads the files and puts them into force, after any reload that is under way. Never throws. */
  reload(): Promise<void> {
    this.#turn = this.#turn.then(() => this.#reload())
    return this.#turn
  }

  async #reload(): Promise<void> {
    try {
      const next = this.#options.load()
      if (next.revision !== this.#current.revision) await this.#options.apply(next)
      this.#applied(next)
    } catch (error) {
      this.#kept(
        error instanceof ConfigFaults ? error.faults : [unexpected(this.#current.file, error)],
      )
    }
  }

  #applied(next: LoadedConfig): void {
    const before = this.#status.current
    const changed = next.revision !== this.#current.revision
    const now = this.#options.now()
    const restartNeeded = restartSettings(this.#started.config, next.config)
    this.#current = next
    this.#status.set({
      ...before,
      state: 'current',
      revision: next.revision,
      since: changed ? now : before.since,
      triedAt: now,
      faults: [],
      applied: changed ? before.applied + 1 : before.applied,
      restartNeeded,
    })
    if (changed || before.state === 'stale') {
      this.#options.onEvent({ kind: 'applied', revision: next.revision, restartNeeded })
    }
  }

  #kept(faults: readonly ConfigFault[]): void {
    const before = this.#status.current
    this.#status.set({
      ...before,
      state: 'stale',
      triedAt: this.#options.now(),
      faults,
      kept: before.kept + 1,
    })
    this.#options.onEvent({ kind: 'kept', revision: this.#current.revision, faults })
  }
}

const unexpected = (file: string, error: unknown): ConfigFault => ({
  file,
  line: 1,
  column: 1,
  setting: '',
  expected: 'a configuration that can be put into force',
  got: error instanceof Error ? error.message : String(error),
  hint: 'the last good configuration stays in force; mend what the message names',
})

/** Settings that are read once, at start. */
const readOnce: readonly (readonly [string, (config: SidecarConfig) => unknown])[] = [
  ['service', (config) => config.service],
  ['identity', (config) => config.identity],
  ['inbound.listen', (config) => config.inbound?.listen],
  ['listeners', (config) => config.listeners],
  ['admin', (config) => config.admin],
  ['telemetry', (config) => config.telemetry],
  ['wire', (config) => config.wire],
]

const restartSettings = (running: SidecarConfig, next: SidecarConfig): readonly string[] =>
  readOnce
    .filter(([, pick]) => JSON.stringify(pick(running)) !== JSON.stringify(pick(next)))
    .map(([name]) => name)
