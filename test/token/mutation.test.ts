/** Whatever is changed in a good token, it is refused; and nothing is accepted that an independent verifier refuses. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { generateKeyPairSync } from 'node:crypto'
import { HopMinter } from '../../src/token/hop/mint.ts'
import { HopVerifier } from '../../src/token/hop/verify.ts'
import { hopSection, tokensSection } from '../../src/token/section.ts'
import { UserTokens } from '../../src/token/user/user-tokens.ts'
import { referenceAccepts } from '../support/reference-verifier.ts'
import {
  audience,
  bearer,
  codeOf,
  goodClaims,
  HeldClock,
  issuer,
  jwks,
  makeKey,
  makeToken,
  rawToken,
  requirementOf,
  seconds,
  startOfTime,
} from '../support/tokens.ts'

const runs = Number(process.env['SALLYPORT_FUZZ_RUNS'] ?? 2_000)
const keys = [makeKey('ES256'), makeKey('RS256')] as const
const clock = new HeldClock()

const build = async () => {
  const tokens = new UserTokens({
    section: tokensSection.parse({
      providers: {
        main: {
          issuer,
          audiences: [audience],
          jwks_uri: 'https://login.shop.example/keys',
          cache: { keys: '1h' },
        },
      },
    }),
    fetchDocument: () =>
      Promise.resolve({
        status: 200,
        contentType: 'application/json',
        body: Buffer.from(jwks(...keys)),
      }),
    clock,
    onEvent: () => undefined,
  })
  await tokens.start()
  return tokens.prepare(requirementOf())
}
const check = await build()
const verdict = (token: string) => codeOf(() => check.verify(bearer(token), undefined))

const setting = {
  issuer,
  audience,
  skewSeconds: 30,
  keys: new Map(keys.map(({ kid, jwk }) => [kid, jwk])),
}
const anyCharacter = fc.constantFrom(
  ...Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ ~\u0000é'),
)

const mutations = {
  replace: (token: string, at: number, character: string) =>
    token.slice(0, at) + character + token.slice(at + 1),
  insert: (token: string, at: number, character: string) =>
    token.slice(0, at) + character + token.slice(at),
  remove: (token: string, at: number) => token.slice(0, at) + token.slice(at + 1),
  cut: (token: string, at: number) => token.slice(0, at),
  swap: (token: string, at: number) =>
    token.slice(0, at) + (token[at + 1] ?? '') + (token[at] ?? '') + token.slice(at + 2),
} as const

const mutation = fc.record({
  kind: fc.constantFrom(...(Object.keys(mutations) as (keyof typeof mutations)[])),
  at: fc.nat(),
  character: anyCharacter,
})

describe('a good token that is changed', () => {
  it.each(keys)('in any character is never accepted ($alg)', async (key) => {
    const token = makeToken(key, { scope: 'a' })
    expect(await verdict(token)).toBe('accepted')
    await fc.assert(
      fc.asyncProperty(mutation, async ({ kind, at, character }) => {
        const changed = mutations[kind](token, at % token.length, character)
        // A blank at the end is not part of the token by the grammar of the header.
        if (changed.trim() !== token) expect(await verdict(changed)).not.toBe('accepted')
      }),
      { numRuns: runs },
    )
  })

  it.each(keys)('in any single bit of any part is never accepted ($alg)', async (key) => {
    const parts = makeToken(key).split('.')
    for (const [index, part] of parts.entries()) {
      const bytes = Buffer.from(part, 'base64url')
      for (let bit = 0; bit < bytes.length * 8; bit += 1) {
        const flipped = Buffer.from(bytes)
        flipped[bit >> 3]! ^= 1 << (bit & 7)
        const changed = parts.with(index, flipped.toString('base64url')).join('.')
        expect(await verdict(changed)).not.toBe('accepted')
      }
    }
  })

  it('in any character is never accepted as a hop token', async () => {
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const peer = { spiffeId: { uri: 'spiffe://shop.local/web' }, thumbprint: 'thumbprint', ...pair }
    const parts = { section: hopSection.parse({}), clock, makeTransactionId: () => 'id' }
    const verifier = new HopVerifier(parts)
    const token = new HopMinter(parts).mint(peer, {
      audience: 'spiffe://shop.local/orders',
      userTokenHash: undefined,
      chain: [],
      transaction: undefined,
    })
    const judge = (text: string) =>
      codeOf(() =>
        verifier.verify([text], peer, {
          audience: 'spiffe://shop.local/orders',
          userTokenHash: undefined,
        }),
      )
    expect(await judge(token)).toBe('accepted')
    await fc.assert(
      fc.asyncProperty(mutation, async ({ kind, at, character }) => {
        const changed = mutations[kind](token, at % token.length, character)
        if (changed !== token) expect(await judge(changed)).not.toBe('accepted')
      }),
      { numRuns: runs },
    )
  })
})

const untouched = Symbol('untouched')
/** Mostly leaves a field as it is, so that a good share of the tokens has one fault or none. */
const rarely = (arbitrary: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(untouched) }, { weight: 1, arbitrary })

const changes = (fields: object) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== untouched))

describe('a token that its issuer signed', () => {
  const time = fc.oneof(
    fc.integer({ min: -120, max: 120 }).map((offset) => seconds(startOfTime) + offset),
    fc.constantFrom(0, -1, 0.5, '1', null, true, [], 1e13),
  )
  const claims = fc.record(
    {
      iss: rarely(fc.constantFrom(issuer, `${issuer}/`, issuer.toUpperCase(), 'x', null, [issuer])),
      aud: rarely(
        fc.constantFrom<unknown[]>(
          [audience],
          ['x', audience],
          'x',
          [],
          null,
          'Orders',
          'orders x',
        ),
      ),
      exp: rarely(time),
      nbf: rarely(time),
      iat: rarely(time),
      sub: rarely(fc.constantFrom<unknown[]>('a', 1, null)),
    },
    { requiredKeys: [] },
  )
  const header = fc.record(
    {
      alg: rarely(fc.constantFrom<unknown[]>('ES256', 'RS256', 'none', 'HS256', 'ES384', null)),
      kid: rarely(fc.constantFrom<unknown[]>(keys[0].kid, keys[1].kid, 'x', null)),
      typ: rarely(fc.constantFrom<unknown[]>('JWT', 'at+jwt', 'dpop+jwt', 1)),
      crit: rarely(fc.constantFrom<unknown[]>([], ['exp'])),
    },
    { requiredKeys: [] },
  )

  it('is never accepted when an independent verifier refuses it', async () => {
    let accepted = 0
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...keys),
        header,
        claims,
        async (key, headerChange, claimChange) => {
          const token = rawToken(
            key,
            { alg: key.alg, kid: key.kid, ...changes(headerChange) },
            { ...goodClaims(), ...changes(claimChange) },
          )
          if ((await verdict(token)) !== 'accepted') return
          accepted += 1
          expect(await referenceAccepts(token, setting, seconds(clock.now()))).toBe(true)
        },
      ),
      { numRuns: runs },
    )
    expect(accepted).toBeGreaterThan(0)
  })

  it('is accepted by both when nothing is wrong with it', async () => {
    for (const key of keys) {
      const token = makeToken(key)
      expect([
        await verdict(token),
        await referenceAccepts(token, setting, seconds(clock.now())),
      ]).toEqual(['accepted', true])
    }
  })
})
