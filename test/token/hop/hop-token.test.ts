import { createHash, generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import { boundProfile } from '../../../src/token/hop/bound-profile.ts'
import { hopTokenHeader } from '../../../src/token/hop/hop-token.ts'
import type { HopTokenRequest } from '../../../src/token/hop/hop-token.ts'
import { HopMinter } from '../../../src/token/hop/mint.ts'
import { HopVerifier } from '../../../src/token/hop/verify.ts'
import { hopSection } from '../../../src/token/section.ts'
import type { HopSigner, TokenPeer } from '../../../src/token/verified-token.ts'
import {
  codeOf,
  HeldClock,
  makeKey,
  makeToken,
  rawToken,
  seconds,
  startOfTime,
  tokenErrorOf,
} from '../../support/tokens.ts'

type Workload = HopSigner & TokenPeer

const workload = (
  name: string,
  pair: { privateKey: KeyObject; publicKey: KeyObject } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
  }),
): Workload => ({
  spiffeId: { uri: `spiffe://shop.local/${name}` },
  thumbprint: createHash('sha256')
    .update(pair.publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64url'),
  ...pair,
})

const web = workload('web')
const thief = workload('thief')
const orders = 'spiffe://shop.local/orders'
const ath = createHash('sha256').update('user token').digest('base64url')

let clock: HeldClock
let ids: number
let minter: HopMinter
let verifier: HopVerifier

const parts = (fields: Record<string, unknown> = {}) => ({
  section: hopSection.parse(fields),
  clock,
  makeTransactionId: () => `txn-${(ids += 1)}`,
})

beforeEach(() => {
  clock = new HeldClock()
  ids = 0
  minter = new HopMinter(parts())
  verifier = new HopVerifier(parts())
})

const request = (fields: Partial<HopTokenRequest> = {}): HopTokenRequest => ({
  audience: orders,
  userTokenHash: ath,
  chain: [],
  transaction: undefined,
  ...fields,
})
const expected = { audience: orders, userTokenHash: ath }
const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Record<string, unknown>
const headerOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString()) as Record<string, unknown>

describe('a hop token', () => {
  it('says who calls whom, on which connection, for which user token, and is accepted', () => {
    const token = minter.mint(
      web,
      request({ chain: ['spiffe://shop.local/edge'], transaction: 't-1' }),
    )
    expect(headerOf(token)).toEqual({ typ: 'sallyport-hop+jwt', alg: 'ES256' })
    expect(claimsOf(token)).toEqual({
      iss: web.spiffeId.uri,
      sub: web.spiffeId.uri,
      aud: orders,
      iat: seconds(startOfTime),
      exp: seconds(startOfTime) + 60,
      cnf: { 'x5t#S256': web.thumbprint },
      ath,
      txn: 't-1',
      act: { sub: 'spiffe://shop.local/edge' },
    })
    expect(verifier.verify([token], web, expected)).toMatchObject({
      spiffeId: web.spiffeId.uri,
      chain: ['spiffe://shop.local/edge'],
      transaction: 't-1',
      userTokenHash: ath,
      expiresAt: startOfTime + 60_000,
    })
  })

  it('keeps the order of a chain of callers', () => {
    const chain = ['spiffe://shop.local/b', 'spiffe://shop.local/a', 'spiffe://shop.local/edge']
    expect(verifier.verify([minter.mint(web, request({ chain }))], web, expected).chain).toEqual(
      chain,
    )
  })

  it.each([
    ['P-256', () => generateKeyPairSync('ec', { namedCurve: 'P-256' }), 'ES256'],
    ['P-384', () => generateKeyPairSync('ec', { namedCurve: 'P-384' }), 'ES384'],
    ['RSA', () => generateKeyPairSync('rsa', { modulusLength: 2048 }), 'RS256'],
  ] as const)('is signed as the key of the certificate asks: %s', (_name, generate, algorithm) => {
    const caller = workload('caller', generate())
    const token = minter.mint(caller, request())
    expect(headerOf(token)['alg']).toBe(algorithm)
    expect(verifier.verify([token], caller, expected).spiffeId).toBe(caller.spiffeId.uri)
  })

  it('cannot be made with a key that cannot sign tokens', async () => {
    const odd = workload('odd', generateKeyPairSync('ec', { namedCurve: 'secp256k1' }))
    expect(await codeOf(() => minter.mint(odd, request()))).toBe('algorithm')
    expect(await codeOf(() => verifier.verify([minter.mint(web, request())], odd, expected))).toBe(
      'algorithm',
    )
  })
})

