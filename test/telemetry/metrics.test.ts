import { describe, expect, it } from 'vitest'
import { metric } from '../../src/telemetry/names.ts'
import { openMetrics } from '../../src/telemetry/metrics/instruments.ts'
import { Registry } from '../../src/telemetry/metrics/registry.ts'

const open = () =>
  openMetrics({
    target: { 'service.name': 'orders', 'service.version': '1' },
    startTimeMs: 1_000_000,
  })

interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const samplePattern =
  /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (-?[0-9.e+-]+|[+-]Inf|NaN)$/

/** Reads the text by the grammar of format 0.0.4 and fails on anything else. */
const read = (text: string): { types: Map<string, string>; samples: Sample[] } => {
  expect(text.endsWith('\n')).toBe(true)
  const types = new Map<string, string>()
  const helped = new Set<string>()
  const samples: Sample[] = []
  for (const line of text.slice(0, -1).split('\n')) {
    const help = /^# HELP (\S+) (.+)$/.exec(line)
    const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line)
    if (help) {
      expect(helped.has(help[1]!), `${help[1]} is described once`).toBe(false)
      helped.add(help[1]!)
    } else if (type) {
      expect(helped.has(type[1]!), `${type[1]} is described before its type`).toBe(true)
      types.set(type[1]!, type[2]!)
    } else {
      const match = samplePattern.exec(line)
      expect(match, line).not.toBeNull()
      const [, name = '', labelText = '', value = ''] = match!
      const base = name.replace(/_(bucket|sum|count)$/, '')
      expect(types.has(name) || types.get(base) === 'histogram', line).toBe(true)
      const labels = Object.fromEntries(
        [...labelText.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g)].map((pair) => [
          pair[1]!,
          pair[2]!,
        ]),
      )
      samples.push({ name, labels, value: value === '+Inf' ? Infinity : Number(value) })
    }
  }
  const keys = samples.map(({ name, labels }) => `${name}${JSON.stringify(labels)}`)
  expect(new Set(keys).size).toBe(keys.length)
  return { types, samples }
}

