import { createHash, generateKeyPairSync } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import { Secret } from '../../../src/secret.ts'
import type { OAuthSettings } from '../../../src/token/oauth/oauth-client.ts'
import { aTrustDomain } from '../../support/certificates.ts'
import {
  begin,
  build,
  clientId,
  errorOf,
  requestOf,
  reveal,
  secret,
  stage,
  basic,
} from '../../support/oauth-harness.ts'
import { makeKey, makeToken } from '../../support/tokens.ts'

describe('client authentication', () => {
  it('by secret sends both halves encoded as a form', async () => {
    expect(await reveal(build().get(requestOf()))).toBe('at-1')
    expect(Object.fromEntries(stage.server.forms[0]!)).toEqual({
      grant_type: 'client_credentials',
      scope: 'cards.read cards.write',
      audience: 'https://cards.example',
    })
  })

  it('by a wrong secret is refused, and the reason repeats nothing that was sent', async () => {
    const error = await errorOf(() => build().get(requestOf({ keys: [new Secret('wrong')] })))
    expect(error.code).toBe('refused')
    expect(error.detail).toBe('the token endpoint refused (401) with invalid_client')
    expect(JSON.stringify([error, stage.events])).not.toContain('canary')
  })

  it.each(['ES256', 'RS256', 'EdDSA'])(
    'by a key signs an assertion that is new each time (%s)',
    async (alg) => {
      const key = makeKey(alg)
      await stage.server.stop()
      await begin({ publicKey: key.publicKey })
      const pem = new Secret(String(key.privateKey.export({ type: 'pkcs8', format: 'pem' })))
      const settings: OAuthSettings = { ...basic(), client_authentication: 'private_key_jwt' }
      const tokens = build()
      expect(await reveal(tokens.get(requestOf({ settings, keys: [pem] })))).toBe('at-1')
      stage.clock.advance(100_000)
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
      await stage.server.stop()
      await begin({ certificate: own.thumbprint, tls: { ...vendor, ca } })
      expect(await reveal(build(own).get(requestOf({ settings: settings(), keys: [] })))).toBe(
        'at-1',
      )
      expect(stage.server.forms[0]?.get('client_id')).toBe(clientId)
      expect(
        (await errorOf(() => build(vendor).get(requestOf({ settings: settings(), keys: [] }))))
          .code,
      ).toBe('refused')
    })

    it('presents that of the credential', async () => {
      await stage.server.stop()
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
      expect(stage.server.forms).toEqual([])
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
    expect(stage.server.forms).toEqual([])
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
    await stage.server.stop()
    await begin({ publicKey: robot.publicKey })
    const account = new Secret(
      JSON.stringify({ private_key: pem, private_key_id: 'k1', client_email: 'x' }),
    )
    expect(await reveal(build().get(requestOf({ settings: jwtBearer(), keys: [account] })))).toBe(
      'at-1',
    )
    const [header = ''] = stage.server.forms[0]!.get('assertion')!.split('.')
    expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toEqual({
      typ: 'JWT',
      kid: 'k1',
      alg: 'RS256',
    })
  })

  it('JWT bearer is refused for another subject', async () => {
    await stage.server.stop()
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
      await stage.server.stop()
      await begin({ userKey: userKey.publicKey })
    })

    it('gives a token per user, and the same one for the same user', async () => {
      const tokens = build()
      const ofUser = (sub: string) => requestOf({ settings: exchange(), subjectToken: sub })
      const [ann, bob] = [makeToken(userKey, { sub: 'ann' }), makeToken(userKey, { sub: 'bob' })]
      expect(await reveal(tokens.get(ofUser(ann)))).toBe('at-1')
      expect(await reveal(tokens.get(ofUser(bob)))).toBe('at-2')
      expect(await reveal(tokens.get(ofUser(ann)))).toBe('at-1')
      expect(stage.server.forms[0]?.get('requested_token_type')).toBe(
        'urn:ietf:params:oauth:token-type:access_token',
      )
    })

    it('never goes out without the token of a user', async () => {
      const error = await errorOf(() => build().get(requestOf({ settings: exchange() })))
      expect(error.code).toBe('key')
      expect(stage.server.forms).toEqual([])
    })

    it('does not take another kind of token for an access token', async () => {
      stage.server.misbehave((_incoming, response) => {
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
