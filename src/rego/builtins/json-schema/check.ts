/**
 * Checks a JSON Schema (drafts 4, 6 and 7) before it is used: keywords of the right type, known types, valid patterns,
 * references that lead somewhere inside the schema. References to other documents are refused, nothing is fetched.
 */
import {
  compareNumbers,
  isInteger,
  isNumber,
  numberToText,
  type RegoNumber,
} from '../../numbers.ts'
import {
  isArray,
  isObject,
  objectEntries,
  objectGet,
  type ObjectValue,
  type Value,
} from '../../values.ts'
import { isPattern } from '../text/regex.ts'
import { resolvePointer } from './reference.ts'

/** A schema that cannot be used, in the words of OPA's validator. */
export class SchemaError extends Error {}

const types = ['array', 'boolean', 'integer', 'number', 'null', 'object', 'string']
const depthLimit = 500

/** @throws SchemaError */
export function checkSchema(root: Value): void {
  new Checker(root).schema(root, 0)
}

class Checker {
  readonly #root: Value

  constructor(root: Value) {
    this.#root = root
  }

  schema(value: Value, depth: number): void {
    if (depth > depthLimit) throw new SchemaError('schema is nested too deeply')
    if (typeof value === 'boolean') return
    if (!isObject(value)) throw new SchemaError('Expected: schema, given: Invalid JSON')
    for (const key of ['$id', 'id', 'title', 'description', '$ref', 'pattern', 'format']) {
      const text = objectGet(value, key)
      if (text !== undefined && typeof text !== 'string') throw invalidType('string', key)
    }
    this.#children(value, depth)
    const reference = objectGet(value, '$ref')
    if (typeof reference === 'string') {
      if (resolvePointer(this.#root, reference) === undefined) {
        throw new SchemaError(`Reference ${reference} must be canonical`)
      }
      return
    }
    checkTypes(value)
    checkNumbers(value)
    checkSizes(value)
    checkPatterns(value)
    checkLists(value)
  }

  /** Schemas that stand below this one. */
  #children(value: ObjectValue, depth: number): void {
    for (const key of ['definitions', 'properties', 'patternProperties']) {
      for (const child of members(value, key)) this.schema(child, depth + 1)
    }
    for (const key of ['additionalProperties', 'additionalItems']) {
      const child = objectGet(value, key)
      if (child === undefined) continue
      if (typeof child !== 'boolean' && !isObject(child)) throw invalidType('boolean/schema', key)
      this.schema(child, depth + 1)
    }
    for (const key of ['propertyNames', 'contains', 'not', 'if', 'then', 'else']) {
      const child = objectGet(value, key)
      if (child !== undefined) this.schema(child, depth + 1)
    }
    const items = objectGet(value, 'items')
    if (items !== undefined && !isArray(items) && !isObject(items) && typeof items !== 'boolean') {
      throw invalidType('schema/array of schemas', 'items')
    }
    for (const child of isArray(items) ? items : items === undefined ? [] : [items]) {
      this.schema(child, depth + 1)
    }
    for (const key of ['oneOf', 'anyOf', 'allOf']) this.#alternatives(value, key, depth)
    for (const child of members(value, 'dependencies')) {
      if (isObject(child) || typeof child === 'boolean') this.schema(child, depth + 1)
      else if (!isArray(child))
        throw new SchemaError('dependency must be of type schema or array of strings')
    }
  }

  #alternatives(value: ObjectValue, key: string, depth: number): void {
    const list = objectGet(value, key)
    if (list === undefined) return
    if (!isArray(list)) throw new SchemaError(`${key} must be of an array`)
    for (const child of list) this.schema(child, depth + 1)
  }
}

function members(value: ObjectValue, key: string): readonly Value[] {
  const object = objectGet(value, key)
  if (object === undefined) return []
  if (!isObject(object)) throw invalidType('object', key)
  return objectEntries(object).map((entry) => entry.value)
}

function invalidType(expected: string, given: string): SchemaError {
  return new SchemaError(`Invalid type. Expected: ${expected}, given: ${given}`)
}

function checkTypes(value: ObjectValue): void {
  const declared = objectGet(value, 'type')
  if (declared === undefined) return
  const names = isArray(declared) ? declared : [declared]
  const seen = new Set<Value>()
  for (const name of names) {
    if (typeof name !== 'string') throw invalidType('string/array of strings', 'type')
    if (!types.includes(name)) {
      throw new SchemaError(
        `has a primitive type that is NOT VALID -- given: /${name}/ Expected valid values are:[${types.join(' ')}]`,
      )
    }
    if (seen.has(name)) throw new SchemaError(`${name} type is duplicated`)
    seen.add(name)
  }
}

function checkNumbers(value: ObjectValue): void {
  const step = objectGet(value, 'multipleOf')
  if (step !== undefined) {
    if (!isNumber(step)) throw invalidType('number', 'multipleOf')
    if (compareNumbers(step, 0) <= 0)
      throw new SchemaError('multipleOf must be strictly greater than 0')
  }
  for (const [key, exclusive] of [
    ['minimum', 'exclusiveMinimum'],
    ['maximum', 'exclusiveMaximum'],
  ] as const) {
    const bound = objectGet(value, key)
    if (bound !== undefined && !isNumber(bound)) throw new SchemaError(`${key} must be of a number`)
    const strict = objectGet(value, exclusive)
    if (strict === undefined || isNumber(strict)) continue
    if (typeof strict !== 'boolean') throw invalidType('boolean/number', exclusive)
    if (bound === undefined) throw new SchemaError(`${exclusive} cannot be used without ${key}`)
  }
}

function checkSizes(value: ObjectValue): void {
  for (const kind of ['Length', 'Properties', 'Items']) {
    const low = sizeOf(value, `min${kind}`)
    const high = sizeOf(value, `max${kind}`)
    if (low !== undefined && high !== undefined && compareNumbers(low, high) > 0) {
      throw new SchemaError(`min${kind} cannot be greater than max${kind}`)
    }
  }
}

function sizeOf(value: ObjectValue, key: string): RegoNumber | undefined {
  const size = objectGet(value, key)
  if (size === undefined) return undefined
  if (!isNumber(size) || !isInteger(size)) throw new SchemaError(`${key} must be of an integer`)
  if (numberToText(size).startsWith('-'))
    throw new SchemaError(`${key} must be greater than or equal to 0`)
  return size
}

function checkPatterns(value: ObjectValue): void {
  const pattern = objectGet(value, 'pattern')
  if (typeof pattern === 'string' && !isPattern(pattern))
    throw new SchemaError('pattern must be a valid regex')
  const patterns = objectGet(value, 'patternProperties')
  if (!isObject(patterns)) return
  for (const entry of objectEntries(patterns)) {
    const key = entry.key as string
    if (!isPattern(key)) throw new SchemaError(`Invalid regex pattern '${key}'`)
  }
}

function checkLists(value: ObjectValue): void {
  const unique = objectGet(value, 'uniqueItems')
  if (unique !== undefined && typeof unique !== 'boolean')
    throw new SchemaError('uniqueItems must be of a boolean')
  const required = objectGet(value, 'required')
  if (required !== undefined) {
    if (!isArray(required)) throw new SchemaError('required must be of an array')
    const names = new Set<Value>()
    for (const name of required) {
      if (typeof name !== 'string') throw new SchemaError('required items must be string')
      if (names.has(name)) throw new SchemaError('required items must be unique')
      names.add(name)
    }
  }
  const choices = objectGet(value, 'enum')
  if (choices !== undefined && !isArray(choices)) throw new SchemaError('enum must be of an array')
}
