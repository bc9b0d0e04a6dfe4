import { inspect } from 'node:util'
import { format } from 'node:util'
import { describe, expect, it } from 'vitest'
import { Secret } from '../../src/secret.ts'
import {
  printable,
  redactHeaders,
  redactPath,
  redactText,
  redactUrl,
  tokenFingerprint,
} from '../../src/telemetry/redact.ts'

describe('a secret', () => {
  const secret = new Secret('sk_live_canary')

  it.each([
    ['String', () => String(secret)],
    ['a template', () => `key ${secret as unknown as string}`],
    ['concatenation', () => 'x' + secret],
    ['JSON', () => JSON.stringify({ secret })],
    ['inspect', () => inspect({ secret }, { showHidden: true, depth: 5 })],
    ['format', () => format('%s %o %j %O', secret, secret, secret, secret)],
    [
      'its keys',
      () => JSON.stringify(Object.entries(secret)) + JSON.stringify(Object.assign({}, secret)),
    ],
    ['a message of an error', () => inspect(new Error(`bad ${String(secret)}`, { cause: secret }))],
    ['a clone', () => inspect(structuredClone(Object.assign({}, secret)))],
  ])('does not print itself by %s', (_, print) => {
    expect(print()).not.toContain('canary')
  })

  it('is revealed by that word alone, compares, and has a fingerprint that depends on a key', () => {
    expect(secret.reveal()).toBe('sk_live_canary')
    expect(secret.equals(new Secret('sk_live_canary'))).toBe(true)
    expect(secret.equals(new Secret('sk_live_canarz'))).toBe(false)
    expect(secret.equals(new Secret('short'))).toBe(false)
    const one = secret.fingerprint(Buffer.from('ledger-1'))
    expect(one).toMatch(/^[0-9a-f]{16}$/)
    expect(secret.fingerprint(Buffer.from('ledger-1'))).toBe(one)
    expect(secret.fingerprint(Buffer.from('ledger-2'))).not.toBe(one)
    expect([secret.empty, new Secret('').empty]).toEqual([false, true])
  })
})

describe('URLs', () => {
  const keys = new Set(['limit', 'sig', 'ref'])
  it.each([
    ['https://api.example/v1/x', 'https://api.example/v1/x'],
    ['https://user:pw@api.example:8443/v1', 'https://api.example:8443/v1'],
    ['https://a@b:c@api.example/', 'https://api.example/'],
    ['https://api.example/x?email=a@b.example#frag', 'https://api.example/x'],
    ['https://api.example/x?limit=10&email=a', 'https://api.example/x?limit=10'],
    ['https://api.example/x?sig=abc&limit=2', 'https://api.example/x?sig=REDACTED&limit=2'],
    ['https://api.example/x?ref=sk_live_0123456789abcdef', 'https://api.example/x?ref=REDACTED'],
    ['https://api.example/x?%6cimit=3', 'https://api.example/x?limit=3'],
    [
      'https://hooks.example/services/T0001/B0002/8s7dfgHJKsd89f7ghJKLs8d7',
      'https://hooks.example/services/T0001/B0002/REDACTED',
    ],
    ['https://api.example?x=1', 'https://api.example'],
    ['/relative/path?token=1', '/relative/path'],
  ])('%s shows as %s', (url, shown) => {
    expect(redactUrl(url, keys)).toBe(shown)
  })
})

describe('paths', () => {
  it.each([
    '/orders/42',
    '/orders/5f0c8e0e-7a2c-4a7e-9f86-2f4f4d3c2b1a',
    '/v1/very-long-but-readable-resource-name',
    '/a%20b',
    '/',
    '',
  ])('%s stays', (path) => {
    expect(redactPath(path)).toBe(path)
  })

  it.each([
    ['/bot123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/send', '/REDACTED/send'],
    ['/reset/eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ.abc', '/reset/REDACTED'],
    ['/k/sk%5Flive%5F0123456789abcdef', '/k/REDACTED'],
    ['/k/dG9rZW4tb2YtYS11c2VyLTEyMzQ1Njc4', '/k/REDACTED'],
  ])('%s shows as %s', (path, shown) => {
    expect(redactPath(path)).toBe(shown)
  })
})

