import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  okAnswer,
  startEgressSidecar,
  startTestVendor,
  type EgressSidecar,
  type TestVendor,
} from '../support/egress-sidecar.ts'

describe('the limits of an API', () => {
  let vendor: TestVendor
  let app: EgressSidecar
  const limits: Readonly<Record<string, string>> = {
    rate: 'rate: {requests: 1, per: 1h, burst: 2}',
    queued: 'rate: {requests: 10, per: 1s, queue: 5, wait: 2s}',
    narrow: 'concurrency: {requests: 1}',
    quota: 'daily_quota: 1',
    breaker: 'breaker: {failures: 2, open_for: 500ms}',
    repeat: 'retry: {attempts: 3, base: 1ms, longest: 2s, budget_percent: 100}',
    patient: 'retry: {attempts: 2, base: 1ms, longest: 3s}',
    free: 'connect_timeout: 1s',
  }

  beforeAll(async () => {
    vendor = await startTestVendor(Object.keys(limits).map((name) => `${name}.test`))
    app = await startEgressSidecar({
      vendor,
      names: Object.fromEntries(Object.keys(limits).map((name) => [`${name}.test`, '127.0.0.1'])),
      entries: Object.fromEntries(
        Object.entries(limits).map(([name, text]) => [
          name,
          `name: ${name}
owner: group:payments
purpose: a stand-in for tests
callers: [spiffe://test.mesh/app]
hosts: ['${name}.test:{port}']
operations: [GET /, POST /, PUT /]
review_by: '2099-01-01'
tls: {ca: ../vendor.crt}
allow_cidrs: [127.0.0.1/32]
limits: {${text}}
`,
        ]),
      ),
    })
  })

  afterEach(() => {
    vendor.calls.length = 0
    vendor.answer = okAnswer
  })

  afterAll(async () => {
    await app.stop()
    vendor.close()
  })

  const call = (name: string, method = 'GET', parts = {}) =>
    app.call(method, `http://${name}.test:{port}/`, parts)

  it('refuse what comes too fast, and say when to come back', async () => {
    expect((await call('rate')).status).toBe(200)
    expect((await call('rate')).status).toBe(200)
    const refused = await call('rate')
    expect(refused.status).toBe(429)
    expect(refused.problem['code']).toBe('limit.rate')
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(3_000)
    expect(vendor.calls).toHaveLength(2)
  })

  it('let calls wait for their turn where a queue is declared', async () => {
    const answers = await Promise.all([call('queued'), call('queued'), call('queued')])
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    const waited = app
      .spans()
      .slice(-3)
      .map(({ attributes }) => attributes['sallyport.queue.us'] ?? 0)
    expect(Math.max(...waited.map(Number))).toBeGreaterThan(0)
  })

  it('refuse more calls at a time than declared, and take the next when one is over', async () => {
    let release = (): void => undefined
    vendor.answer = (request, response) => {
      release = () => okAnswer(request, response)
    }
    const first = call('narrow')
    await expect.poll(() => vendor.calls.length).toBe(1)
    const refused = await call('narrow')
    expect(refused.status).toBe(503)
    expect(refused.problem['code']).toBe('limit.concurrency')
    expect(refused.headers['retry-after']).toBeDefined()
    release()
    expect((await first).status).toBe(200)
    vendor.answer = okAnswer
    expect((await call('narrow')).status).toBe(200)
  })

  it('refuse what is over the quota of the day', async () => {
    expect((await call('quota')).status).toBe(200)
    const refused = await call('quota')
    expect(refused.problem['code']).toBe('limit.quota')
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
  })

  it('leave an API alone that fails, and try it again with a probe', async () => {
    vendor.answer = (_, response) => response.writeHead(500).end()
    await call('breaker')
    await call('breaker')
    const refused = await call('breaker')
    expect(refused.status).toBe(503)
    expect(refused.problem['code']).toBe('api.circuit-open')
    expect(refused.headers['retry-after']).toBeDefined()
    expect(vendor.calls).toHaveLength(2)
    vendor.answer = okAnswer
    await expect
      .poll(async () => (await call('breaker')).status, { timeout: 5_000, interval: 100 })
      .toBe(200)
    expect((await call('breaker')).status).toBe(200)
  })

  it('repeat an idempotent call, each attempt a span of its own', async () => {
    vendor.answer = (_, response) => {
      if (vendor.calls.length < 3) response.writeHead(503).end()
      else okAnswer(vendor.calls[0]!, response)
    }
    const before = app.spans().length
    expect((await call('repeat', 'PUT', { body: 'again' })).status).toBe(200)
    expect(vendor.calls.map(({ body }) => body.toString())).toEqual(['again', 'again', 'again'])
    const spans = app.spans().slice(before)
    expect(spans).toHaveLength(3)
    expect(spans.map(({ attributes }) => attributes['http.request.resend_count'])).toEqual([
      undefined,
      1,
      2,
    ])
    expect(spans.map(({ attributes }) => attributes['http.response.status_code'])).toEqual([
      503, 503, 200,
    ])
    expect(spans.map(({ attributes }) => attributes['peer.service'])).toEqual([
      'repeat',
      'repeat',
      'repeat',
    ])
    expect(new Set(spans.map(({ name }) => name))).toEqual(new Set(['PUT /']))
  })

  it('do not repeat what could happen twice, unless an idempotency key keeps it from it', async () => {
    vendor.answer = (_, response) => response.writeHead(503).end()
    expect((await call('repeat', 'POST', { body: '{}' })).status).toBe(503)
    expect(vendor.calls).toHaveLength(1)
    vendor.calls.length = 0
    await call('repeat', 'POST', { body: '{}', headers: { 'idempotency-key': 'k1' } })
    expect(vendor.calls.length).toBeGreaterThan(1)
  })

  it('do not repeat without being told to', async () => {
    vendor.answer = (_, response) => response.writeHead(503).end()
    expect((await call('free')).status).toBe(503)
    expect(vendor.calls).toHaveLength(1)
  })

  it('honour the time that the vendor asks for', async () => {
    const times: number[] = []
    vendor.answer = (request, response) => {
      times.push(performance.now())
      if (times.length === 1) response.writeHead(429, { 'retry-after': '1' }).end()
      else okAnswer(request, response)
    }
    expect((await call('patient')).status).toBe(200)
    expect(times[1]! - times[0]!).toBeGreaterThan(900)
    vendor.answer = (_, response) => response.writeHead(429, { 'retry-after': '60' }).end()
    vendor.calls.length = 0
    expect((await call('patient')).status).toBe(429)
    expect(vendor.calls).toHaveLength(1)
  })
})
