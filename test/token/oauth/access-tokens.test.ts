import { createHash, generateKeyPairSync } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Secret } from '../../../src/secret.ts'
import { AccessTokens } from '../../../src/token/oauth/access-tokens.ts'
import type {
  AccessTokenEvent,
  AccessTokenRequest,
} from '../../../src/token/oauth/access-tokens.ts'
import type { OAuthSettings } from '../../../src/token/oauth/oauth-client.ts'
import { OAuthError } from '../../../src/token/oauth/oauth-error.ts'
import { AuthorizationServer, plainPost } from '../../support/authorization-server.ts'
import type { AuthorizationSetting } from '../../support/authorization-server.ts'
import { aTrustDomain } from '../../support/certificates.ts'
import { HeldClock, makeKey, makeToken } from '../../support/tokens.ts'

const clientId = 'shop orders:1'
const secret = new Secret('s3cr%t +/:ü')

let server: AuthorizationServer
let clock: HeldClock
let events: AccessTokenEvent[]
let ids: number

const begin = async (setting: Partial<AuthorizationSetting> = {}) => {
  server = await new AuthorizationServer({
    clientId,
    secrets: [secret.reveal()],
    ...setting,
  }).start()
}

beforeEach(async () => {
  clock = new HeldClock()
  events = []
  ids = 0
  await begin()
})
afterEach(() => server.stop())

const build = (workload?: { key: string; cert: string }) =>
  new AccessTokens({
    post: plainPost(workload),
    clock,
    makeId: () => `id-${(ids += 1)}`,
    onEvent: (event) => events.push(event),
  })

const basic = (): OAuthSettings => ({
  kind: 'oauth2-client-credentials',
  token_url: server.url,
  client_id: clientId,
  client_authentication: 'client_secret_basic',
  scope: 'cards.read cards.write',
  audience: 'https://cards.example',
})
const requestOf = (fields: Partial<AccessTokenRequest> = {}): AccessTokenRequest => ({
  api: 'cards',
  settings: basic(),
  keys: [secret],
  subjectToken: undefined,
  ...fields,
})

const reveal = async (token: Secret | Promise<Secret>) => (await token).reveal()
const errorOf = async (action: () => unknown): Promise<OAuthError> => {
  try {
    await action()
  } catch (error) {
    if (error instanceof OAuthError) return error
    throw error
  }
  throw new Error('expected an OAuthError, nothing was thrown')
}

