import { describe, expect, it } from 'vitest'
import { requirementFaults, tokensSection } from '../../src/token/section.ts'
import { requirementOf } from '../support/tokens.ts'

const base = { issuer: 'https://login.shop.example', audiences: ['orders'], jwks_file: 'keys.json' }
const faults = (provider: object, hop: object = {}): string[] => {
  const result = tokensSection.safeParse({ providers: { main: { ...base, ...provider } }, hop })
  return result.success
    ? []
    : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
}

describe('the tokens section', () => {
  it('has safe defaults', () => {
    const { providers, hop } = tokensSection.parse({ providers: { main: base } })
    expect(providers['main']).toMatchObject({
      clock_skew: 30_000,
      require_expiration: true,
      max_lifetime: 86_400_000,
      max_stale: 3_600_000,
      certificate_binding: 'enforce',
      id_tokens: 'refuse',
      from_headers: [{ name: 'authorization', value_prefix: 'Bearer ' }],
      cache: { keys: 600_000, cooldown: 30_000, tokens: 10_000 },
    })
    expect(hop).toMatchObject({
      profile: 'bound',
      lifetime: 60_000,
      clock_skew: 30_000,
      transaction: 'shared',
    })
  })

  it.each([
    ['a skew over a minute', { clock_skew: '61s' }],
    ['a skew that is no duration', { clock_skew: 30 }],
    ['no audience', { audiences: [] }],
    ['two sources of keys', { jwks_uri: 'https://login.shop.example/keys' }],
    ['no source of keys', { jwks_file: undefined }],
    ['keys over plain http', { jwks_file: undefined, jwks_uri: 'http://login.shop.example/keys' }],
    [
      'keys over plain http on this host without saying unsafe',
      { jwks_file: undefined, jwks_uri: 'http://127.0.0.1/keys' },
    ],
    [
      'keys over plain http elsewhere, even when saying unsafe',
      {
        jwks_file: undefined,
        jwks_uri: 'http://login.shop.example/keys',
        unsafe_loopback_http: true,
      },
    ],
    ['keys from ftp', { jwks_file: undefined, jwks_uri: 'ftp://login.shop.example/keys' }],
    [
      'discovery for an issuer that is no URL',
      { jwks_file: undefined, issuer: 'login', discovery: true },
    ],
    ['HMAC', { algorithms: ['HS256'] }],
    ['none', { algorithms: ['none'] }],
    ['no expiry without saying unsafe', { require_expiration: false }],
    ['an unknown key', { audience: 'orders' }],
    ['staleness shorter than freshness', { max_stale: '5m' }],
    ['a header name that is none', { from_headers: [{ name: 'x y' }] }],
  ])('refuses %s', (_name, provider) => {
    expect(faults(provider)).not.toEqual([])
  })

  it.each([
    ['a skew of a minute', { clock_skew: '60s' }],
    ['keys from https', { jwks_file: undefined, jwks_uri: 'https://login.shop.example/keys' }],
    [
      'keys over plain http on this host for development',
      { jwks_file: undefined, jwks_uri: 'http://127.0.0.1:9/keys', unsafe_loopback_http: true },
    ],
    ['discovery', { jwks_file: undefined, discovery: true }],
    [
      'discovery elsewhere',
      { jwks_file: undefined, issuer: 'login', discovery: 'https://a.example/.well-known/x' },
    ],
  ])('accepts %s', (_name, provider) => {
    expect(faults(provider)).toEqual([])
  })

  it('bounds the life of a hop token', () => {
    expect(faults({}, { lifetime: '61s' })).not.toEqual([])
    expect(faults({}, { lifetime: '1s' })).not.toEqual([])
    expect(faults({}, { lifetime: '60s' })).toEqual([])
  })

  it('lower-cases header names', () => {
    const { providers } = tokensSection.parse({
      providers: {
        main: { ...base, claim_to_headers: [{ header_name: 'X-User', claim_name: 'sub' }] },
      },
    })
    expect(providers['main']?.claim_to_headers[0]?.header_name).toBe('x-user')
  })
})

describe('what a route asks', () => {
  const tokens = tokensSection.parse({ providers: { main: base } })
  const none = tokensSection.parse({})

  it('demands both tokens unless it says otherwise', () => {
    expect(requirementOf()).toMatchObject({ caller: 'required', user: 'required' })
    expect(requirementFaults(requirementOf(), tokens)).toEqual([])
  })

  it.each([
    ['an unknown provider', { providers: ['other'] }, tokens, 'known: main'],
    ['user tokens without any provider', {}, none, 'set user: off'],
    [
      'scopes of nobody',
      { user: 'off', requires: { scopes: ['a'] } },
      tokens,
      'set user: required',
    ],
    ['a step-up of nobody', { user: 'off', step_up: { acr: ['a'] } }, tokens, 'set user: required'],
  ])('points out %s', (_name, fields, section, hint) => {
    expect(requirementFaults(requirementOf(fields), section).join()).toContain(hint)
  })
})
