/** The `graphql` functions: parsing and validating queries and schemas, given as text or as syntax trees. */
import { isObject, type Value } from '../values.ts'
import { toJson } from '../value-text.ts'
import type { BuiltinContext } from './builtin.ts'
import { cached } from './cache.ts'
import {
  GraphqlError,
  type Position,
  type QueryDocument,
  type SchemaDocument,
} from './graphql/nodes.ts'
import { parseQuery } from './graphql/query-parser.ts'
import { parseSchemaDocument } from './graphql/schema-parser.ts'
import { buildSchema, type Schema } from './graphql/schema.ts'
import { validateQuery } from './graphql/validate.ts'
import { fail, failType, stringOperand, type FunctionTable } from './operand.ts'

/** Characters of text that one step of the budget pays for. */
const charactersPerStep = 16

function located(message: string, position: Position | undefined): string {
  if (position === undefined) return message
  return `${message} in GraphQL string at location ${position.line}:${position.column}`
}

function said<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof GraphqlError) fail(located(error.message, error.position))
    if (error instanceof TypeError) fail('the syntax tree does not have the shape of one')
    throw error
  }
}

function holds(read: () => unknown): boolean {
  try {
    return read() !== false
  } catch (error) {
    if (error instanceof GraphqlError || error instanceof TypeError) return false
    throw error
  }
}

function paid(context: BuiltinContext, text: string): string {
  context.spend(1 + Math.floor(text.length / charactersPerStep))
  return text
}

/** A tree that a policy gives is read as it is; one of another shape shows when it is used. */
function queryOf(context: BuiltinContext, value: Value, position: number): QueryDocument {
  if (typeof value === 'string') return parseQuery(paid(context, value))
  if (isObject(value)) return toJson(value) as unknown as QueryDocument
  return failType(position, value, 'string', 'object')
}

function schemaDocumentOf(context: BuiltinContext, value: Value, position: number): SchemaDocument {
  if (typeof value === 'string') return parseSchemaDocument(paid(context, value))
  if (isObject(value)) return toJson(value) as unknown as SchemaDocument
  return failType(position, value, 'string', 'object')
}

function schemaOf(context: BuiltinContext, value: Value, document: SchemaDocument): Schema {
  if (typeof value !== 'string') return build(document)
  return cached(context, 'graphql-schema', value, () => build(document))
}

function build(document: SchemaDocument): Schema {
  try {
    return buildSchema(document)
  } catch (error) {
    if (!(error instanceof GraphqlError)) throw error
    const { position } = error
    const place = position === undefined ? 'input' : `input:${position.line}:${position.column}`
    const message = `Error in gqlparser SchemaDocument to Schema conversion: ${place}: ${error.message}`
    throw new GraphqlError(message, undefined)
  }
}

/** @throws GraphqlError */
function checked(context: BuiltinContext, query: Value, schema: Value): Value {
  const document = queryOf(context, query, 0)
  const schemaDocument = schemaDocumentOf(context, schema, 1)
  const built = schemaOf(context, schema, schemaDocument)
  const [first] = validateQuery(built, document, (steps) => context.spend(steps))
  if (first !== undefined) throw new GraphqlError(first.message.replace(/\.$/, ''), first.position)
  return [document as unknown as Value, schemaDocument as unknown as Value]
}

function isText(value: Value): boolean {
  return typeof value === 'string' || isObject(value)
}

function isValid(context: BuiltinContext, query: Value, schema: Value): boolean {
  return isText(query) && isText(schema) && holds(() => checked(context, query, schema))
}

function isValidSchema(context: BuiltinContext, schema: Value): boolean {
  return (
    isText(schema) && holds(() => schemaOf(context, schema, schemaDocumentOf(context, schema, 1)))
  )
}

function parseAndVerify(context: BuiltinContext, query: Value, schema: Value): Value {
  let trees: readonly Value[] | undefined
  const valid =
    isText(query) &&
    isText(schema) &&
    holds(() => {
      trees = checked(context, query, schema) as readonly Value[]
    })
  return valid && trees !== undefined ? [true, ...trees] : [false, {}, {}]
}

export const queryFunctions: FunctionTable = {
  'graphql.is_valid': (context, query, schema) => isValid(context, query, schema),
  'graphql.schema_is_valid': (context, schema) => isValidSchema(context, schema),
  'graphql.parse': (context, query, schema) => said(() => checked(context, query, schema)),
  'graphql.parse_and_verify': (context, query, schema) => parseAndVerify(context, query, schema),
  'graphql.parse_query': (context, text) => {
    const source = stringOperand(text, 1)
    return said(() => parseQuery(paid(context, source))) as unknown as Value
  },
  'graphql.parse_schema': (context, text) => {
    const source = stringOperand(text, 1)
    return said(() => parseSchemaDocument(paid(context, source))) as unknown as Value
  },
}