describe('client authentication', () => {
  it('by secret sends both halves encoded as a form', async () => {
    expect(await reveal(build().get(requestOf()))).toBe('at-1')
    expect(Object.fromEntries(server.forms[0]!)).toEqual({
      grant_type: 'client_credentials',
      scope: 'cards.read cards.write',
      audience: 'https://cards.example',
    })
  })

  it('by a wrong secret is refused, and the reason repeats nothing that was sent', async () => {
    const error = await errorOf(() => build().get(requestOf({ keys: [new Secret('wrong')] })))
    expect(error.code).toBe('refused')
    expect(error.detail).toBe('the token endpoint refused (401) with invalid_client')
    expect(JSON.stringify([error, events])).not.toContain('canary')
  })

  it.each(['ES256', 'RS256', 'EdDSA'])(
    'by a key signs an assertion that is new each time (%s)',
    async (alg) => {
      const key = makeKey(alg)
      await server.stop()
      await begin({ publicKey: key.publicKey })
      const pem = new Secret(String(key.privateKey.export({ type: 'pkcs8', format: 'pem' })))
      const settings: OAuthSettings = { ...basic(), client_authentication: 'private_key_jwt' }
      const tokens = build()
      expect(await reveal(tokens.get(requestOf({ settings, keys: [pem] })))).toBe('at-1')
      clock.advance(100_000)
      expect(await reveal(tokens.get(requestOf({ settings, keys: [pem] })))).toBe('at-2')
      const other = new Secret(
        String(makeKey(alg).privateKey.export({ type: 'pkcs8', format: 'pem' })),
      )
      expect((await errorOf(() => tokens.get(requestOf({ settings, keys: [other] })))).code).toBe(
        'refused',
      )
    },
  )

  describe('by certificate', () => {
    const domain = aTrustDomain('shop.local')
    const pemOf = (path: string) => {
      const { chain, privateKey } = domain.svid(path)
      const cert = chain
        .map(
          (der) =>
            `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----`,
        )
        .join('\n')
      return {
        cert,
        key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
        thumbprint: createHash('sha256').update(chain[0]!).digest('hex'),
      }
    }
    const ca = `-----BEGIN CERTIFICATE-----\n${domain.root.certificate.der.toString('base64')}\n-----END CERTIFICATE-----`
    const own = pemOf('/orders')
    const vendor = pemOf('/vendor')
    const settings = (): OAuthSettings => ({ ...basic(), client_authentication: 'tls_client_auth' })

    it('presents that of the workload where the credential has none', async () => {
      await server.stop()
      await begin({ certificate: own.thumbprint, tls: { ...vendor, ca } })
      expect(await reveal(build(own).get(requestOf({ settings: settings(), keys: [] })))).toBe(
        'at-1',
      )
      expect(server.forms[0]?.get('client_id')).toBe(clientId)
      expect(
        (await errorOf(() => build(vendor).get(requestOf({ settings: settings(), keys: [] }))))
          .code,
      ).toBe('refused')
    })

    it('presents that of the credential', async () => {
      await server.stop()
      await begin({ certificate: own.thumbprint, tls: { ...vendor, ca } })
      const key = new Secret(`${own.cert}\n${own.key}`)
      expect(
        await reveal(build(vendor).get(requestOf({ settings: settings(), keys: [key] }))),
      ).toBe('at-1')
    })

    it('does not go out with half of a pair', async () => {
      const error = await errorOf(() =>
        build().get(requestOf({ settings: settings(), keys: [new Secret(own.key)] })),
      )
      expect(error.code).toBe('key')
      expect(server.forms).toEqual([])
    })
  })

  it.each([
    ['no secret', 'client_secret_basic', []],
    ['an empty secret', 'client_secret_basic', [new Secret('')]],
    ['a secret where a key is needed', 'private_key_jwt', [secret]],
    [
      'a key that cannot be read',
      'private_key_jwt',
      [new Secret('-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----')],
    ],
    [
      'a key that cannot sign',
      'private_key_jwt',
      [
        new Secret(
          String(generateKeyPairSync('x25519').privateKey.export({ type: 'pkcs8', format: 'pem' })),
        ),
      ],
    ],
  ] as const)('never goes out with %s', async (_name, method, keys) => {
    const settings: OAuthSettings = { ...basic(), client_authentication: method }
    const error = await errorOf(() => build().get(requestOf({ settings, keys })))
    expect(error.code).toBe('key')
    expect(server.forms).toEqual([])
  })
})

