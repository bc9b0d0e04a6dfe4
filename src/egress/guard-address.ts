/**
 * Resolves the host ourselves and keeps only addresses that a third party may have: never a private, loopback,
 * link-local, metadata or own one. The connection is made to the addresses that were checked here, and to no other.
 */
import type { Stage } from '../exchange/line.ts'
import { UpstreamFault, Refusal } from '../exchange/refusal.ts'
import { WireError } from '../wire/wire-error.ts'
import type { ApiMatched } from './match-api.ts'

/** The facts that this stage learns. */
export interface Guarded {
  /** Checked addresses, at least one. */
  readonly addresses: readonly string[]
}

/**
 * Resolves and checks. Gives the addresses at once when they were checked a moment ago, else a promise of them.
 * Fails with a WireError: `address-denied`, `dns-failed` or `dns-timeout`.
 */
export type ResolveGuarded = (
  host: string,
  port: number,
  allowCidrs: readonly string[],
) => readonly string[] | Promise<readonly string[]>

/** The stage. `observedCidrs` are the exceptions of calls that no entry declares. */
export const guardAddress = (
  resolve: ResolveGuarded,
  observedCidrs: () => readonly string[],
): Stage<ApiMatched, Guarded> => ({
  name: 'guard-address',
  run: ({ api }) => {
    try {
      const found = resolve(api.host, api.port, api.entry?.allow_cidrs ?? observedCidrs())
      if (!(found instanceof Promise)) return { addresses: found }
      return found.then(
        (addresses) => ({ addresses }),
        (thrown: unknown) => {
          throw refusalOf(thrown, api.host)
        },
      )
    } catch (thrown) {
      throw refusalOf(thrown, api.host)
    }
  },
})

const refusalOf = (thrown: unknown, host: string): unknown => {
  if (!(thrown instanceof WireError)) return thrown
  if (thrown.code === 'address-denied') {
    return new Refusal('api.address', { detail: `${host}: ${thrown.message}` })
  }
  return new UpstreamFault(thrown.code === 'dns-timeout' ? 'api.timeout' : 'api.dns', {
    detail: `${host}: ${thrown.message}`,
  })
}
