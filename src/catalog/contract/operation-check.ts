/**
 * The contract of one operation as two functions: does this request, does this answer keep it?
 *
 * Compiled when the catalog loads; a call pays for validation only. Violations name places and rules, never values. Runs
 * after the distrust checks: the body it parses is known to be strict JSON within limits.
 */
import type {
  BodyContract,
  OperationContract,
  ParameterContract,
  ResponseContract,
  SchemaInDocument,
} from '../entry/contract-shape.ts'
import { coversQueryName, queryPairs, queryValue, simpleValue } from './parameters.ts'
import type { ParameterShape, ParameterValue } from './parameters.ts'
import { checkForm } from './form.ts'
import { libraryReference } from './library-reference.ts'
import { isFormType, isJsonType, mediaType, typeCovers } from './media-type.ts'
import { SchemaCompiler } from './schema-compiler.ts'
import type { SchemaCheck, SchemaMismatch } from './schema-compiler.ts'
import { SchemaLibrary, valueAtPointer } from './schema-store.ts'
import type { Direction } from './schema-store.ts'
import { stripUnnamed } from './strip.ts'

/** One departure from the contract. */
export interface Violation {
  readonly place: 'path' | 'query' | 'header' | 'body' | 'content-type' | 'status'
  /** Parameter name or JSON pointer; empty for the whole. */
  readonly name: string
  /** Keyword or rule. */
  readonly rule: string
  readonly detail: string
}

/** A request as the contract sees it. */
export interface CheckedRequest {
  /** Decoded path parameters. */
  readonly parameters: Readonly<Record<string, string>>
  readonly query: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** The whole plain body; undefined when it is not held, empty when there is none. */
  readonly body: Buffer | undefined
}

/** An answer as the contract sees it. */
export interface CheckedResponse {
  readonly status: number
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** The whole plain body; undefined when it is not held (or may not exist, as for HEAD). */
  readonly body: Buffer | undefined
}

/** The compiled contract. */
export interface OperationCheck {
  request(request: CheckedRequest): readonly Violation[]
  response(response: CheckedResponse): readonly Violation[]
  /** Drops from a parsed answer body what the contract does not name; the same object when nothing was dropped. */
  strip(
    response: Pick<CheckedResponse, 'status' | 'headers'>,
    value: unknown,
  ): { readonly value: unknown; readonly dropped: number }
}

interface CompiledBody {
  readonly type: string
  readonly check: SchemaCheck | undefined
  readonly schema: unknown
}

/** What the operations of one entry share while they are compiled. */
export class ContractCompilers {
  readonly #values = new SchemaCompiler('as-is')
  readonly #texts = new SchemaCompiler('from-text')
  readonly #libraries = new Map<unknown, Record<Direction, SchemaLibrary>>()

  /** Compiles a schema and whatever it refers to, unless that was done before. */
  check(
    schema: SchemaInDocument,
    direction: Direction,
    values: 'as-is' | 'from-text',
  ): SchemaCheck {
    const compiler = values === 'as-is' ? this.#values : this.#texts
    if (isStandalone(schema)) return compiler.compile(schema.document)
    const library = this.#library(schema)[direction]
    return compiler.define(library.define(schema.pointer), library)
  }

  /** A parameter is judged as the member of an object, so that its text can become a number in place. */
  checkMember(schema: SchemaInDocument, direction: Direction): SchemaCheck {
    this.check(schema, direction, 'from-text')
    const name = this.#library(schema)[direction].define(schema.pointer)
    return this.#texts.compile({ properties: { value: { [libraryReference]: name } } })
  }

  /** The schema itself, for stripping. */
  schema(schema: SchemaInDocument, direction: Direction): unknown {
    if (isStandalone(schema)) return schema.document
    return { [libraryReference]: this.#library(schema)[direction].define(schema.pointer) }
  }

  /** A definition by its name. */
  definition(name: string): unknown {
    for (const { request, response } of this.#libraries.values()) {
      const found = request.schema(name) ?? response.schema(name)
      if (found !== undefined) return found
    }
    return undefined
  }

  #library(schema: SchemaInDocument): Record<Direction, SchemaLibrary> {
    const known = this.#libraries.get(schema.document)
    if (known) return known
    const { document, dialect } = schema
    const prefix = `d${this.#libraries.size}`
    const fresh = {
      request: new SchemaLibrary(document, dialect, 'request', `${prefix}.request.`),
      response: new SchemaLibrary(document, dialect, 'response', `${prefix}.response.`),
    }
    this.#libraries.set(document, fresh)
    return fresh
  }
}

