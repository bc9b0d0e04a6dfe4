/** Form bodies (`application/x-www-form-urlencoded`) against a schema: bracketed names become nested values first. */
import { queryPairs } from './parameters.ts'
import type { SchemaCheck, SchemaMismatch } from './schema-compiler.ts'

/** Form fields with brackets (`card[number]`, `items[0][id]`) are nested, as the vendors that use them mean it. */
export const checkForm = (check: SchemaCheck, body: Buffer): SchemaMismatch | undefined => {
  const pairs = queryPairs(body.toString())
  if (!pairs) return { pointer: '', rule: 'form', detail: 'is not a form' }
  const form = Object.create(null) as Record<string, unknown>
  for (const [name, value] of pairs) {
    const keys = [
      name.split('[', 1)[0]!,
      ...[...name.matchAll(/\[([^\]]*)\]/g)].map((match) => match[1]!),
    ]
    if (keys.length > 16 || keys.some((key) => key === '__proto__' || key === 'constructor'))
      return { pointer: '', rule: 'form', detail: 'has a field that is not allowed' }
    putAt(form, keys, value)
  }
  return check(listsIn(form))
}

const putAt = (form: Record<string, unknown>, keys: readonly string[], value: string): void => {
  let at = form
  for (const key of keys.slice(0, -1)) {
    const below = at[key]
    at = (
      typeof below === 'object' && below !== null
        ? below
        : (at[key] = Object.create(null) as unknown)
    ) as Record<string, unknown>
  }
  const name = keys.at(-1) ?? ''
  const last = name === '' ? String(Object.keys(at).length) : name
  const before = at[last]
  at[last] =
    before === undefined
      ? value
      : Array.isArray(before)
        ? [...(before as unknown[]), value]
        : [before, value]
}

const listsIn = (value: unknown): unknown => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const entries = Object.entries(value).map(([key, member]) => [key, listsIn(member)] as const)
  const isList = entries.length > 0 && entries.every(([key], index) => key === String(index))
  return isList ? entries.map(([, member]) => member) : Object.fromEntries(entries)
}
