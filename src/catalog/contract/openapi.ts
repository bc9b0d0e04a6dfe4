/**
 * Reads an OpenAPI 3.0 or 3.1 document into operations with their contracts.
 *
 * For the loading of entries. References are followed within the document only; a reference to a file or a URL is a
 * fault, never a fetch. It does not check the whole document against the OpenAPI schema: it reads what decides a call
 * and says what it cannot read.
 */
import type {
  BodyContract,
  OperationContract,
  ParameterContract,
  ResponseContract,
  SchemaInDocument,
} from '../entry/contract-shape.ts'

/** One operation of a document. */
export interface OpenApiOperation {
  readonly id: string
  readonly method: string
  /** Template with the base path of the server in front. */
  readonly template: string
  readonly data: readonly string[] | undefined
  readonly callers: readonly string[] | undefined
  readonly text: readonly string[]
  readonly contract: OperationContract
  /** Where it stands in the document. */
  readonly path: readonly string[]
}

/** Something in the document that cannot be used. */
export interface OpenApiFault {
  readonly path: readonly (string | number)[]
  readonly expected: string
  readonly got: string
  readonly hint: string
}

type Mapping = Readonly<Record<string, unknown>>

const isMapping = (value: unknown): value is Mapping =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const mapping = (value: unknown): Mapping => (isMapping(value) ? value : {})
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
const strings = (value: unknown): readonly string[] =>
  list(value).filter((one) => typeof one === 'string')

const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace']

/** Reads `document`; `hosts` says which of its servers count (canonical names), for their base paths. */
export const readOpenApi = (
  document: unknown,
  covers: (host: string) => boolean,
): {
  readonly operations: readonly OpenApiOperation[]
  readonly faults: readonly OpenApiFault[]
} => {
  const root = mapping(document)
  const version = typeof root['openapi'] === 'string' ? root['openapi'] : undefined
  if (!version || !/^3\.[01](\.|$)/.test(version)) {
    const fault = {
      path: ['openapi'],
      expected: 'OpenAPI 3.0 or 3.1',
      got: JSON.stringify(root['openapi'] ?? null),
      hint: 'convert the document',
    }
    return { operations: [], faults: [fault] }
  }
  const reader = new Reader(
    document,
    version.startsWith('3.0') ? 'openapi-3.0' : 'json-schema-2020-12',
  )
  const operations: OpenApiOperation[] = []
  for (const [template, rawItem] of Object.entries(mapping(root['paths']))) {
    const at = ['paths', template]
    const [item, itemAt] = reader.follow(rawItem, at)
    for (const method of methods) {
      if (!isMapping(item[method])) continue
      const operation = item[method]
      const servers = operation['servers'] ?? item['servers'] ?? root['servers']
      const contract = reader.contract(operation, item, [...itemAt, method], itemAt)
      for (const base of basePaths(servers, covers)) {
        operations.push({
          id:
            typeof operation['operationId'] === 'string'
              ? operation['operationId']
              : `${method.toUpperCase()} ${base}${template}`,
          method: method.toUpperCase(),
          template: base + template,
          data:
            operation['x-sallyport-data'] === undefined
              ? undefined
              : strings(operation['x-sallyport-data']),
          callers:
            operation['x-sallyport-callers'] === undefined
              ? undefined
              : strings(operation['x-sallyport-callers']),
          text: strings(operation['x-sallyport-text']),
          contract,
          path: [...at, method],
        })
      }
    }
  }
  return { operations, faults: reader.faults }
}

const variableDefault = (variable: unknown): string => {
  const value = mapping(variable)['default']
  return typeof value === 'string' ? value : ''
}

const basePaths = (servers: unknown, covers: (host: string) => boolean): readonly string[] => {
  const read = list(servers).flatMap((server) => {
    const { url, variables } = mapping(server)
    if (typeof url !== 'string') return []
    const filled = url.replaceAll(/\{([^}]+)\}/g, (_, name: string) =>
      variableDefault(mapping(variables)[name]),
    )
    const parsed = URL.parse(filled, 'https://relative.invalid/')
    if (!parsed) return []
    const base = parsed.pathname.replace(/\/+$/, '')
    return [{ base, ours: parsed.hostname === 'relative.invalid' || covers(parsed.hostname) }]
  })
  const ours = read.filter((server) => server.ours)
  const bases = (ours.length > 0 ? ours : read).map((server) => server.base)
  return bases.length > 0 ? [...new Set(bases)] : ['']
}

class Reader {
  readonly faults: OpenApiFault[] = []
  readonly #document: unknown
  readonly #dialect: SchemaInDocument['dialect']

  constructor(document: unknown, dialect: SchemaInDocument['dialect']) {
    this.#document = document
    this.#dialect = dialect
  }

