import { readFile } from 'node:fs/promises'
import { Writable } from 'node:stream'
import { afterEach, describe, expect, it } from 'vitest'
import { Secret } from '../../src/secret.ts'
import type { Decision } from '../../src/telemetry/audit/record.ts'
import { openLog } from '../../src/telemetry/log.ts'
import { openMetrics } from '../../src/telemetry/metrics/instruments.ts'
import { attribute, event } from '../../src/telemetry/names.ts'
import { redactHeaders } from '../../src/telemetry/redact.ts'
import { startOtlpReceiver } from '../support/otlp-receiver.ts'
import type { OtlpReceiver } from '../support/otlp-receiver.ts'
import { aTrail, decisionOf } from './audit-trail.ts'
import type { TestTrail } from './audit-trail.ts'
import { openTestTraces } from './open-traces.ts'

let receiver: OtlpReceiver | undefined
let trail: TestTrail | undefined
afterEach(async () => {
  await receiver?.close()
  await trail?.remove()
})

/** Makes secrets that can be found again by their middle, each in the shape of a kind of key. */
const canaries = () => {
  const planted: string[] = []
  let count = 0
  const plant = (shape: (mark: string) => string): string => {
    count += 1
    const mark = `canary${String(count).padStart(2, '0')}`
    planted.push(mark)
    return shape(mark)
  }
  /** A key without a mark of its issuer: random letters and digits around the mark. */
  const key = (): string => plant((mark) => `q8Zt4Kp9${mark}Xw2Lm7Rv5`)
  const text = (form: string): string => form.replace('*', key())
  /** A JSON web token, whose payload is the mark. */
  const token = (): string =>
    plant((mark) => {
      const payload = Buffer.from(JSON.stringify({ sub: mark })).toString('base64url')
      planted.push(payload.slice(4, 18))
      return `eyJhbGciOiJFUzI1NiJ9.${payload}.c2lnbmF0dXJlLW9mLXRva2Vu`
    })
  return { planted, plant, key, text, token }
}