const isStandalone = (schema: SchemaInDocument): boolean =>
  schema.pointer === '' && schema.dialect === 'json-schema-2020-12'

/** Compiles a contract; throws `SchemaFault` when one of its schemas cannot be used. */
export const compileOperation = (
  contract: OperationContract,
  compilers: ContractCompilers = new ContractCompilers(),
): OperationCheck => {
  const compileBody = (content: BodyContract, direction: Direction): readonly CompiledBody[] =>
    [...content].map(([type, schema]) => ({
      type: mediaType(type),
      check: schema && compilers.check(schema, direction, isFormType(type) ? 'from-text' : 'as-is'),
      schema: schema && compilers.schema(schema, direction),
    }))
  const parameters = contract.parameters.map((parameter) =>
    compileParameter(parameter, compilers, 'request'),
  )
  const requestBody = contract.requestBody && {
    required: contract.requestBody.required,
    content: compileBody(contract.requestBody.content, 'request'),
  }
  const responses = new Map(
    [...contract.responses].map(([status, response]) => [
      status,
      {
        headers: response.headers.map((header) =>
          compileParameter(headerParameter(header), compilers, 'response'),
        ),
        body: response.body && compileBody(response.body, 'response'),
      },
    ]),
  )
  const responseFor = (
    status: number,
  ): (typeof responses extends Map<string, infer R> ? R : never) | undefined =>
    responses.get(String(status)) ??
    responses.get(`${Math.floor(status / 100)}XX`) ??
    responses.get('default')
  return {
    request: (request) => [
      ...checkParameters(parameters, contract.parameters, request),
      ...checkRequestBody(requestBody, request),
    ],
    response: (answer) => {
      if (responses.size === 0) return []
      const expected = responseFor(answer.status)
      if (!expected)
        return [
          {
            place: 'status',
            name: String(answer.status),
            rule: 'undeclared',
            detail: 'the contract does not name this status',
          },
        ]
      const headers = expected.headers.flatMap((header) =>
        header(headerText(answer.headers, header.parameter.name)),
      )
      return expected.body === undefined
        ? headers
        : [...headers, ...checkBody(expected.body, answer.headers, answer.body)]
    },
    strip: (answer, value) => {
      const body = responseFor(answer.status)?.body?.find((one) =>
        typeCovers(one.type, mediaType(headerText(answer.headers, 'content-type') ?? '')),
      )
      return body?.schema === undefined
        ? { value, dropped: 0 }
        : stripUnnamed(value, body.schema, (name) => compilers.definition(name))
    },
  }
}

const headerParameter = (header: ResponseContract['headers'][number]): ParameterContract => ({
  ...header,
  in: 'header',
  style: 'simple',
  explode: false,
})

interface CompiledParameter {
  (value: ParameterValue | undefined): readonly Violation[]
  readonly parameter: ParameterContract
  readonly shape: ParameterShape
}

const compileParameter = (
  parameter: ParameterContract,
  compilers: ContractCompilers,
  direction: Direction,
): CompiledParameter => {
  const check = parameter.schema && compilers.checkMember(parameter.schema, direction)
  const shape = parameter.style === 'content' ? 'text' : shapeOf(parameter.schema)
  const place = parameter.in === 'cookie' ? 'header' : parameter.in
  const judge = (value: ParameterValue | undefined): readonly Violation[] => {
    if (value === undefined) {
      return parameter.required
        ? [
            {
              place,
              name: parameter.name,
              rule: 'required',
              detail: `${parameter.in} parameter ${parameter.name} is missing`,
            },
          ]
        : []
    }
    const parsed =
      parameter.style === 'content'
        ? parseText(value)
        : shape === 'list' && typeof value === 'string'
          ? simpleValue(value, 'list', false)
          : value
    const mismatch = check?.({ value: parsed })
    return mismatch
      ? [
          {
            place,
            name: parameter.name,
            rule: mismatch.rule,
            detail: `${parameter.in} parameter ${parameter.name} ${mismatch.detail}`,
          },
        ]
      : []
  }
  return Object.assign(judge, { parameter, shape })
}

const parseText = (value: ParameterValue): unknown => {
  try {
    return typeof value === 'string' ? (JSON.parse(value) as unknown) : value
  } catch {
    return value
  }
}

