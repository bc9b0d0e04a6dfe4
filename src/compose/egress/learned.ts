/**
 * What the way out learns while it runs, kept in files over restarts: the ages of keys, calls that no entry declares,
 * and who called what.
 *
 * A file that cannot be written is told once and costs nothing but the memory of it.
 */
import { randomBytes } from 'node:crypto'
import { Discovery } from '../../catalog/discovery/discovery.ts'
import { KeyLedger, type LedgerRow } from '../../catalog/ledger.ts'
import type { ApisSection } from '../../catalog/section.ts'
import { readState, writeState } from '../../catalog/state-file.ts'
import { ApiUsage } from '../../catalog/usage.ts'
import type { Log } from '../../telemetry/log.ts'

/** The memory of the way out. */
export interface Learned {
  readonly ledger: KeyLedger
  readonly discovery: Discovery
  readonly usage: ApiUsage
  /** Writes the files and stops writing. */
  close(): void
}

const everyMs = 5_000

/** Reads the files, and writes them again from time to time. */
export const openLearned = (settings: ApisSection, log: Log): Learned => {
  const read = (file: string | undefined): unknown => {
    if (file === undefined) return undefined
    const reading = readState(file)
    if (reading.kind === 'broken')
      log.warn('a state file is started anew', { fault: reading.detail })
    return reading.kind === 'state' ? reading.value : undefined
  }
  const { ledger_file: ledgerFile, discovery: found } = settings
  const ledger = new KeyLedger(fingerprintKey(ledgerFile, read), rowsOf(read(ledgerFile)))
  const discovery = new Discovery(found, read(found.file))
  const usage = new ApiUsage()
  let isTold = false
  const save = (): void => {
    try {
      if (ledgerFile !== undefined) writeState(ledgerFile, ledger.rows())
      if (found.file !== undefined) writeState(found.file, discovery.saved())
      isTold = false
    } catch (thrown) {
      if (!isTold) log.warn('what was learned cannot be written', { fault: String(thrown) })
      isTold = true
    }
  }
  const timer =
    ledgerFile === undefined && found.file === undefined ? undefined : setInterval(save, everyMs)
  timer?.unref()
  return {
    ledger,
    discovery,
    usage,
    close: () => {
      clearInterval(timer)
      if (timer !== undefined) save()
    },
  }
}

const rowsOf = (value: unknown): readonly LedgerRow[] =>
  Array.isArray(value) ? (value as LedgerRow[]) : []

/** The key of the fingerprints stands beside the ledger, so that they can be compared over a restart. */
const fingerprintKey = (
  ledgerFile: string | undefined,
  read: (file: string) => unknown,
): Buffer => {
  if (ledgerFile === undefined) return randomBytes(32)
  const file = `${ledgerFile}.key`
  const saved = read(file)
  const known = typeof saved === 'string' ? Buffer.from(saved, 'base64url') : undefined
  if (known?.length === 32) return known
  const fresh = randomBytes(32)
  try {
    writeState(file, fresh.toString('base64url'))
  } catch {
    // The ledger itself cannot be written then either, and that is told.
  }
  return fresh
}