describe('grants', () => {
  const robot = makeKey('RS256')
  const pem = String(robot.privateKey.export({ type: 'pkcs8', format: 'pem' }))
  const jwtBearer = (): OAuthSettings => ({
    ...basic(),
    kind: 'oauth2-jwt-bearer',
    issuer: 'robot@shop.example',
    subject: 'boss@vendor.example',
    lifetime: 300_000,
  })

  it('JWT bearer sends an assertion for the subject', async () => {
    await server.stop()
    await begin({ publicKey: robot.publicKey })
    const account = new Secret(
      JSON.stringify({ private_key: pem, private_key_id: 'k1', client_email: 'x' }),
    )
    expect(await reveal(build().get(requestOf({ settings: jwtBearer(), keys: [account] })))).toBe(
      'at-1',
    )
    const [header = ''] = server.forms[0]!.get('assertion')!.split('.')
    expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toEqual({
      typ: 'JWT',
      kid: 'k1',
      alg: 'RS256',
    })
  })

  it('JWT bearer is refused for another subject', async () => {
    await server.stop()
    await begin({ publicKey: robot.publicKey })
    const settings = { ...jwtBearer(), subject: 'someone@vendor.example' } as OAuthSettings
    const error = await errorOf(() => build().get(requestOf({ settings, keys: [new Secret(pem)] })))
    expect(error.detail).toContain('invalid_grant')
  })

  describe('token exchange', () => {
    const userKey = makeKey('ES256')
    const exchange = (): OAuthSettings => ({
      ...basic(),
      kind: 'oauth2-token-exchange',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    })
    beforeEach(async () => {
      await server.stop()
      await begin({ userKey: userKey.publicKey })
    })

    it('gives a token per user, and the same one for the same user', async () => {
      const tokens = build()
      const ofUser = (sub: string) => requestOf({ settings: exchange(), subjectToken: sub })
      const [ann, bob] = [makeToken(userKey, { sub: 'ann' }), makeToken(userKey, { sub: 'bob' })]
      expect(await reveal(tokens.get(ofUser(ann)))).toBe('at-1')
      expect(await reveal(tokens.get(ofUser(bob)))).toBe('at-2')
      expect(await reveal(tokens.get(ofUser(ann)))).toBe('at-1')
      expect(server.forms[0]?.get('requested_token_type')).toBe(
        'urn:ietf:params:oauth:token-type:access_token',
      )
    })

    it('never goes out without the token of a user', async () => {
      const error = await errorOf(() => build().get(requestOf({ settings: exchange() })))
      expect(error.code).toBe('key')
      expect(server.forms).toEqual([])
    })

    it('does not take another kind of token for an access token', async () => {
      server.misbehave((_incoming, response) => {
        response.writeHead(200, { 'content-type': 'application/json' })
        response.end(
          JSON.stringify({
            access_token: 'x',
            token_type: 'Bearer',
            issued_token_type: 'urn:ietf:params:oauth:token-type:refresh_token',
          }),
        )
      })
      const subjectToken = makeToken(userKey)
      expect(
        (await errorOf(() => build().get(requestOf({ settings: exchange(), subjectToken })))).code,
      ).toBe('answer')
    })
  })
})

describe('the life of an access token', () => {
  it('is one request for all who ask at once', async () => {
    const tokens = build()
    const all = await Promise.all(Array.from({ length: 50 }, () => reveal(tokens.get(requestOf()))))
    expect(new Set(all)).toEqual(new Set(['at-1']))
    expect(server.forms).toHaveLength(1)
  })

  it('gives it without a promise while it is good', async () => {
    const tokens = build()
    await tokens.get(requestOf())
    expect(tokens.get(requestOf())).toBeInstanceOf(Secret)
  })

  it('renews it from 80 % on, while the old one serves', async () => {
    const tokens = build()
    await tokens.get(requestOf())
    clock.advance(79_999)
    expect(await reveal(tokens.get(requestOf()))).toBe('at-1')
    expect(server.forms).toHaveLength(1)
    clock.advance(1)
    const serving = tokens.get(requestOf())
    expect(serving).toBeInstanceOf(Secret)
    expect(await reveal(serving)).toBe('at-1')
    await vi.waitFor(async () => expect(await reveal(tokens.get(requestOf()))).toBe('at-2'))
    expect(server.forms).toHaveLength(2)
  })

  it('never sends one that may have ended when it arrives', async () => {
    const tokens = build()
    await tokens.get(requestOf())
    clock.advance(90_000)
    expect(await reveal(tokens.get(requestOf()))).toBe('at-2')
  })

  it('never sends an expired one, even when there is no other', async () => {
    const tokens = build()
    await tokens.get(requestOf())
    server.misbehave((_incoming, response) => response.writeHead(500).end())
    clock.advance(89_999)
    expect(await reveal(tokens.get(requestOf()))).toBe('at-1')
    await vi.waitFor(() => expect(events.at(-1)?.kind).toBe('failed'))
    clock.advance(1_000_000)
    expect((await errorOf(() => tokens.get(requestOf()))).code).toBe('unavailable')
  })

  it('does not trust one after the clock was set back', async () => {
    const tokens = build()
    await tokens.get(requestOf())
    clock.jump(-60_000)
    expect(await reveal(tokens.get(requestOf()))).toBe('at-2')
  })

  it('is five minutes where the server does not say', async () => {
    server.lifetimeSeconds = undefined
    const tokens = build()
    await tokens.get(requestOf())
    clock.advance(239_999)
    expect(tokens.get(requestOf())).toBeInstanceOf(Secret)
    clock.advance(60_001)
    expect(await reveal(tokens.get(requestOf()))).toBe('at-2')
  })

  it('ends when the API refuses it, but not again and again', async () => {
    const tokens = build()
    const first = await tokens.get(requestOf())
    tokens.discard(requestOf(), first)
    expect(await reveal(tokens.get(requestOf()))).toBe('at-1')
    clock.advance(10_000)
    tokens.discard(requestOf(), new Secret('another'))
    expect(await reveal(tokens.get(requestOf()))).toBe('at-1')
    tokens.discard(requestOf(), first)
    expect(await reveal(tokens.get(requestOf()))).toBe('at-2')
  })

  it('is not shared between APIs, settings or keys', async () => {
    const tokens = build()
    const settings: OAuthSettings = { ...basic(), scope: 'other' }
    expect(await reveal(tokens.get(requestOf()))).toBe('at-1')
    expect(await reveal(tokens.get(requestOf({ api: 'other' })))).toBe('at-2')
    expect(await reveal(tokens.get(requestOf({ settings })))).toBe('at-3')
  })
})

