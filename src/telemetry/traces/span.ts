/**
 * What the rest of the sidecar sees of tracing: a context that travels, and a span that is started and ended.
 *
 * Used by every stage. No type of the OpenTelemetry SDK shows here, so that it can be replaced behind this file.
 */
import type { AttributeName, ErrorType, EventName } from '../names.ts'

/** Where a request stands in a trace (W3C Trace Context, level 2). Immutable. */
export interface TraceContext {
  /** 32 lower-case hex digits, not all zero. */
  readonly traceId: string
  /** 16 lower-case hex digits, not all zero. */
  readonly spanId: string
  readonly sampled: boolean
  /** The level 2 flag: the last seven bytes of the trace id are random. Passed on as received. */
  readonly random: boolean
  /** The `tracestate` header value in its normal form, or '' for none. */
  readonly state: string
}

export type AttributeValue = string | number | boolean | readonly string[]

/** Attributes by their listed names; an undefined value is left out. */
export type Attributes = { readonly [name in AttributeName]?: AttributeValue | undefined }

/** How a span finished. */
export interface SpanEnd {
  /** CLIENT: every 4xx and 5xx is an error; SERVER: 5xx only. {@link statusOf} holds the rule. */
  readonly status: 'unset' | 'error'
  readonly errorType?: ErrorType | undefined
  /** Milliseconds since the epoch; the clock of the traces when absent. */
  readonly endTime?: number | undefined
}

/** A span that was started. Everything after {@link Span.end} is ignored. */
export interface Span {
  readonly context: TraceContext
  /** False for a hop that is not sampled: nothing that is set is kept, so expensive values need not be computed. */
  readonly recording: boolean
  set(name: AttributeName, value: AttributeValue | undefined): void
  /** Sets many at once. */
  setAll(attributes: Attributes): void
  /** Gives the final name, `{method} {route}`, once the route is known. Never a raw path. */
  rename(name: string): void
  event(name: EventName, attributes?: Attributes): void
  link(context: TraceContext, attributes?: Attributes): void
  end(outcome: SpanEnd): void
}

/** What {@link Traces.start} needs. */
export interface SpanStart {
  /** `{method} {http.route}` or `{method} {url.template}`; see {@link spanName}. */
  readonly name: string
  readonly kind: 'server' | 'client' | 'internal'
  readonly parent: TraceContext | undefined
  readonly attributes?: Attributes | undefined
  /** `sampled-always` is for third-party calls: recorded and exported whatever the parent says. */
  readonly always: 'sampled-always' | 'follow-parent'
  /** The remote context that was not continued, and why. */
  readonly link?: { readonly context: TraceContext; readonly attributes?: Attributes } | undefined
  /** Milliseconds since the epoch; the clock of the traces when absent. */
  readonly startTime?: number | undefined
}

/** The tracing of one sidecar. Nothing is registered globally; several can live in one process. */
export interface Traces {
  start(start: SpanStart): Span
  /** The last traces that were recorded, newest first, for the admin page. */
  recent(): readonly RecentTrace[]
  /** Spans so far. `exported + dropped + failed` reaches `ended` once the queue is empty. */
  counts(): SpanCounts
  /** Sends what is queued; gives up quietly after `timeoutMs`. */
  flush(timeoutMs: number): Promise<void>
  /** Flushes and closes; resolves within `timeoutMs` even when the collector hangs. */
  shutdown(timeoutMs: number): Promise<void>
}

/** Totals since start. */
export interface SpanCounts {
  /** Recorded spans that ended. */
  readonly ended: number
  readonly exported: number
  /** Lost because the queue was full, or because the process stopped before they were sent. */
  readonly dropped: number
  /** Lost because the collector refused them or could not be reached. */
  readonly failed: number
  /** Spans that wait for their batch. */
  readonly waiting: number
  /** Attributes that were refused because their name is not listed. */
  readonly unlistedAttributes: number
}

/** One trace as the admin page shows it; spans in order of start. */
export interface RecentTrace {
  readonly traceId: string
  /** Milliseconds since the epoch. */
  readonly startTime: number
  readonly durationMs: number
  readonly failed: boolean
  readonly spans: readonly RecentSpan[]
}

export interface RecentSpan {
  readonly spanId: string
  readonly parentSpanId: string | undefined
  readonly name: string
  readonly kind: 'server' | 'client' | 'internal'
  readonly service: string
  readonly startTime: number
  readonly durationMs: number
  readonly status: 'unset' | 'error'
  readonly attributes: Readonly<Record<string, AttributeValue>>
  readonly events: readonly {
    readonly name: string
    readonly time: number
    readonly attributes: Readonly<Record<string, AttributeValue>>
  }[]
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[]
}

const knownMethods = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'CONNECT',
  'OPTIONS',
  'TRACE',
  'PATCH',
  'QUERY',
])

/** `GET /orders/{id}`; an unknown method reads `HTTP`, and without a template only the method remains. */
export const spanName = (method: string, template: string | undefined): string => {
  const known = knownMethods.has(method) ? method : 'HTTP'
  return template === undefined ? known : `${known} ${template}`
}

/** The value of `http.request.method`: the method when it is a known one, else `_OTHER`. */
export const methodValue = (method: string): string =>
  knownMethods.has(method) ? method : '_OTHER'

/** The status that semantic conventions give to an HTTP status code. */
export const statusOf = (kind: 'server' | 'client', httpStatus: number): 'unset' | 'error' =>
  httpStatus >= (kind === 'client' ? 400 : 500) ? 'error' : 'unset'
