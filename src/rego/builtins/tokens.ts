/**
 * The `io.jwt` functions. What is verified is what the policy asks for: `decode` checks nothing, `verify_*` checks the
 * signature alone, `decode_verify` the signature and the constraints given.
 */
import type { KeyObject } from 'node:crypto'
import { compareNumbers, fromDouble, isNumber, toDouble } from '../numbers.ts'
import {
  isArray,
  isObject,
  objectEntries,
  objectGet,
  RegoObject,
  type ObjectValue,
  type Value,
} from '../values.ts'
import type { BuiltinContext } from './builtin.ts'
import { cached } from './cache.ts'
import { bytesOf, textOf } from './go/bytes.ts'
import { quoteGo } from './go/quote.ts'
import { trimCharacters } from './go/trim.ts'
import { isJson, JsonError, parseJson, writeJson } from './json/text.ts'
import {
  algorithms,
  KeyError,
  readSigningKey,
  readVerificationKeys,
  type VerificationKey,
} from './jwt/keys.ts'
import { isHmac, SignatureError, signData, verifySignature } from './jwt/signature.ts'
import {
  decodeHeader,
  decodePart,
  decodePayloadText,
  decodeSignature,
  readHeader,
  readObject,
  splitToken,
  TokenError,
  type TokenParts,
} from './jwt/token.ts'
import {
  fail,
  objectOperand,
  stringOperand,
  type FunctionTable,
  type Implementation,
} from './operand.ts'

/** A signature takes as long as many comparisons do. */
const stepsPerSignature = 200

/** Tokens inside tokens beyond this depth are refused. */
const nestingLimit = 16

function said<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (
      error instanceof TokenError ||
      error instanceof KeyError ||
      error instanceof SignatureError
    ) {
      fail(error.message)
    }
    throw error
  }
}

function decode(token: string, depth = 0): Value {
  if (depth > nestingLimit) throw new TokenError('JWT is nested too deeply')
  const parts = splitToken(token)
  const header = decodeHeader(parts)
  const payload = decodePayloadText(parts)
  if (objectGet(header, 'cty') === 'JWT')
    return decode(trimCharacters(payload, `"'`, 'both'), depth + 1)
  const claims = readObject('', payload)
  const signature = decodePart('JWT signature had invalid encoding: ', parts.signature)
  return [header, claims, signature.toString('hex')]
}

function signedBytes(parts: TokenParts): Buffer {
  return Buffer.from(`${parts.header}.${parts.payload}`)
}

function keysOf(context: BuiltinContext, text: string): readonly VerificationKey[] {
  return cached(context, 'jwt-keys', text, () => readVerificationKeys(text))
}

/** The key that the token names, or else every key that its algorithm does not rule out. */
function candidates(
  keys: readonly VerificationKey[],
  keyId: string,
  algorithm: string,
): readonly VerificationKey[] {
  const named = keyId === '' ? undefined : keys.find((key) => key.id === keyId)
  if (named !== undefined) return [named]
  return keys.filter((key) => key.algorithm === '' || key.algorithm === algorithm)
}

function verifyAsymmetric(algorithm: string): Implementation {
  return (context, token, key) => {
    const text = stringOperand(token, 1)
    return said(() => {
      const parts = splitToken(text)
      const keys = keysOf(context, stringOperand(key, 2))
      const signature = decodeSignature(parts)
      const header = readHeader(decodeHeader(parts))
      const data = signedBytes(parts)
      return candidates(keys, header.keyId, header.algorithm).some((candidate) => {
        context.spend(stepsPerSignature)
        return verifySignature(algorithm, candidate.key, data, signature)
      })
    })
  }
}

function verifyHmac(hash: string): Implementation {
  return (_, token, secret) => {
    const text = stringOperand(token, 1)
    const key = stringOperand(secret, 2)
    return said(() => {
      const parts = splitToken(text)
      const signature = decodeSignature(parts)
      return isHmac(hash, bytesOf(key), signedBytes(parts), signature)
    })
  }
}

