/**
 * Starts spans: recorded ones through the OpenTelemetry SDK, unsampled hops without it.
 *
 * Used by `stages/continue-trace` and the forwarding stages, through {@link Traces}. The decision to record is made
 * here, before any object of the SDK exists. Registers nothing globally; context is always an argument.
 */
import { ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api'
import type { Tracer } from '@opentelemetry/api'
import { AlwaysOnSampler, TracerProvider } from '@opentelemetry/sdk-trace'
import type { SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace'
import { scope } from '../names.ts'
import type { TraceSettings } from './environment.ts'
import { batch, openExporter } from './exporter.ts'
import { randomIdentifiers } from './identifiers.ts'
import type { Identifiers } from './identifiers.ts'
import { RecentTraces } from './recent-traces.ts'
import {
  RecordedSpan,
  safeAttributes,
  sdkContext,
  sdkTime,
  UnsampledSpan,
} from './recorded-span.ts'
import type { SpanRules } from './recorded-span.ts'
import { buildResource } from './resource.ts'
import type { ProcessFacts } from './resource.ts'
import { SpanGate } from './span-gate.ts'
import type { Span, SpanStart, TraceContext, Traces } from './span.ts'
import { virtualPeers } from './virtual-peers.ts'

/** What the tracer is made of. */
export interface TracesOptions {
  readonly settings: TraceSettings
  readonly facts: ProcessFacts
  /** Milliseconds since the epoch, with fractions where the clock has them. */
  readonly now: () => number
  /** Traces kept for the admin page. */
  readonly recent: number
  readonly queryKeys: readonly string[]
  /** `emit` adds a synthetic SERVER span for each third-party call, under the name `ext:<api>`. */
  readonly virtualPeers: 'emit' | 'none'
  /** Told when the collector stops taking spans (with the reason) and when it takes them again. */
  readonly onExport?: ((fault: string | undefined) => void) | undefined
  readonly identifiers?: Identifiers | undefined
}

const kinds = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  internal: SpanKind.INTERNAL,
} as const

const widest = 2 ** 52

/** True for `ratio` of all traces, by the random part of the identifier, so that all hops agree. */
export const isChosen = (traceId: string, ratio: number): boolean => {
  if (ratio >= 1) return true
  if (ratio <= 0) return false
  return Number.parseInt(traceId.slice(-13), 16) < ratio * widest
}

class SdkTraces implements Traces {
  readonly #settings: TraceSettings
  readonly #identifiers: Identifiers
  readonly #now: () => number
  readonly #rules: SpanRules
  readonly #gate: SpanGate
  readonly #recent: RecentTraces
  readonly #provider: TracerProvider
  readonly #tracer: Tracer
  #nextSpanId = ''
  #nextTraceId = ''
  #unlisted = 0

  constructor(options: TracesOptions) {
    const { settings } = options
    this.#settings = settings
    this.#now = options.now
    this.#identifiers = options.identifiers ?? randomIdentifiers()
    this.#rules = {
      now: options.now,
      queryKeys: new Set(options.queryKeys),
      unlisted: () => {
        this.#unlisted += 1
      },
    }
    this.#recent = new RecentTraces(options.recent)
    this.#gate = new SpanGate({ queue: settings.queue, onChange: options.onExport ?? (() => {}) })
    const processors: SpanProcessor[] = [this.#recent]
    const exporter = openExporter(settings)
    if (exporter !== undefined) processors.push(this.#exporting(exporter))
    if (exporter !== undefined && options.virtualPeers === 'emit') {
      processors.push(virtualPeers(settings, options.facts, exporter, this.#identifiers))
    }
    this.#provider = new TracerProvider({
      resource: buildResource(settings, options.facts),
      sampler: new AlwaysOnSampler(),
      spanProcessors: processors,
      spanLimits: sdkLimits(settings),
      idGenerator: {
        generateTraceId: () => this.#nextTraceId,
        generateSpanId: () => this.#nextSpanId,
      },
    })
    this.#tracer = this.#provider.getTracer(scope, options.facts.version)
  }

  start(start: SpanStart): Span {
    const { parent } = start
    const traceId = parent?.traceId ?? this.#identifiers.traceId()
    const spanId = this.#identifiers.spanId()
    const sampled = this.#settings.recording === 'on' && this.#isSampled(start, traceId)
    const context: TraceContext = {
      traceId,
      spanId,
      sampled,
      random: parent?.random ?? true,
      state: parent?.state ?? '',
    }
    return sampled ? this.#record(start, context) : new UnsampledSpan(context)
  }

  recent(): ReturnType<Traces['recent']> {
    return this.#recent.list()
  }

  counts(): ReturnType<Traces['counts']> {
    const { ended, exported, dropped, failed, waiting } = this.#gate.counts()
    return { ended, exported, dropped, failed, waiting, unlistedAttributes: this.#unlisted }
  }

  async flush(timeoutMs: number): Promise<void> {
    await within(timeoutMs, this.#provider.forceFlush({ timeoutMillis: timeoutMs }))
  }

  async shutdown(timeoutMs: number): Promise<void> {
    await within(timeoutMs, this.#provider.shutdown())
    this.#gate.close()
  }

  #isSampled(start: SpanStart, traceId: string): boolean {
    if (start.always === 'sampled-always') return true
    const { ratio, parent } = this.#settings.sampling
    if (start.parent !== undefined && parent === 'follow') return start.parent.sampled
    return isChosen(traceId, ratio)
  }

  #record(start: SpanStart, context: TraceContext): Span {
    const { parent, link } = start
    this.#nextTraceId = context.traceId
    this.#nextSpanId = context.spanId
    const startTime = start.startTime ?? this.#now()
    const sdkSpan = this.#tracer.startSpan(
      start.name,
      {
        kind: kinds[start.kind],
        startTime: sdkTime(startTime),
        ...(start.attributes === undefined
          ? {}
          : { attributes: safeAttributes(start.attributes, this.#rules) }),
      },
      parent === undefined
        ? ROOT_CONTEXT
        : trace.setSpanContext(ROOT_CONTEXT, sdkContext(parent, 'remote')),
    )
    const span = new RecordedSpan(context, sdkSpan, startTime, this.#rules)
    if (link !== undefined) span.link(link.context, link.attributes)
    return span
  }

  #exporting(exporter: SpanExporter): SpanProcessor {
    return this.#gate.processor(batch(this.#settings, this.#gate.exporter(exporter)))
  }
}

const sdkLimits = ({
  limits,
}: TraceSettings): NonNullable<ConstructorParameters<typeof TracerProvider>[0]>['spanLimits'] &
  object => ({
  attributeValueLengthLimit: limits.attributeValueLength,
  attributeCountLimit: limits.attributes,
  eventCountLimit: limits.events,
  linkCountLimit: limits.links,
  attributePerEventCountLimit: limits.attributesOfEvent,
  attributePerLinkCountLimit: limits.attributesOfLink,
})

/** Waits for `work`, at most `timeoutMs`; a failure counts as done, because the gate has counted it. */
const within = async (timeoutMs: number, work: Promise<void>): Promise<void> => {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs)
  })
  await Promise.race([work.catch(() => {}), timeout])
  clearTimeout(timer)
}

/**
 * A clock for spans: milliseconds since the epoch with fractions, which follows the wall clock when it is set.
 */
export const preciseClock = (): (() => number) => {
  let offset = performance.timeOrigin
  return () => {
    const wall = Date.now()
    const precise = offset + performance.now()
    if (Math.abs(precise - wall) < 50) return precise
    offset = wall - performance.now()
    return wall
  }
}

/** Opens the tracing of one sidecar. Connects to nothing until the first batch is sent. */
export const openTraces = (options: TracesOptions): Traces => new SdkTraces(options)
