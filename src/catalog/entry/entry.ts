/**
 * An API entry, ready to be asked: its hosts canonical, its operations indexed, its review date a time.
 *
 * Made by `load.ts`; read by the egress line, the reports and the drafts. Holds no secret: the key is named, never
 * kept here.
 */
import { isAbsolute, dirname, join } from 'node:path'
import type { OperationCheck } from '../contract/operation-check.ts'
import type { OperationContract } from './contract-shape.ts'
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
  /** The contract, compiled. */
  readonly check: OperationCheck | undefined
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
