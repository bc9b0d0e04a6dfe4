/**
 * Drops from an answer the members that its schema does not name, so that what the vendor adds does not reach the app.
 *
 * A schema names a member by `properties`, by a `patternProperties` that matches, or by an `additionalProperties` other
 * than false; members named by any branch of a composition stay. Where a schema names nothing at all, all stays. It does
 * not validate: what is left is checked afterwards.
 */
import { libraryReference } from './library-reference.ts'
import { valueAtPointer } from './schema-store.ts'

type Mapping = Readonly<Record<string, unknown>>

const isMapping = (value: unknown): value is Mapping =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The value without unnamed members, and how many were dropped. The same object when none was. */
export const stripUnnamed = (
  value: unknown,
  schema: unknown,
  definition: (name: string) => unknown,
): { readonly value: unknown; readonly dropped: number } => {
  const walk = new Walk(schema, definition)
  const stripped = walk.strip(value, [schema])
  return { value: walk.dropped === 0 ? value : stripped, dropped: walk.dropped }
}

class Walk {
  dropped = 0
  #root: unknown
  readonly #definition: (name: string) => unknown

  constructor(root: unknown, definition: (name: string) => unknown) {
    this.#root = root
    this.#definition = definition
  }

  strip(value: unknown, schemas: readonly unknown[]): unknown {
    const flat = this.#flatten(schemas)
    if (Array.isArray(value)) {
      return value.map((item, index) => {
        const below = flat.flatMap((schema) => itemSchemas(schema, index))
        return this.strip(item, below)
      })
    }
    if (!isPlainObject(value)) return value
    const names = flat.some((schema) => 'properties' in schema || 'patternProperties' in schema)
    const kept: [string, unknown][] = []
    for (const [key, member] of Object.entries(value)) {
      const below = flat.flatMap((schema) => memberSchemas(schema, key))
      if (names && below.length === 0) this.dropped++
      else kept.push([key, this.strip(member, below)])
    }
    return Object.fromEntries(kept)
  }

  /** The schema with everything that it is composed of, references followed. */
  #flatten(schemas: readonly unknown[]): readonly Mapping[] {
    const seen = new Set<Mapping>()
    const pending = [...schemas]
    for (let schema = pending.pop(); schema !== undefined; schema = pending.pop()) {
      if (!isMapping(schema) || seen.has(schema)) continue
      seen.add(schema)
      const named = schema[libraryReference]
      if (typeof named === 'string') pending.push(this.#definition(named))
      // A definition that stands by itself brings the root of its references.
      if (schema['$defs'] !== undefined && schema['$ref'] !== undefined) this.#root = schema
      if (typeof schema['$ref'] === 'string' && /^#(\/|$)/.test(schema['$ref']))
        pending.push(valueAtPointer(this.#root, schema['$ref'].slice(1)))
      for (const key of ['allOf', 'anyOf', 'oneOf'])
        if (Array.isArray(schema[key])) pending.push(...(schema[key] as unknown[]))
      for (const key of ['if', 'then', 'else'])
        if (schema[key] !== undefined) pending.push(schema[key])
      if (isMapping(schema['dependentSchemas']))
        pending.push(...Object.values(schema['dependentSchemas']))
    }
    return [...seen]
  }
}

/** Exact numbers are values, not containers. */
const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  isMapping(value) &&
  [Object.prototype, null].includes(Object.getPrototypeOf(value) as object | null)

const itemSchemas = (schema: Mapping, index: number): readonly unknown[] => {
  const prefix: unknown = Array.isArray(schema['prefixItems'])
    ? schema['prefixItems'][index]
    : undefined
  if (prefix !== undefined) return [prefix]
  return schema['items'] === undefined ? [] : [schema['items']]
}

const memberSchemas = (schema: Mapping, key: string): readonly unknown[] => {
  const found: unknown[] = []
  const properties = schema['properties']
  if (isMapping(properties) && Object.hasOwn(properties, key)) found.push(properties[key])
  for (const [pattern, below] of Object.entries(
    isMapping(schema['patternProperties']) ? schema['patternProperties'] : {},
  )) {
    if (key.length <= 256 && new RegExp(pattern, 'u').test(key)) found.push(below)
  }
  const rest = schema['additionalProperties'] ?? schema['unevaluatedProperties']
  if (found.length === 0 && rest !== undefined && rest !== false) found.push(rest)
  return found
}
