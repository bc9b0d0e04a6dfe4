/**
 * Learns undeclared calls in observe mode, without values: hosts, templates, statuses, callers, shapes, example traces.
 *
 * For the egress line, and for `sallyport apis draft`, which turns what was learned into entries and a policy. Bounded in
 * hosts and templates; what does not fit is counted. Query values, header values, bodies and identifiers are not kept.
 */
import { pathSegments } from '../entry/path-template.ts'
import { pathNode, placeOf, templatesOf } from './path-tree.ts'
import type { PathNode } from './path-tree.ts'
import { addValue, isFieldName, mergeShapes } from './shape.ts'
import type { Shape } from './shape.ts'

/** One call that no entry covered. */
export interface ObservedCall {
  /** Canonical host. */
  readonly host: string
  readonly port: number
  readonly method: string
  /** Path without query, as sent. */
  readonly path: string
  /** Query as sent; only names are kept. */
  readonly query: string
  readonly caller: string
  /** Undefined when there was no answer. */
  readonly status: number | undefined
  readonly traceId: string | undefined
  /** Parsed JSON bodies, when they were held anyway. */
  readonly requestBody?: unknown
  readonly responseBody?: unknown
  /** Data classes that were recognised in the request. */
  readonly data?: readonly string[]
  /** `host:port` of a redirect that was answered. */
  readonly redirect?: string
  /** The answer was JSON that the distrust checks would refuse. */
  readonly unsafeJson?: 'yes'
}

/** How often and when. */
export interface Evidence {
  readonly count: number
  readonly firstSeen: number
  readonly lastSeen: number
  /** At most three. */
  readonly traces: readonly string[]
}

/** What is known of one operation. */
export interface LearnedOperation {
  readonly evidence: Evidence
  readonly callers: Readonly<Record<string, Evidence>>
  readonly statuses: Readonly<Record<string, number>>
  readonly query: readonly string[]
  readonly request: Shape | undefined
  readonly response: Shape | undefined
}

/** What is known of one host and port. */
export interface LearnedHost {
  readonly host: string
  readonly port: number
  readonly evidence: Evidence
  readonly callers: Readonly<Record<string, Evidence>>
  readonly data: Readonly<Record<string, Evidence>>
  readonly redirects: Readonly<Record<string, Evidence>>
  readonly unsafeJson: Evidence | undefined
  readonly operations: readonly {
    readonly method: string
    readonly template: string
    readonly value: LearnedOperation
  }[]
  /** Calls whose path can be read in two ways, or for which there was no room; they are in no draft. */
  readonly leftOut: number
}

interface HostState {
  host: string
  port: number
  evidence: Evidence
  callers: Record<string, Evidence>
  data: Record<string, Evidence>
  redirects: Record<string, Evidence>
  unsafeJson: Evidence | undefined
  tree: PathNode<LearnedOperation>
  templates: number
  leftOut: number
}

const mostTraces = 3
const mostCallers = 50
const mostQueryNames = 40

const addEvidence = (
  evidence: Evidence | undefined,
  now: number,
  traceId: string | undefined,
): Evidence => {
  const traces = evidence?.traces ?? []
  return {
    count: (evidence?.count ?? 0) + 1,
    firstSeen: evidence?.firstSeen ?? now,
    lastSeen: Math.max(evidence?.lastSeen ?? now, now),
    traces:
      traceId === undefined || traces.includes(traceId) || traces.length >= mostTraces
        ? traces
        : [...traces, traceId],
  }
}

const mergeEvidence = (a: Evidence, b: Evidence): Evidence => ({
  count: a.count + b.count,
  firstSeen: Math.min(a.firstSeen, b.firstSeen),
  lastSeen: Math.max(a.lastSeen, b.lastSeen),
  traces: [...new Set([...a.traces, ...b.traces])].slice(0, mostTraces),
})

const bump = (
  counts: Record<string, Evidence>,
  key: string,
  now: number,
  traceId: string | undefined,
): void => {
  if (!Object.hasOwn(counts, key) && Object.keys(counts).length >= mostCallers) return
  counts[key] = addEvidence(Object.hasOwn(counts, key) ? counts[key] : undefined, now, traceId)
}

/** What was learned so far. */
export class Discovery {
  readonly #limits: { readonly hosts: number; readonly shapes: number }
  readonly #hosts = new Map<string, HostState>()
  #forgotten = 0

  /** `saved`: what {@link Discovery.saved} gave before a restart. */
  constructor(limits: { readonly hosts: number; readonly shapes: number }, saved?: unknown) {
    this.#limits = limits
    if (!Array.isArray(saved)) return
    for (const state of saved as HostState[]) this.#hosts.set(`${state.host}|${state.port}`, state)
  }

