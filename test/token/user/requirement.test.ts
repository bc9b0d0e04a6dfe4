import { describe, expect, it } from 'vitest'
import { answerTokenError } from '../../../src/token/user/challenge.ts'
import { claimHeaders } from '../../../src/token/user/claim-headers.ts'
import { checkRequirement } from '../../../src/token/user/requirement.ts'
import { readScopes } from '../../../src/token/user/claims.ts'
import { TokenError } from '../../../src/token/token-error.ts'
import type { VerifiedToken } from '../../../src/token/verified-token.ts'
import { codeOf, requirementOf, seconds, startOfTime, tokenErrorOf } from '../../support/tokens.ts'

const skew = 30_000
const tokenOf = (claims: Record<string, unknown>): VerifiedToken => ({
  provider: 'main',
  issuer: 'i',
  subject: 's',
  audiences: [],
  scopes: readScopes(claims),
  claims,
  expiresAt: 0,
  thumbprint: undefined,
  hash: '',
  fingerprint: '',
})
const check = (claims: Record<string, unknown>, fields: Record<string, unknown>) => () =>
  checkRequirement(tokenOf(claims), requirementOf(fields), startOfTime, skew)

describe('requires', () => {
  it.each([
    ['all scopes', { scope: 'orders.read orders.write' }, { scopes: ['orders.read'] }],
    ['a claim of the value', { tenant: 'a' }, { claims: { tenant: 'a' } }],
    ['a claim of one of the values', { tenant: 'b' }, { claims: { tenant: ['a', 'b'] } }],
    ['a list that holds the value', { groups: ['x', 'a'] }, { claims: { groups: 'a' } }],
    [
      'a claim inside an object',
      { realm: { roles: ['admin'] } },
      { claims: { 'realm.roles': 'admin' } },
    ],
    [
      'a claim whose name holds dots',
      { 'https://shop.example/tier': 1 },
      { claims: { 'https://shop.example/tier': 1 } },
    ],
    ['a claim that is true', { email_verified: true }, { claims: { email_verified: true } }],
  ])('accepts %s', async (_name, claims, requires) => {
    expect(await codeOf(check(claims, { requires }))).toBe('accepted')
  })

  it.each([
    ['a scope is missing', { scope: 'orders.read' }, { scopes: ['orders.read', 'orders.write'] }],
    ['a scope only starts alike', { scope: 'orders.readonly' }, { scopes: ['orders.read'] }],
    ['there are no scopes', {}, { scopes: ['orders.read'] }],
    ['the claim is missing', {}, { claims: { tenant: 'a' } }],
    ['the claim differs in case', { tenant: 'A' }, { claims: { tenant: 'a' } }],
    ['the claim is of another type', { level: '1' }, { claims: { level: 1 } }],
    [
      'the claim is the text true',
      { email_verified: 'true' },
      { claims: { email_verified: true } },
    ],
    ['the claim is inherited', {}, { claims: { 'constructor.name': 'Object' } }],
    ['the list does not hold it', { groups: ['ab'] }, { claims: { groups: 'a' } }],
  ])('refuses when %s, and asks for more scope', async (_name, claims, requires) => {
    const error = await tokenErrorOf(check(claims, { requires }))
    expect(error.code).toBe('claim')
    expect(error.challenge?.error).toBe('insufficient_scope')
    expect(answerTokenError(error, 'orders').status).toBe(403)
  })
})

