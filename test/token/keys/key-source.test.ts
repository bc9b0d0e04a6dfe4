import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KeySourceEvent } from '../../../src/token/keys/key-source.ts'
import { tokensSection } from '../../../src/token/section.ts'
import { UserTokens } from '../../../src/token/user/user-tokens.ts'
import type { UserTokenCheck } from '../../../src/token/user/user-tokens.ts'
import { json, KeyServer, plainFetch, silence, status } from '../../support/key-server.ts'
import {
  audience,
  bearer,
  codeOf,
  HeldClock,
  issuer,
  jwks,
  makeKey,
  makeToken,
  requirementOf,
  seconds,
  tokenErrorOf,
} from '../../support/tokens.ts'

const first = makeKey('ES256', 'first')
const second = makeKey('ES256', 'second')

let server: KeyServer
let clock: HeldClock
let events: KeySourceEvent[]
let open: UserTokens[]

beforeEach(async () => {
  server = await new KeyServer().on('/keys', json(jwks(first))).start()
  clock = new HeldClock()
  events = []
  open = []
})

afterEach(async () => {
  for (const tokens of open) tokens.close()
  await server.stop()
})

const providerFields = (fields: Record<string, unknown> = {}) => ({
  issuer,
  audiences: [audience],
  unsafe_loopback_http: true,
  ...(!('discovery' in fields) && !('jwks_file' in fields) && { jwks_uri: server.url('/keys') }),
  ...fields,
})

const build = (providers: Record<string, Record<string, unknown>>): UserTokens => {
  const tokens = new UserTokens({
    section: tokensSection.parse({ providers }),
    fetchDocument: plainFetch,
    clock,
    onEvent: (event) => events.push(event),
  })
  open.push(tokens)
  return tokens
}

const one = (
  fields: Record<string, unknown> = {},
): { tokens: UserTokens; check: UserTokenCheck } => {
  const tokens = build({ main: providerFields(fields) })
  return { tokens, check: tokens.prepare(requirementOf()) }
}

/** A token of the present, whatever the held clock shows. */
const fresh = (key = first, claims: object = {}): string =>
  makeToken(key, { iat: seconds(clock.now()), exp: seconds(clock.now()) + 600, ...claims })

const verify = (check: UserTokenCheck, token = fresh()) =>
  codeOf(() => check.verify(bearer(token), undefined))
const states = () => events.flatMap((event) => (event.kind === 'state' ? [event.state] : []))
/** Lets the load that a timer began come to its end. */
const settled = (tokens: UserTokens, state: string) =>
  vi.waitFor(() => expect(tokens.status()[0]?.state).toBe(state))

describe('keys that cannot be had at the start', () => {
  it('make requests 503 with a time to come back, and the sidecar not ready, until they are there', async () => {
    await server.stop()
    const { tokens, check } = one()
    await tokens.start()
    expect(tokens.status()[0]).toMatchObject({ state: 'loading', loadedAt: undefined })
    const error = await tokenErrorOf(() => check.verify(bearer(fresh()), undefined))
    expect(error.code).toBe('keys-unavailable')
    expect(error.retryAfterMs).toBeGreaterThan(0)

    await server.start()
    clock.advance(1_000)
    await settled(tokens, 'fresh')
    expect(await verify(check)).toBe('accepted')
  })

  it('are asked for again after 1, 2, 4 … and at most 60 seconds', async () => {
    server.on('/keys', status(500))
    const { tokens } = one()
    await tokens.start()
    for (const [count, waitMs] of [
      1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000,
    ].entries()) {
      clock.advance(waitMs - 1)
      expect(server.count('/keys')).toBe(count + 1)
      clock.advance(1)
      // Joins the load that the timer has just begun.
      await tokens.refresh()
      expect(server.count('/keys')).toBe(count + 2)
    }
  })

  it('make a request wait for the load that is under way instead of failing it', async () => {
    const { tokens, check } = one()
    const start = tokens.start()
    expect(await verify(check)).toBe('accepted')
    await start
    expect(server.count('/keys')).toBe(1)
  })
})

