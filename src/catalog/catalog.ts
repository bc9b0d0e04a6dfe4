/**
 * The catalog of third-party APIs: which entry a host belongs to, and which operation a call is.
 *
 * For the egress line. Every answer carries its reason and, when it is a refusal, the YAML that would allow the call.
 * It opens no socket and judges no address.
 */
import type { ApiEntry, Operation } from './entry/entry.ts'
import { canonicalHost, coversHost } from './entry/host.ts'
import type { DeclaredHost, HostFault } from './entry/host.ts'
import { nearest } from './entry/nearness.ts'
import { pathSegments } from './entry/path-template.ts'
import { draftEntryText, draftOperationText } from './entry/suggestion.ts'

/** Where a call wants to go, as the app said it. */
export interface Destination {
  readonly host: string
  readonly port: number
}

/** The entry of a destination, or why there is none and what would help. */
export type HostMatch =
  | {
      readonly kind: 'entry'
      readonly entry: ApiEntry
      readonly declared: DeclaredHost
      readonly host: string
      readonly port: number
    }
  | HostRefusal

/** A destination that no entry covers. */
export interface HostRefusal {
  readonly kind: 'refused'
  readonly reason: HostFault['reason'] | 'ip-literal' | 'undeclared-host' | 'undeclared-port'
  readonly detail: string
  readonly hint: string
  /** Entries whose hosts look alike, best first. */
  readonly nearest: readonly {
    readonly name: string
    readonly owner: string
    readonly host: string
  }[]
  /** The YAML that would declare the destination; empty when it may not be declared. */
  readonly draft: string
}

/** The operation of a request, or why there is none and what would help. */
export type OperationMatch =
  | {
      readonly kind: 'operation'
      readonly operation: Operation
      readonly parameters: Readonly<Record<string, string>>
    }
  | {
      readonly kind: 'refused'
      readonly reason: 'path-ambiguous' | 'undeclared-operation' | 'undeclared-method'
      readonly detail: string
      readonly hint: string
      /** Methods declared for the same path. */
      readonly allowed: readonly string[]
      /** Declared operations that look alike, best first. */
      readonly nearest: readonly string[]
      /** The YAML line that would declare the operation. */
      readonly draft: string
    }

/** All entries in force. Immutable: a reload makes a new one. */
export class Catalog {
  readonly entries: readonly ApiEntry[]
  readonly #exact = new Map<string, { entry: ApiEntry; declared: DeclaredHost }>()
  readonly #wildcards: { entry: ApiEntry; declared: DeclaredHost }[] = []
  readonly #byName: ReadonlyMap<string, ApiEntry>

  constructor(entries: readonly ApiEntry[]) {
    this.entries = entries
    this.#byName = new Map(entries.map((entry) => [entry.name, entry]))
    for (const entry of entries) {
      for (const declared of entry.hosts) {
        if (declared.kind === 'wildcard') this.#wildcards.push({ entry, declared })
        if (declared.kind !== 'wildcard')
          this.#exact.set(`${declared.host}|${declared.port}`, { entry, declared })
      }
    }
    this.#wildcards.sort((a, b) => b.declared.host.length - a.declared.host.length)
  }

  /** The entry of that name. */
  get(name: string): ApiEntry | undefined {
    return this.#byName.get(name)
  }

  /** Finds the entry that declares the destination; a declared name beats a wildcard, a longer wildcard a shorter. */
  match(destination: Destination): HostMatch {
    const canonical = canonicalHost(destination.host)
    if (canonical.kind === 'fault') {
      return {
        ...this.#refusal(destination.host, destination.port, canonical.reason, canonical.detail),
        draft: '',
      }
    }
    const { host } = canonical
    const { port } = destination
    const found =
      this.#exact.get(`${host}|${port}`) ??
      (canonical.kind === 'name'
        ? this.#wildcards.find(
            ({ declared }) => declared.port === port && coversHost(declared, host),
          )
        : undefined)
    if (found && (canonical.kind === 'name' || found.entry.ip_literals === 'allow-declared')) {
      return { kind: 'entry', ...found, host, port }
    }
    if (canonical.kind === 'address') {
      return {
        ...this.#refusal(host, port, 'ip-literal', `${host} is an address, not a name`),
        draft: '',
      }
    }
    const otherPort = this.entries.find((entry) =>
      entry.hosts.some((declared) => coversHost(declared, host)),
    )
    if (!otherPort)
      return this.#refusal(
        host,
        port,
        'undeclared-host',
        `no entry of the catalog declares ${host}:${port}`,
      )
    const ports = otherPort.hosts
      .filter((declared) => coversHost(declared, host))
      .map((declared) => declared.port)
    return this.#refusal(
      host,
      port,
      'undeclared-port',
      `${otherPort.name} declares ${host} on port ${ports.join(', ')}, not ${port}`,
    )
  }

  #refusal(host: string, port: number, reason: HostRefusal['reason'], detail: string): HostRefusal {
    const hosts = new Map<string, ApiEntry>()
    for (const entry of this.entries)
      for (const declared of entry.hosts) hosts.set(declared.text, entry)
    const near = nearest(`${host}:${port}`, [...hosts.keys()], 3).map((text) => {
      const entry = hosts.get(text)!
      return { name: entry.name, owner: entry.owner, host: text }
    })
    const whom = near[0]
      ? `; nearest: ${near.map((one) => `${one.host} (${one.name}, ${one.owner})`).join(', ')}`
      : ''
    const hint =
      reason === 'ip-literal'
        ? 'call it by name, or list the address under hosts with ip_literals: allow-declared'
        : reason === 'undeclared-host' || reason === 'undeclared-port'
          ? `add the host to an entry of the catalog${whom}`
          : 'write the host as a plain name'
    return {
      kind: 'refused',
      reason,
      detail,
      hint,
      nearest: near,
      draft: draftEntryText(host, port),
    }
  }
}

/** Finds the operation of a request; `path` is the exact path that would be sent, without its query. */
export const matchOperation = (entry: ApiEntry, method: string, path: string): OperationMatch => {
  const segments = pathSegments(path)
  const none = { kind: 'refused', allowed: [], nearest: [], draft: '' } as const
  if (!segments) {
    return {
      ...none,
      reason: 'path-ambiguous',
      detail: `${method} path has an encoded slash, a dot segment, a backslash or a broken escape`,
      hint: 'send the path in its plain form',
    }
  }
  const found = entry.index.find(method, segments)
  if (found.kind === 'match')
    return { kind: 'operation', operation: found.value, parameters: found.parameters }
  const near = nearest(
    `${method} ${path}`,
    entry.operations.map((operation) => `${operation.method} ${operation.template}`),
    3,
  )
  const hint = `ask ${entry.owner}, or add the operation to ${entry.file}`
  if (found.kind === 'method') {
    return {
      kind: 'refused',
      reason: 'undeclared-method',
      detail: `${entry.name} declares ${found.allowed.join(', ')} for this path, not ${method}`,
      hint,
      allowed: found.allowed,
      nearest: near,
      draft: draftOperationText(method, path),
    }
  }
  return {
    kind: 'refused',
    reason: 'undeclared-operation',
    detail: `${entry.name} declares no operation for ${method} on this path`,
    hint,
    allowed: [],
    nearest: near,
    draft: draftOperationText(method, path),
  }
}
