import { createHash, createHmac } from 'node:crypto'
import { SignJWT } from 'jose'
import { beforeEach, describe, expect, it } from 'vitest'
import { tokensSection } from '../../../src/token/section.ts'
import { UserTokens } from '../../../src/token/user/user-tokens.ts'
import type { FetchDocument } from '../../../src/token/verified-token.ts'
import {
  audience,
  bearer,
  codeOf,
  headersOf,
  HeldClock,
  issuer,
  jwks,
  makeKey,
  makeToken,
  part,
  rawToken,
  requirementOf,
  seconds,
  startOfTime,
  tokenErrorOf,
} from '../../support/tokens.ts'

const keys = [
  'ES256',
  'ES384',
  'ES512',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'EdDSA',
].map((alg) => makeKey(alg))
const [key] = keys as [ReturnType<typeof makeKey>]
const rsa = keys.find(({ alg }) => alg === 'RS256')!
const thumbprint = createHash('sha256').update('certificate').digest('base64url')

let clock: HeldClock
let fetched: string[]

const build = async (fields: Record<string, unknown> = {}) => {
  const fetchDocument: FetchDocument = (url) => {
    fetched.push(url)
    return Promise.resolve({
      status: 200,
      contentType: 'application/json',
      body: Buffer.from(jwks(...keys)),
    })
  }
  const section = tokensSection.parse({
    providers: {
      main: {
        issuer,
        audiences: [audience],
        jwks_uri: 'https://login.shop.example/keys',
        ...fields,
      },
    },
  })
  const tokens = new UserTokens({ section, fetchDocument, clock, onEvent: () => undefined })
  await tokens.start()
  return tokens
}

const judge = async (
  token: string,
  requirement: object = {},
  fields: object = {},
  presented?: string,
) => {
  const tokens = await build({ ...fields })
  const check = tokens.prepare(requirementOf({ ...requirement }))
  return codeOf(() => check.verify(bearer(token), presented))
}

beforeEach(() => {
  clock = new HeldClock()
  fetched = []
})

describe('a user token', () => {
  it.each(keys)(
    'signed with $alg is accepted where it is allowed, and refused where it is not',
    async (own) => {
      expect(await judge(makeToken(own), {}, { algorithms: [own.alg] })).toBe('accepted')
      const other = own.alg === 'ES256' ? 'RS256' : 'ES256'
      expect(await judge(makeToken(own), {}, { algorithms: [other] })).toBe('algorithm')
    },
  )

  it('made by another library is accepted', async () => {
    const token = await new SignJWT({ scope: 'a' })
      .setProtectedHeader({ alg: 'ES256', kid: key.kid, typ: 'at+jwt' })
      .setIssuer(issuer)
      .setAudience(audience)
      .setIssuedAt(seconds(startOfTime))
      .setExpirationTime(seconds(startOfTime) + 60)
      .sign(key.privateKey)
    expect(await judge(token)).toBe('accepted')
  })

  it('gives what was verified', async () => {
    const tokens = await build()
    const token = makeToken(key, { scope: 'orders.read', tenant: 'a' })
    const verified = await tokens.prepare(requirementOf()).verify(bearer(token), undefined)
    expect(verified).toMatchObject({
      provider: 'main',
      issuer,
      subject: 'user-1',
      audiences: [audience],
      scopes: ['orders.read'],
      expiresAt: startOfTime + 600_000,
      thumbprint: undefined,
      hash: createHash('sha256').update(token).digest('base64url'),
      fingerprint: createHash('sha256').update(token).digest('hex').slice(0, 16),
    })
    expect(verified?.claims['tenant']).toBe('a')
  })

  it('is verified without a promise when the key is known', async () => {
    const check = (await build()).prepare(requirementOf())
    const token = makeToken(key)
    expect(check.verify(bearer(token), undefined)).not.toBeInstanceOf(Promise)
    expect(check.verify(bearer(token), undefined)).toBe(check.verify(bearer(token), undefined))
  })
})

