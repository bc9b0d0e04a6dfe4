import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { expect, test } from 'vitest'
import type { Value } from '../../../src/rego/values.ts'
import { aContext, call, callIn, refusal } from './call.ts'
import { toPlain } from './plain.ts'

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const ed = generateKeyPairSync('ed25519')

function jwk(key: KeyObject, more: object = {}): Value {
  return { ...key.export({ format: 'jwk' }), ...more } as Value
}

function pem(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'pem' }).toString()
}

function signed(algorithm: string, key: Value, claims: Value, header: object = {}): string {
  return call(
    'io.jwt.encode_sign',
    { alg: algorithm, typ: 'JWT', ...header },
    claims,
    key,
  ) as string
}

const secret: Value = { kty: 'oct', k: Buffer.from('secret').toString('base64url') }

test.each([
  ['RS256', jwk(rsa.privateKey), pem(rsa.publicKey)],
  ['RS512', jwk(rsa.privateKey), pem(rsa.publicKey)],
  ['PS384', jwk(rsa.privateKey), pem(rsa.publicKey)],
  ['ES256', jwk(ec.privateKey), pem(ec.publicKey)],
  ['EdDSA', jwk(ed.privateKey), pem(ed.publicKey)],
  ['HS256', secret, 'secret'],
])(
  'a token signed with %s verifies with its key and with no other',
  (algorithm, key, verification) => {
    const token = signed(algorithm, key, { sub: 'a' })
    const verify = `io.jwt.verify_${algorithm.toLowerCase()}`
    expect(call(verify, token, verification)).toBe(true)
    expect(call(verify, `${token.slice(0, -6)}AAAAAA`, verification)).toBe(false)
    const other = algorithm === 'HS256' ? 'other' : pem(generateKeyPairSync('ed25519').publicKey)
    expect(call(verify, token, other)).toBe(false)
  },
)

test('a public key is never a shared secret', () => {
  const text = pem(rsa.publicKey)
  const forged = signed(
    'HS256',
    { kty: 'oct', k: Buffer.from(text).toString('base64url') },
    { sub: 'a' },
  )
  expect(toPlain(call('io.jwt.decode_verify', forged, { cert: text }))).toEqual([false, {}, {}])
})

test('a token without an algorithm is not verified', () => {
  const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{}').toString('base64url')}.`
  expect(toPlain(call('io.jwt.decode_verify', none, { cert: pem(rsa.publicKey) }))).toEqual([
    false,
    {},
    {},
  ])
  expect(call('io.jwt.verify_rs256', none, pem(rsa.publicKey))).toBe(false)
})

test('constraints must all hold', () => {
  const now = 1_700_000_000
  const token = signed('ES256', jwk(ec.privateKey), {
    iss: 'i',
    aud: ['x', 'y'],
    exp: now + 10,
    nbf: now - 10,
  })
  const verified = (constraints: object): unknown =>
    (
      callIn(aContext(), 'io.jwt.decode_verify', token, {
        cert: pem(ec.publicKey),
        ...constraints,
      }) as Value[]
    )[0]
  expect(verified({ iss: 'i', aud: 'x', alg: 'ES256' })).toBe(true)
  expect(verified({ iss: 'j', aud: 'x' })).toBe(false)
  expect(verified({ aud: 'z' })).toBe(false)
  expect(verified({})).toBe(false)
  expect(verified({ aud: 'y', alg: 'RS256' })).toBe(false)
  expect(verified({ aud: 'y', time: (now + 10) * 1e9 })).toBe(false)
  expect(verified({ aud: 'y', time: (now - 11) * 1e9 })).toBe(false)
})

test('a constraint that is not known ends the call', () => {
  expect(refusal('io.jwt.decode_verify', 'a.b.c', { secret: 's', audience: 'x' })).toBe(
    'eval_builtin_error: io.jwt.decode_verify: unknown token validation constraint: audience',
  )
  expect(refusal('io.jwt.decode_verify', 'a.b.c', {})).toMatch(/no key constraint/)
})

test('the key that a token names is the only one that counts', () => {
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const keys = JSON.stringify({
    keys: [
      jwk(ec.publicKey, { kid: 'a', alg: 'ES256' }),
      jwk(other.publicKey, { kid: 'b', alg: 'ES256' }),
    ],
  })
  const token = (kid: string): string => signed('ES256', jwk(ec.privateKey), {}, { kid })
  expect(call('io.jwt.verify_es256', token('a'), keys)).toBe(true)
  expect(call('io.jwt.verify_es256', token('b'), keys)).toBe(false)
  expect(call('io.jwt.verify_es256', token('c'), keys)).toBe(true)
})

test('what is no token is named', () => {
  expect(refusal('io.jwt.decode', 'abc')).toMatch(/encoded JWT had no period separators/)
  expect(refusal('io.jwt.decode', 'a.b')).toMatch(/must have 3 sections, found 2/)
  expect(refusal('io.jwt.decode', 'W10.e30.')).toMatch(
    /bad JWT header: decoded JSON type was not an Object/,
  )
  const jwe = `${Buffer.from('{"enc":"x"}').toString('base64url')}.e30.`
  expect(refusal('io.jwt.decode', jwe)).toMatch(/JWT is a JWE object, which is not supported/)
})

test('headers must name an algorithm that is known', () => {
  const key = JSON.stringify(secret)
  expect(refusal('io.jwt.encode_sign_raw', '', '{}', key)).toMatch(
    /cannot parse JSON: cannot parse empty string/,
  )
  expect(refusal('io.jwt.encode_sign_raw', 'e', '{}', key)).toMatch(/jwsbb: header "alg" not found/)
  expect(refusal('io.jwt.encode_sign_raw', '{"alg":"none"}', '{}', key)).toMatch(
    /unknown JWS algorithm: none/,
  )
  expect(refusal('io.jwt.encode_sign_raw', '{"alg":"RS256"}', '{}', key)).toMatch(
    /invalid key type/,
  )
  expect(refusal('io.jwt.encode_sign_raw', '{"alg":"HS256"}', 'x', key)).toMatch(
    /type is JWT but payload is not JSON/,
  )
})

test('digests and MACs are of the bytes', () => {
  expect(call('crypto.sha256', call('hex.decode', 'ff')!)).toBe(
    'a8100ae6aa1940d0b663bb31cd466142ebbdbd5187131b92d93818987832eb89',
  )
  const mac = call('crypto.hmac.sha256', 'message', 'key') as string
  expect(call('crypto.hmac.equal', mac, mac)).toBe(true)
  expect(call('crypto.hmac.equal', mac, mac.slice(1))).toBe(false)
})

test('keys are read from PEM, and other text is refused', () => {
  const key = rsa.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString()
  expect(toPlain(call('crypto.x509.parse_rsa_private_key', key))).toMatchObject({
    kty: 'RSA',
    e: 'AQAB',
  })
  expect(call('crypto.parse_private_keys', 'nothing')).toEqual([])
  expect(refusal('crypto.x509.parse_rsa_private_key', 'x')).toMatch(/illegal base64/)
  expect(refusal('crypto.x509.parse_certificates', 'YmFk')).toMatch(/x509: malformed certificate/)
  expect(toPlain(call('crypto.x509.parse_and_verify_certificates', 'YmFk'))).toEqual([false, []])
})
