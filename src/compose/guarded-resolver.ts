/**
 * Names of third parties, resolved by us and checked, for a short while remembered as checked.
 *
 * The cache holds answers that passed the guard, under the rules that they passed; it lives shorter than an attacker
 * could use and is bounded. Concurrent look-ups of one name share one answer.
 */
import type { ResolveGuarded } from '../egress/guard-address.ts'
import { resolveChecked, type AddressRules, type Resolver } from '../wire/address.ts'

interface Known {
  readonly addresses: readonly string[]
  readonly until: number
}

/** What the resolver is made of. */
export interface GuardedResolverParts {
  readonly resolver: Resolver
  readonly timeoutMs: number
  readonly denyCidrs: readonly string[]
  readonly ownListeners: AddressRules['ownListeners']
  /** Milliseconds that never go back. */
  readonly monotonic: () => number
}

const lifeMs = 5_000
const mostNames = 2_000

/** Makes the resolver. */
export const guardedResolver = (parts: GuardedResolverParts): ResolveGuarded => {
  const known = new Map<string, Known>()
  const underway = new Map<string, Promise<readonly string[]>>()
  return (host, port, allowCidrs) => {
    const key = `${host}|${port}|${allowCidrs.join(',')}`
    const found = known.get(key)
    if (found !== undefined && found.until > parts.monotonic()) return found.addresses
    const waiting = underway.get(key)
    if (waiting !== undefined) return waiting
    const rules = { allowCidrs, denyCidrs: parts.denyCidrs, ownListeners: parts.ownListeners }
    const asked = resolveChecked(host, port, rules, parts)
      .then((addresses) => {
        if (known.size >= mostNames) known.clear()
        known.set(key, { addresses, until: parts.monotonic() + lifeMs })
        return addresses
      })
      .finally(() => underway.delete(key))
    underway.set(key, asked)
    return asked
  }
}
