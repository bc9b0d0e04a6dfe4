import { describe, expect, it } from 'vitest'
import { judgeClaims } from '../../../src/token/user/claims.ts'
import { codeOf, goodClaims, providerOf, seconds, startOfTime } from '../../support/tokens.ts'

const now = startOfTime
const at = seconds(now)
const thumbprint = Buffer.alloc(32, 7).toString('base64url')

const judge = (claims: object, provider: Record<string, unknown> = {}) => {
  const all: Record<string, unknown> = { ...goodClaims(), ...claims }
  const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
  return judgeClaims(given, providerOf(provider), now)
}
const code = (claims: object, provider?: Record<string, unknown>) =>
  codeOf(() => judge(claims, provider))

describe('time in claims', () => {
  it.each([
    ['expires in a second', { exp: at + 1 }],
    ['expired less than the skew ago', { exp: at - 29 }],
    ['has an exp that is not whole', { exp: at + 0.5 }],
    ['was issued by a clock that is ahead by the skew', { iat: at + 30, exp: at + 60 }],
    ['starts by a clock that is ahead by the skew', { nbf: at + 30 }],
    ['has no iat', { iat: undefined }],
    ['lives as long as it may', { exp: at + 86_400 }],
  ])('accepts a token that %s', async (_name, claims) => {
    expect(await code(claims)).toBe('accepted')
  })

  it.each([
    ['expired exactly the skew ago', { exp: at - 30 }, 'expired'],
    ['expired long ago', { iat: 0, exp: 1 }, 'expired'],
    ['was issued further ahead than the skew', { iat: at + 31, exp: at + 60 }, 'not-yet-valid'],
    ['starts further ahead than the skew', { nbf: at + 31 }, 'not-yet-valid'],
    ['has no exp', { exp: undefined }, 'claim'],
    ['has exp as a text', { exp: String(at + 60) }, 'malformed'],
    ['has exp null', { exp: null }, 'malformed'],
    ['has a negative exp', { exp: -1 }, 'malformed'],
    ['has exp as a list', { exp: [at + 60] }, 'malformed'],
    ['has nbf as a text', { nbf: '0' }, 'malformed'],
    ['has iat as a text', { iat: 'now' }, 'malformed'],
    ['expires in the year 300000', { exp: 1e13 }, 'claim'],
    ['lives a second longer than it may', { exp: at + 86_401 }, 'claim'],
    [
      'lives longer than it may and hides it by having no iat',
      { iat: undefined, exp: at + 86_500 },
      'claim',
    ],
    ['has an exp of 1e300', { exp: 1e300 }, 'claim'],
  ])('refuses a token that %s', async (_name, claims, expected) => {
    expect(await code(claims)).toBe(expected)
  })

  it('uses the configured skew', async () => {
    expect(await code({ exp: at - 59 }, { clock_skew: '60s' })).toBe('accepted')
    expect(await code({ exp: at - 60 }, { clock_skew: '60s' })).toBe('expired')
    expect(await code({ exp: at }, { clock_skew: '0s' })).toBe('expired')
  })

  it('accepts a token without exp only where the configuration says unsafe_optional, and still bounds its life by iat', async () => {
    const lax = { require_expiration: 'unsafe_optional' }
    expect(await code({ exp: undefined }, lax)).toBe('accepted')
    expect(await code({ exp: undefined, iat: at - 90_000 }, lax)).toBe('expired')
    expect(judge({ exp: undefined, iat: undefined }, lax).expiresAt).toBe(Number.POSITIVE_INFINITY)
  })
})

