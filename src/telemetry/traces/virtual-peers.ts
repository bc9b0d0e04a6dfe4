/**
 * Shows third parties in the dependency graph of Jaeger, which knows only pairs of parent and child of two services:
 * one synthetic SERVER span for each call, under a resource named `ext:<api>`.
 *
 * Off unless the configuration asks for it, because these spans were written by nobody; each says so in
 * `sallyport.virtual`. They share the exporter, and are not part of the counts of spans.
 */
import { ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api'
import { AlwaysOnSampler, TracerProvider } from '@opentelemetry/sdk-trace'
import type { SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace'
import { attribute, scope } from '../names.ts'
import type { TraceSettings } from './environment.ts'
import { batch } from './exporter.ts'
import type { Identifiers } from './identifiers.ts'
import { buildResource } from './resource.ts'
import type { ProcessFacts } from './resource.ts'

/** The value of `service.peer.namespace` on every call to a third party. */
export const thirdPartyNamespace = 'third-party'

/** A processor that emits the twin of every third-party CLIENT span when it ends. */
export const virtualPeers = (
  settings: TraceSettings,
  facts: ProcessFacts,
  exporter: SpanExporter,
  identifiers: Identifiers,
): SpanProcessor => {
  const providers = new Map<string, TracerProvider>()
  const processor = batch(settings, {
    export: (spans, done) => exporter.export(spans, done),
    shutdown: async () => {},
  })
  const providerOf = (api: string): TracerProvider => {
    const known = providers.get(api)
    if (known !== undefined) return known
    const provider = new TracerProvider({
      resource: buildResource({ ...settings, serviceName: `ext:${api}` }, facts),
      sampler: new AlwaysOnSampler(),
      spanProcessors: [processor],
      idGenerator: {
        generateTraceId: () => identifiers.traceId(),
        generateSpanId: () => identifiers.spanId(),
      },
    })
    providers.set(api, provider)
    return provider
  }
  return {
    onStart: () => {},
    onEnd: (span) => {
      const api = span.attributes[attribute.servicePeerName]
      if (span.kind !== SpanKind.CLIENT || typeof api !== 'string') return
      if (span.attributes[attribute.servicePeerNamespace] !== thirdPartyNamespace) return
      const context = trace.setSpanContext(ROOT_CONTEXT, span.spanContext())
      const attributes = { [attribute.virtual]: true }
      const start = { kind: SpanKind.SERVER, startTime: span.startTime, attributes }
      const twin = providerOf(api).getTracer(scope).startSpan(span.name, start, context)
      twin.setStatus(span.status)
      twin.end(span.endTime)
    },
    forceFlush: () => processor.forceFlush(),
    shutdown: () => processor.shutdown(),
  }
}
