/**
 * Which keys and signatures are good enough, and whether a signature is by a key.
 *
 * An allow-list: what is not named here (SHA-1, MD5, DSA, short RSA, explicit or small curves) is weak. Used for
 * certificates and CRLs alike; the arithmetic is OpenSSL's, through node:crypto.
 */
import { constants, createPublicKey, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { IdentityError } from '../identity-error.ts'
import {
  DerReader,
  integerBytes,
  objectId,
  readOnly,
  smallInteger,
  tag,
  wholeBytes,
} from './der.ts'
import { oid } from './oids.ts'

/** An AlgorithmIdentifier: the name, the DER of its parameters if any, and its whole DER. */
export interface Algorithm {
  readonly id: string
  readonly parameters: Buffer | undefined
  readonly der: Buffer
}

/** Reads an AlgorithmIdentifier. */
export const readAlgorithm = (whole: Buffer): Algorithm => {
  const reader = readOnly(whole, tag.sequence)
  const id = objectId(reader.next(tag.oid).content)
  const parameters = reader.atEnd ? undefined : reader.next().whole
  reader.finish()
  return { id, parameters, der: whole }
}

type Digest = 'sha256' | 'sha384' | 'sha512'
type Scheme =
  | { readonly kind: 'ec' | 'rsa'; readonly digest: Digest }
  | { readonly kind: 'rsa-pss'; readonly digest: Digest; readonly saltLength: number }
  | { readonly kind: 'ed25519' }

const plainSchemes: Readonly<Record<string, Scheme>> = {
  [oid.ecdsaWithSha256]: { kind: 'ec', digest: 'sha256' },
  [oid.ecdsaWithSha384]: { kind: 'ec', digest: 'sha384' },
  [oid.ecdsaWithSha512]: { kind: 'ec', digest: 'sha512' },
  [oid.sha256WithRsa]: { kind: 'rsa', digest: 'sha256' },
  [oid.sha384WithRsa]: { kind: 'rsa', digest: 'sha384' },
  [oid.sha512WithRsa]: { kind: 'rsa', digest: 'sha512' },
  [oid.ed25519]: { kind: 'ed25519' },
}

const digests: Readonly<Record<string, Digest>> = {
  [oid.sha256]: 'sha256',
  [oid.sha384]: 'sha384',
  [oid.sha512]: 'sha512',
}

const isNull = (parameters: Buffer): boolean =>
  parameters.length === 2 && parameters[0] === tag.null

const digestOf = (algorithm: Buffer): Digest => {
  const { id, parameters } = readAlgorithm(algorithm)
  const digest = digests[id]
  if (digest === undefined || (parameters !== undefined && !isNull(parameters)))
    throw new IdentityError('weak', `the hash ${id} of an rsa-pss signature is not allowed`)
  return digest
}

/** RSASSA-PSS-params of RFC 4055 §3.1; its defaults are SHA-1, so nothing may be left to a default. */
const pssScheme = (parameters: Buffer | undefined): Scheme => {
  if (parameters === undefined)
    throw new IdentityError('weak', 'rsa-pss without parameters means sha-1')
  const reader = readOnly(parameters, tag.sequence)
  const hash = reader.optional(0xa0)
  const mask = reader.optional(0xa1)
  const salt = reader.optional(0xa2)
  const trailer = reader.optional(0xa3)
  reader.finish()
  if (!hash || !mask || !salt || trailer)
    throw new IdentityError('weak', 'rsa-pss parameters fall back to sha-1 or are unusual')
  const digest = digestOf(hash.content)
  const generator = readAlgorithm(mask.content)
  if (
    generator.id !== oid.mgf1 ||
    !generator.parameters ||
    digestOf(generator.parameters) !== digest
  )
    throw new IdentityError('weak', 'rsa-pss parameters name two different hashes')
  const inner = new DerReader(salt.content)
  const saltLength = smallInteger(inner.next(tag.integer).content)
  inner.finish()
  return { kind: 'rsa-pss', digest, saltLength }
}

const schemeOf = (algorithm: Algorithm): Scheme => {
  if (algorithm.id === oid.rsaPss) return pssScheme(algorithm.parameters)
  const scheme = plainSchemes[algorithm.id]
  if (!scheme)
    throw new IdentityError('weak', `the signature algorithm ${algorithm.id} is not allowed`)
  const { parameters } = algorithm
  const wanted =
    scheme.kind === 'rsa'
      ? parameters === undefined || isNull(parameters)
      : parameters === undefined
  if (!wanted) throw new IdentityError('malformed', 'a signature algorithm has wrong parameters')
  return scheme
}

/** A public key that passed the allow-list. `spki` is its SubjectPublicKeyInfo. */
export interface PublicKeyInfo {
  readonly kind: 'ec' | 'rsa' | 'ed25519'
  readonly spki: Buffer
}

const curves: ReadonlySet<string> = new Set([oid.p256, oid.p384, oid.p521])
const minRsaBits = 2048
/** Above this a signature check costs more than a handshake may. */
const maxRsaBits = 8192

const rsaBits = (key: Buffer): number => {
  const reader = readOnly(key, tag.sequence)
  const modulus = integerBytes(reader.next(tag.integer).content)
  const exponent = integerBytes(reader.next(tag.integer).content)
  reader.finish()
  const odd = (exponent.at(-1)! & 1) === 1
  if (!odd || exponent.length > 5 || (exponent.length === 1 && exponent[0]! < 3))
    throw new IdentityError('weak', 'an rsa key has an unusual exponent')
  return modulus[0] === 0 ? (modulus.length - 1) * 8 : modulus.length * 8
}

/** Judges a SubjectPublicKeyInfo. @throws IdentityError `weak`, or DerError */
export const readPublicKey = (spki: Buffer): PublicKeyInfo => {
  const reader = readOnly(spki, tag.sequence)
  const algorithm = readAlgorithm(reader.next(tag.sequence).whole)
  const key = wholeBytes(reader.next(tag.bitString).content)
  reader.finish()
  if (algorithm.id === oid.ed25519) return { kind: 'ed25519', spki }
  if (algorithm.id === oid.rsaEncryption || algorithm.id === oid.rsaPss) {
    const bits = rsaBits(key)
    if (bits < minRsaBits)
      throw new IdentityError('weak', `an rsa key of ${bits} bits is too short`)
    if (bits > maxRsaBits)
      throw new IdentityError('too-large', `an rsa key of ${bits} bits is too long`)
    return { kind: 'rsa', spki }
  }
  if (algorithm.id !== oid.ecPublicKey)
    throw new IdentityError('weak', `the key algorithm ${algorithm.id} is not allowed`)
  // A curve given by its numbers instead of its name is how a forged root passes as a real one (CVE-2020-0601).
  if (algorithm.parameters?.[0] !== tag.oid)
    throw new IdentityError('weak', 'an elliptic curve is not given by name')
  const curve = objectId(new DerReader(algorithm.parameters).next(tag.oid).content)
  if (!curves.has(curve))
    throw new IdentityError('weak', `the elliptic curve ${curve} is not allowed`)
  return { kind: 'ec', spki }
}

const keyObjects = new WeakMap<Buffer, KeyObject>()

/** The key as node:crypto knows it, made once for each buffer. */
export const keyObjectOf = (key: PublicKeyInfo): KeyObject => {
  const known = keyObjects.get(key.spki)
  if (known) return known
  let made: KeyObject
  try {
    made = createPublicKey({ key: key.spki, format: 'der', type: 'spki' })
  } catch {
    throw new IdentityError('malformed', 'a public key does not parse')
  }
  keyObjects.set(key.spki, made)
  return made
}

/**
 * True when `signature` over `signed` is by `key`.
 *
 * @throws IdentityError `weak` when the algorithm is not allowed, whoever signed
 */
export const isSignedBy = (
  key: PublicKeyInfo,
  algorithm: Algorithm,
  signed: Buffer,
  signature: Buffer,
): boolean => {
  const scheme = schemeOf(algorithm)
  if (key.kind !== (scheme.kind === 'rsa-pss' ? 'rsa' : scheme.kind)) return false
  const object = keyObjectOf(key)
  try {
    if (scheme.kind === 'ed25519') return verify(null, signed, object, signature)
    if (scheme.kind === 'rsa-pss')
      return verify(
        scheme.digest,
        signed,
        { key: object, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: scheme.saltLength },
        signature,
      )
    return verify(scheme.digest, signed, object, signature)
  } catch {
    return false
  }
}