describe('forged signatures', () => {
  it.each([
    ['none', () => `${part({ alg: 'none', kid: key.kid })}.${part({})}.`, 'algorithm'],
    [
      'an HMAC with the public key as the secret',
      () => {
        const input = `${part({ alg: 'HS256', kid: rsa.kid })}.${makeToken(rsa).split('.')[1]}`
        const secret = rsa.publicKey.export({ type: 'spki', format: 'pem' })
        return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
      },
      'algorithm',
    ],
    [
      'all zeros (CVE-2022-21449)',
      () =>
        `${makeToken(key).split('.').slice(0, 2).join('.')}.${Buffer.alloc(64).toString('base64url')}`,
      'signature',
    ],
    ['nothing', () => `${makeToken(key).split('.').slice(0, 2).join('.')}.`, 'signature'],
    [
      'that of another token',
      () =>
        `${makeToken(key).split('.').slice(0, 2).join('.')}.${makeToken(key, { sub: 'b' }).split('.')[2]}`,
      'signature',
    ],
    [
      'DER instead of raw',
      () =>
        `${makeToken(key).split('.').slice(0, 2).join('.')}.${Buffer.from('3006020101020101', 'hex').toString('base64url')}`,
      'signature',
    ],
    ['that of a key with the same id', () => makeToken(makeKey('ES256', key.kid)), 'signature'],
    ['that of a key nobody knows', () => makeToken(makeKey('ES256', 'stranger')), 'key-unknown'],
    [
      'PSS under the name of PKCS1',
      () => makeToken({ ...rsa, alg: 'PS256' }, {}, { alg: 'RS256' }),
      'signature',
    ],
    [
      'an allowed algorithm that the key is not for',
      () => makeToken({ ...rsa, alg: 'PS256' }, {}, { alg: 'PS256' }),
      'key-unknown',
    ],
  ])('are refused: %s', async (_name, token, code) => {
    expect(await judge(token())).toBe(code)
  })

  it('never make us fetch what the header names', async () => {
    const token = rawToken(
      key,
      { alg: 'ES256', kid: key.kid, jku: 'https://evil.example/k', x5u: 'https://evil.example/c' },
      {},
    )
    expect(await judge(token)).toBe('malformed')
    expect(fetched).toEqual(['https://login.shop.example/keys'])
  })
})

describe('a token of the wrong party', () => {
  it('is refused when its audience is another service', async () => {
    expect(await judge(makeToken(key, { aud: 'payments' }))).toBe('audience')
    expect(await judge(makeToken(key, { aud: 'orders' }))).toBe('accepted')
  })

  it('is refused when its issuer is not one of ours', async () => {
    expect(await judge(makeToken(key, { iss: 'https://evil.example' }))).toBe('issuer')
  })

  it('is told apart by audience when two providers share an issuer', async () => {
    const section = tokensSection.parse({
      providers: {
        a: { issuer, audiences: ['orders'], jwks_uri: 'https://login.shop.example/keys' },
        b: { issuer, audiences: ['orders-admin'], jwks_uri: 'https://login.shop.example/keys' },
      },
    })
    const body = Buffer.from(jwks(...keys))
    const tokens = new UserTokens({
      section,
      fetchDocument: () => Promise.resolve({ status: 200, contentType: undefined, body }),
      clock,
      onEvent: () => undefined,
    })
    await tokens.start()
    const both = tokens.prepare(requirementOf())
    expect(
      (await both.verify(bearer(makeToken(key, { aud: 'orders-admin' })), undefined))?.provider,
    ).toBe('b')
    const onlyA = tokens.prepare(requirementOf({ providers: ['a'] }))
    expect(
      await codeOf(() => onlyA.verify(bearer(makeToken(key, { aud: 'orders-admin' })), undefined)),
    ).toBe('audience')
  })
})

describe('a token that is bound to a certificate', () => {
  const bound = makeToken(key, { cnf: { 'x5t#S256': thumbprint } })

  it('is accepted from that certificate and from no other', async () => {
    expect(await judge(bound, {}, {}, thumbprint)).toBe('accepted')
    expect(await judge(bound, {}, {}, 'another')).toBe('unbound')
    expect(await judge(bound, {}, {}, undefined)).toBe('unbound')
  })

  it('is refused from another certificate when it is remembered, too', async () => {
    const check = (await build()).prepare(requirementOf())
    expect(await codeOf(() => check.verify(bearer(bound), thumbprint))).toBe('accepted')
    expect(await codeOf(() => check.verify(bearer(bound), 'another'))).toBe('unbound')
  })
})

