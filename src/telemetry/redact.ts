/**
 * Keeps secrets out of everything that is printed: URLs, paths, header lists and free text.
 *
 * Used by spans, logs and error bodies. Works in two layers: what may leave is listed (query keys, header names,
 * attribute names), and what is let through is searched for the shapes of keys and tokens as a second net. The second
 * net is a guess; the first is the rule.
 */
import { createHash } from 'node:crypto'
import { redacted } from '../secret.ts'

/** Query parameters that carry signatures in known APIs; their values never show, even when listed. */
const signatureKeys = new Set([
  'x-amz-signature',
  'x-amz-credential',
  'x-amz-security-token',
  'awsaccesskeyid',
  'signature',
  'sig',
  'x-goog-signature',
  'x-goog-credential',
  'access_token',
  'api_key',
  'apikey',
  'key',
  'token',
  'password',
  'secret',
  'client_secret',
])

const hiddenValue = 'REDACTED'

/** Prefixes by which issuers mark their keys so that they can be found when they leak. */
const keyShapes =
  /\b(?:sk|pk|rk|whsec)_(?:live|test)?_?[0-9A-Za-z]{8,}|\bgh[pousr]_[0-9A-Za-z]{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}|\bxox[abeoprs]-[\w-]{8,}|\b(?:AKIA|ASIA)[0-9A-Z]{12,}|\bAIza[\w-]{30,}|\bSG\.[\w-]{16,}\.[\w-]{16,}|\bsk-(?:[a-z]+-)?[\w-]{16,}|\bnpm_[0-9A-Za-z]{30,}|\bhv[sb]\.[\w-]{20,}|\b\d{6,}:[\w-]{30,}/g
