/** `json.match_schema` and `json.verify_schema`. Schemas that were accepted are kept across queries. */
import { isArray, isObject, RegoObject, type Value } from '../values.ts'
import { toJson } from '../value-text.ts'
import type { BuiltinContext } from './builtin.ts'
import { cached } from './cache.ts'
import { checkSchema, SchemaError } from './json-schema/check.ts'
import { Schema, type Violation } from './json-schema/validate.ts'
import { JsonError, parseJson, writeJson } from './json/text.ts'
import { fail, type FunctionTable } from './operand.ts'

/** A document given as a value, or as JSON text. */
function documentOf(value: Value): Value {
  if (isObject(value) || isArray(value)) return toJson(value)
  if (typeof value !== 'string') throw new SchemaError('wrong type, expected string or object')
  try {
    return parseJson(value)
  } catch (error) {
    if (error instanceof JsonError) throw new SchemaError('invalid JSON string')
    throw error
  }
}

function schemaOf(context: BuiltinContext, value: Value): Schema {
  const key = typeof value === 'string' ? `text:${value}` : `value:${writeJson(value)}`
  return cached(context, 'json-schema', key, () => {
    const document = documentOf(value)
    checkSchema(document)
    return new Schema(document)
  })
}

function described({ type, field, description }: Violation): Value {
  return new RegoObject([
    ['error', `${field}: ${description}`],
    ['type', type],
    ['field', field],
    ['desc', description],
  ])
}

function match(context: BuiltinContext, document: Value, schema: Value): Value {
  try {
    const value = documentOf(document)
    const errors = schemaOf(context, schema).validate(value, (steps) => context.spend(steps))
    return [errors.length === 0, errors.map(described)]
  } catch (error) {
    if (error instanceof SchemaError) fail(error.message)
    throw error
  }
}

function verify(context: BuiltinContext, schema: Value): Value {
  try {
    schemaOf(context, schema)
    return [true, null]
  } catch (error) {
    if (error instanceof SchemaError) return [false, `jsonschema: ${error.message}`]
    throw error
  }
}

export const schemaFunctions: FunctionTable = {
  'json.match_schema': (context, document, schema) => match(context, document, schema),
  'json.verify_schema': (context, schema) => verify(context, schema),
}
