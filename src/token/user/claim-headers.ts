/**
 * Claims written as headers for the application.
 *
 * For the stage that forwards to the app. A claim's text comes from an issuer and, through it, from users: it must not
 * be able to end a header line or look like another header. Lists and objects are not written; how an application would
 * take them apart again is not ours to guess.
 */
import type { ClaimToHeader } from '../section.ts'
import { TokenError } from '../token-error.ts'
import type { Claims } from '../verified-token.ts'
import { claimAt } from './requirement.ts'

const maxValueLength = 1_024

/**
 * A text as a header value: printable ASCII as it is, anything beyond it and the percent sign as percent-encoded UTF-8,
 * so that `decodeURIComponent` always gives the text back.
 */
const headerValue = (text: string, name: string): string => {
  // eslint-disable-next-line no-control-regex -- control characters are what must not pass
  if (/[\u0000-\u001f\u007f]/.test(text))
    throw new TokenError(
      'claim',
      `the claim ${name} holds a control character and cannot be a header`,
    )
  const written = text.replace(/[^\x20-\x7e]+|%/gu, encodeURIComponent)
  if (written.length > maxValueLength)
    throw new TokenError('claim', `the claim ${name} is too long for a header`)
  return written.trim()
}

/**
 * The headers, names in lower case, that `mappings` make of `claims`. A claim that is absent, null, a list or an object
 * gives none.
 *
 * @throws {TokenError} `claim` when a value cannot be a header
 */
export const claimHeaders = (
  claims: Claims,
  mappings: readonly ClaimToHeader[],
): readonly (readonly [string, string])[] =>
  mappings.flatMap(({ header_name: header, claim_name: name }) => {
    const value = claimAt(claims, name)
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean')
      return []
    return [[header, headerValue(String(value), name)] as const]
  })
