/**
 * What the peer wants: finds the route by host, method and path template, and checks that the route takes this peer.
 *
 * Refuses paths that servers are known to read in two ways even when they are valid: `;` parameters, which some
 * frameworks cut off before they match. A route may merge repeated slashes; then the merged path is what policy
 * sees and what the app gets.
 */
import type { Exchange } from '../exchange/exchange.ts'
import type { Stage } from '../exchange/line.ts'
import { Refusal } from '../exchange/refusal.ts'
import type { Peer } from '../identity/peer.ts'
import type { Live } from '../live.ts'
import type { ServerRequest } from '../wire/message.ts'
import type { Target } from '../wire/target.ts'
import type { RouteFound, RouteTable } from './route-table.ts'
import type { InboundRoute } from './section.ts'

/** The facts that this stage learns. */
export interface Routed {
  readonly route: InboundRoute
  /** The segments that the names of the template took, decoded once. */
  readonly params: Readonly<Record<string, string>>
  /** The target that policy sees and that is forwarded. */
  readonly target: Target
}

type Needs = { readonly request: ServerRequest; readonly peer: Peer }

/** The stage. */
export const matchRoute = (routes: Live<RouteTable>): Stage<Needs, Routed> => ({
  name: 'match-route',
  run: (x) => {
    const { method, target } = x.request.head
    if (target.path.includes(';') || /%3b/i.test(target.path)) {
      throw new Refusal('request.path', { detail: 'the path carries ; parameters' })
    }
    const found = findRoute(routes.current, method, target)
    if (found.kind === 'unknown') throw unknownRoute(x)
    if (found.kind === 'method') {
      throw new Refusal('route.method', { headers: [['allow', found.allowed.join(', ')]] })
    }
    const { route, params } = found
    if (route.callers !== undefined && !admits(route.callers, x.peer.spiffeId)) {
      throw new Refusal('peer.not-allowed', {
        detail: `route ${route.name} does not list ${x.peer.spiffeId} under callers`,
      })
    }
    return { route, params, target: found.target }
  },
})

type Found =
  | (RouteFound & { readonly kind: 'unknown' | 'method' })
  | (RouteFound & { readonly kind: 'route'; readonly target: Target })

const findRoute = (routes: RouteTable, method: string, target: Target): Found => {
  const found = routes.find(method, target)
  if (found.kind === 'route') return { ...found, target }
  if (!target.path.includes('//')) return found
  const merged = mergeSlashes(target)
  const again = routes.find(method, merged)
  return again.kind === 'route' && again.route.merge_slashes ? { ...again, target: merged } : found
}

const mergeSlashes = (target: Target): Target => ({
  ...target,
  path: target.path.replaceAll(/\/{2,}/g, '/'),
  segments: target.segments.filter(
    (segment, index) => segment !== '' || index === target.segments.length - 1,
  ),
})

const unknownRoute = (x: Exchange & Needs): Refusal =>
  new Refusal('route.unknown', {
    detail: `no route matches ${x.request.head.method} ${x.request.head.target.path}`,
  })

/** True when the list holds the id, or a pattern ending in `/*` above it. */
export const admits = (patterns: readonly string[], spiffeId: string): boolean =>
  patterns.some((pattern) =>
    pattern.endsWith('/*') ? spiffeId.startsWith(pattern.slice(0, -1)) : pattern === spiffeId,
  )
