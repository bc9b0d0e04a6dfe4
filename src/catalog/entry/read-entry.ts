/**
 * One entry file into an {@link ApiEntry}, or everything that is wrong with it at once.
 *
 * For `load.ts`, which judges what needs more than one file. Reads the files that the entry names (OpenAPI, JSON
 * Schema) through the reader it is given; keys, certificates and authorities are read later, by those who use them.
 */
import { basename } from 'node:path'
import { compileOperation, ContractCompilers } from '../contract/operation-check.ts'
import type { OperationCheck } from '../contract/operation-check.ts'
import { readOpenApi } from '../contract/openapi.ts'
import type { OperationContract } from './contract-shape.ts'
import { coversCaller, entryPath } from './entry.ts'
import type { ApiEntry, Operation } from './entry.ts'
import { coversHost, declaredHost } from './host.ts'
import type { DeclaredHost } from './host.ts'
import { parseTemplate, TemplateIndex } from './path-template.ts'
import { problemAt, shownValue } from './problem.ts'
import type { CatalogProblem, Path, ReadYaml, YamlDocument } from './problem.ts'
import { schemaProblems } from './schema-problems.ts'
import { entrySettings } from './settings.ts'
import type { EntrySettings } from './settings.ts'

/** What reading a catalog needs from outside. */
export interface CatalogReader {
  readonly readYaml: ReadYaml
  /** Text of a file; throws as `readFileSync` does when there is none. */
  readonly readText: (path: string) => string
}

/** An entry, as far as it could be read, and what is wrong with it. */
export interface ReadEntry {
  readonly entry: ApiEntry | undefined
  readonly document: YamlDocument
  readonly problems: readonly CatalogProblem[]
}

/** Reads the entry in `file`. */
export const readEntry = (file: string, reader: CatalogReader): ReadEntry => {
  const document = reader.readYaml(file, reader.readText(file))
  if (document.faults.length > 0) return { entry: undefined, document, problems: document.faults }
  const parsed = entrySettings.safeParse(document.value)
  if (!parsed.success) {
    return {
      entry: undefined,
      document,
      problems: schemaProblems(parsed.error.issues, document, file),
    }
  }
  const problems: CatalogProblem[] = []
  const entry = buildEntry(parsed.data, file, document, reader, problems)
  return { entry: problems.length === 0 ? entry : undefined, document, problems }
}

const buildEntry = (
  settings: EntrySettings,
  file: string,
  document: YamlDocument,
  reader: CatalogReader,
  problems: CatalogProblem[],
): ApiEntry => {
  const say = (path: Path, expected: string, got: string, hint = ''): void => {
    problems.push(problemAt(document, file, path, { expected, got, hint }))
  }
  const stem = basename(file).replace(/\.ya?ml$/, '')
  if (stem !== settings.name)
    say(['name'], `the name of the file, ${stem}`, settings.name, 'rename one of them')
  const defaultPort = settings.unsafe_plaintext ? 80 : 443
  const readHosts = (texts: readonly string[], at: Path): DeclaredHost[] =>
    texts.flatMap((text, index) => {
      const host = declaredHost(text, defaultPort)
      if (host.kind !== 'fault') return [host]
      say([...at, index], 'host, host:port or *.host', shownValue(text), host.detail)
      return []
    })
  const hosts = readHosts(settings.hosts, ['hosts'])
  for (const [index, host] of hosts.entries()) {
    if (host.kind !== 'address' || settings.ip_literals === 'allow-declared') continue
    say(
      ['hosts', index],
      'a host name',
      host.host,
      'set ip_literals: allow-declared if the address is meant',
    )
  }
  checkTogether(settings, say)
  const reviewEndsAt = Date.parse(`${settings.review_by}T00:00:00Z`) + 86_400_000
  if (!isCalendarDay(settings.review_by))
    say(['review_by'], 'a day of the calendar', settings.review_by)
  const operations = readOperations(settings, file, hosts, reader, problems, say)
  const index = new TemplateIndex<Operation>()
  for (const { operation, path } of operations) {
    const segments = parseTemplate(operation.template)
    if (typeof segments === 'string')
      say(path, 'a path template', shownValue(operation.template), segments)
    if (typeof segments !== 'string' && !index.add(operation.method, segments, operation)) {
      say(
        path,
        'an operation that is not declared yet',
        `${operation.method} ${operation.template}`,
        'remove one of the two',
      )
    }
  }
  return {
    ...settings,
    file,
    hosts,
    operations: operations.map((one) => one.operation),
    index,
    redirects: {
      mode: settings.redirects.mode,
      targets: readHosts(settings.redirects.targets, ['redirects', 'targets']),
    },
    reviewEndsAt,
  }
}

