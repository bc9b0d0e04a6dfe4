import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  cardsEntryText,
  okAnswer,
  startEgressSidecar,
  startTestVendor,
  type EgressSidecar,
  type TestVendor,
} from '../support/egress-sidecar.ts'

const charges = 'http://api.cards.test:{port}/v1/charges'

describe('a call to a third party', () => {
  let vendor: TestVendor
  let other: TestVendor
  let app: EgressSidecar

  beforeAll(async () => {
    vendor = await startTestVendor(['api.cards.test', 'strict.test', 'private.test', 'late.test'])
    other = await startTestVendor(['another.test'])
    const plain = (name: string, more = '') => `name: ${name}
owner: group:payments
purpose: a stand-in for tests
callers: [spiffe://test.mesh/app]
hosts: ['${name}.test:{port}']
operations: [GET /, POST /]
review_by: '2099-01-01'
tls: {ca: ../vendor.crt}
${more}`
    app = await startEgressSidecar({
      vendor,
      names: {
        'strict.test': '127.0.0.1',
        'private.test': '127.0.0.1',
        'late.test': '127.0.0.1',
        'wrong.test': '127.0.0.1',
        'stranger.test': '127.0.0.1',
        'metadata.test': '169.254.169.254',
        'keyless.test': '127.0.0.1',
      },
      entries: {
        cards: cardsEntryText('distrust: {response_size: 1000B}'),
        strict: plain(
          'strict',
          'allow_cidrs: [127.0.0.1/32]\nauthentication: {kind: header}\ncredential: {id: strict-key, from: {file: ../cards.key}, from_app: refuse}',
        ),
        private: plain('private'),
        metadata: plain('metadata'),
        late: plain(
          'late',
          'allow_cidrs: [127.0.0.1/32]\nlimits: {first_byte_timeout: 300ms, total_timeout: 800ms}',
        ),
        wrong: plain('wrong', 'allow_cidrs: [127.0.0.1/32]'),
        keyless: plain(
          'keyless',
          'allow_cidrs: [127.0.0.1/32]\nauthentication: {kind: header}\ncredential: {id: gone, from: {file: ../gone.key}}',
        ),
        stranger: plain('stranger', 'allow_cidrs: [127.0.0.1/32]').replace(
          'spiffe://test.mesh/app',
          'spiffe://test.mesh/somebody-else',
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
    other.close()
  })

  it('leaves over verified TLS with the key of the entry, and comes back byte for byte', async () => {
    const answer = await app.call('GET', `${charges}/ch_1?expand=card`)
    expect(answer.status).toBe(200)
    expect(answer.body).toBe('{"id":"ch_1"}')
    expect(vendor.calls).toHaveLength(1)
    expect(vendor.calls[0]).toMatchObject({ method: 'GET', path: '/v1/charges/ch_1?expand=card' })
    expect(vendor.calls[0]!.headers.authorization).toBe('Bearer sk_live_cards_0123456789')
    expect(vendor.calls[0]!.headers.host).toBe(`api.cards.test:${vendor.port}`)
  })

  it('sends the body as the app wrote it', async () => {
    const body = '{"amount":  12.50,\n "note":"é"}'
    await app.call('POST', charges, { headers: { 'content-type': 'application/json' }, body })
    expect(vendor.calls[0]!.body.toString()).toBe(body)
  })

  it('takes tracing, cookies, identity and the internal network out of the request', async () => {
    await app.call('GET', `${charges}/ch_1`, {
      headers: {
        traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
        tracestate: 'x=y',
        baggage: 'user=ada',
        b3: '0',
        cookie: 'session=1',
        'x-forwarded-for': '10.0.0.1',
        'x-forwarded-client-cert': 'By=spiffe://test.mesh/app',
        'x-sallyport-hop': 'token',
        'x-sallyport-data': 'pci',
        'x-request-id': '1',
        'x-custom': 'stays',
      },
    })
    const { headers } = vendor.calls[0]!
    const kept = Object.keys(headers).filter((name) => name !== 'connection')
    expect(kept.sort()).toEqual(['authorization', 'host', 'x-custom'])
  })

  it('is a client span with owner, purpose, key name and decision', async () => {
    await app.call('GET', `${charges}/ch_1`)
    const span = app.spans().at(-1)!
    expect(span.name).toBe('GET /v1/charges/{id}')
    expect(span.attributes).toMatchObject({
      'peer.service': 'cards',
      'service.peer.name': 'cards',
      'server.address': 'api.cards.test',
      'server.port': vendor.port,
      'sallyport.catalog.owner': 'group:payments',
      'sallyport.catalog.purpose': 'card charges for checkout',
      'sallyport.credential.id': 'cards-live',
      'sallyport.decision': 'allow',
      'sallyport.vendor.request_id': 'req_1',
      'http.response.status_code': 200,
      'sallyport.hop.caller': 'spiffe://test.mesh/app',
    })
    expect(JSON.stringify(span)).not.toContain('sk_live')
  })

  it('is refused to an undeclared host, with the lines that would declare it, and is on a span', async () => {
    const answer = await app.call('GET', 'http://api.unknown.test/v1/things')
    expect(answer.status).toBe(403)
    expect(answer.problem['code']).toBe('api.undeclared')
    expect(answer.problem['add']).toContain('api.unknown.test')
    expect(app.spans().at(-1)!.attributes).toMatchObject({
      'sallyport.code': 'api.undeclared',
      'error.type': 'undeclared_host',
    })
  })

  it('is refused on an operation that the entry does not declare', async () => {
    const answer = await app.call('DELETE', `${charges}/ch_1`)
    expect(answer.problem['code']).toBe('api.operation')
    expect(answer.problem['add']).toContain('DELETE')
    expect(vendor.calls).toHaveLength(0)
  })

  it('is refused to a caller that the entry does not list', async () => {
    const answer = await app.call('GET', 'http://stranger.test:{port}/')
    expect(answer.problem['code']).toBe('api.caller')
  })

  it('is refused with a data class that may not leave, and passes with one that may', async () => {
    const refused = await app.call('GET', `${charges}/ch_1`, {
      headers: { 'x-sallyport-data': 'health' },
    })
    expect(refused.problem['code']).toBe('api.data-class')
    const allowed = await app.call('GET', `${charges}/ch_1`, {
      headers: { 'x-sallyport-data': 'pci' },
    })
    expect(allowed.status).toBe(200)
  })

  it('loses a credential that the app brought, where the entry strips', async () => {
    await app.call('GET', `${charges}/ch_1`, {
      headers: { authorization: 'Bearer own', 'x-api-key': 'own' },
    })
    expect(vendor.calls[0]!.headers.authorization).toBe('Bearer sk_live_cards_0123456789')
    expect(vendor.calls[0]!.headers['x-api-key']).toBeUndefined()
  })

  it('is refused for a credential that the app brought, where the entry refuses', async () => {
    const refused = await app.call('GET', 'http://strict.test:{port}/', {
      headers: { authorization: 'Bearer own' },
    })
    expect(refused.problem['code']).toBe('api.own-credential')
    expect(vendor.calls).toHaveLength(0)
    expect((await app.call('GET', 'http://strict.test:{port}/')).status).toBe(200)
  })

  it('is answered 502 without its key, and never leaves unauthenticated', async () => {
    const answer = await app.call('GET', 'http://keyless.test:{port}/')
    expect(answer.status).toBe(502)
    expect(answer.problem['code']).toBe('api.credential')
    expect(String(answer.problem['detail'])).toContain('gone')
  })

  it('takes a rotated key without a restart', async () => {
    writeFileSync(join(app.folder, 'cards.key'), 'sk_live_cards_rotated_99\n')
    await expect
      .poll(
        async () => {
          await app.call('GET', `${charges}/ch_1`)
          return vendor.calls.at(-1)!.headers.authorization
        },
        { timeout: 10_000, interval: 100 },
      )
      .toBe('Bearer sk_live_cards_rotated_99')
  })

  for (const name of ['private', 'metadata']) {
    it(`is refused to a guarded address (${name})`, async () => {
      const answer = await app.call('GET', `http://${name}.test:{port}/`)
      expect(answer.status).toBe(403)
      expect(answer.problem['code']).toBe('api.address')
      expect(vendor.calls).toHaveLength(0)
    })
  }

  it('is refused when the certificate names another host', async () => {
    const answer = await app.call('GET', 'http://wrong.test:{port}/')
    expect(answer.status).toBe(502)
    expect(answer.problem['code']).toBe('api.tls')
    expect(vendor.calls).toHaveLength(0)
  })

  it('is refused a redirect to an undeclared host, and passes one to its own', async () => {
    vendor.answer = (_, response) => {
      response.writeHead(302, { location: 'https://evil.test/' }).end()
    }
    const refused = await app.call('GET', `${charges}/ch_1`)
    expect(refused.problem['code']).toBe('api.redirect')
    vendor.answer = (_, response) => {
      response.writeHead(302, { location: '/v1/charges/ch_2' }).end()
    }
    const passed = await app.call('GET', `${charges}/ch_1`)
    expect(passed.status).toBe(302)
    expect(passed.headers.location).toBe('/v1/charges/ch_2')
    expect(vendor.calls).toHaveLength(2)
  })

  it('is refused an answer that declares itself too large', async () => {
    vendor.answer = (_, response) => {
      response.writeHead(200, { 'content-length': '5000' }).end('x'.repeat(5_000))
    }
    const answer = await app.call('GET', `${charges}/ch_1`)
    expect(answer.problem['code']).toBe('api.response-too-large')
  })

  it('breaks off an answer that grows too large, so that a part never passes for the whole', async () => {
    vendor.answer = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/plain' })
      response.write('x'.repeat(500))
      setTimeout(() => response.end('x'.repeat(5_000)), 20)
    }
    await expect(app.call('GET', `${charges}/ch_1`)).rejects.toThrow()
    await expect
      .poll(() => app.spans().at(-1)!.attributes['sallyport.code'])
      .toBe('api.response-too-large')
  })

  it('is answered 504 when the vendor is silent', async () => {
    vendor.answer = () => undefined
    const answer = await app.call('GET', 'http://late.test:{port}/')
    expect(answer.status).toBe(504)
    expect(answer.problem['code']).toBe('api.timeout')
  })
})
