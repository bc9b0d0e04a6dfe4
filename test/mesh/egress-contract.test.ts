import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { request as httpRequest } from 'node:http'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  cardsEntryText,
  okAnswer,
  startEgressSidecar,
  startTestVendor,
  type EgressSidecar,
  type TestVendor,
} from '../support/egress-sidecar.ts'

const schema = JSON.stringify({
  type: 'object',
  required: ['amount'],
  additionalProperties: false,
  properties: { amount: { type: 'number', minimum: 1 } },
})
const answerSchema = JSON.stringify({
  type: 'object',
  required: ['id'],
  properties: { id: { type: 'string' }, note: { type: 'string' } },
})

const entry = (name: string, more: string) => `name: ${name}
owner: group:payments
purpose: a stand-in for tests
data: [pci]
callers: [spiffe://test.mesh/app]
hosts: ['${name}.test:{port}']
operations:
  - {method: GET, path: /, response_schema: answer.schema.json, text: [/note]}
  - {method: POST, path: /, request_schema: charge.schema.json, response_schema: answer.schema.json, text: [/note]}
review_by: '2099-01-01'
tls: {ca: ../vendor.crt}
allow_cidrs: [127.0.0.1/32]
${more}
`

const names = ['strict', 'watched', 'stripped', 'escaped', 'refused', 'open', 'small', 'typed']

