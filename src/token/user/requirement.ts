/**
 * What a route asks of a user token that is valid: scopes, claims, and how the user signed in.
 *
 * For the verifier, on every request, cached token or not, because the age of a sign-in changes by itself. Failing
 * gives the facts for the answer of RFC 6750 §3.1 and RFC 9470 §3.
 */
import type { TokenRequirement } from '../section.ts'
import { TokenError } from '../token-error.ts'
import type { Claims, VerifiedToken } from '../verified-token.ts'

type ClaimValue = string | number | boolean

/** The claim called `name`: one that has exactly this name, or a path of members where a dot steps into an object. */
export const claimAt = (claims: Claims, name: string): unknown => {
  if (Object.hasOwn(claims, name)) return claims[name]
  let value: unknown = claims
  for (const step of name.split('.')) {
    if (
      typeof value !== 'object' ||
      value === null ||
      Array.isArray(value) ||
      !Object.hasOwn(value, step)
    )
      return undefined
    value = (value as Claims)[step]
  }
  return value
}

const hasOneOf = (claim: unknown, accepted: readonly ClaimValue[]): boolean => {
  const values: readonly unknown[] = Array.isArray(claim) ? claim : [claim]
  return values.some((value) => accepted.some((one) => one === value))
}

const checkRequires = (token: VerifiedToken, { requires }: TokenRequirement): void => {
  const missing = requires.scopes.filter((scope) => !token.scopes.includes(scope))
  if (missing.length > 0) {
    const scope = requires.scopes.join(' ')
    throw new TokenError('claim', `the token does not grant ${missing.join(', ')}`, {
      challenge: { error: 'insufficient_scope', description: 'the token lacks a scope', scope },
    })
  }
  for (const [name, accepted] of Object.entries(requires.claims)) {
    if (hasOneOf(claimAt(token.claims, name), Array.isArray(accepted) ? accepted : [accepted]))
      continue
    throw new TokenError('claim', `the claim ${name} is not what the route requires`, {
      challenge: { error: 'insufficient_scope', description: 'a claim is not what is required' },
    })
  }
}

const stepUpFault = (
  token: VerifiedToken,
  stepUp: NonNullable<TokenRequirement['step_up']>,
  now: number,
  skew: number,
): string | undefined => {
  const { acr, amr, max_age: maxAge } = stepUp
  if (acr !== undefined && !acr.some((one) => one === claimAt(token.claims, 'acr')))
    return 'a stronger sign-in is needed'
  const methods = token.claims['amr']
  if (
    amr !== undefined &&
    !(Array.isArray(methods) && amr.every((method) => methods.includes(method)))
  ) {
    return `the user must sign in with ${amr.join(' and ')}`
  }
  if (maxAge === undefined) return undefined
  const signedInAt = token.claims['auth_time']
  if (typeof signedInAt !== 'number') return 'the token does not say when the user signed in'
  const ageMs = now - signedInAt * 1_000
  // A sign-in in the future says nothing about how recent it was.
  if (ageMs > maxAge + skew || ageMs < -skew) return 'a more recent sign-in is needed'
  return undefined
}

const checkStepUp = (
  token: VerifiedToken,
  { step_up: stepUp }: TokenRequirement,
  now: number,
  skew: number,
): void => {
  if (stepUp === undefined) return
  const fault = stepUpFault(token, stepUp, now, skew)
  if (fault === undefined) return
  throw new TokenError('step-up', fault, {
    challenge: {
      error: 'insufficient_user_authentication',
      description: fault,
      ...(stepUp.acr !== undefined && { acrValues: stepUp.acr.join(' ') }),
      ...(stepUp.max_age !== undefined && { maxAgeSeconds: Math.floor(stepUp.max_age / 1_000) }),
    },
  })
}

/**
 * Holds a valid token against what the route asks.
 *
 * @param now milliseconds since 1970
 * @param skew milliseconds that the issuer's clock may be off
 * @throws {TokenError} `claim` or `step-up`, with the challenge
 */
export const checkRequirement = (
  token: VerifiedToken,
  requirement: TokenRequirement,
  now: number,
  skew: number,
): void => {
  checkRequires(token, requirement)
  checkStepUp(token, requirement, now, skew)
}
