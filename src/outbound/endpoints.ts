/**
 * The addresses of one mesh service: where they come from, which of them are healthy, and which is next.
 *
 * Addresses are listed or resolved from DNS; a failed look-up keeps the last good ones. An address that fails several
 * times in a row is left out for a while, as long as enough others remain. Opens no connection itself.
 */
import { formatAddress, type Address } from '../units.ts'
import type { OutboundService } from './section.ts'

/** One place where a sidecar of the service listens. */
export type Endpoint = Address

interface Health {
  failures: number
  ejectedUntil: number
}

/** What the endpoints read from the world. */
export interface EndpointWorld {
  /** Milliseconds, monotonic. */
  readonly now: () => number
  /** All addresses of a name. Rejects when there is no answer. */
  readonly resolve: (name: string) => Promise<readonly string[]>
}

const dnsLifeMs = 5_000

/** Round robin over the healthy addresses of one service. */
export class Endpoints {
  readonly #service: OutboundService
  readonly #world: EndpointWorld
  readonly #health = new Map<string, Health>()
  #known: readonly Endpoint[] = []
  #resolvedAt = -Infinity
  #resolving: Promise<void> | undefined
  #next = 0

  constructor(service: OutboundService, world: EndpointWorld) {
    this.#service = service
    this.#world = world
    this.#known = service.addresses ?? []
  }

  /** A healthy endpoint other than those in `tried`, or undefined when none is left or none is known. */
  pick(tried: readonly Endpoint[] = []): Endpoint | undefined {
    const now = this.#world.now()
    const count = this.#known.length
    for (let step = 0; step < count; step += 1) {
      const endpoint = this.#known[(this.#next + step) % count]!
      if (tried.includes(endpoint) || this.#isEjected(endpoint, now)) continue
      this.#next = (this.#next + step + 1) % count
      return endpoint
    }
    return undefined
  }

  /** Makes sure that addresses are known. Undefined when they are already; rejects when DNS has never answered. */
  prepare(): Promise<void> | undefined {
    if (this.#service.dns === undefined) return undefined
    if (this.#world.now() - this.#resolvedAt < dnsLifeMs) return undefined
    this.#resolving ??= this.#resolve().finally(() => {
      this.#resolving = undefined
    })
    return this.#known.length > 0 ? undefined : this.#resolving
  }

  /** Counts the end of one attempt. */
  report(endpoint: Endpoint, result: 'success' | 'failure'): void {
    const key = formatAddress(endpoint)
    if (result === 'success') {
      this.#health.delete(key)
      return
    }
    const health = this.#health.get(key) ?? { failures: 0, ejectedUntil: 0 }
    health.failures += 1
    this.#health.set(key, health)
    const { outlier } = this.#service
    if (health.failures >= outlier.consecutive_failures && this.#mayEject()) {
      health.failures = 0
      health.ejectedUntil = this.#world.now() + outlier.ejection
    }
  }

  /** The addresses and whether each is left out now, for the admin page. */
  describe(): readonly (Endpoint & { readonly ejected: boolean })[] {
    const now = this.#world.now()
    return this.#known.map((each) => ({ ...each, ejected: this.#isEjected(each, now) }))
  }

  #isEjected(endpoint: Endpoint, now: number): boolean {
    const health = this.#health.get(formatAddress(endpoint))
    return health !== undefined && health.ejectedUntil > now
  }

  #mayEject(): boolean {
    const now = this.#world.now()
    const ejected = this.#known.filter((each) => this.#isEjected(each, now)).length
    const share = ((ejected + 1) / this.#known.length) * 100
    return share <= this.#service.outlier.max_ejected_percent
  }

  async #resolve(): Promise<void> {
    const { host, port } = this.#service.dns!
    try {
      const addresses = await this.#world.resolve(host)
      if (addresses.length === 0) throw new Error(`${host} has no address`)
      this.#known = addresses.toSorted().map((address) => ({ host: address, port }))
    } catch (thrown) {
      if (this.#known.length === 0) throw thrown
    } finally {
      this.#resolvedAt = this.#world.now()
    }
  }
}
