/** Whose bucket a request takes from: that of its route, alone or together with its peer. */
import type { Peer } from '../identity/peer.ts'
import { rateOf, type RateQuestion } from '../stages/limit-rate.ts'
import type { Routed } from './match-route.ts'

/** The question for the limiter, or undefined for a route without a limit. */
export const rateOfRoute = (x: Routed & { readonly peer: Peer }): RateQuestion | undefined => {
  const { limit, name } = x.route
  if (limit === undefined) return undefined
  const key = limit.per === 'peer' ? `in ${name} ${x.peer.spiffeId}` : `in ${name}`
  return { key, rate: rateOf(limit) }
}
