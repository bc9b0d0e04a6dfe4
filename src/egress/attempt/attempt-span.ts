/**
 * One CLIENT span for each attempt of a call, while every stage goes on to see a single span.
 *
 * What was set before the first repeat is set on each of them; `http.request.resend_count` tells them apart.
 */
import { attribute, type AttributeName, type EventName } from '../../telemetry/names.ts'
import type {
  Attributes,
  AttributeValue,
  Span,
  SpanEnd,
  SpanStart,
  TraceContext,
  Traces,
} from '../../telemetry/traces/span.ts'

/** Starts spans of calls that may be repeated. */
export const attemptTraces = (traces: Traces): Traces => ({
  ...traces,
  start: (start) => new AttemptSpan(traces, start),
  recent: () => traces.recent(),
  counts: () => traces.counts(),
  flush: (timeoutMs) => traces.flush(timeoutMs),
  shutdown: (timeoutMs) => traces.shutdown(timeoutMs),
})

/** Ends the span of an attempt that is going to be repeated, and starts that of the next one. */
export const endAttempt = (span: Span, attributes: Attributes, end: SpanEnd): void => {
  if (span instanceof AttemptSpan) span.repeat(attributes, end)
}

class AttemptSpan implements Span {
  readonly #traces: Traces
  readonly #start: SpanStart
  #current: Span
  #name: string
  #kept: Attributes = {}
  #repeats = 0

  constructor(traces: Traces, start: SpanStart) {
    this.#traces = traces
    this.#start = start
    this.#name = start.name
    this.#current = traces.start(start)
  }

  get context(): TraceContext {
    return this.#current.context
  }

  get recording(): boolean {
    return this.#current.recording
  }

  set(name: AttributeName, value: AttributeValue | undefined): void {
    this.setAll({ [name]: value })
  }

  setAll(attributes: Attributes): void {
    if (this.#repeats === 0) this.#kept = { ...this.#kept, ...attributes }
    this.#current.setAll(attributes)
  }

  rename(name: string): void {
    this.#name = name
    this.#current.rename(name)
  }

  event(name: EventName, attributes?: Attributes): void {
    this.#current.event(name, attributes)
  }

  link(context: TraceContext, attributes?: Attributes): void {
    this.#current.link(context, attributes)
  }

  end(outcome: SpanEnd): void {
    this.#current.end(outcome)
  }

  repeat(attributes: Attributes, end: SpanEnd): void {
    this.#current.setAll(attributes)
    this.#current.end(end)
    this.#repeats += 1
    const { startTime: _, ...start } = this.#start
    this.#current = this.#traces.start({ ...start, name: this.#name })
    this.#current.setAll({ ...this.#kept, [attribute.httpResendCount]: this.#repeats })
  }
}