describe('a stolen hop token', () => {
  it('fails from another certificate, and works from its own', async () => {
    const token = minter.mint(web, request())
    expect(await codeOf(() => verifier.verify([token], thief, expected))).toBe('unbound')
    expect(await codeOf(() => verifier.verify([token], web, expected))).toBe('accepted')
  })

  it('fails from another certificate after it was remembered', async () => {
    const token = minter.mint(web, request())
    verifier.verify([token], web, expected)
    expect(await codeOf(() => verifier.verify([token], thief, expected))).toBe('unbound')
  })

  it('fails when the thief has a certificate of the same name', async () => {
    const namesake = workload('web')
    expect(
      await codeOf(() => verifier.verify([minter.mint(web, request())], namesake, expected)),
    ).toBe('unbound')
  })

  it('fails when the thief changes the binding to its own certificate', async () => {
    const [header, , signature] = minter.mint(web, request()).split('.')
    const claims = {
      ...claimsOf(minter.mint(web, request())),
      cnf: { 'x5t#S256': thief.thumbprint },
    }
    const forged = `${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${signature}`
    expect(await codeOf(() => verifier.verify([forged], thief, expected))).toBe('signature')
  })

  it('fails when the thief signs the name of another workload', async () => {
    const liar: HopSigner = { ...thief, spiffeId: web.spiffeId }
    expect(
      await codeOf(() => verifier.verify([minter.mint(liar, request())], thief, expected)),
    ).toBe('issuer')
  })

  it('fails at another service', async () => {
    const token = minter.mint(web, request())
    const elsewhere = { ...expected, audience: 'spiffe://shop.local/payments' }
    expect(await codeOf(() => verifier.verify([token], web, elsewhere))).toBe('audience')
    verifier.verify([token], web, expected)
    expect(await codeOf(() => verifier.verify([token], web, elsewhere))).toBe('audience')
  })
})

describe('the user token that a hop token covers', () => {
  it.each([
    ['another user token', ath, 'other'],
    ['a user token that was added', undefined, ath],
    ['a user token that was taken away', ath, undefined],
  ])('is compared on each request: refused with %s', async (_name, minted, carried) => {
    const token = minter.mint(web, request({ userTokenHash: minted }))
    const verify = (userTokenHash: string | undefined) =>
      codeOf(() => verifier.verify([token], web, { audience: orders, userTokenHash }))
    expect(await verify(carried)).toBe('unbound')
    expect(await verify(minted)).toBe('accepted')
    expect(await verify(carried)).toBe('unbound')
  })
})

describe('the time of a hop token', () => {
  it('ends after its life and the skew, also when it is remembered', async () => {
    const token = minter.mint(web, request())
    const verify = () => codeOf(() => verifier.verify([token], web, expected))
    expect(await verify()).toBe('accepted')
    clock.advance(89_999)
    expect(await verify()).toBe('accepted')
    clock.advance(1)
    expect(await verify()).toBe('expired')
    clock.jump(-200_000)
    expect(await verify()).toBe('not-yet-valid')
  })

  it.each([
    ['more than a minute', { exp: seconds(startOfTime) + 61 }, 'claim'],
    ['no time', { exp: seconds(startOfTime) }, 'claim'],
    ['exp left out', { exp: undefined }, 'malformed'],
    ['iat left out', { iat: undefined }, 'malformed'],
    ['exp as a text', { exp: 'soon' }, 'malformed'],
    ['half seconds', { exp: seconds(startOfTime) + 0.5 }, 'malformed'],
    [
      'a start in the future',
      { iat: seconds(startOfTime) + 31, exp: seconds(startOfTime) + 60 },
      'not-yet-valid',
    ],
  ])('is refused with %s', async (_name, claims, code) => {
    expect(await codeOf(() => verifier.verify([handmade(claims)], web, expected))).toBe(code)
  })
})

/** A token as `web` could make it with its own key, right but for what is given. */
const handmade = (claims: object = {}, header: object = {}): string => {
  const key = { alg: 'ES256', kid: '', jwk: {}, ...web }
  const right = claimsOf(new HopMinter(parts()).mint(web, request()))
  return rawToken(
    key,
    { typ: 'sallyport-hop+jwt', alg: 'ES256', ...header },
    { ...right, ...claims },
  )
}