describe('sixty planted secrets', () => {
  it('are found neither in spans, recent traces, logs, metrics nor the audit trail', async () => {
    const { planted, plant, key, text, token } = canaries()
    receiver = await startOtlpReceiver()
    trail = await aTrail()
    const traces = openTestTraces({
      section: { endpoint: receiver.url },
      options: { queryKeys: ['page', 'sig'] },
    })
    const lines: string[] = []
    const output = new Writable({
      decodeStrings: false,
      write(line: string, _, done) {
        lines.push(line)
        done()
      },
    })
    const log = openLog({
      level: 'debug',
      decisions: 'all',
      fieldLength: 256,
      now: Date.now,
      output,
    })
    const metrics = openMetrics({ target: {}, startTimeMs: 0 })
    const audit = trail.open({ decisions: 'all' })

    // URLs: user, password, query, fragment, path, in several encodings.
    const urls = [
      text('https://user:*@api.example/v1'),
      text('https://*@api.example/v1'),
      text('https://api.example/v1?key=*'),
      text('https://api.example/v1?page=2&api_key=*'),
      text('https://api.example/v1?sig=*'),
      text('https://api.example/v1#*'),
      text('https://api.example/hooks/T01/*'),
      text('https://api.example/v1?page=*'),
      `https://api.example/t/${token()}`,
      text('https://api.example/v1?%70age=*'),
      text('https://api.example/v1?Page=*&a=b'),
      text('//api.example/?x=*'),
      plant((mark) => `https://api.example/k/sk_live_${mark}abcdefgh`),
      plant((mark) => `https://api.example/bot123456:AA${mark}qTcvCH1vGWJxfSeofSAs0K5PALD/x`),
      plant((mark) => `https://api.example/k/%73k_live_${mark}abcdefgh`),
    ]
    for (const url of urls) {
      const span = traces.start({
        name: 'GET /v1',
        kind: 'client',
        parent: undefined,
        always: 'sampled-always',
        attributes: { [attribute.urlFull]: url },
      })
      span.set(attribute.urlFull, url)
      span.end({ status: 'unset' })
    }

    // Attributes and events: unlisted names, listed ones that strangers fill.
    const span = traces.start({
      name: 'GET /v1',
      kind: 'server',
      parent: undefined,
      always: 'sampled-always',
      attributes: { 'http.request.header.authorization': key() } as object,
    })
    span.set('http.request.header.cookie' as never, key())
    span.set('url.query.raw' as never, key())
    span.setAll({ 'enduser.id': key(), 'http.request.body': key() } as object)
    span.event(event.refused, {
      'exception.message': key(),
      [attribute.userAgent]: text('curl token=*'),
    } as object)
    span.event('exception' as never, { [attribute.code]: key() })
    span.set(attribute.userAgent, text('bot/1.0 (Bearer *)'))
    span.set(attribute.urlPath, text('/reset/*/now'))
    span.set(attribute.urlQuery, text('page=1&token=*'))
    span.set(attribute.vendorRequestId, token())
    span.set(
      attribute.serverAddress,
      plant((mark) => `sk_live_${mark}abcdefgh.evil.example`),
    )
    span.set(attribute.httpMethodOriginal, text('BREW*'))
    span.end({ status: 'error', errorType: 'internal' })

    // Logs: messages, fields by name, by shape, nested, errors and their causes, bytes, secrets.
    log.info(text('fetching with Bearer *'))
    log.warn(text('refused password=*'))
    log.error(`bad token ${token()}`)
    log.info('fields', {
      authorization: key(),
      Cookie: key(),
      apiKey: key(),
      'api-key': key(),
      client_secret: key(),
      password: key(),
      refreshToken: key(),
      privateKey: key(),
      passphrase: key(),
      secret: new Secret(key()),
      body: Buffer.from(key()),
      url: text('https://u:*@h/'),
      header: text('authorization: Basic *'),
      note: key(),
      list: [token(), [key()]],
      nested: { deeper: { token: key(), text: text('cookie: sid=*') } },
    })
    log.error('failed', {
      error: new Error(text('secret=*'), { cause: new Error(text('https://x:*@db/')) }),
    })
    log.error('failed', { error: Object.assign(new Error('x'), { code: key(), token: key() }) })
    log.with({ credential: key(), session_token: key() }).info('child')
    log.info('key file', {
      pem: plant((mark) => `-----BEGIN PRIVATE KEY-----\n${mark}\n-----END PRIVATE KEY-----`),
    })
    log.info(
      'headers',
      redactHeaders(
        [
          ['authorization', key()],
          ['x-other', key()],
          ['accept', text('token=*')],
          ['set-cookie', key()],
        ],
        new Set(['authorization', 'accept', 'set-cookie']),
      ),
    )

    // Decisions: the audit trail and the log line.
    const host = plant((mark) => `sk_live_${mark}abcdefgh.evil.example`)
    const decision = decisionOf(0, { host })
    audit.record(decision)
    log.decision(decision)
    const extra = { ...decisionOf(1), secret: undefined } as Decision
    audit.record(extra)

    // Metrics: values that are in no closed list.
    metrics.refusals.with(key(), 'route.unknown').add()
    metrics.serverDuration.with(key(), '/v1', '200', '').record(1)

    await Promise.all([traces.flush(5_000), audit.close(), log.flush()])
    const shown = {
      spans: receiver.raw(),
      recent: JSON.stringify(traces.recent()),
      logs: lines.join(''),
      metrics: metrics.text(),
      audit: await readFile(trail.path, 'utf8'),
    }
    await traces.shutdown(5_000)
    expect(planted.length).toBeGreaterThanOrEqual(60)
    for (const [place, content] of Object.entries(shown)) {
      expect(content.length, place).toBeGreaterThan(200)
      expect(
        planted.filter((mark) => content.includes(mark)),
        place,
      ).toEqual([])
    }
  })
})
