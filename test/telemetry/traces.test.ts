import { afterEach, describe, expect, it } from 'vitest'
import { context, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import { attribute, event } from '../../src/telemetry/names.ts'
import { methodValue, spanName, statusOf } from '../../src/telemetry/traces/span.ts'
import type { Span, SpanStart, TraceContext } from '../../src/telemetry/traces/span.ts'
import { isChosen } from '../../src/telemetry/traces/traces.ts'
import { startOtlpGrpcReceiver, startOtlpReceiver } from '../support/otlp-receiver.ts'
import type { OtlpReceiver } from '../support/otlp-receiver.ts'
import { openTestTraces } from './open-traces.ts'

const parentOf = (sampled: boolean): TraceContext => ({
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  sampled,
  random: false,
  state: 'congo=t61',
})

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

const receivers: OtlpReceiver[] = []
const collector = async (kind: 'http' | 'grpc' = 'http'): Promise<OtlpReceiver> => {
  const receiver = await (kind === 'http' ? startOtlpReceiver() : startOtlpGrpcReceiver())
  receivers.push(receiver)
  return receiver
}
afterEach(async () => {
  await Promise.all(receivers.splice(0).map((receiver) => receiver.close()))
})

/** Sets everything that the contract of a third-party call names. */
const fillContract = (span: Span): void => {
  span.setAll({
    [attribute.httpMethod]: 'POST',
    [attribute.httpStatus]: 402,
    [attribute.httpResendCount]: 1,
    [attribute.serverAddress]: 'api.stripe.example',
    [attribute.serverPort]: 443,
    [attribute.urlFull]:
      'https://user:hunter2@api.stripe.example/v1/charges?key=sk_live_abcdefgh12345678#x',
    [attribute.urlScheme]: 'https',
    [attribute.urlTemplate]: '/v1/charges',
    [attribute.networkPeerAddress]: '203.0.113.7',
    [attribute.networkPeerPort]: 443,
    [attribute.networkProtocolVersion]: '1.1',
    [attribute.peerService]: 'stripe',
    [attribute.servicePeerName]: 'stripe',
    [attribute.servicePeerNamespace]: 'third-party',
    [attribute.tlsVersion]: '1.3',
    [attribute.tlsCipher]: 'TLS_AES_128_GCM_SHA256',
    [attribute.tlsEstablished]: true,
    [attribute.tlsResumed]: false,
    [attribute.tlsServerSubject]: 'CN=api.stripe.example',
    [attribute.tlsServerIssuer]: 'CN=Example CA',
    [attribute.tlsServerNotAfter]: '2027-01-01T00:00:00Z',
    [attribute.tlsServerHash]: 'A1:B2',
    [attribute.ruleName]: 'charges-only',
    [attribute.ruleset]: 'sallyport',
    [attribute.ruleVersion]: 'rev-1',
    [attribute.decision]: 'allow',
    [attribute.decisionId]: '5f0c8e0e-7a2c-4a7e-9f86-2f4f4d3c2b1a',
    [attribute.owner]: 'payments',
    [attribute.purpose]: 'card charges',
    [attribute.dataClass]: ['pci', 'pii'],
    [attribute.lifecycle]: 'production',
    [attribute.credentialId]: 'stripe-live',
    [attribute.credentialAge]: 41,
    [attribute.requestBytes]: 812,
    [attribute.responseBytes]: 402,
    [attribute.responseSchemaValid]: true,
    [attribute.hopCaller]: 'spiffe://shop.example/web',
    [attribute.policyMicros]: 38.5,
  })
}

describe.each(['http', 'grpc'] as const)('a third-party call, exported over %s', (kind) => {
  it('carries the whole contract, the name of the app and no secret', async () => {
    const receiver = await collector(kind)
    const traces = openTestTraces({
      section: { endpoint: receiver.url, protocol: kind === 'grpc' ? 'grpc' : 'http/protobuf' },
      environment: { OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=acme' },
    })
    const span = traces.start({
      ...call,
      parent: parentOf(true),
      link: { context: parentOf(false) },
    })
    fillContract(span)
    span.event(event.retry, { [attribute.retryAttempt]: 1 })
    span.end({ status: statusOf('client', 402), errorType: '402' })
    await traces.shutdown(5_000)
    const [received] = await receiver.waitFor(1)
    expect(received).toMatchObject({
      traceId: parentOf(true).traceId,
      parentSpanId: parentOf(true).spanId,
      traceState: 'congo=t61',
      name: 'POST /v1/charges',
      kind: 3,
      status: 2,
      scope: 'sallyport',
      events: [{ name: 'sallyport.retry', attributes: { 'sallyport.retry.attempt': 1 } }],
      links: [{ traceId: parentOf(true).traceId, spanId: parentOf(true).spanId }],
    })
    expect(received!.spanId).toBe(span.context.spanId)
    expect(received!.attributes).toMatchObject({
      'http.request.method': 'POST',
      'http.response.status_code': 402,
      'http.request.resend_count': 1,
      'error.type': '402',
      'url.full': 'https://api.stripe.example/v1/charges',
      'peer.service': 'stripe',
      'service.peer.name': 'stripe',
      'service.peer.namespace': 'third-party',
      'sallyport.catalog.owner': 'payments',
      'sallyport.catalog.purpose': 'card charges',
      'sallyport.catalog.data_class': ['pci', 'pii'],
      'sallyport.credential.id': 'stripe-live',
      'sallyport.credential.age_days': 41,
      'sallyport.decision': 'allow',
      'sallyport.policy.us': 38.5,
      'security_rule.name': 'charges-only',
      'tls.resumed': false,
    })
    expect(received!.resource).toMatchObject({
      'service.name': 'orders',
      'telemetry.distro.name': 'sallyport',
      'telemetry.distro.version': '0.0.0-test',
      'telemetry.sdk.name': 'opentelemetry',
      'service.instance.id': 'test-instance',
    })
    expect(receiver.raw()).not.toMatch(/hunter2|sk_live/)
    expect(receiver.requests[0]!.headers['x-tenant']).toBe('acme')
    const path =
      kind === 'grpc' ? '/opentelemetry.proto.collector.trace.v1.TraceService/Export' : '/v1/traces'
    expect(receiver.requests[0]!.path).toBe(path)
    expect(traces.counts()).toMatchObject({
      ended: 1,
      exported: 1,
      dropped: 0,
      failed: 0,
      waiting: 0,
    })
  })
})

describe('sampling', () => {
  it('records a hop whose parent is sampled, and not one whose parent is not', async () => {
    const receiver = await collector()
    const traces = openTestTraces({ section: { endpoint: receiver.url } })
    const quiet = traces.start({ ...hop, parent: parentOf(false) })
    expect(quiet.recording).toBe(false)
    expect(quiet.context).toMatchObject({
      traceId: parentOf(false).traceId,
      sampled: false,
      state: 'congo=t61',
    })
    expect(quiet.context.spanId).not.toBe(parentOf(false).spanId)
    quiet.set(attribute.httpStatus, 200)
    quiet.end({ status: 'error' })
    const loud = traces.start({ ...hop, parent: parentOf(true) })
    expect(loud.recording).toBe(true)
    loud.end({ status: 'unset' })
    await traces.shutdown(5_000)
    expect(receiver.spans.map((span) => span.spanId)).toEqual([loud.context.spanId])
  })

  it('records and exports a third-party call below an unsampled parent, also a refused one', async () => {
    const receiver = await collector()
    const traces = openTestTraces({
      section: { endpoint: receiver.url },
      environment: { OTEL_TRACES_SAMPLER: 'always_off' },
    })
    const span = traces.start({ ...call, parent: parentOf(false) })
    span.set(attribute.decision, 'deny')
    span.end({ status: 'error', errorType: 'policy_denied' })
    await traces.shutdown(5_000)
    expect(receiver.spans).toHaveLength(1)
    expect(receiver.spans[0]).toMatchObject({ status: 2, parentSpanId: parentOf(false).spanId })
    expect(receiver.spans[0]!.attributes['error.type']).toBe('policy_denied')
    expect(receiver.spans[0]!.attributes).not.toHaveProperty('network.peer.address')
  })

  it('decides a new trace by the ratio, the same way for the same trace everywhere', () => {
    const traces = openTestTraces({ section: { exporter: 'none', sample_ratio: 0.25 } })
    const starts = Array.from({ length: 4_000 }, () => traces.start(hop))
    const share = starts.filter((span) => span.context.sampled).length / starts.length
    expect(share).toBeGreaterThan(0.2)
    expect(share).toBeLessThan(0.3)
    for (const span of starts)
      expect(isChosen(span.context.traceId, 0.25)).toBe(span.context.sampled)
    expect(isChosen('f'.repeat(32), 1)).toBe(true)
    expect(isChosen('0'.repeat(32), 0)).toBe(false)
  })

  it('ignores the parent when the sampler is not based on it', () => {
    const traces = openTestTraces({
      section: { exporter: 'none' },
      environment: { OTEL_TRACES_SAMPLER: 'always_off' },
    })
    expect(traces.start({ ...hop, parent: parentOf(true) }).recording).toBe(false)
  })

  it('records nothing at all when OTEL_SDK_DISABLED is true, but passes contexts on', () => {
    const traces = openTestTraces({ environment: { OTEL_SDK_DISABLED: 'true' } })
    const span = traces.start({ ...call, parent: parentOf(true) })
    expect(span.recording).toBe(false)
    expect(span.context.traceId).toBe(parentOf(true).traceId)
    expect(traces.recent()).toEqual([])
  })
})

describe('what a span accepts', () => {
  it('refuses an attribute that is not listed, and counts it', async () => {
    const receiver = await collector()
    const traces = openTestTraces({ section: { endpoint: receiver.url } })
    const span = traces.start({
      ...call,
      attributes: { 'http.request.header.cookie': 'canary' } as object,
    })
    span.set('user.password' as never, 'canary')
    span.event('made.up' as never)
    span.event(event.refused, { 'x-y': 'canary' } as object)
    span.end({ status: 'unset' })
    await traces.shutdown(5_000)
    expect(traces.counts().unlistedAttributes).toBe(4)
    expect(receiver.raw()).not.toContain('canary')
    expect(receiver.spans[0]!.attributes).toEqual({})
  })

  it('cuts a value to the configured length and counts no more than the limit of attributes', async () => {
    const receiver = await collector()
    const traces = openTestTraces({
      section: { endpoint: receiver.url, value_length: 32 },
      environment: { OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT: '2' },
    })
    const span = traces.start(call)
    span.set(attribute.purpose, 'card charges '.repeat(10))
    span.set(attribute.owner, 'payments')
    span.set(attribute.lifecycle, 'production')
    span.end({ status: 'unset' })
    await traces.shutdown(5_000)
    expect(receiver.spans[0]!.attributes).toEqual({
      'sallyport.catalog.purpose': 'card charges '.repeat(10).slice(0, 32),
      'sallyport.catalog.owner': 'payments',
    })
  })

  it('keeps the first end and ignores what comes after', async () => {
    const receiver = await collector()
    let now = 1_000_000
    const traces = openTestTraces({
      section: { endpoint: receiver.url },
      options: { now: () => now },
    })
    const span = traces.start({ ...call, startTime: 999_999.5 })
    now = 1_000_250.25
    span.rename('GET /done')
    span.end({ status: 'unset' })
    span.set(attribute.owner, 'late')
    span.end({ status: 'error' })
    await traces.shutdown(5_000)
    const [received] = receiver.spans
    expect(receiver.spans).toHaveLength(1)
    expect(received).toMatchObject({
      name: 'GET /done',
      status: 0,
      startTime: 999_999_500_000n,
      endTime: 1_000_250_250_000n,
    })
    expect(received!.attributes).toEqual({})
  })

  it('shows only the listed query keys', async () => {
    const receiver = await collector()
    const traces = openTestTraces({
      section: { endpoint: receiver.url },
      options: { queryKeys: ['limit'] },
    })
    const span = traces.start(call)
    span.set(attribute.urlFull, 'https://api.example/v1/list?limit=10&key=abc&email=a@b.example')
    span.end({ status: 'unset' })
    await traces.shutdown(5_000)
    expect(receiver.spans[0]!.attributes['url.full']).toBe('https://api.example/v1/list?limit=10')
  })
})

describe('names and status', () => {
  it('names a span by method and template, never by an unknown method', () => {
    expect(spanName('GET', '/orders/{id}')).toBe('GET /orders/{id}')
    expect(spanName('GET', undefined)).toBe('GET')
    expect(spanName('BREW', '/pot')).toBe('HTTP /pot')
    expect(methodValue('BREW')).toBe('_OTHER')
    expect(methodValue('PATCH')).toBe('PATCH')
  })

  it('calls a 4xx an error on the client side only', () => {
    expect([statusOf('client', 404), statusOf('server', 404)]).toEqual(['error', 'unset'])
    expect([statusOf('client', 503), statusOf('server', 503)]).toEqual(['error', 'error'])
    expect([statusOf('client', 302), statusOf('server', 200)]).toEqual(['unset', 'unset'])
  })
})

describe('the process around it', () => {
  it('gets no global provider, context manager or propagator', () => {
    const traces = openTestTraces({ section: { exporter: 'none' } })
    traces.start(call).end({ status: 'unset' })
    expect(trace.getTracer('elsewhere').startSpan('x').isRecording()).toBe(false)
    expect(context.active()).toBe(ROOT_CONTEXT)
    expect(propagation.fields()).toEqual([])
  })

  it('can compress, and two tracers in one process do not mix', async () => {
    const [one, two] = [await collector(), await collector()]
    const first = openTestTraces({
      section: { endpoint: one.url },
      environment: { OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip', OTEL_SERVICE_NAME: 'web' },
    })
    const second = openTestTraces({ section: { endpoint: two.url } })
    first.start(call).end({ status: 'unset' })
    second.start(hop).end({ status: 'unset' })
    await Promise.all([first.shutdown(5_000), second.shutdown(5_000)])
    expect(one.requests[0]!.headers['content-encoding']).toBe('gzip')
    expect(one.spans.map((span) => span.resource['service.name'])).toEqual(['web'])
    expect(two.spans.map((span) => span.resource['service.name'])).toEqual(['orders'])
  })

  it('adds a virtual peer for a third party only where it is asked for', async () => {
    const receiver = await collector()
    const traces = openTestTraces({
      section: { endpoint: receiver.url },
      options: { virtualPeers: 'emit' },
    })
    const span = traces.start(call)
    fillContract(span)
    span.end({ status: 'error', errorType: '402' })
    traces.start(hop).end({ status: 'unset' })
    await traces.shutdown(5_000)
    const twin = receiver.spans.find((one) => one.resource['service.name'] === 'ext:stripe')
    expect(twin).toMatchObject({
      kind: 2,
      parentSpanId: span.context.spanId,
      traceId: span.context.traceId,
    })
    expect(twin!.attributes).toEqual({ 'sallyport.virtual': true })
    expect(receiver.spans).toHaveLength(3)
  })
})
