/**
 * The bounded door between finished spans and the exporter: what does not fit is dropped, and every span is counted.
 *
 * Stands on both sides of the SDK's batch processor: as the processor in front of it, and as the exporter behind it,
 * so that the number of spans in between is known exactly. A collector that is slow or down fills this queue and
 * nothing else; a request never waits for it.
 */
import { ExportResultCode } from '@opentelemetry/core'
import type { ExportResult } from '@opentelemetry/core'
import type { ReadableSpan, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace'

/** How exporting stands. */
export interface GateCounts {
  readonly ended: number
  readonly exported: number
  readonly dropped: number
  readonly failed: number
  /** Spans that wait for their batch. */
  readonly waiting: number
}

/** What a gate is made of. */
export interface GateOptions {
  /** The most spans that wait. */
  readonly queue: number
  /** Told when exports begin to fail (with the reason) and when they succeed again (undefined). */
  readonly onChange: (fault: string | undefined) => void
}

/** Counts spans in and out; `processor(batch)` and `exporter(inner)` are its two sides. */
export class SpanGate {
  readonly #options: GateOptions
  #ended = 0
  #exported = 0
  #dropped = 0
  #failed = 0
  #waiting = 0
  #sending = 0
  #fault: string | undefined
  #closed = false

  constructor(options: GateOptions) {
    this.#options = options
  }

  counts(): GateCounts {
    return {
      ended: this.#ended,
      exported: this.#exported,
      dropped: this.#dropped,
      failed: this.#failed,
      waiting: this.#waiting,
    }
  }

  /** The last fault of the exporter while it lasts. */
  get fault(): string | undefined {
    return this.#fault
  }

  /** Counts as dropped what is still on its way, and everything that comes after. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#dropped += this.#waiting + this.#sending
    this.#waiting = 0
    this.#sending = 0
  }

  /** The side that faces the tracer. */
  processor(batch: SpanProcessor): SpanProcessor {
    return {
      onStart: () => {},
      onEnd: (span) => {
        this.#ended += 1
        if (this.#closed || this.#waiting >= this.#options.queue) {
          this.#dropped += 1
          return
        }
        this.#waiting += 1
        batch.onEnd(span)
      },
      forceFlush: () => batch.forceFlush(),
      shutdown: () => batch.shutdown(),
    }
  }

  /** The side that faces the collector. */
  exporter(inner: SpanExporter): SpanExporter {
    return {
      export: (spans: ReadableSpan[], done: (result: ExportResult) => void) => {
        this.#waiting -= spans.length
        this.#sending += spans.length
        inner.export(spans, (result) => {
          this.#finish(spans.length, result)
          done(result)
        })
      },
      shutdown: () => inner.shutdown(),
      forceFlush: async () => {
        await inner.forceFlush?.()
      },
    }
  }

  #finish(count: number, result: ExportResult): void {
    if (this.#closed) return
    this.#sending -= count
    if (result.code === ExportResultCode.SUCCESS) {
      this.#exported += count
      this.#change(undefined)
      return
    }
    this.#failed += count
    this.#change(result.error?.message ?? 'the collector refused the spans')
  }

  #change(fault: string | undefined): void {
    const changed = (fault === undefined) !== (this.#fault === undefined)
    this.#fault = fault
    if (changed) this.#options.onChange(fault)
  }
}
