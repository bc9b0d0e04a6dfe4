/** Secrets planted wherever a third-party call has room for them: none may turn up in anything that is written down. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  cardsEntryText,
  callThrough,
  startEgressSidecar,
  startTestVendor,
  type EgressSidecar,
  type TestVendor,
} from '../support/egress-sidecar.ts'

describe('secrets in third-party calls', () => {
  let vendor: TestVendor
  let app: EgressSidecar
  const planted: string[] = []
  const canary = (): string => {
    const text = `canary${planted.length.toString().padStart(3, '0')}zq${'x7k'.repeat(4)}`
    planted.push(text)
    return text
  }
  const errors: string[] = []

  beforeAll(async () => {
    vendor = await startTestVendor(['api.cards.test'])
    const key = canary()
    app = await startEgressSidecar({
      vendor,
      files: { 'cards.key': key },
      apis: `    leak_guard: {patterns: [{name: planted, pattern: 'forbidden[0-9]+'}]}`,
      entries: { cards: cardsEntryText('validation: {response: observe}') },
    })
    const url = 'http://api.cards.test:{port}/v1/charges'
    const names = [
      'authorization',
      'proxy-authorization',
      'cookie',
      'x-api-key',
      'x-auth-token',
      'x-custom',
      'x-request-id',
      'baggage',
      'tracestate',
      'user-agent',
      'referer',
      'x-forwarded-for',
      'x-sallyport-hop',
      'idempotency-key',
      'accept',
    ]
    const answer: TestVendor['answer'] = (_, response) => {
      const secret = canary()
      response.writeHead(200, {
        'content-type': 'application/json',
        'set-cookie': `s=${canary()}`,
        'www-authenticate': canary(),
        'x-secret': canary(),
      })
      response.end(`{"token":"${secret}","token2":"${canary()}"}`)
    }
    vendor.answer = answer
    for (const name of names) {
      await app.call('GET', `${url}/ch_1?key=${canary()}`, { headers: { [name]: canary() } })
    }
    await app.call('POST', url, { body: JSON.stringify({ card: canary(), cvc: canary() }) })
    vendor.answer = (_, response) =>
      response.writeHead(302, { location: `https://evil.test/${canary()}?t=${canary()}` }).end()
    const refusals = [
      await app.call('GET', `${url}/ch_1?q=${canary()}`),
      await app.call('POST', url, { body: `forbidden1 ${canary()}` }),
      await app.call('POST', `http://unknown.test/p?x=${canary()}`, {
        body: canary(),
        headers: { authorization: canary() },
      }),
      await callThrough(
        app.port,
        'DELETE',
        `http://api.cards.test:${vendor.port}/v1/charges/a?x=${canary()}`,
      ),
    ]
    vendor.answer = (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(`{"a":"${canary()}","a":1}`)
    }
    refusals.push(await app.call('GET', `${url}/ch_1?q=${canary()}`))
    errors.push(...refusals.map(({ body }) => body))
    expect(refusals.every(({ status }) => status >= 400)).toBe(true)
  })

  afterAll(async () => {
    await app.stop()
    vendor.close()
  })

  const foundIn = (text: string): readonly string[] => planted.filter((one) => text.includes(one))

  it('are at least sixty', () => {
    expect(planted.length).toBeGreaterThan(60)
  })

  it('are in no span, whose URL has lost its query', () => {
    expect(foundIn(JSON.stringify(app.spans()))).toEqual([])
  })

  it('are in no log line, no metric and no audit record', () => {
    expect(foundIn(app.log.join('\n'))).toEqual([])
    expect(foundIn(app.sidecar.core.telemetry.metrics.text())).toEqual([])
    expect(foundIn(readFileSync(join(app.folder, 'audit.jsonl'), 'utf8'))).toEqual([])
  })

  it('are in no error body', () => {
    expect(foundIn(errors.join('\n'))).toEqual([])
  })

  it('are on no admin page', async () => {
    const { port } = app.sidecar.addresses.admin
    for (const path of [
      '/config_dump',
      '/catalog',
      '/decisions',
      '/usage',
      '/learned',
      '/metrics',
      '/checks',
    ]) {
      const response = await fetch(`http://127.0.0.1:${port}${path}`)
      expect(foundIn(await response.text())).toEqual([])
    }
  })
})
