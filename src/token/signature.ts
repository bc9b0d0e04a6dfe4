/**
 * JWS signatures (RFC 7518 §3, RFC 8037) made and checked with node:crypto, synchronously.
 *
 * For the verifiers and the minter: one call costs about a third of the same through WebCrypto, and the hot path needs
 * no promise. The caller gives the algorithm from its allow-list and a key that {@link keyFits}; nothing here reads a
 * header.
 */
import { constants, sign, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { SignatureAlgorithm } from './section.ts'

interface Scheme {
  readonly digest: string | null
  readonly keyType: 'ec' | 'rsa' | 'ed25519'
  readonly curve?: string
  readonly padding?: number
  /** Bytes of a signature, where the algorithm alone gives it. */
  readonly length?: number
}

const pkcs1 = constants.RSA_PKCS1_PADDING
const pss = constants.RSA_PKCS1_PSS_PADDING

const schemes: Readonly<Record<SignatureAlgorithm, Scheme>> = {
  ES256: { digest: 'sha256', keyType: 'ec', curve: 'prime256v1', length: 64 },
  ES384: { digest: 'sha384', keyType: 'ec', curve: 'secp384r1', length: 96 },
  ES512: { digest: 'sha512', keyType: 'ec', curve: 'secp521r1', length: 132 },
  RS256: { digest: 'sha256', keyType: 'rsa', padding: pkcs1 },
  RS384: { digest: 'sha384', keyType: 'rsa', padding: pkcs1 },
  RS512: { digest: 'sha512', keyType: 'rsa', padding: pkcs1 },
  PS256: { digest: 'sha256', keyType: 'rsa', padding: pss },
  PS384: { digest: 'sha384', keyType: 'rsa', padding: pss },
  PS512: { digest: 'sha512', keyType: 'rsa', padding: pss },
  EdDSA: { digest: null, keyType: 'ed25519', length: 64 },
  Ed25519: { digest: null, keyType: 'ed25519', length: 64 },
}

/** Whether `key` is of the type, and on the curve, that `algorithm` is defined for. */
export const keyFits = (key: KeyObject, algorithm: SignatureAlgorithm): boolean => {
  const scheme = schemes[algorithm]
  if (key.asymmetricKeyType !== scheme.keyType) return false
  return scheme.curve === undefined || key.asymmetricKeyDetails?.namedCurve === scheme.curve
}

const options = (key: KeyObject, scheme: Scheme) => ({
  key,
  dsaEncoding: 'ieee-p1363' as const,
  ...(scheme.padding !== undefined && { padding: scheme.padding }),
  // RFC 7518 §3.5: the salt is as long as the digest, no other length.
  ...(scheme.padding === pss && { saltLength: constants.RSA_PSS_SALTLEN_DIGEST }),
})

/** Whether `signature` is one of `signingInput` by the holder of `key`. Never throws for what a stranger sent. */
export const verifySignature = (
  algorithm: SignatureAlgorithm,
  key: KeyObject,
  signingInput: string,
  signature: Uint8Array,
): boolean => {
  const scheme = schemes[algorithm]
  if (scheme.length !== undefined && signature.length !== scheme.length) return false
  if (!keyFits(key, algorithm)) return false
  try {
    return verify(
      scheme.digest,
      Buffer.from(signingInput, 'latin1'),
      options(key, scheme),
      signature,
    )
  } catch {
    return false
  }
}

/** Signature of `signingInput` in the JWS form. */
export const makeSignature = (
  algorithm: SignatureAlgorithm,
  key: KeyObject,
  signingInput: string,
): Buffer => {
  const scheme = schemes[algorithm]
  return sign(scheme.digest, Buffer.from(signingInput, 'latin1'), options(key, scheme))
}

/** The algorithm that a key of ours signs with, or undefined for a kind of key that is not used for signing tokens. */
export const algorithmOfKey = (key: KeyObject): SignatureAlgorithm | undefined =>
  (['ES256', 'ES384', 'ES512', 'RS256', 'EdDSA'] as const).find((algorithm) =>
    keyFits(key, algorithm),
  )

const encodePart = (value: unknown): string =>
  Buffer.from(JSON.stringify(value)).toString('base64url')

/** A compact JWS over `claims`. */
export const signToken = (
  header: Readonly<Record<string, unknown>>,
  claims: Readonly<Record<string, unknown>>,
  algorithm: SignatureAlgorithm,
  key: KeyObject,
): string => {
  const signingInput = `${encodePart({ ...header, alg: algorithm })}.${encodePart(claims)}`
  return `${signingInput}.${makeSignature(algorithm, key, signingInput).toString('base64url')}`
}
