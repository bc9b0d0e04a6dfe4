/** JWS signatures (RFC 7518, RFC 8037) over given bytes. A key of the wrong type verifies nothing. */
import {
  constants,
  createHmac,
  KeyObject,
  sign,
  timingSafeEqual,
  verify,
  type SignKeyObjectInput,
  type VerifyKeyObjectInput,
} from 'node:crypto'

/** Why something cannot be signed. */
export class SignatureError extends Error {}

type Family = 'HS' | 'RS' | 'PS' | 'ES' | 'Ed'

interface Algorithm {
  readonly family: Family
  /** Undefined for EdDSA, which hashes by itself. */
  readonly hash: string | undefined
}

function algorithmOf(name: string): Algorithm | undefined {
  if (name === 'EdDSA') return { family: 'Ed', hash: undefined }
  const match = /^(HS|RS|PS|ES)(256|384|512)$/.exec(name)
  return match === null ? undefined : { family: match[1] as Family, hash: `sha${match[2]}` }
}

const keyTypes: Readonly<Record<Family, string>> = {
  HS: 'secret',
  RS: 'rsa',
  PS: 'rsa',
  ES: 'ec',
  Ed: 'ed25519',
}

function fits(key: KeyObject | Buffer, family: Family): boolean {
  if (Buffer.isBuffer(key)) return family === 'HS'
  return key.asymmetricKeyType === keyTypes[family]
}

function withPadding(
  key: KeyObject,
  { family }: Algorithm,
  use: 'sign' | 'verify',
): SignKeyObjectInput {
  if (family === 'ES') return { key, dsaEncoding: 'ieee-p1363' }
  if (family !== 'PS') return { key }
  const saltLength =
    use === 'sign' ? constants.RSA_PSS_SALTLEN_DIGEST : constants.RSA_PSS_SALTLEN_AUTO
  return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }
}

/** Whether `signature` is one of `data` by `key` under the algorithm; false for an algorithm that is not known. */
export function verifySignature(
  name: string,
  key: KeyObject | Buffer,
  data: Buffer,
  signature: Buffer,
): boolean {
  const algorithm = algorithmOf(name)
  if (algorithm === undefined || !fits(key, algorithm.family)) return false
  if (Buffer.isBuffer(key)) return isHmac(algorithm.hash!, key, data, signature)
  try {
    const input: VerifyKeyObjectInput = withPadding(key, algorithm, 'verify')
    return verify(algorithm.hash, data, input, signature)
  } catch {
    return false
  }
}

/** Whether `signature` is the HMAC of `data`, compared in constant time. */
export function isHmac(hash: string, secret: Buffer, data: Buffer, signature: Buffer): boolean {
  const expected = createHmac(hash, secret).update(data).digest()
  return expected.length === signature.length && timingSafeEqual(expected, signature)
}

/** @throws SignatureError */
export function signData(name: string, key: KeyObject | Buffer, data: Buffer): Buffer {
  const algorithm = algorithmOf(name)
  if (algorithm === undefined) throw new SignatureError(`unknown JWS algorithm: ${name}`)
  if (!fits(key, algorithm.family)) throw new SignatureError(`invalid key type for ${name}`)
  if (Buffer.isBuffer(key)) return createHmac(algorithm.hash!, key).update(data).digest()
  try {
    return sign(algorithm.hash, data, withPadding(key, algorithm, 'sign'))
  } catch (error) {
    throw new SignatureError(error instanceof Error ? error.message : 'signing failed')
  }
}