describe('what a route asks', () => {
  it('is a token unless it says otherwise', async () => {
    const tokens = await build()
    const verify = (fields: object, headers: Record<string, string>) =>
      codeOf(() =>
        tokens.prepare(requirementOf({ ...fields })).verify(headersOf(headers), undefined),
      )
    expect(await verify({}, {})).toBe('missing')
    expect(await verify({ user: 'optional' }, {})).toBe('accepted')
    expect(await verify({ user: 'optional' }, { authorization: 'Bearer x' })).toBe('malformed')
    expect(await verify({ user: 'optional' }, { authorization: 'Basic x' })).toBe('malformed')
    expect(await verify({ user: 'off' }, { authorization: 'Bearer x' })).toBe('accepted')
  })

  it('is checked for remembered tokens on each request', async () => {
    const tokens = await build()
    const token = makeToken(key, { scope: 'read', auth_time: seconds(startOfTime) })
    const plain = tokens.prepare(requirementOf())
    const recent = tokens.prepare(requirementOf({ step_up: { max_age: '1m' } }))
    const scoped = tokens.prepare(requirementOf({ requires: { scopes: ['write'] } }))
    expect(await codeOf(() => plain.verify(bearer(token), undefined))).toBe('accepted')
    expect(await codeOf(() => recent.verify(bearer(token), undefined))).toBe('accepted')
    expect(await codeOf(() => scoped.verify(bearer(token), undefined))).toBe('claim')
    clock.advance(91_000)
    expect(await codeOf(() => recent.verify(bearer(token), undefined))).toBe('step-up')
  })

  it('can be claims as headers, of the provider and of the route', async () => {
    const tokens = await build({
      claim_to_headers: [{ header_name: 'X-User', claim_name: 'sub' }],
      forward: false,
    })
    const check = tokens.prepare(
      requirementOf({ claim_to_headers: [{ header_name: 'x-tenant', claim_name: 'tenant' }] }),
    )
    const token = await check.verify(bearer(makeToken(key, { tenant: 'a' })), undefined)
    expect(check.headersFor(token!)).toEqual([
      ['x-user', 'user-1'],
      ['x-tenant', 'a'],
    ])
    expect(check.claimHeaderNames.toSorted()).toEqual(['x-tenant', 'x-user'])
    expect(check.withheldHeaders(token!)).toEqual(['authorization'])
  })
})

describe('a remembered token', () => {
  it('does not outlive its exp', async () => {
    const check = (await build()).prepare(requirementOf())
    const token = makeToken(key)
    expect(await codeOf(() => check.verify(bearer(token), undefined))).toBe('accepted')
    clock.advance(629_999)
    expect(await codeOf(() => check.verify(bearer(token), undefined))).toBe('accepted')
    clock.advance(1)
    expect(await codeOf(() => check.verify(bearer(token), undefined))).toBe('expired')
  })

  it('is judged again when the clock is set back before its nbf', async () => {
    const check = (await build()).prepare(requirementOf())
    const token = makeToken(key, { nbf: seconds(startOfTime) })
    expect(await codeOf(() => check.verify(bearer(token), undefined))).toBe('accepted')
    clock.jump(-31_000)
    expect(await codeOf(() => check.verify(bearer(token), undefined))).toBe('not-yet-valid')
  })

  it('gives way to newer ones beyond the limit, and nothing changes but the cost', async () => {
    const check = (await build({ cache: { tokens: 2 } })).prepare(requirementOf())
    const many = Array.from({ length: 5 }, (_, index) => makeToken(key, { jti: String(index) }))
    for (const token of [...many, ...many])
      expect(await codeOf(() => check.verify(bearer(token), undefined))).toBe('accepted')
  })
})

describe('errors', () => {
  it('name the token by its fingerprint and hold nothing of it', async () => {
    const check = (await build()).prepare(requirementOf())
    const token = makeToken(key, { aud: 'canary-audience', sub: 'canary-subject' })
    const error = await tokenErrorOf(() => check.verify(bearer(token), undefined))
    expect(error.fingerprint).toBe(createHash('sha256').update(token).digest('hex').slice(0, 16))
    const shown = JSON.stringify([error, error.message])
    expect(shown).not.toContain('canary')
    for (const piece of token.split('.')) expect(shown).not.toContain(piece)
    expect(error.detail).not.toContain('\n')
  })
})
