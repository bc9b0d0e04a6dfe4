/**
 * Finds the one user token of a request in the headers that the providers name.
 *
 * For the verifier. Only headers count: not the query, a cookie, the body or a trailer. Two tokens are refused rather
 * than one of them chosen, since what we verify must be what the application believes (RFC 6750 §2).
 */
import type { ProviderSection } from '../section.ts'
import { TokenError } from '../token-error.ts'
import type { HeaderView } from '../verified-token.ts'

/** A header that may carry a token, with the names of the providers that look there. */
export interface TokenPlace {
  readonly header: string
  /** In lower case, without the blank that ends it. */
  readonly scheme: string
  readonly providers: readonly string[]
}

/** A token as it was found, nothing checked. */
export interface FoundToken {
  readonly token: string
  readonly header: string
  readonly providers: readonly string[]
}

/** The distinct places where the given providers look. */
export const placesOf = (
  providers: readonly (readonly [string, ProviderSection])[],
): readonly TokenPlace[] => {
  const places = new Map<string, { header: string; scheme: string; providers: string[] }>()
  for (const [name, provider] of providers) {
    for (const { name: header, value_prefix: prefix } of provider.from_headers) {
      const scheme = prefix.trim().toLowerCase()
      const key = `${header} ${scheme}`
      const place = places.get(key) ?? { header, scheme, providers: [] }
      if (!place.providers.includes(name)) place.providers.push(name)
      places.set(key, place)
    }
  }
  return [...places.values()]
}

/** The token in `value` after `scheme`, or undefined when the value is of another scheme. */
const tokenAfter = (value: string, scheme: string): string | undefined => {
  const trimmed = value.trim()
  if (scheme === '') return trimmed
  const rest = trimmed.slice(scheme.length)
  if (
    trimmed.slice(0, scheme.length).toLowerCase() !== scheme ||
    !(rest === '' || rest.startsWith(' '))
  )
    return undefined
  return rest.trimStart()
}

const readPlaces = (header: string, value: string, places: readonly TokenPlace[]): FoundToken => {
  for (const place of places) {
    const token = tokenAfter(value, place.scheme)
    if (token === undefined) continue
    if (token === '' || /[\s,]/.test(token))
      throw new TokenError('malformed', `the header ${header} does not hold exactly one token`)
    return { token, header, providers: place.providers }
  }
  // Ignoring what cannot be read would let a request pass that only looks as if it had no token.
  throw new TokenError(
    'malformed',
    `the header ${header} is not of the scheme that the route expects`,
  )
}

/**
 * The token of a request, or undefined when no header that may carry one is there.
 *
 * @throws {TokenError} `ambiguous` for two, `malformed` for a header that holds something else
 */
export const findToken = (
  headers: HeaderView,
  places: readonly TokenPlace[],
): FoundToken | undefined => {
  let found: FoundToken | undefined
  for (const header of new Set(places.map((place) => place.header))) {
    const values = headers.all(header)
    if (values.length === 0) continue
    if (values.length > 1 || found !== undefined) {
      throw new TokenError(
        'ambiguous',
        'the request has more than one user token; send exactly one',
      )
    }
    const candidates = places.filter((place) => place.header === header)
    const value = values[0] ?? ''
    // The scheme that is longest is the most exact: a bare header takes anything.
    const ordered = candidates.toSorted((left, right) => right.scheme.length - left.scheme.length)
    found = readPlaces(header, value, ordered)
  }
  return found
}
