/** Private keys in PEM: as JWKs, and as the JSON of Go's key structures. */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { fromBigInt } from '../../numbers.ts'
import { RegoObject, type Value } from '../../values.ts'
import { decodeBase64 } from '../go/base64.ts'
import { readPem } from './pem.ts'

/** A key that cannot be read. */
export class PrivateKeyError extends Error {}

const formats = new Map([
  ['RSA PRIVATE KEY', 'pkcs1'],
  ['PRIVATE KEY', 'pkcs8'],
  ['EC PRIVATE KEY', 'sec1'],
] as const)

/** Every private key of a PEM text, or of one in base64. @throws PrivateKeyError */
export function readPrivateKeys(text: string): readonly KeyObject[] {
  const keys: KeyObject[] = []
  for (let block = readPem(plainText(text)); block !== undefined; block = readPem(block.rest)) {
    const type = formats.get(block.type as 'PRIVATE KEY')
    if (type === undefined) continue
    try {
      keys.push(createPrivateKey({ key: block.bytes, format: 'der', type }))
    } catch {
      throw new PrivateKeyError('x509: failed to parse private key')
    }
  }
  return keys
}

function plainText(text: string): string {
  try {
    return decodeBase64(text).toString('latin1')
  } catch {
    return text
  }
}

export function jwkValue(key: KeyObject): Value {
  const jwk = key.export({ format: 'jwk' })
  return new RegoObject(Object.entries(jwk) as [string, string][])
}

function integer(text: unknown): Value {
  return fromBigInt(BigInt(`0x${Buffer.from(String(text), 'base64url').toString('hex') || '0'}`))
}

/** Go's rsa.PrivateKey, ecdsa.PrivateKey or ed25519.PrivateKey as JSON. */
export function goKeyValue(key: KeyObject): Value {
  const jwk = key.export({ format: 'jwk' })
  if (jwk.kty === 'RSA') {
    return new RegoObject([
      ['N', integer(jwk.n)],
      ['E', integer(jwk.e)],
      ['D', integer(jwk.d)],
      ['Primes', [integer(jwk.p), integer(jwk.q)]],
      [
        'Precomputed',
        new RegoObject([
          ['Dp', integer(jwk.dp)],
          ['Dq', integer(jwk.dq)],
          ['Qinv', integer(jwk.qi)],
          ['CRTValues', []],
        ]),
      ],
    ])
  }
  if (jwk.kty === 'EC') {
    return new RegoObject([
      ['Curve', new RegoObject()],
      ['X', integer(jwk.x)],
      ['Y', integer(jwk.y)],
      ['D', integer(jwk.d)],
    ])
  }
  const seed = Buffer.from(String(jwk.d), 'base64url')
  return Buffer.concat([seed, Buffer.from(String(jwk.x), 'base64url')]).toString('base64')
}
