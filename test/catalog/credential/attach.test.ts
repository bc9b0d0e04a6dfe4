import { createHmac } from 'node:crypto'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import {
  attachCredential,
  findOwnCredential,
  signsBody,
} from '../../../src/catalog/credential/attach.ts'
import type { OutgoingCall } from '../../../src/catalog/credential/attach.ts'
import { Secret } from '../../../src/secret.ts'
import { cardsYaml, entryOf } from '../../support/catalog.ts'

const now = Date.parse('2026-11-23T12:00:00Z')
const call: OutgoingCall = {
  method: 'POST',
  host: 'cards.example:8443',
  path: '/v1/charges',
  query: 'expand=card',
  headers: [['content-type', 'application/json']],
  body: Buffer.from('{}'),
}
const entry = (authentication: string, more = '') =>
  entryOf(
    cardsYaml(
      `credential: { id: cards-live, from: { environment: K }${more} }\nauthentication: ${authentication}\n`,
    ),
  )
const attach = (authentication: string, changes: Partial<OutgoingCall> = {}, key = 'sk_live_1') => {
  const done = attachCredential(
    entry(authentication),
    { ...call, ...changes },
    new Secret(key),
    now,
  )
  if (done.kind === 'refused') return { refused: done.reason, detail: done.detail }
  return {
    query: done.query,
    remove: done.remove,
    set: Object.fromEntries(done.set.map(([name, value]) => [name, value.reveal()])),
  }
}

describe('attaching a credential', () => {
  it('sets a header in the declared format', () => {
    expect(attach('{ kind: header }')).toEqual({
      query: 'expand=card',
      remove: [],
      set: { authorization: 'Bearer sk_live_1' },
    })
    expect(attach("{ kind: header, name: X-Key, format: 'k={key}' }")).toMatchObject({
      set: { 'x-key': 'k=sk_live_1' },
    })
    expect(attach('{ kind: header }', {}, '$&$1')).toMatchObject({
      set: { authorization: 'Bearer $&$1' },
    })
  })

  it('appends a query parameter and takes off one of the same name, however it is spelled', () => {
    expect(attach('{ kind: query, name: api_key }')).toMatchObject({
      query: 'expand=card&api_key=sk_live_1',
    })
    expect(
      attach('{ kind: query, name: api_key }', { query: 'api%5Fkey=mine&a=1' }, 'a b&c'),
    ).toMatchObject({ query: 'a=1&api_key=a%20b%26c' })
  })

  it('makes basic credentials of a user name and a key, or of a pair', () => {
    expect(attach('{ kind: basic, username: u }', {}, 'p')).toMatchObject({
      set: { authorization: 'Basic dTpw' },
    })
    expect(attach('{ kind: basic }', {}, 'u:p')).toMatchObject({
      set: { authorization: 'Basic dTpw' },
    })
    expect(attach('{ kind: basic }', {}, 'p')).toMatchObject({ refused: 'credential-unusable' })
  })

  it('signs the declared message with HMAC', () => {
    const settings =
      "{ kind: hmac, header: X-Sig, timestamp_header: X-Time, key_id: k1, format: '{key_id}:{signature}', message: '{timestamp}.{body}', encoding: base64 }"
    const expected = createHmac('sha256', 'sk_live_1')
      .update(`${now / 1_000}.{}`)
      .digest('base64')
    expect(attach(settings)).toMatchObject({
      set: { 'x-sig': `k1:${expected}`, 'x-time': String(now / 1_000) },
    })
    expect(attach(settings, { body: undefined })).toMatchObject({ refused: 'body-needed' })
    expect(signsBody(entry(settings).authentication)).toBe(true)
  })

  it('signs for AWS with id and secret, a session, or the JSON form', () => {
    const settings = '{ kind: aws-sigv4, service: s3, region: eu-west-1 }'
    const plain = attach(settings, {}, 'AKID:secret')
    expect(plain).toMatchObject({
      set: {
        'x-amz-date': '20261123T120000Z',
        authorization: expect.stringContaining(
          'Credential=AKID/20261123/eu-west-1/s3/aws4_request',
        ) as string,
      },
    })
    expect(attach(settings, {}, '{"AccessKeyId":"AKID","SecretAccessKey":"secret"}')).toEqual(plain)
    expect(attach(settings, {}, 'AKID:secret:tok')).toMatchObject({
      set: {
        'x-amz-security-token': 'tok',
        authorization: expect.stringContaining('x-amz-security-token') as string,
      },
    })
    expect(attach(settings, {}, 'secret')).toMatchObject({ refused: 'credential-unusable' })
  })

  it('presents an OAuth access token as a bearer token', () => {
    const settings =
      '{ kind: oauth2-client-credentials, token_url: https://id.example/token, client_id: me }'
    expect(attach(settings, {}, 'at1')).toMatchObject({ set: { authorization: 'Bearer at1' } })
  })

  it.each([
    ['an empty key', ''],
    ['a key with a line end, which would start a header', 'a\r\nx-evil: 1'],
  ])('refuses %s without showing it', (_, key) => {
    const done = attach('{ kind: header }', {}, key)
    expect(done).toMatchObject({ refused: 'credential-unusable' })
    expect(JSON.stringify(done)).not.toContain('evil')
  })

  it('never prints what it attached', () => {
    const done = attachCredential(entry('{ kind: header }'), call, new Secret('sk_live_1'), now)
    expect(inspect(done, { depth: 9 }) + JSON.stringify(done)).not.toContain('sk_live_1')
  })
})

describe('the credential that the app brings itself', () => {
  const brought = {
    headers: [
      ['Authorization', 'Bearer mine'],
      ['Cookie', 'a=b'],
      ['accept', '*/*'],
    ] as const,
    query: 'api_key=x&q=1',
  }

  it('is stripped by default', () => {
    expect(findOwnCredential(entry('{ kind: query, name: api_key }'), brought)).toMatchObject({
      decision: 'strip',
      headers: ['authorization', 'cookie'],
      query: ['api_key'],
      strippedQuery: 'q=1',
    })
    expect(attach('{ kind: header, name: x-key }', brought)).toMatchObject({
      remove: ['authorization', 'cookie'],
    })
  })

  it('is refused where the entry says so, by name and without its value', () => {
    const own = findOwnCredential(entry('{ kind: header }', ', from_app: refuse'), brought)
    expect(own.decision).toBe('refuse')
    expect(own.detail).toContain('authorization')
    expect(own.detail).not.toContain('mine')
  })

  it('is stripped even where the entry declares no credential', () => {
    expect(findOwnCredential(entryOf(cardsYaml()), brought).decision).toBe('strip')
  })

  it('leaves a request without one untouched', () => {
    expect(
      findOwnCredential(entry('{ kind: header }'), {
        headers: [['accept', '*/*']],
        query: 'b=%20&a',
      }),
    ).toMatchObject({ decision: 'none', strippedQuery: 'b=%20&a' })
  })
})