describe('a hop token that the peer made wrong', () => {
  it('is accepted when nothing is wrong', async () => {
    expect(await codeOf(() => verifier.verify([handmade()], web, expected))).toBe('accepted')
  })

  it.each([
    ['typ JWT', {}, { typ: 'JWT' }, 'malformed'],
    ['no typ', {}, { typ: undefined }, 'malformed'],
    ['alg none', {}, { alg: 'none' }, 'algorithm'],
    ['alg of another key', {}, { alg: 'RS256' }, 'algorithm'],
    ['crit', {}, { crit: ['x'] }, 'malformed'],
    ['a list of audiences', { aud: [orders] }, {}, 'audience'],
    ['no audience', { aud: undefined }, {}, 'audience'],
    ['another subject', { sub: 'spiffe://shop.local/admin' }, {}, 'issuer'],
    ['another issuer', { iss: 'spiffe://shop.local/admin' }, {}, 'issuer'],
    ['no binding', { cnf: undefined }, {}, 'unbound'],
    ['a binding that is a text', { cnf: 'x' }, {}, 'unbound'],
    ['ath that is no text', { ath: 1 }, {}, 'malformed'],
    ['no transaction', { txn: undefined }, {}, 'malformed'],
    ['a transaction that breaks a line', { txn: 'a\nb' }, {}, 'malformed'],
    ['a chain that is a text', { act: 'spiffe://shop.local/a' }, {}, 'malformed'],
    [
      'a chain of something else than SPIFFE IDs',
      { act: { sub: 'https://shop.local/a' } },
      {},
      'malformed',
    ],
    ['a chain without a name', { act: {} }, {}, 'malformed'],
  ])('is refused: %s', async (_name, claims, header, code) => {
    expect(await codeOf(() => verifier.verify([handmade(claims, header)], web, expected))).toBe(
      code,
    )
  })

  it('is refused when it is a user token, and a user token is refused when it is a hop token', async () => {
    const key = makeKey()
    expect(
      await codeOf(() =>
        verifier.verify([makeToken(key)], { ...web, publicKey: key.publicKey }, expected),
      ),
    ).toBe('malformed')
  })

  it('is refused when it is missing, double or too large', async () => {
    const token = minter.mint(web, request())
    expect(await codeOf(() => verifier.verify([], web, expected))).toBe('missing')
    expect(await codeOf(() => verifier.verify([''], web, expected))).toBe('missing')
    expect(await codeOf(() => verifier.verify([token, token], web, expected))).toBe('ambiguous')
    expect(await codeOf(() => verifier.verify(['x'.repeat(9_000)], web, expected))).toBe(
      'too-large',
    )
  })

  it('is named by its fingerprint only', async () => {
    const token = handmade({ aud: 'canary' })
    const error = await tokenErrorOf(() => verifier.verify([token], web, expected))
    expect(error.fingerprint).toMatch(/^[0-9a-f]{16}$/)
    expect(JSON.stringify([error, error.message])).not.toContain('canary')
  })
})

describe('chains that are too long', () => {
  const chain = (length: number) =>
    Array.from({ length }, (_, index) => `spiffe://shop.local/s${index}`)

  it('are refused by the minter and by the verifier, as a loop', async () => {
    expect(
      verifier.verify([minter.mint(web, request({ chain: chain(16) }))], web, expected).chain,
    ).toHaveLength(16)
    expect(await codeOf(() => minter.mint(web, request({ chain: chain(17) })))).toBe('too-large')
    const act = chain(17).reduceRight<object | undefined>(
      (inner, sub) => (inner === undefined ? { sub } : { sub, act: inner }),
      undefined,
    )
    expect(await codeOf(() => verifier.verify([handmade({ act })], web, expected))).toBe(
      'too-large',
    )
  })
})

describe('reuse of hop tokens', () => {
  it('lasts for half of a life, for the same call', () => {
    const token = minter.mint(web, request())
    clock.advance(29_999)
    expect(minter.mint(web, request())).toBe(token)
    clock.advance(1)
    expect(minter.mint(web, request())).not.toBe(token)
  })

  it.each([
    ['audience', { audience: 'spiffe://shop.local/payments' }],
    ['user token', { userTokenHash: 'other' }],
    ['chain', { chain: ['spiffe://shop.local/edge'] }],
    ['transaction', { transaction: 't-9' }],
  ])('does not reach over another %s', (_name, fields) => {
    expect(minter.mint(web, request(fields))).not.toBe(minter.mint(web, request()))
  })

  it('does not reach over a new certificate of the same workload', () => {
    const renewed = workload('web')
    const token = minter.mint(web, request())
    expect(claimsOf(minter.mint(renewed, request()))['cnf']).toEqual({
      'x5t#S256': renewed.thumbprint,
    })
    expect(minter.mint(web, request())).toBe(token)
  })

  it('shares one transaction id among the calls that share a token, and keeps a given one', () => {
    expect(claimsOf(minter.mint(web, request()))['txn']).toBe('txn-1')
    expect(claimsOf(minter.mint(web, request()))['txn']).toBe('txn-1')
    expect(claimsOf(minter.mint(web, request({ transaction: 'given' })))['txn']).toBe('given')
  })

  it('ends where each request is to have its own transaction', () => {
    const each = new HopMinter(parts({ transaction: 'per_request' }))
    expect(claimsOf(each.mint(web, request()))['txn']).not.toBe(
      claimsOf(each.mint(web, request()))['txn'],
    )
  })

  it('ends when the clock is set back', () => {
    const token = minter.mint(web, request())
    clock.jump(-3_600_000)
    expect(minter.mint(web, request())).not.toBe(token)
  })

  it('refuses a transaction id that could break out of a line or a claim', async () => {
    expect(await codeOf(() => minter.mint(web, request({ transaction: 'a|b' })))).toBe('malformed')
    expect(await codeOf(() => minter.mint(web, request({ transaction: '' })))).toBe('malformed')
  })
})

it('joins both ends in the bound profile, in one header', () => {
  const profile = boundProfile(parts())
  const headers = new Map(profile.mint(web, request()))
  expect([...headers.keys()]).toEqual([hopTokenHeader])
  expect(profile.headers).toEqual([hopTokenHeader])
  const all = (name: string) => [headers.get(name) ?? []].flat()
  expect(profile.verify(all, web, expected).spiffeId).toBe(web.spiffeId.uri)
})
