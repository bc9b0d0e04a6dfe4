/**
 * Reads SPIFFE IDs by the whole grammar of the SPIFFE-ID standard (§2), for certificates, tokens and configuration.
 *
 * The grammar is checked on the text as it stands: nothing is decoded, trimmed or lower-cased first, because two
 * spellings of one name are how a policy and a verifier come to disagree. Says nothing about who may use the name.
 */

/** A parsed SPIFFE ID. `uri` is the exact text; `path` is empty or starts with a slash. */
export interface SpiffeId {
  readonly uri: string
  readonly trustDomain: string
  readonly path: string
}

/** Why a text is not a SPIFFE ID. The message names the rule and never repeats more than 80 characters of the text. */
export class SpiffeIdError extends Error {
  readonly code = 'not-spiffe'

  constructor(text: string, rule: string) {
    super(`${shown(text)} is not a spiffe id: ${rule}`)
    this.name = 'SpiffeIdError'
  }
}

const scheme = 'spiffe://'
/** SPIFFE-ID §2.3: implementations support ids of up to 2048 bytes, and must not make longer ones. */
const maxIdBytes = 2048
/** SPIFFE-ID §2.1: a trust domain name is at most 255 bytes. */
const maxTrustDomainBytes = 255
const trustDomainPattern = /^[a-z0-9._-]+$/
const segmentPattern = /^[A-Za-z0-9._-]+$/

const shown = (text: string): string =>
  JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)

const checkTrustDomain = (whole: string, name: string): string => {
  if (name === '') throw new SpiffeIdError(whole, 'the trust domain is missing')
  if (name.length > maxTrustDomainBytes)
    throw new SpiffeIdError(whole, `the trust domain is longer than ${maxTrustDomainBytes} bytes`)
  if (!trustDomainPattern.test(name))
    throw new SpiffeIdError(whole, 'a trust domain holds only a-z, 0-9, dot, dash and underscore')
  return name
}

/**
 * Parses `spiffe://<trust domain>[/<path>]`.
 *
 * @throws {SpiffeIdError} when any rule of SPIFFE-ID §2 is broken
 */
export const parseSpiffeId = (text: string): SpiffeId => {
  if (text.length > maxIdBytes)
    throw new SpiffeIdError(text, `it is longer than ${maxIdBytes} bytes`)
  if (!text.startsWith(scheme)) throw new SpiffeIdError(text, `it does not start with ${scheme}`)
  const slash = text.indexOf('/', scheme.length)
  const end = slash === -1 ? text.length : slash
  const trustDomain = checkTrustDomain(text, text.slice(scheme.length, end))
  const path = text.slice(end)
  for (const segment of path.split('/').slice(1)) {
    if (segment === '')
      throw new SpiffeIdError(text, 'the path has an empty segment or a slash at its end')
    if (segment === '.' || segment === '..')
      throw new SpiffeIdError(text, 'the path has a dot segment')
    if (!segmentPattern.test(segment))
      throw new SpiffeIdError(
        text,
        'a path segment holds only letters, digits, dot, dash and underscore',
      )
  }
  return { uri: text, trustDomain, path }
}

/** True when {@link parseSpiffeId} accepts the text. */
export const isSpiffeId = (text: string): boolean => {
  try {
    parseSpiffeId(text)
    return true
  } catch {
    return false
  }
}

/**
 * Reads a trust domain written as a bare name (`shop.local`) or as its id (`spiffe://shop.local`).
 *
 * @throws {SpiffeIdError} when it is neither, or when an id with a path is given
 */
export const parseTrustDomain = (text: string): string => {
  if (!text.includes(':') && !text.includes('/')) return checkTrustDomain(text, text)
  const id = parseSpiffeId(text)
  if (id.path !== '') throw new SpiffeIdError(text, 'a trust domain has no path')
  return id.trustDomain
}
