/**
 * JSON Schema 2020-12 to functions, by ajv, compiled once at load.
 *
 * The only file that knows ajv. No `$data`, no fetching: a reference that is not in the document or among the documents
 * given is a {@link SchemaFault}. `format` is an annotation, as the specification has it by default. Regular expressions
 * that can take exponential time are faults at load, and long texts do not reach the others.
 */
import { Ajv2020 } from 'ajv/dist/2020.js'
import type { FuncKeywordDefinition, ValidateFunction } from 'ajv/dist/2020.js'
import { mayBacktrackForever } from '../pattern-safety.ts'
import { libraryReference, referencesOf } from './library-reference.ts'
import { SchemaFault } from './schema-fault.ts'

/** What a value breaks. Holds names of the schema, never values. */
export interface SchemaMismatch {
  /** JSON pointer in the value. */
  readonly pointer: string
  /** The keyword, such as `required`. */
  readonly rule: string
  /** One sentence. */
  readonly detail: string
}

/** Judges a value; undefined when it fits. Stops at the first mismatch. */
export type SchemaCheck = (value: unknown) => SchemaMismatch | undefined

/** Longest text that a pattern is tried on: what is not exponential may still be quadratic. */
const longestPatternText = 8_192

const guardedPattern = Object.assign(
  (pattern: string, flags: string) => {
    if (mayBacktrackForever(pattern))
      throw new SchemaFault(`pattern ${JSON.stringify(pattern)} repeats a repeat and may never end`)
    const expression = new RegExp(pattern, flags)
    return {
      test: (text: string) => text.length <= longestPatternText && expression.test(text),
      // ajv shares compiled patterns by this text.
      toString: () => expression.toString(),
    }
  },
  { code: 'guardedPattern' },
)

type Follower = NonNullable<FuncKeywordDefinition['validate']>

/** Compiles schemas that may refer to each other. */
export class SchemaCompiler {
  readonly #ajv: Ajv2020
  readonly #named = new Map<string, ValidateFunction>()

  /** `coerce`: texts of parameters become numbers and truth values where the schema asks for them. */
  constructor(values: 'as-is' | 'from-text', documents: ReadonlyMap<string, unknown> = new Map()) {
    this.#ajv = new Ajv2020({
      strict: false,
      $data: false,
      allErrors: false,
      validateFormats: false,
      ownProperties: true,
      logger: false,
      messages: true,
      coerceTypes: values === 'from-text',
      code: { regExp: guardedPattern },
    })
    this.#ajv.addKeyword({
      keyword: libraryReference,
      schemaType: 'string',
      errors: 'full',
      validate: this.#follower(),
    })
    for (const [uri, document] of documents) this.#ajv.addSchema(document as object, uri)
  }

  /** Judges a value by a named definition, and reports its mismatch as this keyword's own. */
  #follower(): Follower {
    const follow: Follower = (name: string, value: unknown, _parent, place) => {
      const check = this.#named.get(name)
      if (!check) throw new SchemaFault(`definition ${name} was not compiled`)
      if (check(value, place)) return true
      follow.errors = check.errors ?? []
      return false
    }
    return follow
  }

  /** Compiles one schema; throws {@link SchemaFault} when it cannot be used. */
  compile(schema: unknown): SchemaCheck {
    return checkWith(this.#compiled(schema))
  }

  /** Compiles the definition of that name and all that it refers to, each once; gives its check. */
  define(name: string, library: { schema(name: string): unknown }): SchemaCheck {
    const pending = [name]
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      if (this.#named.has(next)) continue
      const schema = library.schema(next)
      this.#named.set(next, this.#compiled(schema))
      pending.push(...referencesOf(schema))
    }
    return checkWith(this.#named.get(name)!)
  }

  #compiled(schema: unknown): ValidateFunction {
    if (
      typeof schema !== 'boolean' &&
      (typeof schema !== 'object' || schema === null || Array.isArray(schema))
    ) {
      throw new SchemaFault('a schema is an object or true or false')
    }
    try {
      return this.#ajv.compile(schema)
    } catch (error) {
      const message = error instanceof Error ? error.message : 'unknown fault'
      const hint = /can't resolve reference/.test(message)
        ? '; bring it into the document, nothing is fetched'
        : ''
      throw new SchemaFault(message + hint)
    }
  }
}

const checkWith =
  (check: ValidateFunction): SchemaCheck =>
  (value) =>
    check(value) ? undefined : mismatchOf(check)

const mismatchOf = (check: ValidateFunction): SchemaMismatch => {
  const error = check.errors?.[0]
  if (!error) return { pointer: '', rule: 'false', detail: 'does not fit' }
  const named = error.params as Readonly<Record<string, unknown>>
  const missing = error.keyword === 'required' ? ` ${String(named['missingProperty'])}` : ''
  // Names of extra members come from the vendor, so they are counted as values and left out.
  const detail =
    error.keyword === 'additionalProperties' || error.keyword === 'unevaluatedProperties'
      ? 'has a member that the contract does not name'
      : (error.message ?? error.keyword)
  return {
    pointer: safePointer(error.instancePath),
    rule: error.keyword,
    detail: missing && !detail.includes(missing.trim()) ? detail + missing : detail,
  }
}

/** A pointer whose segments that do not look like names are blanked: keys can be values. */
const safePointer = (pointer: string): string =>
  pointer
    .split('/')
    .slice(0, 16)
    .map((segment) => (/^([A-Za-z_][A-Za-z0-9_-]{0,40}|\d{1,6}|)$/.test(segment) ? segment : '*'))
    .join('/')