type Say = (path: Path, expected: string, got: string, hint?: string) => void

const isCalendarDay = (text: string): boolean => {
  const time = Date.parse(`${text}T00:00:00Z`)
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text)
}

const needsKey = new Set(['header', 'query', 'basic', 'hmac', 'aws-sigv4'])

const checkTogether = (settings: EntrySettings, say: Say): void => {
  const { authentication, credential } = settings
  if (needsKey.has(authentication.kind) && !credential) {
    say(['authentication'], 'a credential for it', 'none', 'add credential with id and from')
  }
  if (credential && authentication.kind === 'none') {
    say(
      ['credential'],
      'an authentication that uses it',
      'none',
      'add authentication, such as kind: header',
    )
  }
  if (credential?.issued !== undefined && !isCalendarDay(credential.issued)) {
    say(['credential', 'issued'], 'a day of the calendar', credential.issued)
  }
  if (settings.connect === 'tunnel') {
    if (authentication.kind !== 'none')
      say(
        ['authentication'],
        'none in a tunnel',
        authentication.kind,
        'what is inside a tunnel is not seen; use originate or intercept',
      )
    if (settings.unsafe_plaintext) say(['connect'], 'originate for plaintext', 'tunnel')
  }
  if (settings.unsafe_plaintext && credential) {
    say(
      ['unsafe_plaintext'],
      'TLS for an API that gets a key',
      'plaintext',
      'a key is attached over TLS only',
    )
  }
  for (const [index, cidr] of settings.allow_cidrs.entries()) {
    if (!/^[0-9a-f:.]+\/\d{1,3}$/i.test(cidr))
      say(['allow_cidrs', index], 'an address range such as 10.1.2.0/24', shownValue(cidr))
  }
}

const idempotentMethods = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

interface PlacedOperation {
  readonly operation: Operation
  readonly path: Path
}

const readOperations = (
  settings: EntrySettings,
  file: string,
  hosts: readonly DeclaredHost[],
  reader: CatalogReader,
  problems: CatalogProblem[],
  say: Say,
): readonly PlacedOperation[] => {
  if (!Array.isArray(settings.operations)) {
    return fromOpenApi(settings, settings.operations, file, hosts, reader, problems, say)
  }
  const compilers = new ContractCompilers()
  return settings.operations.map((declared, index) => {
    const at = ['operations', index]
    if (typeof declared === 'string') {
      const [method = '', template = ''] = declared.split(' ')
      return { operation: operationOf(settings, { id: declared, method, template }), path: at }
    }
    for (const one of declared.data ?? []) {
      if (!settings.data.includes(one))
        say(
          [...at, 'data'],
          'data classes that the entry lets leave',
          one,
          'add it to data of the entry, or remove it here',
        )
    }
    for (const one of declared.callers ?? []) {
      if (!coversCaller(settings.callers, one))
        say([...at, 'callers'], 'callers of the entry', one, 'add it to callers of the entry')
    }
    const request =
      declared.request_schema === undefined
        ? undefined
        : readSchema(declared.request_schema, file, reader, [...at, 'request_schema'], say)
    const response =
      declared.response_schema === undefined
        ? undefined
        : readSchema(declared.response_schema, file, reader, [...at, 'response_schema'], say)
    const contract =
      request === undefined && response === undefined
        ? undefined
        : schemaContract(request, response)
    const operation = operationOf(settings, {
      id: declared.id ?? `${declared.method} ${declared.path}`,
      method: declared.method,
      template: declared.path,
      data: declared.data,
      callers: declared.callers,
      idempotent: declared.idempotent,
      text: declared.text,
      contract,
      check: contract && compile(contract, compilers, at, say),
    })
    return { operation, path: at }
  })
}

const operationOf = (
  settings: EntrySettings,
  fields: { id: string; method: string; template: string } & {
    [K in 'data' | 'callers' | 'idempotent' | 'text' | 'contract' | 'check']?:
      Operation[K] | undefined
  },
): Operation => ({
  id: fields.id,
  method: fields.method,
  template: fields.template,
  data: fields.data ?? settings.data,
  callers: fields.callers ?? settings.callers,
  idempotent: fields.idempotent ?? idempotentMethods.has(fields.method),
  text: fields.text ?? [],
  contract: fields.contract,
  check: fields.check,
})

