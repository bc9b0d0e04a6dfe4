/**
 * Keeps what the catalog learned (usage, key ledger, discovery) in a file over restarts: one JSON value, replaced whole.
 *
 * A file that is missing or broken is a fresh start, never a failure: nothing here decides whether a call may go. Written
 * for the owner only, since it says who calls whom.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** What was read, and whether the file was there. */
export type StateReading =
  | { readonly kind: 'state'; readonly value: unknown }
  | { readonly kind: 'none' }
  | { readonly kind: 'broken'; readonly detail: string }

/** Reads the file. Never throws. */
export const readState = (path: string): StateReading => {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'an error'
    return code === 'ENOENT'
      ? { kind: 'none' }
      : { kind: 'broken', detail: `${path} cannot be read: ${code}` }
  }
  try {
    return { kind: 'state', value: JSON.parse(text) as unknown }
  } catch {
    return { kind: 'broken', detail: `${path} is not JSON` }
  }
}

/** Writes the file beside itself and renames it, so that a reader never sees half of it. Throws what the system throws. */
export const writeState = (path: string, value: unknown): void => {
  mkdirSync(dirname(path), { recursive: true })
  const fresh = `${path}.new`
  writeFileSync(fresh, `${JSON.stringify(value)}\n`, { mode: 0o600 })
  renameSync(fresh, path)
}
