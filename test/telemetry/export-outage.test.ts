import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { SpanStart, Traces } from '../../src/telemetry/traces/span.ts'
import { startOtlpGrpcReceiver, startOtlpReceiver } from '../support/otlp-receiver.ts'
import type { OtlpReceiver } from '../support/otlp-receiver.ts'
import { openTestTraces } from './open-traces.ts'

const call: SpanStart = {
  name: 'GET /x',
  kind: 'client',
  parent: undefined,
  always: 'sampled-always',
}

let receiver: OtlpReceiver | undefined
afterEach(async () => {
  await receiver?.close()
  receiver = undefined
})

const emit = (traces: Traces, count: number): void => {
  for (let index = 0; index < count; index += 1) traces.start(call).end({ status: 'unset' })
}

const settled = async (traces: Traces, predicate: () => boolean): Promise<void> => {
  while (!predicate()) await new Promise((resolve) => setTimeout(resolve, 5))
  expect(traces.counts()).toBeDefined()
}

describe('a collector that is down', () => {
  it('fills the queue and nothing else: every span beyond it is dropped and counted', async () => {
    receiver = await startOtlpReceiver()
    receiver.behave('blackhole')
    const traces = openTestTraces({
      section: { endpoint: receiver.url, queue: 100, batch: 10, timeout: '30s' },
    })
    emit(traces, 10)
    await settled(traces, () => receiver!.requests.length === 1)
    emit(traces, 250)
    expect(traces.counts()).toMatchObject({
      ended: 260,
      exported: 0,
      dropped: 150,
      failed: 0,
      waiting: 100,
    })
    await traces.shutdown(50)
    expect(traces.counts()).toMatchObject({
      ended: 260,
      exported: 0,
      dropped: 260,
      failed: 0,
      waiting: 0,
    })
    emit(traces, 1)
    expect(traces.counts()).toMatchObject({ ended: 261, dropped: 261 })
  })

  it('loses no count when every span is accepted in the end', async () => {
    receiver = await startOtlpReceiver()
    const traces = openTestTraces({ section: { endpoint: receiver.url, queue: 5_000, batch: 512 } })
    emit(traces, 3_000)
    await traces.shutdown(10_000)
    expect(traces.counts()).toMatchObject({
      ended: 3_000,
      exported: 3_000,
      dropped: 0,
      failed: 0,
      waiting: 0,
    })
    expect(receiver.spans).toHaveLength(3_000)
    expect(new Set(receiver.spans.map((span) => span.spanId)).size).toBe(3_000)
  })

  it.each([500, 413, 400])(
    'counts spans as failed when it answers %i, and asks only once',
    async (status) => {
      receiver = await startOtlpReceiver()
      receiver.behave(status)
      const faults: (string | undefined)[] = []
      const traces = openTestTraces({
        section: { endpoint: receiver.url, batch: 10, delay: '1ms' },
        options: { onExport: (fault) => faults.push(fault) },
      })
      emit(traces, 20)
      await settled(traces, () => traces.counts().failed === 20)
      expect(receiver.requests).toHaveLength(2)
      expect(traces.counts()).toMatchObject({ ended: 20, exported: 0, dropped: 0, failed: 20 })
      expect(faults).toHaveLength(1)
      expect(faults[0]).toBeTypeOf('string')
      receiver.behave('accept')
      emit(traces, 10)
      await settled(traces, () => traces.counts().exported === 10)
      expect(faults).toHaveLength(2)
      expect(faults[1]).toBeUndefined()
      await traces.shutdown(1_000)
    },
  )

  it('does not retry without bound when it answers 503', async () => {
    receiver = await startOtlpReceiver()
    receiver.behave(503)
    const traces = openTestTraces({
      section: { endpoint: receiver.url, batch: 5, timeout: '200ms' },
    })
    emit(traces, 5)
    await settled(traces, () => traces.counts().failed === 5)
    expect(receiver.requests.length).toBeLessThanOrEqual(6)
    await traces.shutdown(1_000)
  })

  it('counts spans as failed when nothing listens', async () => {
    const probe = createServer()
    await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
    const { port } = probe.address() as AddressInfo
    await new Promise((resolve) => probe.close(resolve))
    const traces = openTestTraces({
      section: { endpoint: `http://127.0.0.1:${port}`, timeout: '100ms' },
    })
    emit(traces, 3)
    await traces.shutdown(4_000)
    const counts = traces.counts()
    expect(counts.failed + counts.dropped).toBe(3)
    expect(counts.exported).toBe(0)
  })

  it('counts spans as failed over gRPC too', async () => {
    receiver = await startOtlpGrpcReceiver()
    receiver.behave(14)
    const traces = openTestTraces({
      section: { endpoint: receiver.url, protocol: 'grpc', timeout: '500ms' },
    })
    emit(traces, 4)
    await settled(traces, () => traces.counts().failed === 4)
    receiver.behave('accept')
    emit(traces, 2)
    await settled(traces, () => traces.counts().exported === 2)
    await traces.shutdown(1_000)
  })

  it('says what is wrong when its certificate cannot be read, and drops nothing silently', async () => {
    receiver = await startOtlpReceiver()
    const traces = openTestTraces({
      section: { endpoint: receiver.url.replace('http:', 'https:'), timeout: '200ms' },
      environment: { OTEL_EXPORTER_OTLP_CERTIFICATE: 'absent.pem' },
    })
    emit(traces, 2)
    await settled(traces, () => traces.counts().failed === 2)
    await traces.shutdown(1_000)
    expect(receiver.requests).toEqual([])
  })
})