const compile = (
  contract: OperationContract,
  compilers: ContractCompilers,
  at: Path,
  say: Say,
): OperationCheck | undefined => {
  try {
    return compileOperation(contract, compilers)
  } catch (error) {
    say(at, 'schemas that can be compiled', error instanceof Error ? error.message : 'a fault')
    return undefined
  }
}

const schemaContract = (request: unknown, response: unknown): OperationContract => {
  const body = (document: unknown) =>
    new Map([
      ['application/json', { dialect: 'json-schema-2020-12' as const, document, pointer: '' }],
    ])
  return {
    parameters: [],
    requestBody: request === undefined ? undefined : { required: true, content: body(request) },
    responses: new Map([
      ...(response === undefined ? [] : [['2XX', { headers: [], body: body(response) }] as const]),
      ['default', { headers: [], body: undefined }] as const,
    ]),
  }
}

/** JSON contracts are often far larger than what a person writes, so they are read by the JSON parser, without places. */
const readContract = (from: string, reader: CatalogReader): YamlDocument => {
  const text = reader.readText(from)
  if (!from.endsWith('.json')) return reader.readYaml(from, text)
  const top = (): { line: number; column: number } => ({ line: 1, column: 1 })
  try {
    return { value: JSON.parse(text) as unknown, locate: top, locateKey: top, faults: [] }
  } catch (error) {
    const got = error instanceof Error ? error.message : 'something else'
    const fault = {
      file: from,
      ...top(),
      setting: '',
      expected: 'JSON',
      got,
      hint: 'mend the syntax',
    }
    return { value: undefined, locate: top, locateKey: top, faults: [fault] }
  }
}

const readDocument = (
  path: string,
  file: string,
  reader: CatalogReader,
  at: Path,
  say: Say,
): { readonly document: YamlDocument; readonly from: string } | undefined => {
  const from = entryPath({ file }, path)
  try {
    return { document: readContract(from, reader), from }
  } catch {
    say(at, 'a file that can be read', path, `looked for ${from}`)
    return undefined
  }
}

const readSchema = (
  path: string,
  file: string,
  reader: CatalogReader,
  at: Path,
  say: Say,
): unknown => {
  const read = readDocument(path, file, reader, at, say)
  const fault = read?.document.faults[0]
  if (fault) say(at, 'valid JSON or YAML', fault.got, `${read.from}:${fault.line}:${fault.column}`)
  return read?.document.value
}

const fromOpenApi = (
  settings: EntrySettings,
  source: { readonly openapi: string; readonly only?: string[] | undefined },
  file: string,
  hosts: readonly DeclaredHost[],
  reader: CatalogReader,
  problems: CatalogProblem[],
  say: Say,
): readonly PlacedOperation[] => {
  const at = ['operations', 'openapi']
  const read = readDocument(source.openapi, file, reader, at, say)
  if (!read) return []
  const { document, from } = read
  problems.push(...document.faults)
  if (document.faults.length > 0) return []
  const { operations, faults } = readOpenApi(document.value, (host) =>
    hosts.some((declared) => coversHost(declared, host)),
  )
  for (const fault of faults) problems.push(problemAt(document, from, fault.path, fault))
  const names = (operation: (typeof operations)[number]): readonly string[] => [
    operation.id,
    `${operation.method} ${operation.template}`,
  ]
  for (const [index, wanted] of (source.only ?? []).entries()) {
    if (operations.some((operation) => names(operation).includes(wanted))) continue
    say(['operations', 'only', index], `an operation of ${source.openapi}`, shownValue(wanted))
  }
  const chosen = source.only
    ? operations.filter((operation) => names(operation).some((name) => source.only!.includes(name)))
    : operations
  for (const operation of chosen) {
    for (const one of operation.data ?? []) {
      if (settings.data.includes(one)) continue
      problems.push(
        problemAt(document, from, [...operation.path, 'x-sallyport-data'], {
          expected: 'data classes that the entry lets leave',
          got: one,
          hint: `add it to data in ${file}`,
        }),
      )
    }
  }
  const compilers = new ContractCompilers()
  return chosen.map((operation) => ({
    operation: operationOf(settings, {
      ...operation,
      idempotent: undefined,
      check: compile(operation.contract, compilers, at, (_, expected, got, hint) =>
        problems.push(
          problemAt(document, from, operation.path, { expected, got, hint: hint ?? '' }),
        ),
      ),
    }),
    path: at,
  }))
}