const valueOf = (
  samples: readonly Sample[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
) =>
  samples.find(
    (sample) =>
      sample.name === name &&
      Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
  )?.value

describe('the text', () => {
  it('is valid, tells of every metric, and puts the resource on target_info alone', () => {
    const metrics = open()
    metrics.observe('identityExpiry', () => [[3_600.5, 'spiffe://shop.example/orders']])
    const { types, samples } = read(metrics.text())
    expect(samples[0]).toEqual({
      name: 'target_info',
      labels: { service_name: 'orders', service_version: '1' },
      value: 1,
    })
    expect(
      samples
        .slice(1)
        .some(({ labels }) => 'service_name' in labels || 'otel_scope_name' in labels),
    ).toBe(false)
    expect(valueOf(samples, 'sallyport_svid_expiry_seconds')).toBe(3_600.5)
    expect(valueOf(samples, 'process_start_time_seconds')).toBe(1_000)
    for (const [name, type] of types) {
      expect(name.endsWith('_total'), `${name} is a ${type}`).toBe(type === 'counter')
    }
  })

  it('names what users look for', () => {
    const { types } = read(open().text())
    for (const name of [
      'http_server_request_duration_seconds',
      'http_client_request_duration_seconds',
      'sallyport_policy_decisions_total',
      'sallyport_policy_eval_seconds',
      'sallyport_egress_undeclared_total',
      'sallyport_jwt_verifications_total',
      'sallyport_bundle_info',
      'sallyport_config_reloads_total',
      'sallyport_config_stale',
      'sallyport_credential_fallbacks_total',
    ]) {
      expect([...types.keys()]).toContain(name)
    }
  })

  it('declares every listed name, the observed ones once their source is known', () => {
    const metrics = open()
    const keys = [
      'identityExpiry',
      'keySetAge',
      'credentialAge',
      'limitQueue',
      'bypassSockets',
      'spans',
      'spansDropped',
      'spanQueue',
      'attributesUnlisted',
      'auditDropped',
      'auditHealthy',
      'auditQueue',
      'eventLoopLag',
      'openDescriptors',
    ] as const
    for (const key of keys) metrics.observe(key, () => [])
    const { types } = read(metrics.text())
    types.delete('target_info')
    for (const [name, type] of types) {
      expect(name.endsWith('_total'), `${name} is a ${type}`).toBe(type === 'counter')
    }
    expect([...types.keys()].sort()).toEqual(Object.values(metric).sort())
  })

  it('cumulates the buckets of a histogram and ends with +Inf', () => {
    const metrics = open()
    const cell = metrics.serverDuration.with('GET', '/orders/{id}', '200', '')
    for (const seconds of [0.004, 0.005, 0.006, 3, 60]) cell.record(seconds)
    const { samples } = read(metrics.text())
    const bucket = (le: string) =>
      valueOf(samples, 'http_server_request_duration_seconds_bucket', { le })
    expect([
      bucket('0.005'),
      bucket('0.01'),
      bucket('2.5'),
      bucket('5'),
      bucket('10'),
      bucket('+Inf'),
    ]).toEqual([2, 3, 3, 4, 4, 5])
    expect(valueOf(samples, 'http_server_request_duration_seconds_count')).toBe(5)
    expect(valueOf(samples, 'http_server_request_duration_seconds_sum')).toBeCloseTo(63.015)
  })

  it('escapes what would end a label or a line', () => {
    const metrics = open()
    metrics.policyDecisions.with('inbound', 'deny', 'a"b\\c\nd').add(2)
    const { samples } = read(metrics.text())
    expect(
      valueOf(samples, 'sallyport_policy_decisions_total', { rule: String.raw`a\"b\\c\nd` }),
    ).toBe(2)
  })

  it('starts a metric without labels at zero', () => {
    const metrics = open()
    expect(valueOf(read(metrics.text()).samples, 'sallyport_hop_tokens_minted_total')).toBe(0)
    metrics.hopTokensMinted.with().add()
    expect(valueOf(read(metrics.text()).samples, 'sallyport_hop_tokens_minted_total')).toBe(1)
  })

  it('writes infinities as Prometheus reads them', () => {
    const metrics = open()
    metrics.policyInfo.with('a').set(Infinity)
    expect(metrics.text()).toContain('sallyport_bundle_info{revision="a"} +Inf')
  })
})

describe('cardinality', () => {
  it('counts a value outside a closed list as other', () => {
    const metrics = open()
    metrics.refusals.with('sideways', 'route.unknown').add()
    const { samples } = read(metrics.text())
    expect(
      valueOf(samples, 'sallyport_refusals_total', { direction: 'other', code: 'route.unknown' }),
    ).toBe(1)
  })

  it('counts values of an open label beyond the limit as other, and says how many', () => {
    const registry = new Registry({ labelValues: 3, series: 100 })
    const family = registry.counter({ name: metric.refusals, help: 'x', labels: ['host'] })
    for (let index = 0; index < 1_000; index += 1) family.with(`host-${index}`).add()
    family.with('host-1').add()
    const series = [...[...registry.metrics()][0]!.collect()].map(({ values, cell }) => [
      values[0],
      (cell as { value: number }).value,
    ])
    expect(series).toEqual([
      ['host-0', 1],
      ['host-1', 2],
      ['host-2', 1],
      ['other', 997],
    ])
    expect(registry.folded).toBe(997)
  })

  it('bounds the sets of label values of one metric', () => {
    const registry = new Registry({ labelValues: 100, series: 10 })
    const family = registry.counter({ name: metric.refusals, help: 'x', labels: ['a', 'b'] })
    for (let index = 0; index < 1_000; index += 1)
      family.with(`a${index % 40}`, `b${index % 30}`).add()
    const series = [...[...registry.metrics()][0]!.collect()]
    expect(series.length).toBe(11)
    expect(series.at(-1)!.values).toEqual(['other', 'other'])
  })

  it('counts an overlong value as other', () => {
    const registry = new Registry()
    const family = registry.counter({ name: metric.refusals, help: 'x', labels: ['a'] })
    family.with('x'.repeat(200)).add()
    expect([...[...registry.metrics()][0]!.collect()][0]!.values).toEqual(['other'])
  })
})

describe('cells', () => {
  it('are the same for the same values, so that a stage may keep one', () => {
    const metrics = open()
    const cell = metrics.clientDuration.with('GET', 'api.example', '443', '200', '', 'stripe')
    expect(metrics.clientDuration.with('GET', 'api.example', '443', '200', '', 'stripe')).toBe(cell)
    expect(metrics.clientDuration.with('GET', 'api.example', '443', '500', '', 'stripe')).not.toBe(
      cell,
    )
  })

  it('are forgotten by clear, for gauges that a reload replaces', () => {
    const metrics = open()
    metrics.policyInfo.with('one').set(1)
    metrics.policyInfo.clear()
    metrics.policyInfo.with('two').set(1)
    const { samples } = read(metrics.text())
    expect(valueOf(samples, 'sallyport_bundle_info', { revision: 'one' })).toBeUndefined()
    expect(valueOf(samples, 'sallyport_bundle_info', { revision: 'two' })).toBe(1)
  })

  it('cannot be declared twice', () => {
    const registry = new Registry()
    registry.counter({ name: metric.refusals, help: 'x', labels: [] })
    expect(() => registry.gauge({ name: metric.refusals, help: 'x', labels: [] })).toThrow(
      'is declared twice',
    )
  })
})
