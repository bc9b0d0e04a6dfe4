import { describe, expect, it, vi } from 'vitest'
import {
  build,
  first,
  fresh,
  one,
  providerFields,
  scene,
  second,
  settled,
  states,
  verify,
} from '../../support/key-harness.ts'
import { json, silence, status } from '../../support/key-server.ts'
import {
  bearer,
  codeOf,
  jwks,
  makeKey,
  requirementOf,
  seconds,
  tokenErrorOf,
} from '../../support/tokens.ts'

describe('keys that cannot be had at the start', () => {
  it('make requests 503 with a time to come back, and the sidecar not ready, until they are there', async () => {
    await scene.server.stop()
    const { tokens, check } = one()
    await tokens.start()
    expect(tokens.status()[0]).toMatchObject({ state: 'loading', loadedAt: undefined })
    const error = await tokenErrorOf(() => check.verify(bearer(fresh()), undefined))
    expect(error.code).toBe('keys-unavailable')
    expect(error.retryAfterMs).toBeGreaterThan(0)

    await scene.server.start()
    scene.clock.advance(1_000)
    await settled(tokens, 'fresh')
    expect(await verify(check)).toBe('accepted')
  })

  it('are asked for again after 1, 2, 4 … and at most 60 seconds', async () => {
    scene.server.on('/keys', status(500))
    const { tokens } = one()
    await tokens.start()
    for (const [count, waitMs] of [
      1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000,
    ].entries()) {
      scene.clock.advance(waitMs - 1)
      expect(scene.server.count('/keys')).toBe(count + 1)
      scene.clock.advance(1)
      // Joins the load that the timer has just begun.
      await tokens.refresh()
      expect(scene.server.count('/keys')).toBe(count + 2)
    }
  })

  it('make a request wait for the load that is under way instead of failing it', async () => {
    const { tokens, check } = one()
    const start = tokens.start()
    expect(await verify(check)).toBe('accepted')
    await start
    expect(scene.server.count('/keys')).toBe(1)
  })
})

describe('keys whose source fails later', () => {
  it('serve until max_stale, then give 503, and work again when the source does', async () => {
    const { tokens, check } = one()
    await tokens.start()
    scene.server.on('/keys', status(500))
    scene.clock.advance(600_000)
    await settled(tokens, 'stale')
    scene.clock.advance(45 * 60_000 - 600_000)
    expect(await verify(check)).toBe('accepted')

    scene.clock.advance(15 * 60_000 + 1)
    expect(await verify(check)).toBe('keys-unavailable')
    expect(tokens.status()[0]?.state).toBe('unavailable')

    scene.server.on('/keys', json(jwks(first)))
    scene.clock.jump(60_000)
    expect(await verify(check)).toBe('accepted')
    expect(states()).toEqual(['fresh', 'stale', 'unavailable', 'fresh'])
  })

  it('do not serve a remembered token beyond max_stale either', async () => {
    const { tokens, check } = one()
    await tokens.start()
    const token = fresh(first, { exp: seconds(scene.clock.now()) + 80_000 })
    expect(await verify(check, token)).toBe('accepted')
    scene.server.on('/keys', status(500))
    scene.clock.advance(3_600_001)
    await vi.waitFor(() => expect(tokens.status()[0]?.state).toBe('unavailable'))
    expect(await verify(check, token)).toBe('keys-unavailable')
  })

  it('answer 503 and not 401 for a key id that may be new', async () => {
    const { tokens, check } = one()
    await tokens.start()
    scene.server.on('/keys', status(503))
    scene.clock.advance(30_000)
    expect(await verify(check, fresh(second))).toBe('keys-unavailable')
    expect(await verify(check, fresh(first))).toBe('accepted')
  })

  it.each([
    ['a redirect', status(302, { location: '/elsewhere' }), 'redirects'],
    ['an error', status(500), 'answered 500'],
    ['another type', json('<html>', 'text/html'), 'not served as JSON'],
    ['something that is no JSON', json('not json'), 'not acceptable JSON'],
    ['half a document', json('{"keys":[{"kty"'), 'not acceptable JSON'],
    ['an empty set', json('{"keys":[]}'), 'no key'],
    [
      'more than a mebibyte',
      json(() => JSON.stringify({ keys: [], pad: 'x'.repeat(1_100_000) })),
      'too-large',
    ],
  ])('keep the last good keys after %s', async (_name, answer, detail) => {
    const { tokens, check } = one()
    await tokens.start()
    scene.server.on('/keys', answer).on('/elsewhere', json(jwks(second)))
    await tokens.refresh()
    expect(tokens.status()[0]).toMatchObject({ state: 'stale', revision: 1 })
    expect(tokens.status()[0]?.failure).toContain(detail)
    expect(await verify(check)).toBe('accepted')
    expect(scene.server.count('/elsewhere')).toBe(0)
  })

  it('give up on a server that never answers after 5 seconds', async () => {
    const { tokens, check } = one()
    await tokens.start()
    scene.server.on('/keys', silence)
    scene.clock.advance(30_000)
    const waiting = verify(check, fresh(second))
    await vi.waitFor(() => expect(scene.server.count('/keys')).toBe(2))
    scene.clock.advance(5_000)
    expect(await waiting).toBe('keys-unavailable')
    expect(tokens.status()[0]?.failure).toContain('no answer within 5 s')
  })

  it('are recovered by a request after the clock was set forward', async () => {
    const { tokens, check } = one()
    await tokens.start()
    scene.clock.jump(2 * 3_600_000)
    expect(await verify(check)).toBe('accepted')
    expect(scene.server.count('/keys')).toBe(2)
  })

  it('do not live longer because the clock was set back', async () => {
    const { tokens, check } = one()
    await tokens.start()
    scene.server.on('/keys', status(500))
    scene.clock.jump(-10 * 3_600_000)
    expect(await verify(check)).toBe('accepted')
    scene.clock.jump(3_600_001)
    expect(await verify(check)).toBe('keys-unavailable')
  })
})

