/**
 * A JWK Set (RFC 7517) read into keys that may verify signatures, everything else left out with a reason.
 *
 * For the key sources, one set per issuer, so that a key is only ever found by issuer, key id and algorithm. It does
 * not fetch, keep or age anything, and it never uses private or symmetric material that a set should not hold.
 */
import { hash, KeyObject } from 'node:crypto'
import { importJWK } from 'jose'
import { decodeBase64url } from '../parse.ts'
import { signatureAlgorithms } from '../section.ts'
import type { SignatureAlgorithm } from '../section.ts'
import { keyFits } from '../signature.ts'
import { isJsonObject, parseStrictJson, StrictJsonError } from '../strict-json.ts'
import { isRocaModulus } from './weak-modulus.ts'

/** Why a document is not a usable key set. */
export class KeySetError extends Error {
  override readonly name = 'KeySetError'
}

/** A key that was left out. */
export interface IgnoredKey {
  /** The key id, cut to a length fit for a log. */
  readonly keyId: string | undefined
  readonly reason: string
}

interface UsableKey {
  readonly keyId: string | undefined
  readonly algorithms: readonly SignatureAlgorithm[]
  readonly key: KeyObject
}

type JsonObject = Readonly<Record<string, unknown>>

const maxKeys = 100
const minModulusBits = 2048
const maxModulusBits = 8192
const minExponent = 65_537n
const maxExponent = 2n ** 64n
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv']

const rsaAlgorithms = signatureAlgorithms.filter((name) => /^[RP]S/.test(name))
const edwardsAlgorithms = ['EdDSA', 'Ed25519'] as const

interface KeyKind {
  readonly members: readonly string[]
  readonly algorithms: readonly SignatureAlgorithm[]
}

/** Kinds of key by `kty` and `crv`, with the members that make the public key. */
const keyKinds: ReadonlyMap<string, KeyKind> = new Map<string, KeyKind>([
  ['RSA', { members: ['kty', 'n', 'e'], algorithms: rsaAlgorithms }],
  ['EC P-256', { members: ['kty', 'crv', 'x', 'y'], algorithms: ['ES256'] }],
  ['EC P-384', { members: ['kty', 'crv', 'x', 'y'], algorithms: ['ES384'] }],
  ['EC P-521', { members: ['kty', 'crv', 'x', 'y'], algorithms: ['ES512'] }],
  ['OKP Ed25519', { members: ['kty', 'crv', 'x'], algorithms: edwardsAlgorithms }],
])

const text = (jwk: JsonObject, member: string): string | undefined => {
  const value = Object.hasOwn(jwk, member) ? jwk[member] : undefined
  return typeof value === 'string' ? value : undefined
}

/** The algorithms that a JWK may verify, or the reason why it may verify none. */
const algorithmsOf = (jwk: JsonObject): KeyKind | string => {
  if (text(jwk, 'kty') === 'oct') return 'it is a symmetric key'
  if (privateMembers.some((member) => Object.hasOwn(jwk, member)))
    return 'it holds private material, so it is no secret any more'
  const kind = keyKinds.get(
    text(jwk, 'kty') === 'RSA' ? 'RSA' : `${text(jwk, 'kty')} ${text(jwk, 'crv')}`,
  )
  if (kind === undefined) return 'its kty and crv are not supported'
  if (Object.hasOwn(jwk, 'use') && jwk['use'] !== 'sig') return 'its use is not sig'
  const operations = jwk['key_ops']
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify')))
    return 'its key_ops do not include verify'
  if (!Object.hasOwn(jwk, 'alg')) return kind
  const named = kind.algorithms.find((algorithm) => algorithm === jwk['alg'])
  if (named === undefined) return 'its alg is not a signature algorithm for this kind of key'
  // RFC 9864: EdDSA over Ed25519 and Ed25519 are two names of one algorithm.
  return {
    members: kind.members,
    algorithms: kind.algorithms === edwardsAlgorithms ? edwardsAlgorithms : [named],
  }
}

/** What is wrong with the strength of a key (RFC 7518 §3.3, NIST SP 800-131A), or undefined. */
const weakness = (key: KeyObject, jwk: JsonObject): string | undefined => {
  if (key.asymmetricKeyType !== 'rsa') return undefined
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {}
  if (modulusLength < minModulusBits) return `its modulus has fewer than ${minModulusBits} bits`
  if (modulusLength > maxModulusBits) return `its modulus has more than ${maxModulusBits} bits`
  if (publicExponent < minExponent || publicExponent > maxExponent || publicExponent % 2n === 0n)
    return 'its public exponent is not an odd number of at least 65537 and at most 64 bits'
  const modulus = decodeBase64url(text(jwk, 'n') ?? '')
  if (modulus === undefined) return 'its modulus is not canonical base64url'
  if (isRocaModulus(BigInt(`0x${modulus.toString('hex')}`)))
    return 'its modulus is of the kind of CVE-2017-15361'
  return undefined
}