  /** Follows `$ref` within the document; gives the node and where it stands. */
  follow(node: unknown, path: readonly string[]): readonly [Mapping, readonly string[]] {
    let at = mapping(node)
    let where = path
    for (let hops = 0; typeof at['$ref'] === 'string'; hops++) {
      const target = at['$ref']
      const keys = target.startsWith('#/') ? target.slice(2).split('/').map(unescape) : undefined
      const found =
        keys && hops < 32
          ? keys.reduce<unknown>((value, key) => childOf(value, key), this.#document)
          : undefined
      if (!keys || !isMapping(found)) {
        const hint = keys
          ? 'the reference points at nothing'
          : 'bring what it points at into this document; nothing is fetched'
        this.faults.push({
          path: [...where, '$ref'],
          expected: 'a reference within this document',
          got: JSON.stringify(target),
          hint,
        })
        return [{}, where]
      }
      at = found
      where = keys
    }
    return [at, where]
  }

  contract(
    operation: Mapping,
    item: Mapping,
    path: readonly string[],
    itemPath: readonly string[],
  ): OperationContract {
    const parameters = new Map<string, ParameterContract>()
    const declare = (raw: unknown, at: readonly string[]): void => {
      const parameter = this.#parameter(raw, at)
      if (parameter) parameters.set(`${parameter.in} ${parameter.name}`, parameter)
    }
    for (const [index, raw] of list(item['parameters']).entries())
      declare(raw, [...itemPath, 'parameters', String(index)])
    for (const [index, raw] of list(operation['parameters']).entries())
      declare(raw, [...path, 'parameters', String(index)])
    const [body, bodyAt] = this.follow(operation['requestBody'], [...path, 'requestBody'])
    const responses = new Map<string, ResponseContract>()
    for (const [status, raw] of Object.entries(mapping(operation['responses']))) {
      const [response, at] = this.follow(raw, [...path, 'responses', status])
      responses.set(
        /^\dxx$/i.test(status) ? status.toUpperCase() : status,
        this.#response(response, at),
      )
    }
    return {
      parameters: [...parameters.values()],
      requestBody:
        operation['requestBody'] === undefined
          ? undefined
          : {
              required: body['required'] === true,
              content: this.#content(body['content'], [...bodyAt, 'content']),
            },
      responses,
    }
  }

  #parameter(raw: unknown, path: readonly string[]): ParameterContract | undefined {
    const [parameter, at] = this.follow(raw, path)
    const { name, in: place } = parameter
    if (
      typeof name !== 'string' ||
      (place !== 'path' && place !== 'query' && place !== 'header' && place !== 'cookie')
    )
      return undefined
    // OpenAPI 3.1 §4.8.12.1: these three header parameters are ignored, other parts of the document describe them.
    if (place === 'header' && /^(accept|content-type|authorization)$/i.test(name)) return undefined
    const style =
      typeof parameter['style'] === 'string'
        ? parameter['style']
        : place === 'query' || place === 'cookie'
          ? 'form'
          : 'simple'
    const content = Object.entries(mapping(parameter['content']))[0]
    return {
      name,
      in: place,
      required: parameter['required'] === true || place === 'path',
      style: content ? 'content' : style,
      explode: typeof parameter['explode'] === 'boolean' ? parameter['explode'] : style === 'form',
      schema: content
        ? this.#schema(mapping(content[1])['schema'], [...at, 'content', content[0], 'schema'])
        : this.#schema(parameter['schema'], [...at, 'schema']),
    }
  }

  #response(response: Mapping, path: readonly string[]): ResponseContract {
    const headers = Object.entries(mapping(response['headers']))
      .filter(([name]) => name.toLowerCase() !== 'content-type')
      .map(([name, raw]) => {
        const [header, at] = this.follow(raw, [...path, 'headers', name])
        return {
          name: name.toLowerCase(),
          required: header['required'] === true,
          schema: this.#schema(header['schema'], [...at, 'schema']),
        }
      })
    const content = response['content']
    return {
      headers,
      body: content === undefined ? undefined : this.#content(content, [...path, 'content']),
    }
  }

  #content(content: unknown, path: readonly string[]): BodyContract {
    return new Map(
      Object.entries(mapping(content)).map(([type, media]) => [
        type.toLowerCase(),
        this.#schema(mapping(media)['schema'], [...path, type, 'schema']),
      ]),
    )
  }

  #schema(schema: unknown, path: readonly string[]): SchemaInDocument | undefined {
    if (schema === undefined) return undefined
    return {
      dialect: this.#dialect,
      document: this.#document,
      pointer: path.map((key) => `/${escape(key)}`).join(''),
    }
  }
}

const escape = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1')

const unescape = (key: string): string => {
  try {
    return decodeURIComponent(key).replaceAll('~1', '/').replaceAll('~0', '~')
  } catch {
    return key
  }
}

const childOf = (value: unknown, key: string): unknown => {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
  return (value as Record<string, unknown>)[key]
}