describe('issuer and audience', () => {
  it.each([
    ['the audience as a text', { aud: 'orders' }],
    ['the audience in a list', { aud: ['payments', 'orders'] }],
  ])('accepts %s', async (_name, claims) => {
    expect(await code(claims)).toBe('accepted')
  })

  it.each([
    ['another audience', { aud: 'payments' }, 'audience'],
    ['an audience that starts like ours', { aud: 'orders-admin' }, 'audience'],
    ['an audience that ours starts with', { aud: 'order' }, 'audience'],
    ['our audience in other case', { aud: 'Orders' }, 'audience'],
    ['our audience with a blank', { aud: 'orders ' }, 'audience'],
    ['our audience among others in one text', { aud: 'payments orders' }, 'audience'],
    ['an empty list of audiences', { aud: [] }, 'audience'],
    ['no audience', { aud: undefined }, 'audience'],
    ['an audience that is an object', { aud: { orders: true } }, 'malformed'],
    ['a list with something that is no text', { aud: ['orders', 1] }, 'malformed'],
    ['nested lists', { aud: [['orders']] }, 'malformed'],
    ['another issuer', { iss: 'https://evil.example' }, 'issuer'],
    ['our issuer with a slash', { iss: 'https://login.shop.example/' }, 'issuer'],
    ['our issuer in other case', { iss: 'https://LOGIN.shop.example' }, 'issuer'],
    [
      'an issuer that starts like ours',
      { iss: 'https://login.shop.example.evil.example' },
      'issuer',
    ],
    ['no issuer', { iss: undefined }, 'issuer'],
    ['an issuer in a list', { iss: ['https://login.shop.example'] }, 'malformed'],
    ['a subject that is no text', { sub: 42 }, 'malformed'],
  ])('refuses %s', async (_name, claims, expected) => {
    expect(await code(claims)).toBe(expected)
  })
})

describe('other kinds of token', () => {
  it.each([
    ['an ID token (at_hash)', { at_hash: 'x' }],
    ['an ID token (c_hash)', { c_hash: 'x' }],
    ['a logout token', { events: { 'http://schemas.openid.net/event/backchannel-logout': {} } }],
    ['a DPoP proof', { htm: 'GET', htu: 'https://orders.example/' }],
  ])('refuses %s', async (_name, claims) => {
    expect(await code(claims)).toBe('malformed')
  })

  it('accepts ID tokens where the configuration says so', async () => {
    expect(await code({ at_hash: 'x' }, { id_tokens: 'unsafe_accept' })).toBe('accepted')
    expect(await code({ events: {} }, { id_tokens: 'unsafe_accept' })).toBe('malformed')
  })
})

describe('the binding of a token', () => {
  it('reads the thumbprint of cnf', () => {
    expect(judge({ cnf: { 'x5t#S256': thumbprint } }).thumbprint).toBe(thumbprint)
  })

  it.each([
    ['a key thumbprint (DPoP)', { cnf: { jkt: thumbprint } }, 'unbound'],
    ['a key', { cnf: { jwk: {} } }, 'unbound'],
    [
      'both a certificate and a key',
      { cnf: { 'x5t#S256': thumbprint, jkt: thumbprint } },
      'unbound',
    ],
    ['nothing', { cnf: {} }, 'unbound'],
    ['a text', { cnf: thumbprint }, 'malformed'],
    ['null', { cnf: null }, 'malformed'],
    ['a thumbprint that is too short', { cnf: { 'x5t#S256': 'AAAA' } }, 'malformed'],
    ['a thumbprint that is no text', { cnf: { 'x5t#S256': 1 } }, 'malformed'],
  ])('refuses a cnf that holds %s', async (_name, claims, expected) => {
    expect(await code(claims)).toBe(expected)
  })

  it('demands a binding where the configuration says require, and overlooks it only where it says unsafe_ignore', async () => {
    expect(await code({}, { certificate_binding: 'require' })).toBe('unbound')
    expect(
      await code({ cnf: { 'x5t#S256': thumbprint } }, { certificate_binding: 'require' }),
    ).toBe('accepted')
    expect(
      judge({ cnf: { jkt: 'x' } }, { certificate_binding: 'unsafe_ignore' }).thumbprint,
    ).toBeUndefined()
  })
})

describe('scopes', () => {
  it.each([
    ['scope as a text', { scope: 'a b' }, ['a', 'b']],
    ['scp as a list', { scp: ['a', 'b'] }, ['a', 'b']],
    ['scp as a text', { scp: 'a b' }, ['a', 'b']],
    ['scope before scp', { scope: 'a', scp: 'b' }, ['a']],
    ['none', {}, []],
  ])('reads %s', (_name, claims, scopes) => {
    expect(judge(claims).scopes).toEqual(scopes)
  })

  it('refuses scopes of another shape', async () => {
    expect(await code({ scope: { a: true } })).toBe('malformed')
    expect(await code({ scope: ['a', 1] })).toBe('malformed')
  })
})

it('freezes the claims to the last leaf', () => {
  const { claims } = judge({ realm: { roles: ['a'] } })
  expect(Object.isFrozen((claims['realm'] as { roles: unknown }).roles)).toBe(true)
})
