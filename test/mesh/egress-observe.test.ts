import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Discovery } from '../../src/catalog/discovery/discovery.ts'
import {
  cardsEntryText,
  okAnswer,
  startEgressSidecar,
  startTestVendor,
  type EgressSidecar,
  type TestVendor,
} from '../support/egress-sidecar.ts'

describe('observe mode', () => {
  let vendor: TestVendor
  let app: EgressSidecar

  beforeAll(async () => {
    vendor = await startTestVendor(['api.new.test', 'api.cards.test'])
    app = await startEgressSidecar({
      vendor,
      names: { 'api.new.test': '127.0.0.1', 'inner.test': '10.0.0.1' },
      apis: '    mode: observe\n    discovery: {file: learned.json}',
      egress: '  observed: {ca: vendor.crt, unsafe_allow_cidrs: [127.0.0.0/8]}',
      entries: { cards: cardsEntryText() },
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

  it('lets an undeclared call pass, over verified TLS, with a span that says so', async () => {
    const answer = await app.call('POST', 'http://api.new.test:{port}/v1/users/4711?expand=all', {
      headers: { 'content-type': 'application/json', traceparent: '00-x', cookie: 'a=b' },
      body: '{"name":"ada lovelace"}',
    })
    expect(answer.status).toBe(200)
    expect(vendor.calls[0]!.headers.cookie).toBeUndefined()
    expect(app.spans().at(-1)!.attributes).toMatchObject({
      'peer.service': '_undeclared',
      'server.address': 'api.new.test',
      'sallyport.decision': 'allow',
    })
  })

  it('still enforces the entries that there are, and the guard over addresses', async () => {
    const undeclared = await app.call('DELETE', 'http://api.cards.test:{port}/v1/charges/ch_1')
    expect(undeclared.problem['code']).toBe('api.operation')
    const guarded = await app.call('GET', 'http://inner.test/')
    expect(guarded.problem['code']).toBe('api.address')
    expect(vendor.calls).toHaveLength(0)
  })

  it('still blocks a key on its way to a host that nothing declares', async () => {
    const refused = await app.call('POST', 'http://api.new.test:{port}/v1/users', {
      body: 'sk_live_cards_0123456789',
    })
    expect(refused.problem['code']).toBe('api.leak')
    expect(vendor.calls).toHaveLength(0)
  })

  it('learns hosts, templates, statuses, callers and shapes, and keeps them without values', async () => {
    for (const id of [4712, 4713, 4714]) {
      await app.call('GET', `http://api.new.test:{port}/v1/users/${id}`)
    }
    await expect
      .poll(
        () => {
          try {
            return readFileSync(join(app.folder, 'learned.json'), 'utf8')
          } catch {
            return ''
          }
        },
        { timeout: 9_000 },
      )
      .toContain('api.new.test')
    await expect
      .poll(
        () => {
          const saved: unknown = JSON.parse(readFileSync(join(app.folder, 'learned.json'), 'utf8'))
          const [host] = new Discovery({ hosts: 9, shapes: 9 }, saved).learned()
          return host?.operations.map(({ method, template }) => `${method} ${template}`)
        },
        { timeout: 9_000 },
      )
      .toContainEqual(expect.stringMatching(/^GET \/v1\/users\/\{/))
    const text = readFileSync(join(app.folder, 'learned.json'), 'utf8')
    expect(text).toContain('spiffe://test.mesh/app')
    expect(text).not.toContain('lovelace')
    expect(text).not.toContain('4711')
  })
})

describe('a rotation of the key under traffic', () => {
  it('loses no call, whichever end learns of the new key first', async () => {
    const vendor = await startTestVendor(['api.cards.test'])
    const app = await startEgressSidecar({ vendor, entries: { cards: cardsEntryText() } })
    const accepted = new Set(['Bearer sk_live_cards_0123456789'])
    vendor.answer = (call, response) => {
      if (accepted.has(call.headers.authorization ?? '')) okAnswer(call, response)
      else response.writeHead(401).end()
    }
    const statuses: number[] = []
    const over = new AbortController()
    const traffic = (async () => {
      for (let at = 0; at < 2_000 && !over.signal.aborted; at += 1) {
        const answer = await app.call('POST', 'http://api.cards.test:{port}/v1/charges', {
          body: '{}',
        })
        statuses.push(answer.status)
      }
    })()
    writeFileSync(join(app.folder, 'cards.key'), 'sk_live_cards_next_000001\n')
    await expect
      .poll(() => app.log.some((line) => line.includes('rotated')), { timeout: 9_000 })
      .toBe(true)
    await expect
      .poll(() => vendor.calls.some((call) => call.headers.authorization?.includes('next')))
      .toBe(true)
    accepted.add('Bearer sk_live_cards_next_000001')
    const before = statuses.length
    await expect.poll(() => statuses.length).toBeGreaterThan(before + 5)
    accepted.delete('Bearer sk_live_cards_0123456789')
    const seen = statuses.length
    await expect.poll(() => statuses.length).toBeGreaterThan(seen + 20)
    over.abort()
    await traffic
    expect(new Set(statuses)).toEqual(new Set([200]))
    await app.stop()
    vendor.close()
  })
})
