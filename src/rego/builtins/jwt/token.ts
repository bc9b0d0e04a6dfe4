/** Compact JWTs taken apart: three parts, the header decoded. No signature or claim is checked here. */
import { isArray, isObject, objectEntries, objectGet, type ObjectValue } from '../../values.ts'
import { decodeBase64Url, DecodeError } from '../go/base64.ts'
import { textOf } from '../go/bytes.ts'
import { JsonError, parseJson } from '../json/text.ts'

/** A text that is no token, in OPA's words. */
export class TokenError extends Error {}

export interface TokenParts {
  readonly header: string
  readonly payload: string
  readonly signature: string
}

export interface TokenHeader {
  readonly algorithm: string
  readonly keyId: string
  readonly contentType: string
  /** Names that must be understood and are not. */
  readonly unknownCritical: readonly string[]
}

/** @throws TokenError */
export function splitToken(text: string): TokenParts {
  if (!text.includes('.')) throw new TokenError('encoded JWT had no period separators')
  const parts = text.split('.')
  const [header, payload, signature] = parts
  if (
    parts.length !== 3 ||
    header === undefined ||
    payload === undefined ||
    signature === undefined
  ) {
    throw new TokenError(`encoded JWT must have 3 sections, found ${parts.length}`)
  }
  return { header, payload, signature }
}

/** @throws TokenError */
export function decodePart(what: string, part: string): Buffer {
  try {
    return decodeBase64Url(part)
  } catch (error) {
    if (error instanceof DecodeError) throw new TokenError(`${what}${error.message}`)
    throw error
  }
}

/** @throws TokenError */
export function decodeSignature(parts: TokenParts): Buffer {
  return decodePart('', parts.signature)
}

/** @throws TokenError */
export function decodeHeader(parts: TokenParts): ObjectValue {
  const bytes = decodePart('JWT header had invalid encoding: ', parts.header)
  const header = readObject('bad JWT header: ', textOf(bytes))
  if (objectGet(header, 'enc') !== undefined) {
    throw new TokenError('JWT is a JWE object, which is not supported')
  }
  return header
}

/** @throws TokenError */
export function decodePayloadText(parts: TokenParts): string {
  return textOf(decodePart('JWT payload had invalid encoding: ', parts.payload))
}

/** @throws TokenError */
export function readObject(prefix: string, text: string): ObjectValue {
  let value
  try {
    value = parseJson(text)
  } catch (error) {
    if (error instanceof JsonError) throw new TokenError(`${prefix}invalid JSON: ${error.message}`)
    throw error
  }
  if (!isObject(value)) throw new TokenError(`${prefix}decoded JSON type was not an Object`)
  return value
}

const known = new Set(['alg', 'kid', 'typ', 'cty', 'crit'])

/** @throws TokenError */
export function readHeader(header: ObjectValue): TokenHeader {
  for (const name of ['alg', 'kid', 'typ', 'cty']) {
    const value = objectGet(header, name)
    if (value !== undefined && typeof value !== 'string')
      throw new TokenError(`${name}: must be a string`)
  }
  const critical = readCritical(header)
  const names = objectEntries(header).map((entry) => entry.key)
  const text = (name: string): string => (objectGet(header, name) as string | undefined) ?? ''
  return {
    algorithm: text('alg'),
    keyId: text('kid'),
    contentType: text('cty'),
    unknownCritical: names.filter(
      (name): name is string => typeof name === 'string' && !known.has(name) && critical.has(name),
    ),
  }
}

function readCritical(header: ObjectValue): ReadonlySet<string> {
  const value = objectGet(header, 'crit')
  if (value === undefined) return new Set()
  if (!isArray(value)) throw new TokenError('crit: must be a list')
  const names = value.filter((name): name is string => typeof name === 'string')
  if (names.length === 0) throw new TokenError('crit: must be a nonempty list')
  return new Set(names)
}