describe('a rotation of keys', () => {
  it('falls back to the old one, loudly, while the server does not know the new one', async () => {
    const fresh = new Secret('fresh')
    const tokens = build()
    expect(await reveal(tokens.get(requestOf({ keys: [fresh, secret] })))).toBe('at-1')
    expect(events.map(({ kind }) => kind)).toEqual(['fell-back', 'obtained'])
  })

  it('does not try the old one when the server is merely down', async () => {
    server.misbehave((_incoming, response) => response.writeHead(503).end())
    await errorOf(() => build().get(requestOf({ keys: [new Secret('fresh'), secret] })))
    expect(server.forms).toHaveLength(1)
  })
})

describe('a token endpoint that fails', () => {
  it('is followed nowhere', async () => {
    server.misbehave((_incoming, response) => response.writeHead(307, { location: '/other' }).end())
    expect((await errorOf(() => build().get(requestOf()))).detail).toContain('redirects')
    expect(server.forms).toHaveLength(1)
  })

  it('is given up after 5 seconds', async () => {
    server.misbehave(() => undefined)
    const waiting = errorOf(() => build().get(requestOf()))
    await vi.waitFor(() => expect(server.forms).toHaveLength(1))
    clock.advance(5_000)
    expect((await waiting).detail).toContain('did not answer within 5 s')
  })

  it('is left alone for 1, 2, 4 … and at most 30 seconds, and says when to come back', async () => {
    server.misbehave((_incoming, response) => response.writeHead(500).end())
    const tokens = build()
    await errorOf(() => tokens.get(requestOf()))
    for (const [index, pauseMs] of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000].entries()) {
      expect((await errorOf(() => tokens.get(requestOf()))).retryAfterMs).toBe(pauseMs)
      clock.advance(pauseMs)
      await errorOf(() => tokens.get(requestOf()))
      expect(server.forms).toHaveLength(index + 2)
    }
    server.misbehave()
    clock.advance(30_000)
    expect(await reveal(tokens.get(requestOf()))).toBe('at-1')
  })

  it('is left alone for as long as it asks', async () => {
    server.misbehave((_incoming, response) =>
      response.writeHead(429, { 'retry-after': '120' }).end(),
    )
    const tokens = build()
    await errorOf(() => tokens.get(requestOf()))
    clock.advance(119_000)
    expect((await errorOf(() => tokens.get(requestOf()))).retryAfterMs).toBe(1_000)
    expect(server.forms).toHaveLength(1)
  })

  it('that is not there makes an error that names no address', async () => {
    await server.stop()
    const error = await errorOf(() => build().get(requestOf()))
    expect(error.code).toBe('unavailable')
    await server.start()
  })
})