describe('keys whose source fails later', () => {
  it('serve until max_stale, then give 503, and work again when the source does', async () => {
    const { tokens, check } = one()
    await tokens.start()
    server.on('/keys', status(500))
    clock.advance(600_000)
    await settled(tokens, 'stale')
    clock.advance(45 * 60_000 - 600_000)
    expect(await verify(check)).toBe('accepted')

    clock.advance(15 * 60_000 + 1)
    expect(await verify(check)).toBe('keys-unavailable')
    expect(tokens.status()[0]?.state).toBe('unavailable')

    server.on('/keys', json(jwks(first)))
    clock.jump(60_000)
    expect(await verify(check)).toBe('accepted')
    expect(states()).toEqual(['fresh', 'stale', 'unavailable', 'fresh'])
  })

  it('do not serve a remembered token beyond max_stale either', async () => {
    const { tokens, check } = one()
    await tokens.start()
    const token = fresh(first, { exp: seconds(clock.now()) + 80_000 })
    expect(await verify(check, token)).toBe('accepted')
    server.on('/keys', status(500))
    clock.advance(3_600_001)
    await vi.waitFor(() => expect(tokens.status()[0]?.state).toBe('unavailable'))
    expect(await verify(check, token)).toBe('keys-unavailable')
  })

  it('answer 503 and not 401 for a key id that may be new', async () => {
    const { tokens, check } = one()
    await tokens.start()
    server.on('/keys', status(503))
    clock.advance(30_000)
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
    server.on('/keys', answer).on('/elsewhere', json(jwks(second)))
    await tokens.refresh()
    expect(tokens.status()[0]).toMatchObject({ state: 'stale', revision: 1 })
    expect(tokens.status()[0]?.failure).toContain(detail)
    expect(await verify(check)).toBe('accepted')
    expect(server.count('/elsewhere')).toBe(0)
  })

  it('give up on a server that never answers after 5 seconds', async () => {
    const { tokens, check } = one()
    await tokens.start()
    server.on('/keys', silence)
    clock.advance(30_000)
    const waiting = verify(check, fresh(second))
    await vi.waitFor(() => expect(server.count('/keys')).toBe(2))
    clock.advance(5_000)
    expect(await waiting).toBe('keys-unavailable')
    expect(tokens.status()[0]?.failure).toContain('no answer within 5 s')
  })

  it('are recovered by a request after the clock was set forward', async () => {
    const { tokens, check } = one()
    await tokens.start()
    clock.jump(2 * 3_600_000)
    expect(await verify(check)).toBe('accepted')
    expect(server.count('/keys')).toBe(2)
  })

  it('do not live longer because the clock was set back', async () => {
    const { tokens, check } = one()
    await tokens.start()
    server.on('/keys', status(500))
    clock.jump(-10 * 3_600_000)
    expect(await verify(check)).toBe('accepted')
    clock.jump(3_600_001)
    expect(await verify(check)).toBe('keys-unavailable')
  })
})

describe('unknown key ids', () => {
  it('bring a new key within the cooldown', async () => {
    const { tokens, check } = one()
    await tokens.start()
    server.on('/keys', json(jwks(first, second)))
    expect(await verify(check, fresh(second))).toBe('key-unknown')
    clock.advance(30_000)
    expect(await verify(check, fresh(second))).toBe('accepted')
    expect(await verify(check, fresh(first))).toBe('accepted')
  })

  it('cause one fetch per cooldown, however many and however different they are', async () => {
    const { tokens, check } = one()
    await tokens.start()
    for (let round = 0; round < 10; round += 1) {
      clock.advance(30_000)
      const flood = Array.from({ length: 100 }, (_, index) =>
        verify(check, fresh(makeKeyAlias(`k-${round}-${index}`))),
      )
      expect(new Set(await Promise.all(flood))).toEqual(new Set(['key-unknown']))
    }
    expect(server.count('/keys')).toBeLessThanOrEqual(11)
  })

  const makeKeyAlias = (kid: string) => ({ ...second, kid })
})

describe('keys that the issuer removes', () => {
  it('stop working when the keys are next read, for remembered tokens too', async () => {
    const { tokens, check } = one()
    await tokens.start()
    const token = fresh(first, { exp: seconds(clock.now()) + 3_000 })
    expect(await verify(check, token)).toBe('accepted')
    server.on('/keys', json(jwks(second)))
    clock.advance(600_000)
    await vi.waitFor(() => expect(tokens.status()[0]?.revision).toBe(2))
    expect(await verify(check, token)).toBe('key-unknown')
    expect(await verify(check, fresh(second))).toBe('accepted')
  })

  it('stop working at once when an operator asks', async () => {
    const { tokens, check } = one()
    await tokens.start()
    server.on('/keys', json(jwks(second)))
    await tokens.refresh('main')
    expect(await verify(check, fresh(first))).toBe('key-unknown')
  })
})

