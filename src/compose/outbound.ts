/** Puts the outbound line together: services, their addresses, and connections to their sidecars. */
import { randomBytes } from 'node:crypto'
import type { SidecarConfig } from '../config/schema.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { IdentityError } from '../identity/identity-error.ts'
import { connectMesh } from '../identity/mesh-tls.ts'
import { systemClock } from '../identity/sources/clock.ts'
import type { WorkloadIdentity } from '../identity/workload-identity.ts'
import { LiveValue } from '../live.ts'
import { Endpoints, type Endpoint } from '../outbound/endpoints.ts'
import { outboundLine } from '../outbound/line.ts'
import { recordOutbound } from '../outbound/record.ts'
import { directoryOf, type MeshService, type ServiceDirectory } from '../outbound/resolve-peer.ts'
import type { OutboundSection } from '../outbound/section.ts'
import type { RateLimiter } from '../stages/limit-rate.ts'
import { HopMinter } from '../token/hop/mint.ts'
import type { ServerRequest } from '../wire/message.ts'
import { originKey, type Origin, type OriginProtocol } from '../wire/origin.ts'
import type { Pool } from '../wire/pool.ts'
import { WireError } from '../wire/wire-error.ts'
import type { Core } from './foundation.ts'
import { resolveAll } from './resolve-local.ts'

/** The running outbound side. */
export interface Outbound {
  readonly services: () => readonly MeshService[]
  readonly serviceOf: (host: string) => MeshService | undefined
  /** Handles one request of the app; with `portService`, one that came to the service's own port. */
  handle(x: Exchange & { readonly request: ServerRequest }, portService?: MeshService): void
  apply(section: OutboundSection): void
}

/** Makes it. */
export const openOutbound = (config: SidecarConfig, core: Core, limiter: RateLimiter): Outbound => {
  const { telemetry, identity, world } = core
  let services = makeServices(config.outbound, core, [])
  const directory = new LiveValue<ServiceDirectory>(directoryOf(services))
  const evaluationTime = telemetry.metrics.policyEvaluation.with('outbound')
  const ownId = (): string => identity.identity.current.spiffeId.uri
  const pool = core.wire.newPool()
  const handle = outboundLine({
    options: core.lineOptions,
    traces: telemetry.traces,
    propagation: telemetry.propagation,
    services: directory,
    limiter,
    policy: core.policy,
    recordable: () => telemetry.audit.accepts,
    timed: (seconds) => evaluationTime.record(seconds),
    monotonic: world.monotonic,
    ownId,
    tokens: {
      minter: new HopMinter({
        section: config.tokens.hop,
        clock: { now: world.now },
        makeTransactionId: () => randomBytes(16).toString('base64url'),
      }),
      identity: identity.identity,
      causes: core.causes,
      now: world.now,
    },
    peer: {
      pool,
      originOf: originsOf(core, pool),
      tunnelLimits: core.wire.tunnelLimits,
      monotonic: world.monotonic,
      watchUpgrade: (end) => core.upgrades.keep(end),
    },
    record: recordOutbound(telemetry.recorders, ownId),
  })
  return {
    services: () => services,
    serviceOf: (host) => directory.current.get(host),
    handle: (x, portService) => handle(Object.assign(x, { portService })),
    apply: (section) => {
      services = makeServices(section, core, services)
      directory.set(directoryOf(services))
    },
  }
}

/** Services of a new configuration; one whose settings did not change keeps what is known of its addresses. */
const makeServices = (
  section: OutboundSection,
  { world }: Core,
  before: readonly MeshService[],
): readonly MeshService[] =>
  section.services.map((settings) => {
    const text = JSON.stringify(settings)
    const same = before.find((each) => JSON.stringify(each.settings) === text)
    return (
      same ?? {
        settings,
        endpoints: new Endpoints(settings, { now: world.monotonic, resolve: resolveAll }),
      }
    )
  })

/** Origins by service, endpoint and identity, so that the key of a pool is not made for each request. */
const originsOf = (core: Core, pool: Pool) => {
  type Origins = WeakMap<WorkloadIdentity, WeakMap<MeshService, Map<Endpoint, Origin>>>
  const byProtocol: Readonly<Record<OriginProtocol, Origins>> = {
    http1: new WeakMap(),
    http2: new WeakMap(),
  }
  return (
    service: MeshService,
    endpoint: Endpoint,
    identity: WorkloadIdentity,
    protocol: OriginProtocol,
  ): Origin => {
    const known = byProtocol[protocol]
    const byService = known.get(identity) ?? new WeakMap<MeshService, Map<Endpoint, Origin>>()
    known.set(identity, byService)
    const byEndpoint = byService.get(service) ?? new Map<Endpoint, Origin>()
    byService.set(service, byEndpoint)
    const origin =
      byEndpoint.get(endpoint) ?? makeOrigin(core, pool, service, endpoint, identity, protocol)
    byEndpoint.set(endpoint, origin)
    return origin
  }
}

/** How long a call in hand may go on with a peer that is no longer trusted. */
const untrustedGraceMs = 30_000

const makeOrigin = (
  core: Core,
  pool: Pool,
  { settings }: MeshService,
  endpoint: Endpoint,
  identity: WorkloadIdentity,
  protocol: OriginProtocol,
): Origin => {
  const key = originKey({
    scheme: 'https',
    host: endpoint.host,
    port: endpoint.port,
    addresses: [endpoint.host],
    clientIdentity: identity.thumbprint,
    trustSet: settings.spiffe_id,
    protocol,
  })
  const dial = async (signal: AbortSignal) => {
    try {
      const { socket, peer } = await connectMesh({
        // The token that goes over this connection is bound to this identity and no later one.
        identity: new LiveValue(identity),
        trust: core.identity.trust,
        now: core.world.now,
        host: endpoint.host,
        port: endpoint.port,
        expected: [settings.spiffe_id],
        protocols: [protocol === 'http2' ? 'h2' : 'http/1.1'],
        timeoutMs: settings.timeouts.connect,
        signal,
      })
      if (protocol === 'http2' && socket.alpnProtocol !== 'h2') {
        socket.destroy()
        throw new WireError('tls-failed', 'the peer does not speak HTTP/2', 'safe')
      }
      // A connection that outlives the trust in its peer takes no more calls; calls in hand finish, streams are cut.
      const unwatch = core.peerWatch.watch(peer, () => {
        pool.dropAll(key)
        systemClock.after(untrustedGraceMs, () => socket.destroy())
      })
      socket.once('close', unwatch)
      return socket
    } catch (thrown) {
      throw wireErrorOf(thrown)
    }
  }
  return { key, protocol, maxConnections: settings.pool.max_connections, dial }
}

const wireErrorOf = (thrown: unknown): WireError => {
  if (thrown instanceof WireError) return thrown
  if (thrown instanceof IdentityError) {
    const code = thrown.code === 'wrong-peer' ? 'identity-mismatch' : 'tls-failed'
    return new WireError(code, thrown.detail, 'safe', thrown)
  }
  const code = (thrown as NodeJS.ErrnoException).code ?? ''
  if (code === 'ECONNREFUSED') {
    return new WireError('dial-refused', 'nothing listens at the address', 'safe', thrown)
  }
  if (code === 'ETIMEDOUT') {
    return new WireError('dial-timeout', 'the peer did not answer in time', 'safe', thrown)
  }
  return code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS')
    ? new WireError('tls-failed', `the TLS handshake failed: ${code}`, 'safe', thrown)
    : new WireError('dial-failed', 'the peer could not be connected to', 'safe', thrown)
}