const tokenShape = /\beyJ[\w-]{4,}\.[\w-]*(?:\.[\w-]*){0,3}/g
const pemShape = /-----BEGIN [A-Z ]+-----[\s\S]*?(?:-----END [A-Z ]+-----|$)/g
const schemeShape =
  /\b(bearer|basic|digest|dpop|negotiate|aws4-hmac-sha256|token)[ \t]+[^\s,;"']{6,}/gi
const userinfoShape = /\b([a-z][a-z0-9+.-]*:\/\/)[^\s/?#@]+@/gi
const namedShape =
  /((?:password|passwd|secret|token|api[-_]?key|signature|authorization|cookie|credential|private[-_]?key|passphrase|session)[\w-]{0,32}["']?\s{0,8}[:=]\s{0,8})("[^"]*"?|'[^']*'?|[^\s,;&"']+)/gi
/** A long word with letters and digits: a key, a name with a hash, or an identifier. */
const randomShape = /(?<![\w+=-])[\w+=-]{24,}(?![\w+=-])/g
/** Trace identifiers and SHA-256 sums are wanted in text; keys in plain hex are rarer than they are. */
const hexShape = /^(?:[0-9a-f]{32}|[0-9a-f]{64})$/

/** The patterns above look back and ahead; what strangers send is cut before they could be made to do so for long. */
const longestSearched = 1_024

/**
 * `text` with everything that looks like a key, token or password replaced, and without what follows after 1024
 * characters. For messages of errors and the like, never for bodies.
 */
export const redactText = (text: string): string => {
  if (text.length < 8) return text
  const searched = text.length > longestSearched ? `${text.slice(0, longestSearched)}…` : text
  return searched
    .replace(pemShape, redacted)
    .replace(tokenShape, redacted)
    .replace(userinfoShape, `$1${redacted}@`)
    .replace(schemeShape, `$1 ${redacted}`)
    .replace(namedShape, `$1${redacted}`)
    .replace(keyShapes, redacted)
    .replace(randomShape, (word) =>
      hasRandomRun(word, 20) && !hexShape.test(word) ? redacted : word,
    )
}

const decoded = (text: string): string => {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** True when one run of letters and digits is as long as keys are, and names are not. */
const hasRandomRun = (text: string, least: number): boolean =>
  text
    .split(/[^0-9A-Za-z]/)
    .some((run) => run.length >= least && /\d/.test(run) && /[A-Za-z]/.test(run))

const looksRandom = (text: string): boolean => text.length >= 16 && hasRandomRun(text, 16)

/** A path whose segments that look like a key or a token read `REDACTED`; identifiers in UUID form stay. */
export const redactPath = (path: string): string => {
  if (path.length < 8) return path
  let changed = false
  const segments = path.split('/').map((segment) => {
    const plain = decoded(segment)
    if (plain.length < 8) return segment
    if (!looksRandom(plain) && redactText(plain) === plain) return segment
    changed = true
    return hiddenValue
  })
  return changed ? segments.join('/') : path
}

/**
 * An absolute or relative URL without userinfo, fragment and query, except for the listed query keys; the values of
 * signature keys stay hidden even then. Does not validate the URL.
 */
export const redactUrl = (url: string, queryKeys: ReadonlySet<string>): string => {
  const hash = url.indexOf('#')
  const whole = hash < 0 ? url : url.slice(0, hash)
  const mark = whole.indexOf('?')
  const location = mark < 0 ? whole : whole.slice(0, mark)
  const query = mark < 0 ? '' : redactQuery(whole.slice(mark + 1), queryKeys)
  const scheme = location.indexOf('://')
  if (scheme < 0) return redactPath(location) + query
  const rest = location.slice(scheme + 3)
  const slash = rest.indexOf('/')
  const authority = slash < 0 ? rest : rest.slice(0, slash)
  const path = slash < 0 ? '' : rest.slice(slash)
  return `${location.slice(0, scheme + 3)}${authority.slice(authority.lastIndexOf('@') + 1)}${redactPath(path)}${query}`
}

const redactQuery = (query: string, keys: ReadonlySet<string>): string => {
  if (keys.size === 0) return ''
  const kept: string[] = []
  for (const pair of query.split('&')) {
    const at = pair.indexOf('=')
    const key = decoded(at < 0 ? pair : pair.slice(0, at))
    if (!keys.has(key)) continue
    const value = at < 0 ? '' : pair.slice(at + 1)
    const plain = decoded(value)
    const hidden =
      signatureKeys.has(key.toLowerCase()) || looksRandom(plain) || redactText(plain) !== plain
    kept.push(`${key}=${hidden ? hiddenValue : value}`)
  }
  return kept.length === 0 ? '' : `?${kept.join('&')}`
}

/** Header names whose values are never printed, whatever a list allows. */
const secretHeaders =
  /^(?:authorization|proxy-authorization|cookie|set-cookie|www-authenticate|proxy-authenticate|dpop|txn-token|workload-.*|x-sallyport-hop|x-forwarded-client-cert)$|token|secret|api-?key|password|signature|credential|session/i

/** The listed headers, with their values searched for secrets; every other header is left out. */
export const redactHeaders = (
  headers: Iterable<readonly [name: string, value: string]>,
  allowed: ReadonlySet<string>,
): Record<string, string> => {
  const shown: Record<string, string> = {}
  for (const [name, value] of headers) {
    const lower = name.toLowerCase()
    if (!allowed.has(lower)) continue
    shown[lower] = secretHeaders.test(lower) ? redacted : redactText(value)
  }
  return shown
}

/** True for a field name whose value must not be printed: `authorization`, `clientSecret`, `api_key`. */
export const isSecretName = (name: string): boolean =>
  /authorization|cookie|password|passwd|secret|api[-_]?key|private[-_]?key|passphrase|^token$|[a-z]Token$|[-_]token$|credential_?value/i.test(
    name,
  )

/**
 * Characters that steer a terminal or a log viewer (C0, DEL, C1, line separators, text direction), written as `\uXXXX`,
 * and everything above `limit` characters cut off with an ellipsis.
 */
export const printable = (text: string, limit: number): string => {
  const cut = text.length > limit ? `${text.slice(0, limit)}…` : text
  return cut.replace(
    /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/**
 * Names a token in a record without showing it: the first eight bytes of the SHA-256 over its decoded header and
 * payload, in hex. Two spellings of one token give one name.
 */
export const tokenFingerprint = (token: string): string => {
  const [header = '', payload = ''] = token.split('.')
  const hash = createHash('sha256').update(Buffer.from(header, 'base64url'))
  return hash.update('.').update(Buffer.from(payload, 'base64url')).digest('hex').slice(0, 16)
}