  /** Calls to hosts for which there was no room. */
  get forgotten(): number {
    return this.#forgotten
  }

  /** Learns one call that ended at `now` (ms). */
  learn(call: ObservedCall, now: number): void {
    const state = this.#state(call, now)
    if (!state) return
    const { traceId } = call
    state.evidence = addEvidence(state.evidence, now, traceId)
    bump(state.callers, call.caller, now, traceId)
    for (const one of call.data ?? []) bump(state.data, one, now, traceId)
    if (call.redirect !== undefined) bump(state.redirects, call.redirect, now, traceId)
    if (call.unsafeJson) state.unsafeJson = addEvidence(state.unsafeJson, now, traceId)
    const segments = pathSegments(call.path)
    if (!segments || state.templates >= this.#limits.shapes || !/^[A-Z]{1,20}$/.test(call.method)) {
      state.leftOut++
      return
    }
    const place = placeOf(state.tree, segments, mergeOperations)
    const known = place.methods[call.method]
    if (!known) state.templates++
    place.methods[call.method] = addCall(known, call, now)
  }

  #state(call: ObservedCall, now: number): HostState | undefined {
    const key = `${call.host}|${call.port}`
    const known = this.#hosts.get(key)
    if (known) return known
    if (this.#hosts.size >= this.#limits.hosts) {
      this.#forgotten++
      return undefined
    }
    const evidence = { count: 0, firstSeen: now, lastSeen: now, traces: [] }
    const state = {
      host: call.host,
      port: call.port,
      evidence,
      callers: {},
      data: {},
      redirects: {},
      unsafeJson: undefined,
      tree: pathNode<LearnedOperation>(),
      templates: 0,
      leftOut: 0,
    }
    this.#hosts.set(key, state)
    return state
  }

  /** What is known, most called hosts first. */
  learned(): readonly LearnedHost[] {
    return [...this.#hosts.values()]
      .map((state) => ({
        host: state.host,
        port: state.port,
        evidence: state.evidence,
        callers: state.callers,
        data: state.data,
        redirects: state.redirects,
        unsafeJson: state.unsafeJson,
        operations: templatesOf(state.tree),
        leftOut: state.leftOut,
      }))
      .sort((a, b) => b.evidence.count - a.evidence.count || (a.host < b.host ? -1 : 1))
  }

  /** Plain values to keep over a restart. */
  saved(): unknown {
    return [...this.#hosts.values()]
  }
}

const addCall = (
  known: LearnedOperation | undefined,
  call: ObservedCall,
  now: number,
): LearnedOperation => {
  const callers = { ...known?.callers }
  bump(callers, call.caller, now, call.traceId)
  const status = call.status === undefined ? 'none' : String(call.status)
  const query = new Set([...(known?.query ?? []), ...queryNames(call.query)])
  return {
    evidence: addEvidence(known?.evidence, now, call.traceId),
    callers,
    statuses: { ...known?.statuses, [status]: (known?.statuses[status] ?? 0) + 1 },
    query: [...query].slice(0, mostQueryNames),
    request:
      call.requestBody === undefined ? known?.request : addValue(known?.request, call.requestBody),
    response:
      call.responseBody === undefined
        ? known?.response
        : addValue(known?.response, call.responseBody),
  }
}

const queryNames = (query: string): readonly string[] =>
  query === ''
    ? []
    : query
        .split('&')
        .map((pair) => pair.split('=', 1)[0]!)
        .filter(isFieldName)

const mergeCounts = (
  a: Readonly<Record<string, Evidence>>,
  b: Readonly<Record<string, Evidence>>,
): Readonly<Record<string, Evidence>> => {
  const merged: Record<string, Evidence> = { ...a }
  for (const [key, evidence] of Object.entries(b))
    merged[key] = merged[key] ? mergeEvidence(merged[key], evidence) : evidence
  return merged
}

const mergeOperations = (a: LearnedOperation, b: LearnedOperation): LearnedOperation => {
  const statuses: Record<string, number> = { ...a.statuses }
  for (const [status, count] of Object.entries(b.statuses))
    statuses[status] = (statuses[status] ?? 0) + count
  return {
    evidence: mergeEvidence(a.evidence, b.evidence),
    callers: mergeCounts(a.callers, b.callers),
    statuses,
    query: [...new Set([...a.query, ...b.query])].slice(0, mostQueryNames),
    request: a.request && b.request ? mergeShapes(a.request, b.request) : (a.request ?? b.request),
    response:
      a.response && b.response ? mergeShapes(a.response, b.response) : (a.response ?? b.response),
  }
}
