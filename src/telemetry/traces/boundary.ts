/**
 * What of a trace crosses which border: continued inside the mesh, restarted at its edge, kept back from third
 * parties.
 *
 * Used by `stages/continue-trace` and by the three forwarding stages. Prevents forged sampling (a bill, or a flood of
 * the collector), and keeps the inner structure and the baggage of the mesh from vendors (W3C Trace Context, security
 * and privacy considerations). Headers that have nothing to do with tracing are not handled here.
 */
import type { Identifiers } from './identifiers.ts'
import type { TraceContext } from './span.ts'
import { formatTraceparent, parseTraceparent, parseTracestate } from './trace-context.ts'

/** Headers, as the wire library reads them: every value of one lower-case name. */
export interface HeaderValues {
  all(name: string): readonly string[]
}

/** What was read from a request, judged by where it came from. */
export interface IncomingTrace {
  /** The context to continue, or undefined to start a trace. */
  readonly parent: TraceContext | undefined
  /** A context that was not continued; the new span links to it. */
  readonly link: TraceContext | undefined
  /** The `baggage` header that may travel on inside the mesh, or ''. */
  readonly baggage: string
}

/** What is allowed to travel inside the mesh. */
export interface PropagationRules {
  readonly traceContext: 'propagate' | 'ignore'
  readonly baggageKeys: ReadonlySet<string>
}

const nothing: IncomingTrace = { parent: undefined, link: undefined, baggage: '' }
const longestBaggage = 8_192
const mostBaggage = 180
const baggageMember =
  /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*=[ \t]*[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*(?:[ \t]*;[^,"\\]*)?$/

/**
 * Reads the trace headers of a request. `mesh` is an authenticated peer or the app beside us, whose trace goes on;
 * `edge` is anyone else: the trace is restarted and what was sent becomes a link.
 */
export const readTrace = (
  headers: HeaderValues,
  origin: 'mesh' | 'edge',
  rules: PropagationRules,
): IncomingTrace => {
  if (rules.traceContext === 'ignore') return nothing
  const values = headers.all('traceparent')
  const parsed = values.length === 0 ? undefined : parseTraceparent(values)
  if (origin === 'edge') return parsed === undefined ? nothing : { ...nothing, link: parsed }
  const baggage =
    rules.baggageKeys.size === 0 ? '' : filterBaggage(headers.all('baggage'), rules.baggageKeys)
  if (parsed === undefined) return baggage === '' ? nothing : { ...nothing, baggage }
  const state = parseTracestate(headers.all('tracestate'))
  return { parent: state === '' ? parsed : { ...parsed, state }, link: undefined, baggage }
}

/** Keeps the listed keys of a `baggage` header; '' when it is too large or nothing is left. */
export const filterBaggage = (values: readonly string[], keys: ReadonlySet<string>): string => {
  const text = values.join(',')
  if (text.length > longestBaggage) return ''
  const kept: string[] = []
  for (const part of text.split(',')) {
    const member = part.trim()
    const match = baggageMember.exec(member)
    if (match && keys.has(match[1]!)) kept.push(member)
    if (kept.length === mostBaggage) break
  }
  return kept.join(',')
}

/** The headers of a request to a mesh peer or to the app beside us. Replaces all headers of these names. */
export const meshTraceHeaders = (
  context: TraceContext,
  baggage: string,
): readonly (readonly [name: string, value: string])[] => {
  const headers: [string, string][] = [['traceparent', formatTraceparent(context)]]
  if (context.state !== '') headers.push(['tracestate', context.state])
  if (baggage !== '') headers.push(['baggage', baggage])
  return headers
}

/** `strip` sends nothing; `restart` fresh identifiers that lead nowhere but to our link; `unsafe-pass` our own. */
export type ThirdPartyPropagation = 'strip' | 'restart' | 'unsafe-pass'

/** What a third party is sent, and the context to link when it is a fresh one. */
export interface ThirdPartyTrace {
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly link: TraceContext | undefined
}

/** The trace headers of a request that leaves the mesh. State and baggage never leave. */
export const thirdPartyTrace = (
  propagation: ThirdPartyPropagation,
  context: TraceContext,
  identifiers: Identifiers,
): ThirdPartyTrace => {
  if (propagation === 'strip') return { headers: [], link: undefined }
  if (propagation === 'unsafe-pass') {
    return { headers: [['traceparent', formatTraceparent(context)]], link: undefined }
  }
  const fresh: TraceContext = {
    traceId: identifiers.traceId(),
    spanId: identifiers.spanId(),
    sampled: false,
    random: true,
    state: '',
  }
  return { headers: [['traceparent', formatTraceparent(fresh)]], link: fresh }
}

const privateNames = new Set([
  'traceparent',
  'tracestate',
  'traceresponse',
  'baggage',
  'b3',
  'uber-trace-id',
  'sentry-trace',
  'x-request-id',
  'x-correlation-id',
  'x-amzn-trace-id',
  'x-cloud-trace-context',
  'x-ot-span-context',
  'grpc-trace-bin',
  'newrelic',
  'elastic-apm-traceparent',
  'request-context',
  'correlation-context',
  'server-timing',
  'via',
  'forwarded',
  'x-real-ip',
  'txn-token',
])
const privatePrefixes = [
  'x-b3-',
  'uberctx-',
  'x-datadog-',
  'x-forwarded-',
  'x-envoy-',
  'x-sallyport-',
  'workload-',
  'ot-tracer-',
  'ot-baggage-',
]

/** True for a lower-case header name that tells a third party about the inside of the mesh. Cookies are judged elsewhere. */
export const isInternalHeader = (name: string): boolean =>
  privateNames.has(name) || privatePrefixes.some((prefix) => name.startsWith(prefix))

/** Response headers in which a vendor names its own request, in order of preference; safe to record. */
export const vendorRequestHeaders = [
  'request-id',
  'x-request-id',
  'cf-ray',
  'x-amzn-requestid',
] as const
