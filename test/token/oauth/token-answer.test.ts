import { describe, expect, it } from 'vitest'
import type { OAuthSettings } from '../../../src/token/oauth/oauth-client.ts'
import { OAuthError } from '../../../src/token/oauth/oauth-error.ts'
import { readTokenAnswer } from '../../../src/token/oauth/token-answer.ts'

const settings: OAuthSettings = {
  kind: 'oauth2-client-credentials',
  token_url: 'https://login.vendor.example/token',
  client_id: 'shop',
  client_authentication: 'client_secret_basic',
}
const read = (body: string, fields: object = {}) =>
  readTokenAnswer(
    { status: 200, contentType: 'application/json', body: Buffer.from(body), ...fields },
    settings,
  )
const errorOf = (action: () => unknown): OAuthError => {
  try {
    action()
  } catch (error) {
    if (error instanceof OAuthError) return error
    throw error
  }
  throw new Error('expected an OAuthError, nothing was thrown')
}
const good = '{"access_token":"a.b-c_d~e+f/g==","token_type":"bearer","expires_in":100}'

describe('the answer of a token endpoint', () => {
  it('gives a token and its life', () => {
    const { accessToken, lifetimeMs } = read(good)
    expect([accessToken.reveal(), lifetimeMs]).toEqual(['a.b-c_d~e+f/g==', 100_000])
  })

  it.each([
    ['the life as a text', '"expires_in":"60"', 60_000],
    ['no life', '"scope":"a"', 300_000],
    ['a life of a year', '"expires_in":31536000', 86_400_000],
  ])('is read with %s', (_name, member, lifetimeMs) => {
    expect(read(`{"access_token":"a","token_type":"Bearer",${member}}`).lifetimeMs).toBe(lifetimeMs)
  })

  it.each([
    ['HTML', '<html>', { contentType: 'text/html' }],
    ['no JSON', 'token', {}],
    ['too much', good + ' '.repeat(70_000), {}],
    ['no token', '{"token_type":"Bearer"}', {}],
    ['a token that breaks a header', '{"access_token":"a\\r\\nx: y","token_type":"Bearer"}', {}],
    ['a token with a blank', '{"access_token":"a b","token_type":"Bearer"}', {}],
    ['an empty token', '{"access_token":"","token_type":"Bearer"}', {}],
    ['two tokens', '{"access_token":"a","access_token":"b","token_type":"Bearer"}', {}],
    ['a token of another type', '{"access_token":"a","token_type":"DPoP"}', {}],
    ['a token without a type', '{"access_token":"a"}', {}],
    ['a token that is over', '{"access_token":"a","token_type":"Bearer","expires_in":0}', {}],
    [
      'a life that is no number',
      '{"access_token":"a","token_type":"Bearer","expires_in":"soon"}',
      {},
    ],
  ])('is not believed when it gives %s', (_name, body, fields) => {
    expect(errorOf(() => read(body, fields)).code).toBe('answer')
  })

  it.each([
    [400, 'refused', 'the token endpoint refused (400) with invalid_grant'],
    [401, 'refused', 'the token endpoint refused (401) with invalid_grant'],
    [302, 'answer', 'redirects'],
    [429, 'unavailable', '429'],
    [500, 'unavailable', '500'],
    [503, 'unavailable', '503'],
  ] as const)('of status %i is %s', (status, code, detail) => {
    const error = errorOf(() =>
      read('{"error":"invalid_grant","error_description":"canary"}', { status }),
    )
    expect(error.code).toBe(code)
    expect(error.detail).toContain(detail)
    expect(error.message).not.toContain('canary')
  })

  it('names an error word only when it is one', () => {
    const error = errorOf(() => read('{"error":"Canary <script>"}', { status: 400 }))
    expect(error.detail).toBe('the token endpoint refused (400)')
  })

  it.each([
    ['120', 120_000],
    ['999999', 300_000],
    ['Wed, 21 Oct 2030 07:28:00 GMT', undefined],
    ['-1', undefined],
  ])('asks to wait %s', (retryAfter, retryAfterMs) => {
    expect(errorOf(() => read('', { status: 503, retryAfter })).retryAfterMs).toBe(retryAfterMs)
  })
})
