/**
 * The front check of a token: everything that can be judged before any key is looked up or any signature computed.
 *
 * For the verifiers of user and hop tokens. A compact JWS (RFC 7515 §7.1) that passes has one reading: canonical
 * base64url, JSON without duplicates, a header with nothing in it that we would have to ignore. It does NOT check the
 * signature or any claim; nothing in the result may be trusted yet.
 */
import type { SignatureAlgorithm } from './section.ts'
import { isJsonObject, parseStrictJson, StrictJsonError } from './strict-json.ts'
import { TokenError } from './token-error.ts'

/** The longest token that is looked at, in characters. */
export const maxTokenLength = 8 * 1024
const maxJsonDepth = 32
const maxKeyIdLength = 512

/** A token taken apart, nothing verified. */
export interface ParsedToken {
  readonly algorithm: SignatureAlgorithm
  readonly keyId: string | undefined
  /** The ASCII text that the signature covers. */
  readonly signingInput: string
  readonly signature: Buffer
  readonly payload: Buffer
}

/** What a kind of token allows in its header. */
export interface HeaderRules {
  readonly algorithms: readonly SignatureAlgorithm[]
  /** Accepted `typ` values in lower case, without `application/`. */
  readonly types: readonly string[]
  readonly typeMayBeAbsent: boolean
}

/** Header members that bring a key or the address of one along; a token must not choose the key that judges it (RFC 8725 §3.10). */
const keyMembers = ['jwk', 'jku', 'x5u', 'x5c'] as const
/** Header members that change what is signed or how it is to be read; we understand none of them (RFC 7515 §4.1.11, RFC 7797). */
const refusedMembers = ['crit', 'b64', 'zip', 'enc'] as const

/** The bytes of `text`, or undefined unless it is the one canonical base64url form of them (RFC 4648 §3.5, §5). */
export const decodeBase64url = (text: string): Buffer | undefined => {
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? bytes : undefined
}

const parseObject = (bytes: Uint8Array, part: string): Readonly<Record<string, unknown>> => {
  let value: unknown
  try {
    value = parseStrictJson(bytes, maxJsonDepth)
  } catch (error) {
    if (!(error instanceof StrictJsonError)) throw error
    throw new TokenError(
      'malformed',
      `the ${part} is ${error.message === 'not JSON' ? '' : 'not acceptable JSON: '}${error.message}`,
    )
  }
  if (!isJsonObject(value)) throw new TokenError('malformed', `the ${part} is not a JSON object`)
  return value
}

const readAlgorithm = (
  header: Readonly<Record<string, unknown>>,
  rules: HeaderRules,
): SignatureAlgorithm => {
  const named = Object.hasOwn(header, 'alg') ? header['alg'] : undefined
  if (typeof named !== 'string') throw new TokenError('malformed', 'the header has no alg')
  const algorithm = rules.algorithms.find((allowed) => allowed === named)
  if (algorithm === undefined) {
    throw new TokenError(
      'algorithm',
      `the token is not signed with an allowed algorithm; allowed: ${rules.algorithms.join(', ')}`,
    )
  }
  return algorithm
}

const checkType = (header: Readonly<Record<string, unknown>>, rules: HeaderRules): void => {
  const accepted = `accepted: ${rules.types.join(', ')}`
  if (!Object.hasOwn(header, 'typ')) {
    if (rules.typeMayBeAbsent) return
    throw new TokenError('malformed', `the header has no typ; ${accepted}`)
  }
  const type = header['typ']
  if (typeof type !== 'string')
    throw new TokenError('malformed', 'the typ of the header is not a text')
  // RFC 7515 §4.1.9: media types compare without case, and application/ may be left out.
  const short = type.toLowerCase().replace(/^application\//, '')
  if (!rules.types.includes(short))
    throw new TokenError(
      'malformed',
      `the typ says that this is another kind of token; ${accepted}`,
    )
}

const readHeader = (
  bytes: Buffer,
  rules: HeaderRules,
): Pick<ParsedToken, 'algorithm' | 'keyId'> => {
  const header = parseObject(bytes, 'header')
  for (const name of refusedMembers) {
    if (Object.hasOwn(header, name))
      throw new TokenError('malformed', `the header has ${name}, which is not supported`)
  }
  for (const name of keyMembers) {
    if (Object.hasOwn(header, name))
      throw new TokenError(
        'malformed',
        `the header brings its own key in ${name}; keys come from the provider only`,
      )
  }
  const contentType = header['cty']
  if (
    contentType !== undefined &&
    (typeof contentType !== 'string' || /^(application\/)?jwt$/i.test(contentType))
  ) {
    throw new TokenError('malformed', 'the token wraps another token')
  }
  const keyId = header['kid']
  if (keyId !== undefined && (typeof keyId !== 'string' || keyId.length > maxKeyIdLength)) {
    throw new TokenError(
      'malformed',
      `the kid is not a text of at most ${maxKeyIdLength} characters`,
    )
  }
  const algorithm = readAlgorithm(header, rules)
  checkType(header, rules)
  return { algorithm, keyId }
}

/**
 * Takes a compact token apart.
 *
 * @throws {TokenError} `too-large`, `malformed` or `algorithm`
 */
export const parseToken = (token: string, rules: HeaderRules): ParsedToken => {
  if (token.length > maxTokenLength)
    throw new TokenError('too-large', `the token is longer than ${maxTokenLength} characters`)
  const parts = token.split('.', 4)
  const [headerText, payloadText, signatureText] = parts
  if (
    parts.length !== 3 ||
    headerText === undefined ||
    payloadText === undefined ||
    signatureText === undefined
  ) {
    throw new TokenError('malformed', 'the token does not have three parts')
  }
  const header = decodeBase64url(headerText)
  const payload = decodeBase64url(payloadText)
  const signature = decodeBase64url(signatureText)
  if (header === undefined || payload === undefined || signature === undefined) {
    throw new TokenError('malformed', 'a part of the token is not canonical base64url')
  }
  return {
    ...readHeader(header, rules),
    signingInput: token.slice(0, headerText.length + 1 + payloadText.length),
    signature,
    payload,
  }
}

/**
 * The claims in the payload, still unverified unless the signature was checked.
 *
 * @throws {TokenError} `malformed`
 */
export const parseClaims = (payload: Uint8Array): Readonly<Record<string, unknown>> =>
  parseObject(payload, 'payload')

/**
 * The `iss` of a token that has not been verified, to choose whose keys shall judge it.
 *
 * @throws {TokenError} `malformed`, `issuer`
 */
export const unverifiedIssuer = (claims: Readonly<Record<string, unknown>>): string => {
  const issuer = Object.hasOwn(claims, 'iss') ? claims['iss'] : undefined
  if (typeof issuer !== 'string') throw new TokenError('issuer', 'the token has no iss')
  return issuer
}
