import { readFileSync, writeFileSync } from 'node:fs'
import { generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  cardsEntryText,
  okAnswer,
  startEgressSidecar,
  startTestVendor,
  type EgressSidecar,
  type TestVendor,
  type VendorCall,
} from '../support/egress-sidecar.ts'

const entry = (name: string, operations: string, more: string) => `name: ${name}
owner: group:payments
purpose: a stand-in for tests
callers: [spiffe://test.mesh/app]
hosts: ['${name}.test:{port}']
operations: [${operations}]
review_by: '2099-01-01'
tls: {ca: ../vendor.crt}
allow_cidrs: [127.0.0.1/32]
${more}`

const oauth = (kind: string, how: string, more = '') =>
  `authentication: {kind: ${kind}, token_url: 'https://auth.test:{port}/token', client_id: shop, scope: cards, client_authentication: ${how}${more}}`

const day = 86_400_000
const dateBefore = (days: number): string =>
  new Date(Date.now() - days * day).toISOString().slice(0, 10)

describe('access tokens of a vendor', () => {
  let vendor: TestVendor
  let app: EgressSidecar
  let made = 0
  const good = new Set<string>()
  const pem = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
    type: 'pkcs8',
    format: 'pem',
  })

  const answer: TestVendor['answer'] = (call, response) => {
    if (call.path === '/token') {
      const form = new URLSearchParams(call.body.toString())
      const token = `at_${form.get('grant_type')?.split(':').at(-1)}_${(made += 1)}`
      good.add(token)
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(
        JSON.stringify({
          access_token: token,
          token_type: 'Bearer',
          expires_in: 3_600,
          issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        }),
      )
      return
    }
    const token = call.headers.authorization?.replace('Bearer ', '') ?? ''
    if (good.has(token)) okAnswer(call, response)
    else response.writeHead(401).end()
  }

  const tokenCalls = (): readonly VendorCall[] =>
    vendor.calls.filter(({ path }) => path === '/token')
  const apiCalls = (): readonly VendorCall[] => vendor.calls.filter(({ path }) => path !== '/token')

  beforeAll(async () => {
    const names = ['auth', 'basic', 'signed', 'bearer', 'exchange', 'mutual', 'lost', 'many']
    vendor = await startTestVendor(
      names.map((name) => `${name}.test`),
      { requestCert: true, rejectUnauthorized: false },
    )
    vendor.answer = answer
    const key = (id: string, file: string): string =>
      `credential: {id: ${id}, from: {file: ../${file}}}`
    app = await startEgressSidecar({
      vendor,
      names: Object.fromEntries(names.map((name) => [`${name}.test`, '127.0.0.1'])),
      files: { 'secret.txt': 's3cret', 'client.pem': pem.toString() },
      entries: {
        auth: entry('auth', 'POST /token', ''),
        basic: entry(
          'basic',
          'GET /',
          `${oauth('oauth2-client-credentials', 'client_secret_basic')}\n${key('shop-secret', 'secret.txt')}`,
        ),
        many: entry(
          'many',
          'GET /',
          `${oauth('oauth2-client-credentials', 'client_secret_basic')}\n${key('shop-secret', 'secret.txt')}`,
        ),
        signed: entry(
          'signed',
          'GET /',
          `${oauth('oauth2-client-credentials', 'private_key_jwt')}\n${key('shop-key', 'client.pem')}`,
        ),
        bearer: entry(
          'bearer',
          'GET /',
          `${oauth('oauth2-jwt-bearer', 'client_secret_basic', ', issuer: shop, subject: shop@vendor')}\n${key('shop-key', 'client.pem')}`,
        ),
        exchange: entry(
          'exchange',
          'GET /',
          `${oauth('oauth2-token-exchange', 'client_secret_basic')}\n${key('shop-secret', 'secret.txt')}`,
        ),
        mutual: entry('mutual', 'GET /', oauth('oauth2-client-credentials', 'tls_client_auth')),
        lost: entry(
          'lost',
          'GET /',
          `${oauth('oauth2-client-credentials', 'client_secret_basic').replace('auth.test', 'nowhere.test')}\n${key('shop-secret', 'secret.txt')}`,
        ),
      },
    })
  })

  afterEach(() => {
    vendor.calls.length = 0
    vendor.answer = answer
  })

  afterAll(async () => {
    await app.stop()
    vendor.close()
  })

  it('are fetched with the client secret, attached, and kept', async () => {
    const [first, second] = [
      await app.call('GET', 'http://basic.test:{port}/'),
      await app.call('GET', 'http://basic.test:{port}/'),
    ]
    expect([first.status, second.status]).toEqual([200, 200])
    expect(tokenCalls()).toHaveLength(1)
    expect(tokenCalls()[0]!.headers.authorization).toBe(
      `Basic ${Buffer.from('shop:s3cret').toString('base64')}`,
    )
    expect(apiCalls()[0]!.headers.authorization).toMatch(/^Bearer at_client_credentials_/)
  })

  it('are fetched once for calls at the same time', async () => {
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => app.call('GET', 'http://many.test:{port}/')),
    )
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
    expect(tokenCalls()).toHaveLength(1)
  })

  it('are a client span and an audit record when they are fetched', async () => {
    await app.call('GET', 'http://signed.test:{port}/')
    const span = app.spans().find(({ attributes }) => attributes['peer.service'] === 'auth')!
    expect(span.name).toBe('POST /token')
    expect(JSON.stringify(app.spans())).not.toContain('at_client')
    expect(app.log.join('\n')).not.toContain('s3cret')
  })

  it('are fetched with a signed assertion', async () => {
    vendor.calls.length = 0
    await app.call('GET', 'http://bearer.test:{port}/')
    const form = new URLSearchParams(tokenCalls()[0]!.body.toString())
    expect(form.get('grant_type')).toBe('urn:ietf:params:oauth:grant-type:jwt-bearer')
    expect(form.get('assertion')!.split('.')).toHaveLength(3)
    expect(apiCalls()[0]!.headers.authorization).toMatch(/^Bearer at_jwt-bearer_/)
  })

  it('are exchanged for the token of the user, which does not leave to the API', async () => {
    const answered = await app.call('GET', 'http://exchange.test:{port}/', {
      headers: { authorization: 'Bearer user.token.1' },
    })
    expect(answered.status).toBe(200)
    expect(new URLSearchParams(tokenCalls()[0]!.body.toString()).get('subject_token')).toBe(
      'user.token.1',
    )
    expect(apiCalls()[0]!.headers.authorization).toMatch(/^Bearer at_token-exchange_/)
    const without = await app.call('GET', 'http://exchange.test:{port}/')
    expect(without.problem['code']).toBe('api.credential')
  })

  it('are fetched over mutual TLS with the certificate of the workload', async () => {
    expect((await app.call('GET', 'http://mutual.test:{port}/')).status).toBe(200)
    expect(tokenCalls()[0]!.clientCertificate).toBeDefined()
    expect(apiCalls()[0]!.clientCertificate).toBeUndefined()
  })

  it('are not fetched from an endpoint that the catalog does not declare', async () => {
    const answered = await app.call('GET', 'http://lost.test:{port}/')
    expect(answered.status).toBe(502)
    expect(answered.problem['code']).toBe('api.credential')
    expect(String(answered.problem['detail'])).toContain('api.undeclared')
    expect(vendor.calls).toHaveLength(0)
  })
})