describe('text', () => {
  it.each([
    'Bearer abcdef123456',
    'authorization: Basic dXNlcjpjYW5hcnk=',
    'token=canary1234',
    '"client_secret":"canary 1234"',
    'x-api-key: canary1234',
    'https://user:canary@host/path',
    'ghp_0123456789abcdefghijklmnopqrstuvwxyz',
    'AKIAIOSFODNN7EXAMPLE',
    'xoxb-123456789-canarycanary',
    'AIzaSyD-0123456789abcdefghijklmnopqrs',
    'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2ln',
    '-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----',
    'q9Xf3kLmP0zR7tVbW2yA5cD8eG1hJ4nS6',
  ])('loses the secret of %s', (text) => {
    const shown = redactText(`failed: ${text}, sorry`)
    expect(shown).toContain('[redacted]')
    expect(shown).not.toMatch(
      /canary|abcdef123456|MIGH|IOSFODNN|q9Xf3k|dXNlcjpj|AIzaSy|0123456789abcdef/,
    )
  })

  it.each([
    'connect ECONNREFUSED 127.0.0.1:15006',
    'certificate of spiffe://shop.example/orders expired',
    'trace 0af7651916cd43dd8448eb211c80319c',
    'decision 5f0c8e0e-7a2c-4a7e-9f86-2f4f4d3c2b1a',
    'no rule matched at policies/inbound.rego:12',
    'spiffe://shop.example/ns/prod1/sa/orders-service-backend-v2',
    'pod orders-service-backend-deployment-7d9f8b6c5d-x2x4q',
    'policies/teams/payments/egress-stripe-charges-v2.rego',
  ])('leaves %s alone', (text) => {
    expect(redactText(text)).toBe(text)
  })

  it('is cut, so that no text of a stranger makes the search long', () => {
    const hostile = [
      'a-',
      'token',
      'token-',
      'token="',
      '=',
      'sk-',
      'eyJ-',
      'a.',
      '-----BEGIN ',
      'bearer  ',
      '\\"',
      'a://',
      '1a',
    ]
    for (const text of hostile) {
      const shown = redactText(text.repeat(1_000_000 / text.length))
      expect(shown.length).toBeLessThan(8_000)
    }
  })

  it('loses a value whose quote is never closed', () => {
    expect(redactText('{"password":"canary and more')).toBe('{"password":[redacted]')
  })

  it('prints no control characters and nothing above the limit', () => {
    expect(printable('a\tb\u007f', 10)).toBe(String.raw`a\u0009b\u007f`)
    expect(printable('abcdef', 3)).toBe('abc…')
  })
})

describe('headers', () => {
  it('show only when they are listed, and secrets not even then', () => {
    const shown = redactHeaders(
      [
        ['Content-Type', 'text/plain'],
        ['X-Other', 'v'],
        ['Authorization', 'Bearer canary'],
        ['X-Api-Key', 'canary'],
        ['User-Agent', 'curl token=canary'],
      ],
      new Set(['content-type', 'authorization', 'x-api-key', 'user-agent']),
    )
    expect(shown).toEqual({
      'content-type': 'text/plain',
      authorization: '[redacted]',
      'x-api-key': '[redacted]',
      'user-agent': 'curl token=[redacted]',
    })
  })
})

describe('the name of a token', () => {
  it('is the same for two spellings of one token and differs between tokens', () => {
    const token = `${Buffer.from('{"alg":"ES256"}').toString('base64url')}.${Buffer.from('{"a":1}').toString('base64url')}.sig`
    const name = tokenFingerprint(token)
    expect(name).toMatch(/^[0-9a-f]{16}$/)
    expect(tokenFingerprint(token.replace('.sig', '.other'))).toBe(name)
    expect(tokenFingerprint(token.replace('eyJhIjox', 'eyJhIjoy'))).not.toBe(name)
  })
})