const shapeOf = (schema: SchemaInDocument | undefined): ParameterShape => {
  let node = schema && valueAtPointer(schema.document, schema.pointer)
  for (let hops = 0; hops < 16 && typeof node === 'object' && node !== null; hops++) {
    const { type, $ref: reference } = node as { type?: unknown; $ref?: unknown }
    if (type !== undefined || typeof reference !== 'string') {
      const types = Array.isArray(type) ? (type as unknown[]) : [type]
      return types.includes('array') ? 'list' : types.includes('object') ? 'record' : 'text'
    }
    node = reference.startsWith('#/')
      ? valueAtPointer(schema!.document, reference.slice(1))
      : undefined
  }
  return 'text'
}

const checkParameters = (
  compiled: readonly CompiledParameter[],
  declared: readonly ParameterContract[],
  request: CheckedRequest,
): readonly Violation[] => {
  const violations: Violation[] = []
  const pairs = queryPairs(request.query)
  if (!pairs)
    return [{ place: 'query', name: '', rule: 'escape', detail: 'the query has a broken escape' }]
  for (const one of compiled) {
    const { parameter, shape } = one
    if (parameter.in === 'cookie') continue
    if (parameter.in === 'query') violations.push(...one(queryValue(parameter, pairs, shape)))
    const text =
      parameter.in === 'path'
        ? request.parameters[parameter.name]
        : headerText(request.headers, parameter.name)
    if (parameter.in !== 'query')
      violations.push(
        ...one(text === undefined ? undefined : simpleValue(text, shape, parameter.explode)),
      )
  }
  // A contract that names query parameters names all of them; schema-only contracts name none and leave the query alone.
  const describesQuery = declared.length > 0
  for (const [name] of describesQuery ? pairs : []) {
    if (coversQueryName(declared, name)) continue
    violations.push({
      place: 'query',
      name: '',
      rule: 'undeclared',
      detail: 'the query has a parameter that the contract does not name',
    })
    break
  }
  return violations
}

const checkRequestBody = (
  expected: { readonly required: boolean; readonly content: readonly CompiledBody[] } | undefined,
  request: CheckedRequest,
): readonly Violation[] => {
  if (request.body === undefined)
    return expected ? checkBody(expected.content, request.headers, undefined) : []
  if (!expected) {
    return request.body.length === 0
      ? []
      : [
          {
            place: 'body',
            name: '',
            rule: 'undeclared',
            detail: 'the contract names no request body',
          },
        ]
  }
  if (request.body.length > 0) return checkBody(expected.content, request.headers, request.body)
  return expected.required
    ? [{ place: 'body', name: '', rule: 'required', detail: 'the request body is missing' }]
    : []
}

const checkBody = (
  content: readonly CompiledBody[],
  headers: CheckedRequest['headers'],
  body: Buffer | undefined,
): readonly Violation[] => {
  if (content.length === 0 || body?.length === 0) return []
  const type = mediaType(headerText(headers, 'content-type') ?? '')
  const found =
    content.find((one) => one.type === type) ?? content.find((one) => typeCovers(one.type, type))
  if (!found)
    return [
      {
        place: 'content-type',
        name: '',
        rule: 'undeclared',
        detail: `the contract names ${content.map((one) => one.type).join(', ')}`,
      },
    ]
  if (!found.check || body === undefined) return []
  const mismatch = isJsonType(type)
    ? checkJson(found.check, body)
    : isFormType(type)
      ? checkForm(found.check, body)
      : undefined
  return mismatch
    ? [
        {
          place: 'body',
          name: mismatch.pointer,
          rule: mismatch.rule,
          detail: `${mismatch.pointer || 'the body'} ${mismatch.detail}`,
        },
      ]
    : []
}

const checkJson = (check: SchemaCheck, body: Buffer): SchemaMismatch | undefined => {
  try {
    return check(JSON.parse(body.toString().replace(/^\uFEFF/, '')))
  } catch {
    return { pointer: '', rule: 'json', detail: 'is not JSON' }
  }
}

const headerText = (headers: CheckedRequest['headers'], name: string): string | undefined => {
  const values = headers
    .filter(([key]) => key.toLowerCase() === name.toLowerCase())
    .map(([, value]) => value)
  return values.length === 0 ? undefined : values.join(', ')
}