describe('what crosses to a third party and back', () => {
  let vendor: TestVendor
  let app: EgressSidecar

  beforeAll(async () => {
    vendor = await startTestVendor(['api.cards.test', ...names.map((name) => `${name}.test`)])
    app = await startEgressSidecar({
      vendor,
      names: Object.fromEntries(names.map((name) => [`${name}.test`, '127.0.0.1'])),
      files: { 'apis/charge.schema.json': schema, 'apis/answer.schema.json': answerSchema },
      apis: `    data_classes: {health: {patterns: ['diagnosis']}, pci: {detect: [card-number]}}
    leak_guard: {patterns: [{name: github, pattern: 'ghp_[A-Za-z0-9]{36}'}]}`,
      entries: {
        cards: cardsEntryText(),
        strict: entry('strict', 'validation: {request: enforce, response: enforce}'),
        watched: entry('watched', 'validation: {request: observe, response: observe}'),
        stripped: entry('stripped', 'validation: {response: strip}'),
        escaped: entry('escaped', 'validation: {text: escape}'),
        refused: entry('refused', 'validation: {text: refuse}'),
        open: entry('open', ''),
        small: entry('small', 'distrust: {request_size: 100B}'),
        typed: entry('typed', 'distrust: {content_types: [application/json]}'),
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

  const json = { 'content-type': 'application/json' }
  const get = (name: string) => app.call('GET', `http://${name}.test:{port}/`)
  const post = (name: string, body: string | Buffer, headers: Record<string, string> = json) =>
    app.call('POST', `http://${name}.test:{port}/`, { headers, body })
  const answering =
    (body: string | Buffer, headers: Record<string, string> = json): TestVendor['answer'] =>
    (_, response) => {
      response.writeHead(200, headers).end(body)
    }

  describe('the request and its contract', () => {
    it('is refused where it breaks it, and passes byte for byte where it keeps it', async () => {
      const refused = await post('strict', '{"amount": 0}')
      expect(refused.status).toBe(403)
      expect(refused.problem['code']).toBe('api.request-contract')
      expect(refused.body).not.toContain('"amount": 0')
      expect(vendor.calls).toHaveLength(0)
      const body = '{ "amount":\t5 }'
      expect((await post('strict', body)).status).toBe(200)
      expect(vendor.calls[0]!.body.toString()).toBe(body)
    })

    it('passes and is noted where the entry observes', async () => {
      expect((await post('watched', '{"amount": 0}')).status).toBe(200)
      const span = app.spans().at(-1)!
      expect(span.attributes['sallyport.request.schema.valid']).toBe(false)
      expect(span.events.map(({ name }) => name)).toContain('sallyport.would_refuse')
    })

    it('is refused when it is larger than the entry allows, declared or not', async () => {
      const declared = await post('small', 'x'.repeat(200), {})
      expect(declared.status).toBe(413)
      const chunked = await post('small', 'x'.repeat(200), { 'transfer-encoding': 'chunked' })
      expect(chunked.problem['code']).toBe('request.too-large')
      expect((await post('small', 'x'.repeat(50), {})).status).toBe(200)
    })
  })

  describe('a key or data that belongs elsewhere', () => {
    const key = 'sk_live_cards_0123456789'

    it('is blocked in a header, in the URL and in the body, raw and encoded', async () => {
      const bodies = [
        key,
        Buffer.from(key).toString('base64'),
        `{"k":"${key}"}`,
        encodeURIComponent(key),
      ]
      for (const body of bodies) {
        expect((await post('open', body, {})).problem['code']).toBe('api.leak')
      }
      const header = await app.call('GET', 'http://open.test:{port}/', {
        headers: { 'x-note': key },
      })
      expect(header.problem['code']).toBe('api.leak')
      const url = await app.call('GET', `http://open.test:{port}/?k=${key}`)
      expect(url.problem['code']).toBe('api.leak')
      expect(url.body).not.toContain(key)
      expect(vendor.calls).toHaveLength(0)
      expect(app.sidecar.core.telemetry.metrics.text()).toContain(
        'sallyport_credential_leaks_total{api="open"} 6',
      )
    })

    it('is blocked inside a compressed body', async () => {
      const refused = await post('open', gzipSync(`{"k":"${key}"}`), {
        ...json,
        'content-encoding': 'gzip',
      })
      expect(refused.problem['code']).toBe('api.leak')
    })

    it('passes to the API that it belongs to, and strips it from the headers of another', async () => {
      const own = await app.call('POST', 'http://api.cards.test:{port}/v1/charges', { body: key })
      expect(own.status).toBe(200)
      const other = await app.call('GET', 'http://open.test:{port}/', {
        headers: { authorization: `Bearer ${key}` },
      })
      expect(other.status).toBe(200)
      expect(vendor.calls.at(-1)!.headers.authorization).toBeUndefined()
    })

    it('is blocked by a declared pattern', async () => {
      const refused = await post('open', `token=ghp_${'a'.repeat(36)}`, {})
      expect(refused.problem['code']).toBe('api.leak')
    })

    it('is refused as a class of data that may not leave, and passes as one that may', async () => {
      const refused = await post('open', '{"text":"diagnosis: well"}')
      expect(refused.problem['code']).toBe('api.data-class')
      expect((await post('open', '{"card":"4111 1111 1111 1111"}')).status).toBe(200)
    })
  })

  describe('the answer', () => {
    it('is refused where it breaks its contract, and passes unchanged where it keeps it', async () => {
      vendor.answer = answering('{"id": 5}')
      const refused = await get('strict')
      expect(refused.status).toBe(502)
      expect(refused.problem['code']).toBe('api.response-contract')
      vendor.answer = answering('{ "id":\t"a" }')
      const passed = await get('strict')
      expect(passed.body).toBe('{ "id":\t"a" }')
      expect(app.spans().at(-1)!.attributes['sallyport.response.schema.valid']).toBe(true)
    })

    it('passes and is noted where the entry observes', async () => {
      vendor.answer = answering('{"id": 5}')
      expect((await get('watched')).body).toBe('{"id": 5}')
      expect(app.spans().at(-1)!.attributes['sallyport.response.schema.valid']).toBe(false)
      expect(app.sidecar.core.telemetry.metrics.text()).toMatch(
        /contract_violations_total\{api="watched",flow="response",mode="observe"\} 1/,
      )
    })

    it('loses what its contract does not name, where the entry strips', async () => {
      vendor.answer = answering('{"id":"a","extra":{"deep":1},"note":"n"}', {
        ...json,
        etag: '"1"',
      })
      const answer = await get('stripped')
      expect(JSON.parse(answer.body)).toEqual({ id: 'a', note: 'n' })
      expect(answer.headers.etag).toBeUndefined()
      expect(answer.headers['content-length']).toBe(String(answer.bytes.length))
      expect(app.spans().at(-1)!.attributes['sallyport.response.redactions']).toBe(1)
    })

    it('has markup in text fields refused or escaped, as the entry says', async () => {
      vendor.answer = answering('{"id":"a","note":"<script>x</script>"}')
      expect((await get('refused')).problem['code']).toBe('api.response-unsafe')
      expect((await get('escaped')).body).toContain('&lt;script&gt;')
      vendor.answer = answering('{"id":"a","note":"plain"}')
      expect((await get('escaped')).body).toBe('{"id":"a","note":"plain"}')
    })

    const unsafe: Readonly<Record<string, string | Buffer>> = {
      'nested too deeply': '['.repeat(100) + ']'.repeat(100),
      'a duplicate key': '{"a":1,"a":2}',
      'a prototype key': '{"__proto__":{"admin":true}}',
      'invalid UTF-8': Buffer.from([0x22, 0xc3, 0x28, 0x22]),
      'too many keys': `{${Array.from({ length: 10_001 }, (_, at) => `"k${at}":1`).join(',')}}`,
      'no JSON at all': '<!doctype html><html></html>',
    }
    for (const [what, body] of Object.entries(unsafe)) {
      it(`is refused for JSON with ${what}`, async () => {
        vendor.answer = answering(body)
        const answer = await get('open')
        expect(answer.status).toBe(502)
        expect(answer.problem['code']).toBe('api.response-unsafe')
      })
    }

    it('is refused when little becomes much, and passes compressed as it came', async () => {
      vendor.answer = answering(gzipSync(`"${'a'.repeat(5_000_000)}"`), {
        ...json,
        'content-encoding': 'gzip',
      })
      expect((await get('open')).problem['code']).toBe('api.response-unsafe')
      const small = gzipSync('{"id":"a"}')
      vendor.answer = answering(small, { ...json, 'content-encoding': 'gzip' })
      const answer = await get('open')
      expect(answer.bytes).toEqual(small)
      expect(answer.headers['content-encoding']).toBe('gzip')
    })

    it('is refused for a type that the entry does not list', async () => {
      vendor.answer = answering('hello', { 'content-type': 'text/plain' })
      expect((await get('typed')).problem['code']).toBe('api.response-unsafe')
      expect((await get('open')).body).toBe('hello')
    })

    it('streams when nothing asks to see the body', async () => {
      let finish = (): void => undefined
      vendor.answer = (_, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.write('data: 1\n\n')
        finish = () => response.end('data: 2\n\n')
      }
      const text = await new Promise<string>((resolve, reject) => {
        const url = `http://open.test:${vendor.port}/`
        const request = httpRequest(
          { host: '127.0.0.1', port: app.port, path: url, headers: { host: new URL(url).host } },
          (response) => {
            let all = ''
            response.on('data', (chunk: Buffer) => {
              all += chunk.toString()
              if (all === 'data: 1\n\n') finish()
            })
            response.on('end', () => resolve(all))
          },
        )
        request.on('error', reject)
        request.end()
      })
      expect(text).toBe('data: 1\n\ndata: 2\n\n')
    })

    it('and a large request pass byte for byte', async () => {
      const large = Buffer.alloc(3_000_000, 'abcdefghij-')
      vendor.answer = (call, response) => {
        const digest = createHash('sha256').update(call.body).digest('hex')
        response.writeHead(200, { 'content-type': 'application/octet-stream', 'x-digest': digest })
        response.end(call.body)
      }
      const answer = await post('open', large, { 'content-type': 'application/octet-stream' })
      expect(answer.headers['x-digest']).toBe(createHash('sha256').update(large).digest('hex'))
      expect(answer.bytes.equals(large)).toBe(true)
    })
  })
})
