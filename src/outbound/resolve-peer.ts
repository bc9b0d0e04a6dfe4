/** Which mesh service the app calls: by the authority of the request, or by the port that it came to. */
import type { Exchange } from '../exchange/exchange.ts'
import type { Stage } from '../exchange/line.ts'
import { Refusal, UpstreamFault } from '../exchange/refusal.ts'
import type { Live } from '../live.ts'
import type { ServerRequest } from '../wire/message.ts'
import type { Target } from '../wire/target.ts'
import type { Endpoint, Endpoints } from './endpoints.ts'
import type { OutboundService } from './section.ts'

/** A service with its live addresses. */
export interface MeshService {
  readonly settings: OutboundService
  readonly endpoints: Endpoints
}

/** All services by the host under which the app calls them. */
export type ServiceDirectory = ReadonlyMap<string, MeshService>

/** What an outbound exchange begins with. */
export interface OutboundFirst {
  readonly request: ServerRequest
  /** The service of the loopback port that the request came to; it fixes the service whatever Host says. */
  readonly portService: MeshService | undefined
}

/** The facts that this stage learns. */
export interface Resolved {
  readonly service: MeshService
  readonly endpoint: Endpoint
  readonly target: Target
}

/** The directory of a configuration. A service without hosts is called by its name. */
export const directoryOf = (services: readonly MeshService[]): ServiceDirectory =>
  new Map(
    services.flatMap((service) => {
      const { hosts, name } = service.settings
      return (hosts.length > 0 ? hosts : [name]).map((host) => [host, service] as const)
    }),
  )

/** The stage. */
export const resolvePeer = (directory: Live<ServiceDirectory>): Stage<OutboundFirst, Resolved> => ({
  name: 'resolve-peer',
  run: (x) => {
    const { target } = x.request.head
    const service = x.portService ?? directory.current.get(target.host)
    if (service === undefined) {
      throw new Refusal('route.unknown', {
        detail: `no service of outbound.services is called ${target.host}`,
      })
    }
    const waiting = service.endpoints.prepare()
    if (waiting === undefined) return resolved(x, service)
    return waiting.then(
      () => resolved(x, service),
      () => {
        throw new UpstreamFault('hop.unavailable', {
          detail: `the name of service ${service.settings.name} cannot be resolved`,
          retryAfterMs: 1_000,
        })
      },
    )
  },
})

const resolved = (x: Exchange & OutboundFirst, service: MeshService): Resolved => {
  const endpoint = service.endpoints.pick()
  if (endpoint === undefined) {
    throw new UpstreamFault('hop.unavailable', {
      detail: `no address of service ${service.settings.name} is healthy`,
      retryAfterMs: service.settings.outlier.ejection,
    })
  }
  return { service, endpoint, target: x.request.head.target }
}