describe('several issuers', () => {
  const other = 'https://partner.example'
  const impostor = makeKey('ES256', 'first')

  const two = () => {
    server.on('/partner', json(jwks(impostor)))
    const tokens = build({
      main: providerFields(),
      partner: providerFields({ issuer: other, jwks_uri: server.url('/partner') }),
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
    server.on('/partner', status(500))
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
    server.on('/keys', status(500)).on('/partner', status(500))
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

describe('discovery', () => {
  const document = (fields: object = {}) =>
    JSON.stringify({ issuer, jwks_uri: server.url('/keys'), ...fields })
  const discovered = () => one({ discovery: server.url('/.well-known/openid-configuration') })

  it('finds the keys', async () => {
    server.on(
      '/.well-known/openid-configuration',
      json(() => document()),
    )
    const { tokens, check } = discovered()
    await tokens.start()
    expect(await verify(check)).toBe('accepted')
  })

  it('looks below the issuer when it is told no address', async () => {
    const local = server.url('/realm')
    server.on(
      '/realm/.well-known/openid-configuration',
      json(() => document({ issuer: local })),
    )
    const { tokens, check } = one({ issuer: local, discovery: true })
    await tokens.start()
    expect(await verify(check, fresh(first, { iss: local }))).toBe('accepted')
  })

  it.each([
    ['speaks for another issuer', () => document({ issuer: `${issuer}/` }), 'another issuer'],
    ['names no keys', () => document({ jwks_uri: undefined }), 'no jwks_uri'],
    [
      'names keys over plain http elsewhere',
      () => document({ jwks_uri: 'http://login.shop.example/keys' }),
      'not https',
    ],
    ['names keys in a file', () => document({ jwks_uri: 'file:///etc/passwd' }), 'not https'],
    ['is not JSON', () => '<html>', 'not acceptable JSON'],
  ])('is refused when the document %s', async (_name, body, detail) => {
    server.on('/.well-known/openid-configuration', json(body))
    const { tokens, check } = discovered()
    await tokens.start()
    expect(tokens.status()[0]?.failure).toContain(detail)
    expect(await verify(check)).toBe('keys-unavailable')
    expect(server.count('/keys')).toBe(0)
  })
})

describe('keys in a file', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sallyport-keys-'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  const put = async (name: string, text: string): Promise<string> => {
    const path = join(folder, name)
    await writeFile(`${path}.new`, text)
    await rename(`${path}.new`, path)
    return path
  }
  const look = async (tokens: UserTokens) => {
    clock.advance(2_000)
    await tokens.refresh()
  }

  it('change when the file does', async () => {
    const path = await put('keys.json', jwks(first))
    const { tokens, check } = one({ jwks_file: path })
    await tokens.start()
    expect(await verify(check)).toBe('accepted')
    await put('keys.json', jwks(second))
    await look(tokens)
    expect(await verify(check, fresh(second))).toBe('accepted')
    expect(await verify(check, fresh(first))).toBe('key-unknown')
  })

  it('change when the link to the file does, as Kubernetes mounts them', async () => {
    await put('a.json', jwks(first))
    await put('b.json', jwks(second))
    await symlink('a.json', join(folder, 'keys.json'))
    const { tokens, check } = one({ jwks_file: join(folder, 'keys.json') })
    await tokens.start()
    await symlink('b.json', join(folder, 'keys.new'))
    await rename(join(folder, 'keys.new'), join(folder, 'keys.json'))
    await look(tokens)
    expect(await verify(check, fresh(second))).toBe('accepted')
  })

  it('stay the last good ones when the file breaks or goes away', async () => {
    const path = await put('keys.json', jwks(first))
    const { tokens, check } = one({ jwks_file: path })
    await tokens.start()
    await put('keys.json', '{"keys":')
    await look(tokens)
    expect(tokens.status()[0]).toMatchObject({ state: 'stale' })
    expect(await verify(check)).toBe('accepted')
    await rm(path)
    await look(tokens)
    expect(tokens.status()[0]?.failure).toContain('ENOENT')
    expect(await verify(check)).toBe('accepted')
  })

  it('are not there when the file is not', async () => {
    const { tokens, check } = one({ jwks_file: join(folder, 'none.json') })
    await tokens.start()
    expect(await verify(check)).toBe('keys-unavailable')
  })
})

it('reports each weak key once, and each change of the keys', async () => {
  server.on(
    '/keys',
    json(JSON.stringify({ keys: [first.jwk, { kty: 'oct', k: 'AA', kid: 'weak' }] })),
  )
  const { tokens } = one()
  await tokens.start()
  await tokens.refresh()
  expect(events.filter(({ kind }) => kind === 'key-ignored')).toEqual([
    { kind: 'key-ignored', provider: 'main', keyId: 'weak', reason: 'it is a symmetric key' },
  ])
  expect(events.filter(({ kind }) => kind === 'keys-changed')).toHaveLength(1)
})

it('leaves no timer behind when it is closed', async () => {
  const { tokens } = one()
  await tokens.start()
  expect(clock.timers).toBe(1)
  tokens.close()
  expect(clock.timers).toBe(0)
})
