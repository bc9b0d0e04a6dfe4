/**
 * The two kinds of span: one that is recorded by the OpenTelemetry SDK, and one that only carries identifiers.
 *
 * Made by `traces.ts`. The recorded one is the gate for every attribute: a name that is not listed in `names.ts` is
 * refused and counted, URLs lose their query, and text that looks like a secret is replaced, whoever set it.
 */
import { SpanStatusCode, TraceFlags } from '@opentelemetry/api'
import type {
  Attributes as SdkAttributes,
  Span as SdkSpan,
  SpanContext,
  TraceState,
} from '@opentelemetry/api'
import { attribute, event } from '../names.ts'
import type { AttributeName, EventName } from '../names.ts'
import { redactPath, redactText, redactUrl } from '../redact.ts'
import type { Attributes, AttributeValue, Span, SpanEnd, TraceContext } from './span.ts'

/** What every recorded span of one sidecar shares. */
export interface SpanRules {
  readonly now: () => number
  /** Query parameters whose value may be shown. */
  readonly queryKeys: ReadonlySet<string>
  /** Told about an attribute whose name is not listed. */
  readonly unlisted: () => void
}

const listedAttributes: ReadonlySet<string> = new Set(Object.values(attribute))
const listedEvents: ReadonlySet<string> = new Set(Object.values(event))

/** Values that come from outside and are not shortened to a word by us. */
const urlNames: ReadonlySet<string> = new Set([attribute.urlFull])
const textNames: ReadonlySet<string> = new Set([
  attribute.userAgent,
  attribute.vendorRequestId,
  attribute.httpMethodOriginal,
  attribute.rpcMethodOriginal,
  attribute.serverAddress,
  attribute.tlsServerSubject,
  attribute.tlsServerIssuer,
  attribute.networkPeerAddress,
])

/** Seconds and nanoseconds, the form that the SDK takes without guessing which clock was meant. */
export const sdkTime = (ms: number): [number, number] => {
  const seconds = Math.floor(ms / 1_000)
  return [seconds, Math.round((ms - seconds * 1_000) * 1_000_000)]
}

/** The SDK's form of a context. */
export const sdkContext = (context: TraceContext, origin: 'local' | 'remote'): SpanContext => ({
  traceId: context.traceId,
  spanId: context.spanId,
  traceFlags: context.sampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
  isRemote: origin === 'remote',
  ...(context.state === '' ? {} : { traceState: fixedState(context.state) }),
})

const fixedState = (state: string): TraceState => ({
  get: () => undefined,
  set: () => fixedState(state),
  unset: () => fixedState(state),
  serialize: () => state,
})

const safeValue = (name: string, value: AttributeValue, rules: SpanRules): AttributeValue => {
  if (typeof value !== 'string') return value
  if (urlNames.has(name)) return redactUrl(value, rules.queryKeys)
  if (name === attribute.urlPath) return redactPath(value)
  if (name === attribute.urlQuery) return redactUrl(`?${value}`, rules.queryKeys).slice(1)
  if (textNames.has(name)) return redactText(value)
  return value
}

/** The attributes that may leave: listed names, safe values, nothing undefined. */
export const safeAttributes = (attributes: Attributes, rules: SpanRules): SdkAttributes => {
  const safe: SdkAttributes = {}
  for (const name in attributes) {
    const value = attributes[name as AttributeName]
    if (value === undefined) continue
    if (listedAttributes.has(name)) safe[name] = safeValue(name, value, rules)
    else rules.unlisted()
  }
  return safe
}

const shortestMs = 0.001

/** A span that is kept and exported. */
export class RecordedSpan implements Span {
  readonly context: TraceContext
  readonly recording = true
  readonly #span: SdkSpan
  readonly #rules: SpanRules
  readonly #startTime: number
  #ended = false

  /** `startTime` in milliseconds since the epoch. */
  constructor(context: TraceContext, span: SdkSpan, startTime: number, rules: SpanRules) {
    this.context = context
    this.#span = span
    this.#startTime = startTime
    this.#rules = rules
  }

  set(name: AttributeName, value: AttributeValue | undefined): void {
    if (this.#ended || value === undefined) return
    if (!listedAttributes.has(name)) return this.#rules.unlisted()
    this.#span.setAttribute(name, safeValue(name, value, this.#rules))
  }

  setAll(attributes: Attributes): void {
    for (const name in attributes) {
      this.set(name as AttributeName, attributes[name as AttributeName])
    }
  }

  rename(name: string): void {
    if (!this.#ended) this.#span.updateName(name)
  }

  event(name: EventName, attributes: Attributes = {}): void {
    if (this.#ended) return
    if (!listedEvents.has(name)) return this.#rules.unlisted()
    const time = sdkTime(this.#rules.now())
    this.#span.addEvent(name, safeAttributes(attributes, this.#rules), time)
  }

  link(context: TraceContext, attributes: Attributes = {}): void {
    if (this.#ended) return
    this.#span.addLink({
      context: sdkContext(context, 'remote'),
      attributes: safeAttributes(attributes, this.#rules),
    })
  }

  end(outcome: SpanEnd): void {
    if (this.#ended) return
    if (outcome.errorType !== undefined) this.set(attribute.errorType, outcome.errorType)
    if (outcome.status === 'error') this.#span.setStatus({ code: SpanStatusCode.ERROR })
    this.#ended = true
    // Jaeger takes a span without duration for one that ends before it begins, and marks it with a warning.
    const earliest = this.#startTime + shortestMs
    this.#span.end(sdkTime(Math.max(outcome.endTime ?? this.#rules.now(), earliest)))
  }
}

/** A hop that is not sampled: identifiers to pass on, and nothing else. */
export class UnsampledSpan implements Span {
  readonly context: TraceContext
  readonly recording = false

  constructor(context: TraceContext) {
    this.context = context
  }

  set(): void {}
  setAll(): void {}
  rename(): void {}
  event(): void {}
  link(): void {}
  end(): void {}
}