describe('step-up', () => {
  const signedIn = (agoSeconds: number) => ({ auth_time: seconds(startOfTime) - agoSeconds })

  it.each([
    ['one of the acr values', { acr: 'phr' }, { acr: ['phrh', 'phr'] }],
    ['all methods', { amr: ['pwd', 'otp'] }, { amr: ['otp'] }],
    ['a recent sign-in', signedIn(300), { max_age: '5m' }],
    ['a sign-in within the skew', signedIn(330), { max_age: '5m' }],
  ])('accepts %s', async (_name, claims, stepUp) => {
    expect(await codeOf(check(claims, { step_up: stepUp }))).toBe('accepted')
  })

  it.each([
    ['another acr', { acr: 'pwd' }, { acr: ['phr'] }],
    ['no acr', {}, { acr: ['phr'] }],
    ['acr in a list', { acr: ['phr'] }, { acr: ['phr'] }],
    ['a method too few', { amr: ['pwd'] }, { amr: ['pwd', 'otp'] }],
    ['amr as a text', { amr: 'pwd otp' }, { amr: ['otp'] }],
    ['a sign-in too long ago', signedIn(331), { max_age: '5m' }],
    ['a sign-in in the future', signedIn(-31), { max_age: '5m' }],
    ['no auth_time', {}, { max_age: '5m' }],
    ['auth_time as a text', { auth_time: '1' }, { max_age: '5m' }],
  ])('refuses %s', async (_name, claims, stepUp) => {
    expect(await codeOf(check(claims, { step_up: stepUp }))).toBe('step-up')
  })

  it('says in the answer which sign-in would do', async () => {
    const error = await tokenErrorOf(
      check({}, { step_up: { acr: ['phrh', 'phr'], max_age: '5m' } }),
    )
    expect(answerTokenError(error, 'orders')).toEqual({
      status: 401,
      wwwAuthenticate:
        'Bearer realm="orders", error="insufficient_user_authentication", error_description="a stronger sign-in is needed", acr_values="phrh phr", max_age="300"',
      retryAfterSeconds: undefined,
    })
  })
})

describe('the answer to a token error', () => {
  it('names the scheme and no error when there was no token', () => {
    expect(answerTokenError(new TokenError('missing', 'x'), 'orders').wwwAuthenticate).toBe(
      'Bearer realm="orders"',
    )
  })

  it('says invalid_token when the token was not acceptable', () => {
    const answer = answerTokenError(new TokenError('expired', 'x'), 'orders')
    expect(answer).toMatchObject({
      status: 401,
      wwwAuthenticate:
        'Bearer realm="orders", error="invalid_token", error_description="the token has expired"',
    })
  })

  it('names the scopes that are needed', async () => {
    const error = await tokenErrorOf(check({}, { requires: { scopes: ['a', 'b'] } }))
    expect(answerTokenError(error, 'r').wwwAuthenticate).toContain('scope="a b"')
  })

  it('is 503 with Retry-After and no challenge when keys are not to be had', () => {
    const error = new TokenError('keys-unavailable', 'x', { retryAfterMs: 4_200 })
    expect(answerTokenError(error, 'r')).toEqual({
      status: 503,
      wwwAuthenticate: undefined,
      retryAfterSeconds: 5,
    })
  })

  it('quotes a realm so that it cannot end the header', () => {
    expect(answerTokenError(new TokenError('missing', 'x'), 'a"\r\nb\\').wwwAuthenticate).toBe(
      'Bearer realm="a\\"  b\\\\"',
    )
  })
})

describe('claims as headers', () => {
  const headers = (claims: Record<string, unknown>, name = 'c') =>
    claimHeaders(claims, [{ header_name: 'x-c', claim_name: name }])

  it.each([
    ['a text', 'u-1', 'u-1'],
    ['a number', 42, '42'],
    ['false', false, 'false'],
    ['text beyond ASCII', 'Zoë 100%', 'Zo%C3%AB 100%25'],
    ['an emoji', '😀', '%F0%9F%98%80'],
  ])('writes %s', (_name, value, written) => {
    expect(headers({ c: value })).toEqual([['x-c', written]])
    expect(decodeURIComponent(written)).toBe(String(value))
  })

  it.each([
    ['a list', ['a']],
    ['an object', {}],
    ['null', null],
    ['nothing', undefined],
  ])('leaves out %s', (_name, value) => {
    expect(headers({ c: value })).toEqual([])
  })

  it('reads a claim inside an object', () => {
    expect(headers({ a: { b: 'x' } }, 'a.b')).toEqual([['x-c', 'x']])
    expect(headers({}, 'constructor.name')).toEqual([])
  })

  it.each([
    ['a line end', 'a\r\nx-admin: true'],
    ['a lone line feed', 'a\nb'],
    ['a NUL', 'a\u0000'],
    ['a DEL', 'a\u007f'],
    ['too much text', 'x'.repeat(1_025)],
  ])('refuses a claim that holds %s', async (_name, value) => {
    expect(await codeOf(() => headers({ c: value }))).toBe('claim')
  })
})
