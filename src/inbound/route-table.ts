/**
 * The routes of the configuration, indexed by host, path template and method.
 *
 * Matching reads the canonical target only. Which of two templates wins does not depend on their order in the file:
 * a literal segment beats `{x}`, which beats `{x*}`, and a route with a host beats one without.
 */
import { TemplateIndex, type TemplateMatch } from '../stages/path-template.ts'
import type { Target } from '../wire/target.ts'
import type { InboundRoute } from './section.ts'

/** Two routes that claim the same requests. */
export interface RouteClash {
  readonly first: number
  readonly second: number
}

interface Methods {
  readonly byMethod: Map<string, InboundRoute>
  /** A route that names no methods serves all that no other route claims. */
  any: InboundRoute | undefined
}

/** What the table says of a request. */
export type RouteFound =
  | { readonly kind: 'route'; readonly route: InboundRoute; readonly params: Params }
  | { readonly kind: 'method'; readonly allowed: readonly string[] }
  | { readonly kind: 'unknown' }

type Params = TemplateMatch<unknown>['params']

const unknown: RouteFound = { kind: 'unknown' }

/** The compiled table. */
export class RouteTable {
  readonly clashes: readonly RouteClash[]
  readonly #anyHost = new TemplateIndex<Methods>()
  readonly #byHost = new Map<string, TemplateIndex<Methods>>()

  constructor(routes: readonly InboundRoute[]) {
    const clashes: RouteClash[] = []
    for (const [index, route] of routes.entries()) {
      const clash = this.#add(route)
      if (clash !== undefined) clashes.push({ first: routes.indexOf(clash), second: index })
    }
    this.clashes = clashes
  }

  /** The route for a method and a target, or why there is none. */
  find(method: string, target: Target, segments = target.segments): RouteFound {
    const index = this.#byHost.get(target.authority) ?? this.#byHost.get(target.host)
    const hosted = index?.match(segments)
    const found = hosted === undefined ? unknown : choose(hosted, method)
    if (found.kind === 'route') return found
    const open = this.#anyHost.match(segments)
    if (open === undefined) return found
    const fallback = choose(open, method)
    return fallback.kind === 'route' || found.kind === 'unknown' ? fallback : found
  }

  /** Adds a route, or gives the one that claims the same requests already. */
  #add(route: InboundRoute): InboundRoute | undefined {
    const index = this.#indexOf(route.host)
    const mine: Methods = { byMethod: new Map(), any: undefined }
    const methods = index.add(route.path, mine) ?? mine
    if (route.methods === undefined) {
      if (methods.any !== undefined) return methods.any
      methods.any = route
      return undefined
    }
    for (const method of route.methods) {
      const taken = methods.byMethod.get(method)
      if (taken !== undefined) return taken
      methods.byMethod.set(method, route)
    }
    return undefined
  }

  #indexOf(host: string | undefined): TemplateIndex<Methods> {
    if (host === undefined) return this.#anyHost
    const index = this.#byHost.get(host) ?? new TemplateIndex<Methods>()
    this.#byHost.set(host, index)
    return index
  }
}

const choose = (match: TemplateMatch<Methods>, method: string): RouteFound => {
  const { byMethod, any } = match.value
  const route = byMethod.get(method) ?? any
  if (route !== undefined) return { kind: 'route', route, params: match.params }
  return { kind: 'method', allowed: [...byMethod.keys()] }
}
