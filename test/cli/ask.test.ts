/** Commands that ask a running sidecar, against a listener that answers as its admin listener does. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Decision } from '../../src/telemetry/audit/record.ts'
import { runIn } from './script.ts'

const denied: Decision = {
  id: '11111111-1111-4111-8111-111111111111',
  time: Date.UTC(2026, 10, 23, 12, 0, 1),
  line: 'inbound',
  decision: 'deny',
  peer: 'spiffe://shop.local/web',
  route: 'read-order',
  method: 'GET',
  template: '/orders/{id}',
  status: 403,
  code: 'policy.denied',
  stage: 'authorize',
  rule: { name: 'data.sallyport.inbound.allow', file: 'policies/inbound.rego', row: 7 },
  revision: 'abc',
  mode: 'enforce',
  traceId: '0af7651916cd43dd8448eb211c80319c',
  durationMs: 1.25,
}

const allowed: Decision = {
  id: '22222222-2222-4222-8222-222222222222',
  time: Date.UTC(2026, 10, 23, 12, 0, 0),
  line: 'egress',
  decision: 'allow',
  api: 'card-api',
  method: 'POST',
  template: '/v1/charges',
  status: 200,
  mode: 'enforce',
  durationMs: 20,
}

const anAdmin = async (views: Readonly<Record<string, unknown>>): Promise<string> => {
  const server = createServer((request, response) => {
    const view = views[request.url ?? '']
    response.writeHead(view === undefined ? 404 : 200)
    response.end(JSON.stringify(view ?? null))
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

const run = (words: readonly string[]) => runIn('.', words, Date.UTC(2026, 10, 23))

describe('sallyport tap', () => {
  it('prints the recent decisions in the order of time', async () => {
    const address = await anAdmin({ '/decisions': [denied, allowed] })
    const { code, out } = await run(['tap', '--once', '--address', address])
    expect(out).toEqual([
      '12:00:00.000  egress    allow  200  app → card-api  POST /v1/charges  20.0ms',
      '12:00:01.000  inbound   deny  403  shop.local/web → read-order  GET /orders/{id}  policy.denied  policies/inbound.rego:7  1.3ms  0af7651916cd43dd8448eb211c80319c',
    ])
    expect(code).toBe(0)
  })

  it('leaves out what was allowed when asked for denials', async () => {
    const address = await anAdmin({ '/decisions': [denied, allowed] })
    const { out } = await run(['tap', '--once', '--deny', '--json', '--address', address])
    expect(out.map((line) => (JSON.parse(line) as Decision).id)).toEqual([denied.id])
  })
})

describe('sallyport why', () => {
  it.each([denied.id, denied.traceId!])('says who decided on %s, at file and line', async (id) => {
    const address = await anAdmin({ '/decisions': [allowed, denied] })
    const { code, out } = await run(['why', id, '--address', address])
    expect(out).toContain('rule      data.sallyport.inbound.allow policies/inbound.rego:7')
    expect(out).toContain('code      policy.denied')
    expect(code).toBe(0)
  })

  it('says when it knows nothing of a decision', async () => {
    const address = await anAdmin({ '/decisions': [allowed] })
    const { code, err } = await run(['why', denied.id, '--address', address])
    expect(err[0]).toBe(`sallyport: error: none of the 1 recent decisions is ${denied.id}`)
    expect(code).toBe(1)
  })
})

describe('sallyport status', () => {
  const info = {
    service: 'orders',
    version: '0.1.0',
    identity: 'spiffe://shop.local/orders',
    policy_revision: 'abc',
  }

  it('ends with 0 when every check holds, and with 1 when one does not', async () => {
    const good = await anAdmin({ '/info': info, '/checks': [{ name: 'identity', state: 'ok' }] })
    expect(await run(['status', '--address', good])).toMatchObject({ code: 0 })
    const bad = await anAdmin({
      '/info': info,
      '/checks': [{ name: 'config', state: 'failed', detail: 'inbound.rego does not compile' }],
    })
    const { code, out } = await run(['status', '--address', bad])
    expect(out.at(-1)).toBe('failed   config: inbound.rego does not compile')
    expect(code).toBe(1)
  })
})
