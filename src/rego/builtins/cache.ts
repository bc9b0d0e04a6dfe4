/** Bounded caches of compiled things (expressions, globs, schemas, keys) that outlive one query. */
import type { BuiltinContext } from './builtin.ts'

const entriesPerKind = 500

/**
 * What `make` gives for `key`, kept for later queries. The oldest entry of the kind goes when there are too many.
 * What `make` throws is not kept.
 */
export function cached<T>(context: BuiltinContext, kind: string, key: string, make: () => T): T {
  let entries = context.interQueryCache.get(kind) as Map<string, T> | undefined
  if (entries === undefined) {
    entries = new Map()
    context.interQueryCache.set(kind, entries)
  }
  const found = entries.get(key)
  if (found !== undefined) return found
  const made = make()
  if (entries.size >= entriesPerKind) entries.delete(entries.keys().next().value!)
  entries.set(key, made)
  return made
}