interface Constraints {
  keys: readonly VerificationKey[] | undefined
  secret: string
  alg: string
  iss: string
  aud: string
  /** Nanoseconds since 1970. */
  time: number
}

function readConstraints(context: BuiltinContext, object: ObjectValue): Constraints {
  const constraints: Constraints = {
    keys: undefined,
    secret: '',
    alg: '',
    iss: '',
    aud: '',
    time: -1,
  }
  for (const { key, value } of objectEntries(object)) {
    if (key === 'cert') {
      if (typeof value !== 'string') fail('cert constraint: must be a string')
      constraints.keys = keysOf(context, value)
    } else if (key === 'secret' || key === 'alg' || key === 'iss' || key === 'aud') {
      if (typeof value !== 'string') fail(`${key} constraint: must be a string`)
      constraints[key] = value
    } else if (key === 'time') {
      constraints.time = readTime(value)
    } else {
      fail(`unknown token validation constraint: ${typeof key === 'string' ? key : 'not a string'}`)
    }
  }
  if (constraints.time === -1) constraints.time = Number(context.nowNs())
  const given = (constraints.keys === undefined ? 0 : 1) + (constraints.secret === '' ? 0 : 1)
  if (given > 1) fail('duplicate key constraints')
  if (given < 1) fail('no key constraint')
  return constraints
}

function readTime(value: Value): number {
  if (!isNumber(value)) fail('token time constraint: must be a number')
  const time = toDouble(value)
  if (!Number.isFinite(time)) fail('token time constraint: unvalid float64')
  if (time < 0) fail('token time constraint: must not be negative')
  return time
}

function isSigned(
  context: BuiltinContext,
  constraints: Constraints,
  header: { keyId: string; algorithm: string },
  parts: TokenParts,
): boolean {
  const signature = decodeSignature(parts)
  const data = signedBytes(parts)
  const { algorithm } = header
  if (constraints.keys === undefined) {
    return verifySignature(algorithm, bytesOf(constraints.secret), data, signature)
  }
  return candidates(constraints.keys, header.keyId, algorithm).some((candidate) => {
    context.spend(stepsPerSignature)
    return verifySignature(algorithm, candidate.key, data, signature)
  })
}

function isAudience(wanted: string, audience: Value): boolean {
  return audience === wanted || (isArray(audience) && audience.includes(wanted))
}

function satisfies(constraints: Constraints, claims: ObjectValue): boolean {
  const issuer = objectGet(claims, 'iss')
  if (constraints.iss !== '' && issuer !== constraints.iss) return false
  const audience = objectGet(claims, 'aud')
  if (audience === undefined ? constraints.aud !== '' : !isAudience(constraints.aud, audience))
    return false
  const seconds = fromDouble(constraints.time / 1e9)
  const expiry = objectGet(claims, 'exp')
  if (expiry !== undefined) {
    if (!isNumber(expiry)) fail('exp value must be a number')
    if (compareNumbers(seconds, expiry) >= 0) return false
  }
  const start = objectGet(claims, 'nbf')
  if (start === undefined) return true
  if (!isNumber(start)) fail('nbf value must be a number')
  return compareNumbers(seconds, start) >= 0
}

const unverified: Value = [false, new RegoObject(), new RegoObject()]

function decodeVerify(context: BuiltinContext, token: Value, options: Value): Value {
  const constraints = readConstraints(context, objectOperand(options, 2))
  let text = stringOperand(token, 1)
  for (let depth = 0; depth <= nestingLimit; depth++) {
    const parts = splitToken(text)
    const object = decodeHeader(parts)
    const header = readHeader(object)
    if (header.algorithm === '' || header.unknownCritical.length > 0) return unverified
    if (constraints.alg !== '' && constraints.alg !== header.algorithm) return unverified
    if (!isSigned(context, constraints, header, parts)) return unverified
    const payload = decodePayloadText(parts)
    if (header.contentType.toUpperCase() === 'JWT') {
      text = payload
      continue
    }
    const claims = readObject('', payload)
    return satisfies(constraints, claims) ? [true, object, claims] : unverified
  }
  return fail('JWT is nested too deeply')
}

