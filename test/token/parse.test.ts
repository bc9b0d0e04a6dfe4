import { describe, expect, it } from 'vitest'
import { maxTokenLength, parseClaims, parseToken } from '../../src/token/parse.ts'
import type { HeaderRules } from '../../src/token/parse.ts'
import { codeOf, makeKey, makeToken, part, rawToken, tokenErrorOf } from '../support/tokens.ts'

const rules: HeaderRules = {
  algorithms: ['ES256', 'RS256'],
  types: ['jwt', 'at+jwt', 'jose'],
  typeMayBeAbsent: true,
}
const key = makeKey()
const withHeader = (header: unknown): string => rawToken(key, header, {})
const parse = (token: string) => () => {
  parseClaims(parseToken(token, rules).payload)
}

describe('the front check of a token', () => {
  it('takes a good token apart', () => {
    const token = makeToken(key)
    const parsed = parseToken(token, rules)
    expect(parsed).toMatchObject({ algorithm: 'ES256', keyId: key.kid })
    expect(`${parsed.signingInput}.${parsed.signature.toString('base64url')}`).toBe(token)
  })

  it.each([
    ['typ left out', { alg: 'ES256' }],
    ['typ JWT', { alg: 'ES256', typ: 'JWT' }],
    ['typ jwt in lower case', { alg: 'ES256', typ: 'jwt' }],
    ['typ at+jwt', { alg: 'ES256', typ: 'at+jwt' }],
    ['typ application/at+jwt', { alg: 'ES256', typ: 'application/at+jwt' }],
    ['typ JOSE', { alg: 'ES256', typ: 'JOSE' }],
    ['a certificate thumbprint', { alg: 'ES256', x5t: 'abc' }],
    ['another allowed algorithm', { alg: 'RS256' }],
  ])('accepts a header with %s', async (_name, header) => {
    expect(await codeOf(parse(withHeader(header)))).toBe('accepted')
  })

  it.each([
    ['alg none', { alg: 'none' }, 'algorithm'],
    ['alg None', { alg: 'None' }, 'algorithm'],
    ['alg nOnE', { alg: 'nOnE' }, 'algorithm'],
    ['alg HS256, signed with a public key', { alg: 'HS256' }, 'algorithm'],
    ['an algorithm that is not allowed', { alg: 'ES384' }, 'algorithm'],
    ['alg in lower case', { alg: 'es256' }, 'algorithm'],
    ['no alg', {}, 'malformed'],
    ['alg as a list', { alg: ['ES256'] }, 'malformed'],
    ['crit', { alg: 'ES256', crit: ['exp'] }, 'malformed'],
    ['an empty crit', { alg: 'ES256', crit: [] }, 'malformed'],
    ['b64', { alg: 'ES256', b64: false }, 'malformed'],
    ['zip', { alg: 'ES256', zip: 'DEF' }, 'malformed'],
    ['enc', { alg: 'ES256', enc: 'A128GCM' }, 'malformed'],
    ['its own jwk', { alg: 'ES256', jwk: key.jwk }, 'malformed'],
    ['jku', { alg: 'ES256', jku: 'https://evil.example/keys' }, 'malformed'],
    ['x5u', { alg: 'ES256', x5u: 'https://evil.example/chain' }, 'malformed'],
    ['x5c', { alg: 'ES256', x5c: ['MII'] }, 'malformed'],
    ['another token inside', { alg: 'ES256', cty: 'JWT' }, 'malformed'],
    ['a kid that is no text', { alg: 'ES256', kid: 7 }, 'malformed'],
    ['an endless kid', { alg: 'ES256', kid: 'k'.repeat(513) }, 'malformed'],
    ['typ dpop+jwt', { alg: 'ES256', typ: 'dpop+jwt' }, 'malformed'],
    ['typ logout+jwt', { alg: 'ES256', typ: 'logout+jwt' }, 'malformed'],
    ['typ secevent+jwt', { alg: 'ES256', typ: 'secevent+jwt' }, 'malformed'],
    ['typ of a hop token', { alg: 'ES256', typ: 'sallyport-hop+jwt' }, 'malformed'],
    ['an empty typ', { alg: 'ES256', typ: '' }, 'malformed'],
    ['typ that is no text', { alg: 'ES256', typ: 1 }, 'malformed'],
  ])('refuses a header with %s', async (_name, header, code) => {
    expect(await codeOf(parse(withHeader(header)))).toBe(code)
  })

  it.each([
    ['a header that is a list', rawToken(key, ['ES256'], {})],
    ['a header that is null', rawToken(key, 'null', {})],
    ['a header that is not JSON', rawToken(key, '{alg', {})],
    ['alg twice', rawToken(key, '{"alg":"none","alg":"ES256"}', {})],
    ['a payload that is a text', rawToken(key, { alg: 'ES256' }, '"admin"')],
    ['a payload that is a list', rawToken(key, { alg: 'ES256' }, [])],
    ['no payload', rawToken(key, { alg: 'ES256' }, '')],
    ['a claim twice', rawToken(key, { alg: 'ES256' }, '{"sub":"a","sub":"b"}')],
    ['an infinite exp', rawToken(key, { alg: 'ES256' }, '{"exp":1e999}')],
    [
      'claims nested too deep',
      rawToken(key, { alg: 'ES256' }, `{"a":${'['.repeat(32)}${']'.repeat(32)}}`),
    ],
    ['one part', 'abc'],
    ['two parts', `${part({ alg: 'ES256' })}.${part({})}`],
    ['four parts', `${makeToken(key)}.x`],
    ['the five parts of an encrypted token', 'a.b.c.d.e'],
    ['a blank around it', ` ${makeToken(key)}`],
    ['a line end inside', makeToken(key).replace('.', '.\n')],
    ['padding', `${part({ alg: 'ES256', a: 1 })}=.${part({})}.AA`],
    ['the other base64 alphabet', `${part({ alg: 'ES256' })}.${part({})}.+/+/`],
    ['bits left over in the last character', `${makeToken(key).slice(0, -1)}B`],
    ['nothing', ''],
  ])('refuses a token with %s', async (_name, token) => {
    expect(await codeOf(parse(token))).toBe('malformed')
  })

  it('accepts a token of 8 KiB and refuses one character more', async () => {
    const base = rawToken(key, { alg: 'ES256' }, { a: '' })
    const fill = (count: number) => rawToken(key, { alg: 'ES256' }, { a: 'x'.repeat(count) })
    const room = Math.floor(((maxTokenLength - base.length) * 3) / 4)
    expect(fill(room).length).toBeGreaterThan(maxTokenLength - 4)
    expect(await codeOf(parse(fill(room)))).toBe('accepted')
    expect(await codeOf(parse(fill(room + 4)))).toBe('too-large')
  })

  it('never repeats the token in its detail', async () => {
    const error = await tokenErrorOf(parse(rawToken(key, { alg: 'canary-alg' }, {})))
    expect(JSON.stringify([error.message, error.detail])).not.toContain('canary')
  })
})
