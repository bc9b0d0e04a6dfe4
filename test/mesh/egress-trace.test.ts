import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  cardsEntryText,
  okAnswer,
  startEgressSidecar,
  startTestVendor,
  type EgressSidecar,
  type TestVendor,
} from '../support/egress-sidecar.ts'

const traceId = 'a'.repeat(32)
const parent = `00-${traceId}-${'b'.repeat(16)}-01`
const soon = new Date(Date.now() + 3 * 86_400_000).toISOString().slice(0, 10)

const entry = (name: string, more: string) => `name: ${name}
owner: group:payments
purpose: a stand-in for tests
callers: [spiffe://test.mesh/app]
hosts: ['${name}.test:{port}']
operations: [GET /]
tls: {ca: ../vendor.crt}
allow_cidrs: [127.0.0.1/32]
${more}`

const names = ['fresh', 'passing', 'due', 'overdue', 'closed', 'pinned', 'mispinned']

describe('the record of a third-party call', () => {
  let vendor: TestVendor
  let app: EgressSidecar

  beforeAll(async () => {
    vendor = await startTestVendor(['api.cards.test', ...names.map((name) => `${name}.test`)])
    const wrongPins = ['A', 'B'].map((letter) => `sha256/${letter.repeat(43)}=`)
    app = await startEgressSidecar({
      vendor,
      names: Object.fromEntries(names.map((name) => [`${name}.test`, '127.0.0.1'])),
      entries: {
        cards: cardsEntryText(),
        fresh: entry('fresh', "propagation: restart\nreview_by: '2099-01-01'"),
        passing: entry('passing', "propagation: pass\nreview_by: '2099-01-01'"),
        due: entry('due', `review_by: '${soon}'`),
        overdue: entry('overdue', "review_by: '2020-01-01'"),
        closed: entry('closed', "review_by: '2020-01-01'\nreview_mode: enforce"),
        mispinned: entry('mispinned', `review_by: '2099-01-01'`).replace(
          'tls: {ca: ../vendor.crt}',
          `tls: {ca: ../vendor.crt, pins: ['${wrongPins.join("', '")}']}`,
        ),
      },
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

  const call = (name: string) =>
    app.call('GET', `http://${name}.test:{port}/`, {
      headers: { traceparent: parent, tracestate: 'v=1', baggage: 'a=b' },
    })

  it('holds what TLS was spoken with whom', async () => {
    await app.call('GET', 'http://api.cards.test:{port}/v1/charges/ch_1')
    const { attributes } = app.spans().at(-1)!
    expect(attributes).toMatchObject({
      'tls.protocol.version': '1.3',
      'tls.established': true,
      'network.peer.address': '127.0.0.1',
      'network.peer.port': vendor.port,
      'sallyport.vendor.request_id': 'req_1',
    })
    expect(attributes['tls.cipher']).toMatch(/^TLS_/)
    expect(attributes['tls.server.hash.sha256']).toMatch(/^[0-9A-F]{64}$/)
    expect(Date.parse(String(attributes['tls.server.not_after']))).toBeGreaterThan(Date.now())
  })

  it('goes on with the trace of the app, and sends nothing of it where nothing is said', async () => {
    await app.call('GET', 'http://api.cards.test:{port}/v1/charges/ch_1', {
      headers: { traceparent: parent },
    })
    expect(vendor.calls[0]!.headers['traceparent']).toBeUndefined()
    const trace = app.sidecar.core.telemetry.traces.recent().find((one) => one.traceId === traceId)
    expect(trace?.spans.some(({ kind }) => kind === 'client')).toBe(true)
  })

  it('sends a fresh context where the entry restarts, and links to it', async () => {
    await call('fresh')
    const sent = String(vendor.calls[0]!.headers['traceparent'])
    expect(sent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[02]$/)
    expect(sent).not.toContain(traceId)
    expect(vendor.calls[0]!.headers['tracestate']).toBeUndefined()
    expect(app.spans().at(-1)!.links[0]!.traceId).toBe(sent.split('-')[1])
  })

  it('sends our own context where the entry passes it, and never state or baggage', async () => {
    await call('passing')
    expect(String(vendor.calls[0]!.headers['traceparent'])).toContain(traceId)
    expect(vendor.calls[0]!.headers['tracestate']).toBeUndefined()
    expect(vendor.calls[0]!.headers['baggage']).toBeUndefined()
  })

  it('says that a review is due or overdue, and refuses where the entry enforces it', async () => {
    for (const name of ['due', 'overdue']) {
      expect((await call(name)).status).toBe(200)
      expect(
        app
          .spans()
          .at(-1)!
          .events.map((one) => one.name),
      ).toContain('sallyport.review_overdue')
    }
    const refused = await call('closed')
    expect(refused.problem['code']).toBe('api.review-overdue')
    expect(refused.problem['owner']).toBe('group:payments')
    const metrics = app.sidecar.core.telemetry.metrics.text()
    expect(metrics).toContain('sallyport_catalog_review_overdue{api="overdue"} 1')
    expect(metrics).toContain('sallyport_catalog_review_overdue{api="due"} 0')
  })

  it('refuses a vendor whose key is not pinned', async () => {
    const refused = await call('mispinned')
    expect(refused.problem['code']).toBe('api.tls')
    expect(vendor.calls).toHaveLength(0)
  })

  it('is a span for each call that the vendor saw and each that was refused, and no other', async () => {
    const before = app.spans().length
    await Promise.all([
      app.call('GET', 'http://api.cards.test:{port}/v1/charges/ch_1'),
      app.call('GET', 'http://api.cards.test:{port}/v1/charges/ch_2'),
      app.call('DELETE', 'http://api.cards.test:{port}/v1/charges/ch_2'),
      app.call('GET', 'http://unknown.test/'),
    ])
    const spans = app.spans().slice(before)
    const refused = spans.filter(({ attributes }) => attributes['sallyport.decision'] === 'deny')
    expect(vendor.calls.length).toBe(spans.length - refused.length)
    expect(refused).toHaveLength(2)
  })
})
