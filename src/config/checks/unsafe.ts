/**
 * Finds the settings in force that weaken security: every one of them has `unsafe` in its name or in its value.
 *
 * They are reported at start, in `sallyport check` and on the admin listener, so that none stays unnoticed.
 */
import type { Path } from '../read/fault.ts'

const isUnsafe = (key: string | number, value: unknown): boolean =>
  (typeof value === 'string' && value.startsWith('unsafe')) ||
  (typeof key === 'string' && key.includes('unsafe') && value !== false)

/** The paths of all unsafe settings that are switched on in what the file says. */
export const unsafeSettings = (value: unknown, above: Path = []): readonly Path[] => {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, member]) => {
    const key = Array.isArray(value) ? Number(name) : name
    const path = [...above, key]
    return isUnsafe(key, member) ? [path] : unsafeSettings(member, path)
  })
}