describe('unknown key ids', () => {
  it('bring a new key within the cooldown', async () => {
    const { tokens, check } = one()
    await tokens.start()
    scene.server.on('/keys', json(jwks(first, second)))
    expect(await verify(check, fresh(second))).toBe('key-unknown')
    scene.clock.advance(30_000)
    expect(await verify(check, fresh(second))).toBe('accepted')
    expect(await verify(check, fresh(first))).toBe('accepted')
  })

  it('cause one fetch per cooldown, however many and however different they are', async () => {
    const { tokens, check } = one()
    await tokens.start()
    for (let round = 0; round < 10; round += 1) {
      scene.clock.advance(30_000)
      const flood = Array.from({ length: 100 }, (_, index) =>
        verify(check, fresh(makeKeyAlias(`k-${round}-${index}`))),
      )
      expect(new Set(await Promise.all(flood))).toEqual(new Set(['key-unknown']))
    }
    expect(scene.server.count('/keys')).toBeLessThanOrEqual(11)
  })

  const makeKeyAlias = (kid: string) => ({ ...second, kid })
})

describe('keys that the issuer removes', () => {
  it('stop working when the keys are next read, for remembered tokens too', async () => {
    const { tokens, check } = one()
    await tokens.start()
    const token = fresh(first, { exp: seconds(scene.clock.now()) + 3_000 })
    expect(await verify(check, token)).toBe('accepted')
    scene.server.on('/keys', json(jwks(second)))
    scene.clock.advance(600_000)
    await vi.waitFor(() => expect(tokens.status()[0]?.revision).toBe(2))
    expect(await verify(check, token)).toBe('key-unknown')
    expect(await verify(check, fresh(second))).toBe('accepted')
  })

  it('stop working at once when an operator asks', async () => {
    const { tokens, check } = one()
    await tokens.start()
    scene.server.on('/keys', json(jwks(second)))
    await tokens.refresh('main')
    expect(await verify(check, fresh(first))).toBe('key-unknown')
  })
})

describe('several issuers', () => {
  const other = 'https://partner.example'
  const impostor = makeKey('ES256', 'first')

  const two = () => {
    scene.server.on('/partner', json(jwks(impostor)))
    const tokens = build({
      main: providerFields(),
      partner: providerFields({ issuer: other, jwks_uri: scene.server.url('/partner') }),
    })
    return { tokens, check: tokens.prepare(requirementOf()) }
  }

  it('may use one key id for different keys, and neither can sign for the other', async () => {
    const { tokens, check } = two()
    await tokens.start()
    expect(await verify(check, fresh(first))).toBe('accepted')
    expect(await verify(check, fresh(impostor, { iss: other }))).toBe('accepted')
    expect(await verify(check, fresh(impostor))).toBe('signature')
    expect(await verify(check, fresh(first, { iss: other }))).toBe('signature')
  })

  it('do not suffer from each other when one fails under concurrent requests', async () => {
    const { tokens, check } = two()
    scene.server.on('/partner', status(500))
    await tokens.start()
    const mixed = Array.from({ length: 50 }, (_, index) =>
      verify(
        check,
        index % 2 === 0
          ? fresh(first, { jti: index })
          : fresh(impostor, { iss: other, jti: index }),
      ),
    )
    const results = await Promise.all(mixed)
    expect(results.filter((_, index) => index % 2 === 0)).toEqual(Array(25).fill('accepted'))
    expect(results.filter((_, index) => index % 2 === 1)).toEqual(
      Array(25).fill('keys-unavailable'),
    )
  })

  it('are both refused in one request, without a fetch or a crash, when their keys fail', async () => {
    const { tokens, check } = two()
    scene.server.on('/keys', status(500)).on('/partner', status(500))
    await tokens.start()
    const headers = {
      all: (name: string) =>
        name === 'authorization' ? [`Bearer ${fresh(first)}`, `Bearer ${fresh(impostor)}`] : [],
    }
    expect(await codeOf(() => check.verify(headers, undefined))).toBe('ambiguous')
  })

  it('can be limited by a route', async () => {
    const { tokens } = two()
    await tokens.start()
    const check = tokens.prepare(requirementOf({ providers: ['partner'] }))
    expect(await verify(check, fresh(impostor, { iss: other }))).toBe('accepted')
    expect(await verify(check, fresh(first))).toBe('issuer')
  })

  it('do not lend their remembered tokens to a route that does not accept them', async () => {
    const { tokens, check } = two()
    await tokens.start()
    const token = fresh(first)
    expect(await verify(check, token)).toBe('accepted')
    expect(await verify(tokens.prepare(requirementOf({ providers: ['partner'] })), token)).toBe(
      'issuer',
    )
  })
})

it('reports each weak key once, and each change of the keys', async () => {
  scene.server.on(
    '/keys',
    json(JSON.stringify({ keys: [first.jwk, { kty: 'oct', k: 'AA', kid: 'weak' }] })),
  )
  const { tokens } = one()
  await tokens.start()
  await tokens.refresh()
  expect(scene.events.filter(({ kind }) => kind === 'key-ignored')).toEqual([
    { kind: 'key-ignored', provider: 'main', keyId: 'weak', reason: 'it is a symmetric key' },
  ])
  expect(scene.events.filter(({ kind }) => kind === 'keys-changed')).toHaveLength(1)
})

it('leaves no timer behind when it is closed', async () => {
  const { tokens } = one()
  await tokens.start()
  expect(scene.clock.timers).toBe(1)
  tokens.close()
  expect(scene.clock.timers).toBe(0)
})
