/**
 * Cuts the schemas that a contract needs out of its document, as self-contained JSON Schema 2020-12.
 *
 * OpenAPI 3.0 has a dialect of its own (`nullable`, boolean `exclusiveMinimum`, siblings of `$ref` ignored); it is
 * rewritten here. `readOnly` members are not asked of requests and `writeOnly` ones not of answers (OAS 3.0.4 §4.7.24).
 * Examples and extensions are left out, so that nothing in them is taken for a schema.
 */
import type { SchemaInDocument } from '../entry/contract-shape.ts'
import { libraryReference } from './library-reference.ts'
import { SchemaFault } from './schema-fault.ts'

/** Whose side the schema is for. */
export type Direction = 'request' | 'response'

type Mapping = Readonly<Record<string, unknown>>

const isMapping = (value: unknown): value is Mapping =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const oneSchema = new Set([
  'not',
  'if',
  'then',
  'else',
  'additionalProperties',
  'unevaluatedProperties',
  'unevaluatedItems',
  'contains',
  'propertyNames',
  'additionalItems',
])
const schemaList = new Set(['allOf', 'anyOf', 'oneOf', 'prefixItems'])
const schemaMap = new Set([
  'properties',
  'patternProperties',
  '$defs',
  'definitions',
  'dependentSchemas',
])
const dropped = new Set([
  'example',
  'examples',
  'xml',
  'externalDocs',
  'discriminator',
  'deprecated',
  'nullable',
  'contentSchema',
])

/** The value at a JSON pointer, or undefined. */
export const valueAtPointer = (document: unknown, pointer: string): unknown => {
  let at = document
  for (const raw of pointer === '' ? [] : pointer.slice(1).split('/')) {
    const key = raw.replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined
    at = (at as Record<string, unknown>)[key]
  }
  return at
}

/** One schema with all that it refers to, for schemas that must see what their references evaluated. */
const selfContained = (
  document: unknown,
  dialect: Dialect,
  direction: Direction,
  pointer: string,
): unknown => {
  const cutter = new Cutter(document, dialect, direction, (name) => ({ $ref: `#/$defs/${name}` }))
  const name = cutter.define(pointer)
  cutter.convertAll()
  return { $ref: `#/$defs/${name}`, $defs: Object.fromEntries(cutter.definitions) }
}

type Dialect = SchemaInDocument['dialect']

/**
 * The schemas of one document, each converted once, whoever refers to it.
 *
 * References become {@link libraryReference}, so that each definition is compiled by itself: the documents of large
 * vendors have hundreds that all refer to each other.
 */
export class SchemaLibrary {
  readonly #document: unknown
  readonly #dialect: Dialect
  readonly #direction: Direction
  readonly #cutter: Cutter
  readonly #prefix: string

  /** `prefix` keeps the names of several libraries apart. */
  constructor(document: unknown, dialect: Dialect, direction: Direction, prefix: string) {
    this.#document = document
    this.#dialect = dialect
    this.#direction = direction
    this.#prefix = prefix
    this.#cutter = new Cutter(document, dialect, direction, (name) => ({
      [libraryReference]: prefix + name,
    }))
  }

  /** Name of the definition at `pointer`. Throws {@link SchemaFault} for references that lead nowhere. */
  define(pointer: string): string {
    const name = this.#cutter.define(pointer)
    for (const fresh of this.#cutter.convertAll()) {
      if (!mentionsUnevaluated(this.#cutter.definitions.get(fresh))) continue
      this.#cutter.definitions.set(
        fresh,
        selfContained(
          this.#document,
          this.#dialect,
          this.#direction,
          this.#cutter.pointerOf(fresh),
        ),
      )
    }
    return this.#prefix + name
  }

  /** The definition of that name. */
  schema(name: string): unknown {
    return this.#cutter.definitions.get(name.slice(this.#prefix.length))
  }
}

const mentionsUnevaluated = (schema: unknown): boolean => {
  if (typeof schema !== 'object' || schema === null) return false
  if ('unevaluatedProperties' in schema || 'unevaluatedItems' in schema) return true
  return Object.values(schema).some(mentionsUnevaluated)
}

class Cutter {
  readonly definitions = new Map<string, unknown>()
  readonly #refer: (name: string) => Readonly<Record<string, string>>
  readonly #document: unknown
  readonly #legacy: boolean
  readonly #direction: Direction
  readonly #names = new Map<string, string>()
  readonly #pending: string[] = []

  constructor(
    document: unknown,
    dialect: Dialect,
    direction: Direction,
    refer: (name: string) => Readonly<Record<string, string>>,
  ) {
    this.#document = document
    this.#legacy = dialect === 'openapi-3.0'
    this.#direction = direction
    this.#refer = refer
  }