const readKey = async (jwk: unknown): Promise<UsableKey | string> => {
  if (!isJsonObject(jwk)) return 'it is not an object'
  if (Object.hasOwn(jwk, 'kid') && typeof jwk['kid'] !== 'string') return 'its kid is not a text'
  const kind = algorithmsOf(jwk)
  if (typeof kind === 'string') return kind
  const publicPart = Object.fromEntries(kind.members.map((member) => [member, jwk[member]]))
  try {
    const imported = await importJWK(publicPart, kind.algorithms[0], { extractable: true })
    if (imported instanceof Uint8Array) return 'it is a symmetric key'
    const key = KeyObject.from(imported)
    if (!kind.algorithms.every((algorithm) => keyFits(key, algorithm)))
      return 'its members do not fit its kty'
    return weakness(key, jwk) ?? { keyId: text(jwk, 'kid'), algorithms: kind.algorithms, key }
  } catch {
    return 'its members do not make a key'
  }
}

const slot = (algorithm: SignatureAlgorithm, keyId: string | undefined): string =>
  keyId === undefined ? algorithm : `${algorithm} ${keyId}`

/** The keys of one issuer. Immutable. */
export class KeySet {
  readonly ignored: readonly IgnoredKey[]
  readonly keyCount: number
  readonly #byName = new Map<string, KeyObject>()
  readonly #byAlgorithm = new Map<SignatureAlgorithm, KeyObject[]>()

  constructor(keys: readonly UsableKey[], ignored: readonly IgnoredKey[]) {
    this.ignored = ignored
    this.keyCount = keys.length
    for (const { keyId, algorithms, key } of keys) {
      for (const algorithm of algorithms) {
        if (keyId !== undefined) this.#byName.set(slot(algorithm, keyId), key)
        this.#byAlgorithm.set(algorithm, [...(this.#byAlgorithm.get(algorithm) ?? []), key])
      }
    }
  }

  /** The key called `keyId` for `algorithm`; without a key id, the only key that there is for the algorithm. */
  find(algorithm: SignatureAlgorithm, keyId: string | undefined): KeyObject | undefined {
    if (keyId !== undefined) return this.#byName.get(slot(algorithm, keyId))
    const keys = this.#byAlgorithm.get(algorithm)
    return keys?.length === 1 ? keys[0] : undefined
  }
}

const sameKey = (left: UsableKey, right: UsableKey): boolean => left.key.equals(right.key)

/** Leaves out keys that share a name with another key: which of them is meant cannot be known. */
const withoutAmbiguous = (
  keys: readonly UsableKey[],
  ignored: IgnoredKey[],
): readonly UsableKey[] => {
  const kept: UsableKey[] = []
  for (const [index, candidate] of keys.entries()) {
    const namesakes = keys.filter(
      (other) =>
        other.keyId !== undefined &&
        other.keyId === candidate.keyId &&
        other.algorithms.some((name) => candidate.algorithms.includes(name)),
    )
    if (namesakes.some((other) => !sameKey(other, candidate))) {
      ignored.push({
        keyId: candidate.keyId?.slice(0, 64),
        reason: 'another key has the same kid and alg',
      })
      continue
    }
    if (namesakes.some((other) => keys.indexOf(other) < index)) continue
    kept.push(candidate)
  }
  return kept
}

/**
 * Reads a JWK Set document.
 *
 * @throws {KeySetError} when the document is not a JWK Set, or no key in it may be used
 */
export const readKeySet = async (document: Uint8Array): Promise<KeySet> => {
  let parsed: unknown
  try {
    parsed = parseStrictJson(document, 32)
  } catch (error) {
    if (!(error instanceof StrictJsonError)) throw error
    throw new KeySetError(`the document is not acceptable JSON: ${error.message}`)
  }
  const listed = isJsonObject(parsed) && Object.hasOwn(parsed, 'keys') ? parsed['keys'] : undefined
  if (!Array.isArray(listed))
    throw new KeySetError('the document is not a JWK Set: it has no list of keys')
  if (listed.length > maxKeys) throw new KeySetError(`the document has more than ${maxKeys} keys`)
  const ignored: IgnoredKey[] = []
  const usable: UsableKey[] = []
  for (const jwk of listed as readonly unknown[]) {
    const key = await readKey(jwk)
    if (typeof key !== 'string') usable.push(key)
    else
      ignored.push({
        keyId: isJsonObject(jwk) ? text(jwk, 'kid')?.slice(0, 64) : undefined,
        reason: key,
      })
  }
  const kept = withoutAmbiguous(usable, ignored)
  if (kept.length === 0) {
    const why =
      ignored[0] === undefined ? '' : `; the first is left out because ${ignored[0].reason}`
    throw new KeySetError(`no key of the document may be used${why}`)
  }
  return new KeySet(kept, ignored)
}

/** Whether two documents are the same, without keeping either. */
export const documentDigest = (document: Uint8Array): string =>
  hash('sha256', document, 'base64url')
