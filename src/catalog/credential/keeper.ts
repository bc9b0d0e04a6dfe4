/**
 * Holds the current key of each entry and reads it again on its schedule, so that a rotation needs no restart.
 *
 * For the egress line and the leak guard. A source that cannot be asked keeps the last key; a source that says there
 * is no key takes it away. Old and new key overlap when the entry declares `previous`, and for one reading after a
 * change of the source. Decides nothing about age; that is the ledger.
 */
import { dirname } from 'node:path'
import type { Secret } from '../../secret.ts'
import type { CredentialSettings } from '../entry/credential.ts'
import type { ApiEntry } from '../entry/entry.ts'
import { readSource } from './source.ts'
import type { SourceReaders, SourceReading } from './source.ts'

/** The keys of an entry now, or why there is none. */
export type HeldKey =
  | {
      readonly kind: 'ready'
      readonly id: string
      readonly key: Secret
      readonly previous: Secret | undefined
    }
  | { readonly kind: 'none-needed' }
  | {
      readonly kind: 'missing'
      readonly id: string
      readonly detail: string
      readonly hint: string
    }

/** A change that others want to know of. Never holds a value. */
export interface KeyEvent {
  readonly entry: string
  readonly id: string
  readonly change: 'loaded' | 'rotated' | 'withdrawn' | 'unavailable'
  readonly detail: string
}

/** Runs `task` after `ms` until the returned function is called. */
export type Schedule = (task: () => void, ms: number) => () => void

interface Held {
  readonly settings: CredentialSettings
  readonly entry: ApiEntry
  key: Secret | undefined
  previous: Secret | undefined
  detail: string
  stop: () => void
}

const always: Schedule = (task, ms) => {
  const timer = setInterval(task, ms)
  timer.unref()
  return () => clearInterval(timer)
}

/** Files are cheap to read and a rotation should be seen soon. */
const filePollMs = 2_000

/** The keys of all entries of one catalog. */
export class KeyKeeper {
  readonly #readers: SourceReaders
  readonly #schedule: Schedule
  readonly #held = new Map<string, Held>()
  readonly #listeners = new Set<(event: KeyEvent) => void>()
  readonly #underway = new Map<string, Promise<void>>()

  constructor(readers: SourceReaders, schedule: Schedule = always) {
    this.#readers = readers
    this.#schedule = schedule
  }

  /** Takes over the entries of a new catalog, reads every key once, and goes on reading on schedule. */
  async keep(entries: readonly ApiEntry[]): Promise<void> {
    const wanted = new Map(
      entries.filter((entry) => entry.credential).map((entry) => [entry.name, entry]),
    )
    for (const [name, held] of this.#held) {
      if (wanted.has(name)) continue
      held.stop()
      this.#held.delete(name)
    }
    for (const [name, entry] of wanted) this.#adopt(name, entry, entry.credential!)
    await Promise.all([...wanted.keys()].map((name) => this.refresh(name)))
  }

  #adopt(name: string, entry: ApiEntry, settings: CredentialSettings): void {
    const before = this.#held.get(name)
    before?.stop()
    const source = settings.from
    const every = source.file !== undefined ? Math.min(source.refresh, filePollMs) : source.refresh
    const stop = this.#schedule(() => void this.refresh(name), every)
    const sameKey = before?.settings.id === settings.id ? before : undefined
    this.#held.set(name, {
      settings,
      entry,
      key: sameKey?.key,
      previous: sameKey?.previous,
      detail: 'not read yet',
      stop,
    })
  }

  /** Reads the key of one entry now; concurrent calls share one reading. */
  async refresh(name: string): Promise<void> {
    const underway = this.#underway.get(name)
    if (underway) return await underway
    const reading = this.#read(name).finally(() => this.#underway.delete(name))
    this.#underway.set(name, reading)
    await reading
  }

  async #read(name: string): Promise<void> {
    const held = this.#held.get(name)
    if (!held) return
    const directory = dirname(held.entry.file)
    const reading = await readSource(held.settings.from, directory, this.#readers)
    const older = held.settings.previous
      ? await readSource(held.settings.previous, directory, this.#readers)
      : undefined
    if (this.#held.get(name) !== held) return
    this.#settle(held, reading)
    if (older?.kind === 'key') held.previous = older.key
  }

  #settle(held: Held, reading: SourceReading): void {
    if (reading.kind === 'key') {
      held.detail = ''
      if (held.key?.equals(reading.key)) return
      const change = held.key ? 'rotated' : 'loaded'
      held.previous = held.key
      held.key = reading.key
      this.#tell(held, change, '')
      return
    }
    const news = held.detail !== reading.detail
    held.detail = reading.detail
    if (reading.reason === 'absent') {
      held.key = undefined
      held.previous = undefined
    }
    if (news)
      this.#tell(held, reading.reason === 'absent' ? 'withdrawn' : 'unavailable', reading.detail)
  }

  #tell(held: Held, change: KeyEvent['change'], detail: string): void {
    for (const listener of this.#listeners)
      listener({ entry: held.entry.name, id: held.settings.id, change, detail })
  }

  /** The key of an entry; never a call without one where the entry needs it. */
  current(entry: ApiEntry): HeldKey {
    if (!entry.credential) return { kind: 'none-needed' }
    const { id } = entry.credential
    const held = this.#held.get(entry.name)
    if (held?.key) return { kind: 'ready', id, key: held.key, previous: held.previous }
    return {
      kind: 'missing',
      id,
      detail: `the key ${id} of ${entry.name} is not available: ${held?.detail ?? 'not read yet'}`,
      hint: `ask ${entry.owner}, or mend credential.from in ${entry.file}`,
    }
  }

  /** Every key held, for the leak guard: the secret and the entry whose hosts may receive it. */
  all(): readonly { readonly entry: ApiEntry; readonly id: string; readonly key: Secret }[] {
    return [...this.#held.values()].flatMap(({ entry, settings, key, previous }) =>
      [key, previous]
        .filter((one) => one !== undefined)
        .map((one) => ({ entry, id: settings.id, key: one })),
    )
  }

  /** Calls `listener` at each change, until the returned function is called. */
  subscribe(listener: (event: KeyEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Stops reading. */
  close(): void {
    for (const held of this.#held.values()) held.stop()
    this.#held.clear()
  }
}