/** How the JSON reader of OPA's token library refuses a header. */
function cannotParse(text: string, error: JsonError): string {
  const trimmed = text.trim()
  if (trimmed === '') return 'cannot parse JSON: cannot parse empty string; unparsed tail: ""'
  if (!/^[{["tfn0-9-]/.test(trimmed)) {
    const character = quoteGo(trimmed.slice(0, 1))
    return `cannot parse JSON: cannot parse number: unexpected char: ${character}; unparsed tail: ${quoteGo(trimmed)}`
  }
  const reason = error.message.endsWith('after object key')
    ? "missing ':' after object key"
    : error.message
  return `cannot parse JSON: cannot parse object: ${reason}`
}

/** What OPA's token library takes for a number, which then has no fields. */
const looseNumber = /^\s*(?:[-+0-9.eE]+|[-+]?(?:inf|nan))\s*$/i

/** The two header fields that signing looks at. */
function signingHeader(text: string): { algorithm: string; type: string | undefined } {
  let header: Value = null
  try {
    if (!looseNumber.test(text)) header = parseJson(text)
  } catch (error) {
    if (error instanceof JsonError) {
      fail(`missing or invalid 'alg' header: ${cannotParse(text, error)}`)
    }
    throw error
  }
  const field = (name: string): string | undefined => {
    const value = isObject(header) ? objectGet(header, name) : undefined
    return typeof value === 'string' ? value : undefined
  }
  const missing = `missing or invalid 'alg' header: jwsbb: header "alg" not found`
  return { algorithm: field('alg') ?? fail(missing), type: field('typ') }
}

function encodeSign(headers: string, payload: string, key: string): string {
  const signingKey: KeyObject | Buffer = readSigningKey(key)
  const { algorithm, type } = signingHeader(headers)
  if (!algorithms.has(algorithm)) fail(`unknown JWS algorithm: ${algorithm}`)
  const isJwt = type === undefined || type === 'JWT'
  if (isJwt && !isJson(textOf(bytesOf(payload)))) fail('type is JWT but payload is not JSON')
  const data = `${bytesOf(headers).toString('base64url')}.${bytesOf(payload).toString('base64url')}`
  return `${data}.${signData(algorithm, signingKey, Buffer.from(data)).toString('base64url')}`
}

export const tokenFunctions: FunctionTable = {
  'io.jwt.decode': (_, token) => {
    const text = stringOperand(token, 1)
    return said(() => decode(text))
  },
  'io.jwt.decode_verify': (context, token, constraints) =>
    said(() => decodeVerify(context, token, constraints)),
  'io.jwt.encode_sign': (_, headers, payload, key) =>
    said(() => encodeSign(writeJson(headers), writeJson(payload), writeJson(key))),
  'io.jwt.encode_sign_raw': (_, headers, payload, key) => {
    const jwk = stringOperand(key, 3)
    const header = stringOperand(headers, 1)
    const claims = stringOperand(payload, 2)
    return said(() => encodeSign(header, claims, jwk))
  },
  'io.jwt.verify_eddsa': verifyAsymmetric('EdDSA'),
  'io.jwt.verify_es256': verifyAsymmetric('ES256'),
  'io.jwt.verify_es384': verifyAsymmetric('ES384'),
  'io.jwt.verify_es512': verifyAsymmetric('ES512'),
  'io.jwt.verify_hs256': verifyHmac('sha256'),
  'io.jwt.verify_hs384': verifyHmac('sha384'),
  'io.jwt.verify_hs512': verifyHmac('sha512'),
  'io.jwt.verify_ps256': verifyAsymmetric('PS256'),
  'io.jwt.verify_ps384': verifyAsymmetric('PS384'),
  'io.jwt.verify_ps512': verifyAsymmetric('PS512'),
  'io.jwt.verify_rs256': verifyAsymmetric('RS256'),
  'io.jwt.verify_rs384': verifyAsymmetric('RS384'),
  'io.jwt.verify_rs512': verifyAsymmetric('RS512'),
}