  /** Where the definition of that name stands. */
  pointerOf(name: string): string {
    return [...this.#names].find(([, known]) => known === name)?.[0] ?? ''
  }

  /** The name under which the schema at `pointer` will stand. */
  define(pointer: string): string {
    const known = this.#names.get(pointer)
    if (known !== undefined) return known
    const name = `s${this.#names.size}`
    this.#names.set(pointer, name)
    this.#pending.push(pointer)
    return name
  }

  /** Converts what was asked for, and what that refers to in turn; gives the new names. */
  convertAll(): readonly string[] {
    const fresh: string[] = []
    for (let pointer = this.#pending.pop(); pointer !== undefined; pointer = this.#pending.pop()) {
      const schema = valueAtPointer(this.#document, pointer)
      if (schema === undefined) throw new SchemaFault(`the reference #${pointer} points at nothing`)
      const name = this.#names.get(pointer)!
      this.definitions.set(name, this.#convert(schema))
      fresh.push(name)
    }
    return fresh
  }

  /** A reference within the document becomes a named definition; an anchor or a foreign one stays. */
  #reference(reference: string): Readonly<Record<string, string>> {
    if (reference !== '#' && !reference.startsWith('#/')) return { $ref: reference }
    return this.#refer(this.define(reference.slice(1).split('/').map(decodePart).join('/')))
  }

  #convert(schema: unknown): unknown {
    if (!isMapping(schema)) return schema === undefined ? true : schema
    // A schema with an identity of its own resolves its references by itself.
    if (typeof schema['$id'] === 'string') return schema
    if (this.#legacy && typeof schema['$ref'] === 'string') return this.#reference(schema['$ref'])
    const converted: Record<string, unknown> = {}
    for (const [key, value] of Object.entries(schema)) {
      if (dropped.has(key) || key.startsWith('x-')) continue
      if (key === '$ref' && typeof value === 'string')
        Object.assign(converted, this.#reference(value))
      else converted[key] = this.#member(key, value)
    }
    if (isMapping(schema['properties']) && Array.isArray(schema['required'])) {
      const skipped = this.#direction === 'request' ? 'readOnly' : 'writeOnly'
      const properties = schema['properties']
      converted['required'] = schema['required'].filter(
        (name) => !this.#has(properties[String(name)], skipped),
      )
    }
    return this.#legacy ? modernise(converted, schema['nullable'] === true) : converted
  }

  #has(schema: unknown, flag: string): boolean {
    if (!isMapping(schema)) return false
    if (schema[flag] === true) return true
    const reference = schema['$ref']
    if (typeof reference !== 'string' || !reference.startsWith('#/')) return false
    const target = valueAtPointer(
      this.#document,
      reference.slice(1).split('/').map(decodePart).join('/'),
    )
    return isMapping(target) && target[flag] === true
  }

  #member(key: string, value: unknown): unknown {
    if (oneSchema.has(key)) return this.#convert(value)
    if (key === 'items')
      return Array.isArray(value) ? value.map((one) => this.#convert(one)) : this.#convert(value)
    if (schemaList.has(key) && Array.isArray(value)) return value.map((one) => this.#convert(one))
    if (schemaMap.has(key) && isMapping(value)) {
      return Object.fromEntries(
        Object.entries(value).map(([name, one]) => [name, this.#convert(one)]),
      )
    }
    return value
  }
}

const decodePart = (part: string): string => {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

/** OpenAPI 3.0's Schema Object in the terms of 2020-12. */
const modernise = (schema: Record<string, unknown>, nullable: boolean): unknown => {
  for (const [flag, bound] of [
    ['exclusiveMinimum', 'minimum'],
    ['exclusiveMaximum', 'maximum'],
  ] as const) {
    if (typeof schema[flag] !== 'boolean') continue
    const exclusive = schema[flag]
    delete schema[flag]
    if (!exclusive || schema[bound] === undefined) continue
    schema[flag] = schema[bound]
    delete schema[bound]
  }
  if (!nullable) return schema
  if (Array.isArray(schema['enum']) && !schema['enum'].includes(null))
    schema['enum'] = [...(schema['enum'] as unknown[]), null]
  const composed = ['allOf', 'anyOf', 'oneOf', 'not', '$ref', libraryReference].some(
    (key) => key in schema,
  )
  if (typeof schema['type'] === 'string' && !composed)
    return { ...schema, type: [schema['type'], 'null'] }
  return composed || 'type' in schema ? { anyOf: [{ type: 'null' }, schema] } : schema
}
