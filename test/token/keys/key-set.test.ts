import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { KeySetError, readKeySet } from '../../../src/token/keys/key-set.ts'
import { isRocaModulus } from '../../../src/token/keys/weak-modulus.ts'
import { makeKey } from '../../support/tokens.ts'

const good = makeKey('ES256', 'good')
const rsa = makeKey('RS256', 'rsa')
const read = (...keys: readonly unknown[]) => readKeySet(Buffer.from(JSON.stringify({ keys })))
const without = (jwk: object, ...names: readonly string[]) =>
  Object.fromEntries(Object.entries(jwk).filter(([name]) => !names.includes(name)))

const rsaJwk = (modulusLength: number, publicExponent = 65_537) => ({
  ...generateKeyPairSync('rsa', { modulusLength, publicExponent }).publicKey.export({
    format: 'jwk',
  }),
  kid: 'weak',
})

describe('a key set', () => {
  it.each(['ES256', 'ES384', 'ES512', 'RS256', 'PS512', 'EdDSA', 'Ed25519'] as const)(
    'holds a key for %s',
    async (alg) => {
      const key = makeKey(alg, 'k')
      const keys = await read(key.jwk)
      expect(keys.find(alg, 'k')?.equals(key.publicKey)).toBe(true)
      expect(keys.ignored).toEqual([])
    },
  )

  it('finds a key only by its id and its algorithm', async () => {
    const keys = await read(good.jwk, rsa.jwk)
    expect(keys.find('ES256', 'good')).toBeDefined()
    expect(keys.find('ES256', 'rsa')).toBeUndefined()
    expect(keys.find('RS256', 'good')).toBeUndefined()
    expect(keys.find('RS384', 'rsa')).toBeUndefined()
    expect(keys.find('ES256', 'GOOD')).toBeUndefined()
  })

  it('uses a key without alg for each algorithm of its kind', async () => {
    const keys = await read(without(rsa.jwk, 'alg'), without(good.jwk, 'alg'))
    expect(keys.find('RS256', 'rsa')).toBeDefined()
    expect(keys.find('PS512', 'rsa')).toBeDefined()
    expect(keys.find('ES256', 'good')).toBeDefined()
    expect(keys.find('ES384', 'good')).toBeUndefined()
  })

  it('finds a key without its id only when there is no other for the algorithm', async () => {
    expect((await read(good.jwk, rsa.jwk)).find('ES256', undefined)).toBeDefined()
    expect(
      (await read(good.jwk, makeKey('ES256', 'second').jwk)).find('ES256', undefined),
    ).toBeUndefined()
  })

  it('reads EdDSA and Ed25519 as two names of one algorithm', async () => {
    const keys = await read(makeKey('EdDSA', 'e').jwk)
    expect(keys.find('Ed25519', 'e')).toBeDefined()
  })

  it.each([
    ['a symmetric key', { kty: 'oct', k: 'c2VjcmV0', alg: 'HS256' }, 'symmetric'],
    ['a private key', { ...rsa.privateKey.export({ format: 'jwk' }) }, 'private'],
    ['an RSA key of 1024 bits', rsaJwk(1024), 'fewer than 2048'],
    ['an RSA key with exponent 3', rsaJwk(2048, 3), 'exponent'],
    ['an RSA key with exponent 1', { ...without(rsa.jwk, 'e'), e: 'AQ' }, 'exponent'],
    ['an RSA key with an even exponent', { ...without(rsa.jwk, 'e'), e: 'AQAC' }, 'exponent'],
    ['a key for encryption', { ...good.jwk, use: 'enc' }, 'use is not sig'],
    ['a key with a use that is no text', { ...good.jwk, use: ['sig'] }, 'use is not sig'],
    ['a key that may only sign', { ...good.jwk, key_ops: ['sign'] }, 'key_ops'],
    ['a key whose alg is for another kind', { ...good.jwk, alg: 'RS256' }, 'alg is not'],
    ['a key whose alg is for another curve', { ...good.jwk, alg: 'ES384' }, 'alg is not'],
    ['a key whose alg is HS256', { ...good.jwk, alg: 'HS256' }, 'alg is not'],
    ['a key whose alg is for encryption', { ...rsa.jwk, alg: 'RSA-OAEP' }, 'alg is not'],
    ['a key with alg null', { ...good.jwk, alg: null }, 'alg is not'],
    [
      'a key on another curve than it says',
      { ...good.jwk, crv: 'P-384', alg: 'ES384' },
      'do not make a key',
    ],
    ['a key of an unknown curve', { ...good.jwk, crv: 'secp256k1' }, 'not supported'],
    [
      'a point that is not on the curve',
      { ...without(good.jwk, 'x'), x: good.jwk['y'] },
      'do not make a key',
    ],
    ['a key without its members', { kty: 'EC', crv: 'P-256' }, 'do not make a key'],
    ['an unknown kind of key', { kty: 'AKP' }, 'not supported'],
    ['a kid that is no text', { ...good.jwk, kid: 1 }, 'kid is not a text'],
    ['something that is no key', 'key', 'not an object'],
    ['nothing', null, 'not an object'],
  ])('leaves out %s, says why, and keeps the rest', async (_name, jwk, reason) => {
    const anchor = makeKey('ES384', 'anchor')
    const keys = await read(jwk, anchor.jwk)
    expect(keys.keyCount).toBe(1)
    expect(keys.ignored[0]?.reason).toContain(reason)
    expect(keys.find('ES384', 'anchor')).toBeDefined()
  })

  it('leaves out different keys of one name, and keeps one of equal ones', async () => {
    const namesake = makeKey('ES256', 'good')
    const keys = await read(good.jwk, namesake.jwk, rsa.jwk, rsa.jwk)
    expect(keys.find('ES256', 'good')).toBeUndefined()
    expect(keys.find('RS256', 'rsa')).toBeDefined()
    expect(keys.find('RS256', undefined)).toBeDefined()
    expect(keys.ignored).toHaveLength(2)
  })

  it('lets keys for different algorithms share a name', async () => {
    const keys = await read(makeKey('ES256', 'same').jwk, makeKey('RS256', 'same').jwk)
    expect(keys.find('ES256', 'same')?.asymmetricKeyType).toBe('ec')
    expect(keys.find('RS256', 'same')?.asymmetricKeyType).toBe('rsa')
  })

  it.each([
    ['is not JSON', '<html>'],
    ['is cut off', '{"keys":[{"kty":"EC"'],
    ['has no list of keys', '{}'],
    ['is a list', '[]'],
    ['has keys that are no list', '{"keys":{}}'],
    ['has no keys', '{"keys":[]}'],
    ['has only keys that may not be used', '{"keys":[{"kty":"oct","k":"AA"}]}'],
    ['has a member twice', '{"keys":[],"keys":[]}'],
    ['has too many keys', JSON.stringify({ keys: Array.from({ length: 101 }, () => ({})) })],
  ])('is refused when the document %s', async (_name, text) => {
    await expect(readKeySet(Buffer.from(text))).rejects.toBeInstanceOf(KeySetError)
  })
})

describe('moduli of CVE-2017-15361', () => {
  it('are recognised by their structure, and random ones are not', () => {
    const product = [
      3n,
      5n,
      7n,
      11n,
      13n,
      17n,
      19n,
      23n,
      29n,
      31n,
      37n,
      41n,
      43n,
      47n,
      53n,
      59n,
      61n,
      67n,
      71n,
      73n,
      79n,
      83n,
      89n,
      97n,
      101n,
      103n,
      107n,
      109n,
      113n,
      127n,
      131n,
      137n,
      139n,
      149n,
      151n,
      157n,
      163n,
      167n,
    ].reduce((left, right) => left * right)
    let structured = 1n
    for (let power = 0; power < 1_234; power += 1) structured = (structured * 65_537n) % product
    expect(isRocaModulus(structured + product * 987_654_321n)).toBe(true)
    expect(isRocaModulus(structured + product * 987_654_321n + 2n)).toBe(false)
    const modulus = Buffer.from(String(rsa.jwk['n']), 'base64url')
    expect(isRocaModulus(BigInt(`0x${modulus.toString('hex')}`))).toBe(false)
  })
})
