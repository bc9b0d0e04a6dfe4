import { describe, expect, it } from 'vitest'
import { attribute, event } from '../../src/telemetry/names.ts'
import type { SpanStart } from '../../src/telemetry/traces/span.ts'
import { openTestTraces } from './open-traces.ts'

const hop: SpanStart = {
  name: 'GET /orders/{id}',
  kind: 'server',
  parent: undefined,
  always: 'follow-parent',
}
const call: SpanStart = {
  name: 'POST /v1/charges',
  kind: 'client',
  parent: undefined,
  always: 'sampled-always',
}

describe('recent traces', () => {
  it('groups spans, newest trace first, within the capacity', () => {
    let now = 5_000
    const traces = openTestTraces({
      section: { exporter: 'none' },
      options: { now: () => now, recent: 2 },
    })
    const outer = traces.start(hop)
    now += 10
    const inner = traces.start({
      ...call,
      parent: outer.context,
      attributes: { [attribute.owner]: 'payments' },
    })
    inner.event(event.retry, { [attribute.retryAttempt]: 2 })
    now += 30
    inner.end({ status: 'error', errorType: 'timeout' })
    now += 5
    outer.end({ status: 'unset' })
    const [only] = traces.recent()
    expect(only).toMatchObject({
      traceId: outer.context.traceId,
      startTime: 5_000,
      durationMs: 45,
      failed: true,
    })
    expect(only!.spans.map((span) => [span.name, span.kind, span.durationMs, span.status])).toEqual(
      [
        ['GET /orders/{id}', 'server', 45, 'unset'],
        ['POST /v1/charges', 'client', 30, 'error'],
      ],
    )
    expect(only!.spans[1]).toMatchObject({
      parentSpanId: outer.context.spanId,
      service: 'orders',
      attributes: { 'sallyport.catalog.owner': 'payments', 'error.type': 'timeout' },
      events: [
        { name: 'sallyport.retry', time: 5_010, attributes: { 'sallyport.retry.attempt': 2 } },
      ],
    })
    const later = [traces.start(hop), traces.start(hop)]
    for (const span of later) span.end({ status: 'unset' })
    expect(traces.recent().map((one) => one.traceId)).toEqual(
      later.reverse().map((span) => span.context.traceId),
    )
  })
})
