/**
 * The last traces that were recorded here, in memory, for the page of the admin listener.
 *
 * Fed by the tracer as a span processor. Holds references until they are shown and copies nothing on the way, bounded
 * by traces and by spans of one trace. Knows only the spans of this process.
 */
import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace'
import { resourceAttribute } from '../names.ts'
import type { AttributeValue, RecentSpan, RecentTrace } from './span.ts'

const mostSpans = 200

const milliseconds = (time: readonly [number, number]): number =>
  time[0] * 1_000 + time[1] / 1_000_000

const kindOf = (kind: SpanKind): RecentSpan['kind'] => {
  if (kind === SpanKind.SERVER) return 'server'
  return kind === SpanKind.CLIENT ? 'client' : 'internal'
}

const plain = (attributes: object | undefined): Record<string, AttributeValue> => ({
  ...attributes,
})

const serviceOf = (span: ReadableSpan): string => {
  const name = span.resource.attributes[resourceAttribute.serviceName]
  return typeof name === 'string' ? name : ''
}

const show = (span: ReadableSpan): RecentSpan => ({
  spanId: span.spanContext().spanId,
  parentSpanId: span.parentSpanContext?.spanId,
  name: span.name,
  kind: kindOf(span.kind),
  service: serviceOf(span),
  startTime: milliseconds(span.startTime),
  durationMs: milliseconds(span.duration),
  status: span.status.code === SpanStatusCode.ERROR ? 'error' : 'unset',
  attributes: plain(span.attributes),
  events: span.events.map((event) => ({
    name: event.name,
    time: milliseconds(event.time),
    attributes: plain(event.attributes),
  })),
  links: span.links.map((link) => ({ traceId: link.context.traceId, spanId: link.context.spanId })),
})

/** A ring of traces; a trace that gets another span becomes the newest. */
export class RecentTraces implements SpanProcessor {
  readonly #capacity: number
  readonly #traces = new Map<string, ReadableSpan[]>()

  /** Keeps `capacity` traces; 0 keeps none. */
  constructor(capacity: number) {
    this.#capacity = capacity
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    if (this.#capacity === 0) return
    const { traceId } = span.spanContext()
    const spans = this.#traces.get(traceId) ?? []
    if (spans.length < mostSpans) spans.push(span)
    this.#traces.delete(traceId)
    this.#traces.set(traceId, spans)
    if (this.#traces.size <= this.#capacity) return
    for (const oldest of this.#traces.keys()) {
      this.#traces.delete(oldest)
      return
    }
  }

  /** Newest first; the spans of each in order of start. */
  list(): readonly RecentTrace[] {
    return [...this.#traces].reverse().map(([traceId, ended]) => {
      const spans = ended.map(show).sort((left, right) => left.startTime - right.startTime)
      const startTime = Math.min(...spans.map((span) => span.startTime))
      const endTime = Math.max(...spans.map((span) => span.startTime + span.durationMs))
      const failed = spans.some((span) => span.status === 'error')
      return { traceId, startTime, durationMs: endTime - startTime, failed, spans }
    })
  }

  async forceFlush(): Promise<void> {}

  async shutdown(): Promise<void> {
    this.#traces.clear()
  }
}
