/**
 * How old each key is and when it was used, without the key: a keyed fingerprint stands for it.
 *
 * For the egress line (may this key be used?), reports and metrics. Age counts from the day of issue that the entry
 * states, else from the first time the key was seen. The fingerprint key stays in memory or in the ledger's own file;
 * from the ledger alone no key can be recovered or confirmed by anyone who lacks it.
 */
import type { Secret } from '../secret.ts'
import type { ApiEntry } from './entry/entry.ts'

/** What is known of one key. Times in ms. */
export interface LedgerRow {
  readonly entry: string
  readonly id: string
  readonly fingerprint: string
  readonly firstSeen: number
  readonly firstUse: number | undefined
  readonly lastUse: number | undefined
  readonly uses: number
}

/** Whether a key may be used, with its age. */
export interface KeyAge {
  readonly decision: 'allow' | 'warn' | 'refuse'
  readonly state: 'fresh' | 'due-soon' | 'overdue'
  readonly ageMs: number
  /** Whole days, for `sallyport.credential.age_days`. */
  readonly ageDays: number
  readonly rotateEveryMs: number
  readonly fingerprint: string
  readonly detail: string
}

const dayMs = 86_400_000

/** The share of `rotate_every` at which a rotation is announced. */
const warnShare = 0.8

/** The ledger of all keys. */
export class KeyLedger {
  readonly #fingerprintKey: Buffer
  readonly #rows = new Map<string, LedgerRow>()

  /** `fingerprintKey`: 32 random bytes, the same ones over restarts if the ledger is kept in a file. */
  constructor(fingerprintKey: Buffer, rows: readonly LedgerRow[] = []) {
    this.#fingerprintKey = fingerprintKey
    for (const row of rows) this.#rows.set(rowKey(row.entry, row.fingerprint), row)
  }

  /** Sixteen hex digits that tell keys apart. */
  fingerprint(key: Secret): string {
    return key.fingerprint(this.#fingerprintKey)
  }

  /** Notes that a key was read at `now` (ms). Idempotent. */
  see(entry: ApiEntry, key: Secret, now: number): LedgerRow {
    const fingerprint = this.fingerprint(key)
    const at = rowKey(entry.name, fingerprint)
    const known = this.#rows.get(at)
    if (known) return known
    const row = {
      entry: entry.name,
      id: entry.credential?.id ?? entry.name,
      fingerprint,
      firstSeen: now,
      firstUse: undefined,
      lastUse: undefined,
      uses: 0,
    }
    this.#rows.set(at, row)
    return row
  }

  /** Notes that a key left with a call at `now` (ms). */
  use(entry: ApiEntry, key: Secret, now: number): void {
    const row = this.see(entry, key, now)
    this.#rows.set(rowKey(entry.name, row.fingerprint), {
      ...row,
      firstUse: row.firstUse ?? now,
      lastUse: now,
      uses: row.uses + 1,
    })
  }

  /** Judges the age of a key at `now` (ms): announced at 80 % of `rotate_every`, refused at it when the entry says so. */
  judge(entry: ApiEntry, key: Secret, now: number): KeyAge {
    const row = this.see(entry, key, now)
    const settings = entry.credential
    const stated =
      settings?.issued === undefined ? undefined : Date.parse(`${settings.issued}T00:00:00Z`)
    // The stated day belongs to the first key seen; a later one was issued when it came.
    const rotated = this.rows().some(
      (one) => one.entry === entry.name && one.firstSeen < row.firstSeen,
    )
    const ageMs = Math.max(0, now - (rotated ? row.firstSeen : (stated ?? row.firstSeen)))
    const rotateEveryMs = settings?.rotate_every ?? Number.POSITIVE_INFINITY
    const ageDays = Math.floor(ageMs / dayMs)
    const limit = Math.round(rotateEveryMs / dayMs)
    const known = { ageMs, ageDays, rotateEveryMs, fingerprint: row.fingerprint }
    if (ageMs >= rotateEveryMs) {
      const decision = settings?.at_limit === 'refuse' ? 'refuse' : 'warn'
      return {
        ...known,
        decision,
        state: 'overdue',
        detail: `key ${row.id} of ${entry.name} is ${ageDays} days old; its limit is ${limit} days`,
      }
    }
    if (ageMs >= rotateEveryMs * warnShare) {
      return {
        ...known,
        decision: 'warn',
        state: 'due-soon',
        detail: `key ${row.id} of ${entry.name} is ${ageDays} days old; rotate it before day ${limit}`,
      }
    }
    return { ...known, decision: 'allow', state: 'fresh', detail: '' }
  }

  /** All rows, for reports and for the file. They hold no key. */
  rows(): readonly LedgerRow[] {
    return [...this.#rows.values()]
  }
}

const rowKey = (entry: string, fingerprint: string): string => `${entry} ${fingerprint}`

/** What to do after an answer, when two keys overlap during a rotation. */
export interface FallbackDecision {
  readonly decision: 'none' | 'use-previous'
  readonly detail: string
}

/**
 * Whether a call answered `status` is repeated once with the previous key. Only 401 says that the key was refused; the
 * repeat is safe for any method because the vendor did not act on the first attempt.
 */
export const fallbackAfter = (
  entry: Pick<ApiEntry, 'name' | 'credential'>,
  attempt: {
    readonly status: number
    readonly usedKey: 'current' | 'previous'
    readonly previous: Secret | undefined
    readonly bodyReplayable: boolean
  },
): FallbackDecision => {
  if (attempt.status !== 401 || attempt.usedKey === 'previous' || !attempt.previous)
    return { decision: 'none', detail: '' }
  const id = entry.credential?.id ?? entry.name
  if (!attempt.bodyReplayable)
    return {
      decision: 'none',
      detail: `the new key ${id} was answered 401, and the body cannot be sent again`,
    }
  return {
    decision: 'use-previous',
    detail: `the new key ${id} of ${entry.name} was answered 401; repeated once with the previous key`,
  }
}
