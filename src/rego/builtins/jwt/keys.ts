/**
 * Keys for token signatures: from a PEM certificate or public key, or from a JWK or JWK set. Keys are kept with the
 * `alg` and `kid` that a set gives them. Does not decide which key a token may use.
 */
import {
  createPrivateKey,
  createPublicKey,
  X509Certificate,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto'
import { isArray, isObject, objectGet, type ObjectValue, type Value } from '../../values.ts'
import { toJson } from '../../value-text.ts'
import { readPem } from '../crypto/pem.ts'
import { JsonError, parseJson } from '../json/text.ts'

/** Text that gives no key. */
export class KeyError extends Error {}

export interface VerificationKey {
  /** The public key, or the bytes of a shared secret. */
  readonly key: KeyObject | Buffer
  /** Empty when the key does not say. */
  readonly algorithm: string
  readonly id: string
}

export const algorithms: ReadonlySet<string> = new Set([
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'HS256',
  'HS384',
  'HS512',
  'EdDSA',
])

/** @throws KeyError */
export function readVerificationKeys(text: string): readonly VerificationKey[] {
  const block = readPem(text)
  if (block === undefined) return readKeySet(text)
  if (block.rest !== '') throw new KeyError('extra data after a PEM certificate block')
  if (block.type === 'CERTIFICATE') {
    const key = parsed(
      'failed to parse a PEM certificate',
      () => new X509Certificate(block.bytes).publicKey,
    )
    return [{ key, algorithm: '', id: '' }]
  }
  if (block.type === 'PUBLIC KEY') {
    const key = parsed('failed to parse a PEM public key', () =>
      createPublicKey({ key: block.bytes, format: 'der', type: 'spki' }),
    )
    return [{ key, algorithm: '', id: '' }]
  }
  throw new KeyError('failed to extract a Key from the PEM certificate')
}

function parsed<T>(what: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw new KeyError(`${what}: ${error instanceof Error ? error.message : 'malformed'}`)
  }
}

function readKeySet(text: string): readonly VerificationKey[] {
  const keys = parsed('failed to parse a JWK key (set)', () => parseKeySet(text))
  return keys
    .map((jwk) => ({ jwk, algorithm: textField(jwk, 'alg') }))
    .filter(({ algorithm }) => algorithm === '' || algorithms.has(algorithm))
    .map(({ jwk, algorithm }) => ({
      key: parsed('failed to parse a JWK key (set)', () => publicKeyOf(jwk)),
      algorithm,
      id: textField(jwk, 'kid'),
    }))
}

/** The keys of a set, or the one key. @throws KeyError, JsonError */
export function parseKeySet(text: string): readonly ObjectValue[] {
  const document = parseJson(text)
  if (!isObject(document)) throw new KeyError('failed to unmarshal JWK set')
  const keys = objectGet(document, 'keys')
  const list = keys === undefined ? [document] : isArray(keys) ? keys : []
  for (const key of list) {
    if (!isObject(key) || textField(key, 'kty') === '')
      throw new KeyError('failed to parse: key has no "kty"')
  }
  return list as readonly ObjectValue[]
}

function textField(jwk: ObjectValue, name: string): string {
  const value = objectGet(jwk, name)
  return typeof value === 'string' ? value : ''
}

function publicKeyOf(jwk: ObjectValue): KeyObject | Buffer {
  if (textField(jwk, 'kty') === 'oct') return secretOf(jwk)
  return createPublicKey({ key: toJson(jwk) as unknown as JsonWebKey, format: 'jwk' })
}

function secretOf(jwk: ObjectValue): Buffer {
  const secret = objectGet(jwk, 'k')
  if (typeof secret !== 'string') throw new KeyError('oct key has no "k"')
  return Buffer.from(secret, 'base64url')
}

/** The first key of a set as a signing key. @throws KeyError */
export function readSigningKey(text: string): KeyObject | Buffer {
  let keys: readonly ObjectValue[]
  try {
    keys = parseKeySet(text)
  } catch (error) {
    if (error instanceof JsonError) throw new KeyError(`failed to parse JWK: ${error.message}`)
    throw error
  }
  const [jwk] = keys
  if (jwk === undefined) throw new KeyError('no keys found in JWK set')
  if (textField(jwk, 'kty') === 'oct') return secretOf(jwk)
  return parsed('failed to parse JWK', () =>
    createPrivateKey({ key: toJson(jwk as Value) as unknown as JsonWebKey, format: 'jwk' }),
  )
}
