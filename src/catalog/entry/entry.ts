/**
 * An API entry, ready to be asked: its hosts canonical, its operations indexed, its review date a time.
 *
 * Made by `load.ts`; read by the egress line, the reports and the drafts. Holds no secret: the key is named, never
 * kept here.
 */
import { isAbsolute, dirname, join } from 'node:path'
import type { DeclaredHost } from './host.ts'
import type { TemplateIndex } from './path-template.ts'
import type { EntrySettings } from './settings.ts'

/** One declared operation of an API. */
export interface Operation {
  /** `operationId`, the author's `id`, or `METHOD /template`. */
  readonly id: string
  readonly method: string
  /** Path template, for `url.template`. */
  readonly template: string
  /** Data classes that the operation sends. */
  readonly data: readonly string[]
  /** Who may call it: SPIFFE IDs, or prefixes that end in `/*`. */
  readonly callers: readonly string[]
  /** May be repeated after a failure (RFC 9110 §9.2.2, or declared). */
  readonly idempotent: boolean
  /** JSON pointers of answer fields that hold plain text. */
  readonly text: readonly string[]
  /** What requests and answers must look like, when the entry brings a contract. */
  readonly contract: OperationContract | undefined
}

/** A JSON Schema with the document that its references point into. */
export interface SchemaInDocument {
  readonly dialect: 'json-schema-2020-12' | 'openapi-3.0'
  /** The whole document. */
  readonly document: unknown
  /** JSON pointer of the schema within the document; `''` is the whole. */
  readonly pointer: string
}

/** One parameter of an operation (OpenAPI §4.8.12). */
export interface ParameterContract {
  readonly name: string
  readonly in: 'path' | 'query' | 'header' | 'cookie'
  readonly required: boolean
  /** Array and object parameters are split by it: `form`, `simple`, `spaceDelimited`, `pipeDelimited`, `deepObject`. */
  readonly style: string
  readonly explode: boolean
  readonly schema: SchemaInDocument | undefined
}

/** One body by media type; an undefined schema accepts any content of that type. */
export type BodyContract = ReadonlyMap<string, SchemaInDocument | undefined>

/** One answer of an operation. */
export interface ResponseContract {
  readonly headers: readonly {
    readonly name: string
    readonly required: boolean
    readonly schema: SchemaInDocument | undefined
  }[]
  /** Undefined when the contract says nothing of a body; an empty map when there is none. */
  readonly body: BodyContract | undefined
}

/** The contract of one operation. */
export interface OperationContract {
  readonly parameters: readonly ParameterContract[]
  readonly requestBody: { readonly required: boolean; readonly content: BodyContract } | undefined
  /** By status (`200`), class (`2XX`) or `default`. */
  readonly responses: ReadonlyMap<string, ResponseContract>
}

/** A third-party API as the rest of the process knows it. */
export interface ApiEntry extends Omit<EntrySettings, 'hosts' | 'operations' | 'redirects'> {
  /** The file it was read from; relative paths in the entry start from its folder. */
  readonly file: string
  readonly hosts: readonly DeclaredHost[]
  readonly operations: readonly Operation[]
  readonly index: TemplateIndex<Operation>
  readonly redirects: {
    readonly mode: 'observe' | 'enforce'
    readonly targets: readonly DeclaredHost[]
  }
  /** First moment (ms) at which the entry is overdue: the end of its review day in UTC. */
  readonly reviewEndsAt: number
}

/** A path of the entry, seen from the working directory of the process. */
export const entryPath = (entry: { readonly file: string }, path: string): string =>
  isAbsolute(path) ? path : join(dirname(entry.file), path)

/** True when `caller` is one of `patterns`, which are SPIFFE IDs or prefixes that end in `/*`. */
export const coversCaller = (patterns: readonly string[], caller: string): boolean =>
  patterns.some((pattern) =>
    pattern.endsWith('/*') ? caller.startsWith(pattern.slice(0, -1)) : pattern === caller,
  )