describe('the keys of vendors', () => {
  let vendor: TestVendor
  let app: EgressSidecar

  beforeAll(async () => {
    vendor = await startTestVendor(['api.cards.test', 'old.test', 'aging.test', 'limit.test'])
    const issued = (name: string, days: number, more = '') =>
      entry(
        name,
        'GET /',
        `authentication: {kind: header}\ncredential: {id: ${name}-key, from: {file: ../${name}.key}, issued: '${dateBefore(days)}', rotate_every: 100d${more}}`,
      )
    app = await startEgressSidecar({
      vendor,
      names: { 'old.test': '127.0.0.1', 'aging.test': '127.0.0.1', 'limit.test': '127.0.0.1' },
      apis: '    ledger_file: ledger.json',
      files: {
        'old.key': 'key-old-0123456789',
        'aging.key': 'key-aging-0123456789',
        'limit.key': 'key-limit-0123456789',
      },
      entries: {
        cards: cardsEntryText(),
        old: issued('old', 120, ', at_limit: refuse'),
        limit: issued('limit', 120),
        aging: issued('aging', 85),
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

  it('are refused at the limit of their age where the entry says so, and named where it warns', async () => {
    const refused = await app.call('GET', 'http://old.test:{port}/')
    expect(refused.problem['code']).toBe('api.credential-age')
    expect(vendor.calls).toHaveLength(0)
    expect((await app.call('GET', 'http://limit.test:{port}/')).status).toBe(200)
    expect(app.log.some((line) => line.includes('limit-key') && line.includes('warn'))).toBe(true)
  })

  it('are announced at 80 % of their life, and their age is on the span', async () => {
    expect((await app.call('GET', 'http://aging.test:{port}/')).status).toBe(200)
    expect(app.spans().at(-1)!.attributes['sallyport.credential.age_days']).toBe(85)
    expect(app.log.filter((line) => line.includes('aging-key of aging'))).toHaveLength(1)
    await app.call('GET', 'http://aging.test:{port}/')
    expect(app.log.filter((line) => line.includes('aging-key of aging'))).toHaveLength(1)
  })

  it('fall back to the older one once, loudly, when the new one is answered 401', async () => {
    const older = 'Bearer sk_live_cards_0123456789'
    writeFileSync(join(app.folder, 'cards.key'), 'sk_live_not_known_yet_1\n')
    vendor.answer = (call, response) => {
      if (call.headers.authorization === older) okAnswer(call, response)
      else response.writeHead(401).end()
    }
    await expect
      .poll(() => app.log.some((line) => line.includes('rotated')), { timeout: 8_000 })
      .toBe(true)
    vendor.calls.length = 0
    const answer = await app.call('POST', 'http://api.cards.test:{port}/v1/charges', { body: '{}' })
    expect(answer.status).toBe(200)
    expect(vendor.calls.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer sk_live_not_known_yet_1',
      older,
    ])
    expect(vendor.calls.map(({ body }) => body.toString())).toEqual(['{}', '{}'])
    const spans = app.spans().slice(-2)
    expect(spans[0]!.attributes['http.response.status_code']).toBe(401)
    expect(spans[0]!.events.map(({ name }) => name)).toContain('sallyport.credential.fallback')
    expect(spans[1]!.attributes['http.request.resend_count']).toBe(1)
    expect(app.log.some((line) => line.includes('a vendor refused the key'))).toBe(true)
    expect(app.sidecar.core.telemetry.metrics.text()).toContain(
      'sallyport_credential_fallbacks_total{api="cards"} 1',
    )
  })

  it('pass the 401 on when the older one is refused too', async () => {
    vendor.answer = (_, response) => response.writeHead(401).end()
    const answer = await app.call('GET', 'http://api.cards.test:{port}/v1/charges/ch_1')
    expect(answer.status).toBe(401)
    expect(vendor.calls).toHaveLength(2)
  })

  it('are kept in the ledger by fingerprint, never by value', async () => {
    await expect
      .poll(
        () => {
          try {
            return readFileSync(join(app.folder, 'ledger.json'), 'utf8')
          } catch {
            return ''
          }
        },
        { timeout: 8_000 },
      )
      .toContain('aging-key')
    expect(readFileSync(join(app.folder, 'ledger.json'), 'utf8')).not.toContain('key-aging-01')
  })
})
