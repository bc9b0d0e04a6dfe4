/** Puts the inbound line together and opens the peer listener. */
import type { SidecarConfig } from '../config/schema.ts'
import { inboundLine } from '../inbound/line.ts'
import { recordInbound } from '../inbound/record.ts'
import { RouteTable } from '../inbound/route-table.ts'
import type { InboundRoute, InboundSection } from '../inbound/section.ts'
import { openPeerListener } from '../listeners/peer.ts'
import type { Listener } from '../listeners/listener.ts'
import { LiveValue } from '../live.ts'
import { callerFault } from '../stages/wire-fault.ts'
import { Refusal } from '../exchange/refusal.ts'
import type { RateLimiter } from '../stages/limit-rate.ts'
import { HopVerifier } from '../token/hop/verify.ts'
import type { UserTokenCheck, UserTokens } from '../token/user/user-tokens.ts'
import { dialTcp } from '../wire/dial.ts'
import { originKey, type Origin } from '../wire/origin.ts'
import { WireError } from '../wire/wire-error.ts'
import type { Core } from './foundation.ts'
import { resolveLocal } from './resolve-local.ts'

/** The running inbound side. */
export interface Inbound {
  readonly listener: Listener
  /** Puts new routes into force for the next request. */
  apply(section: InboundSection, tokens: UserTokens): void
}

/** Opens it. */
export const openInbound = async (
  config: SidecarConfig,
  section: InboundSection,
  core: Core,
  limiter: RateLimiter,
  tokens: UserTokens,
  mayCallOut: () => boolean,
): Promise<Inbound> => {
  const { telemetry, identity, wire, world } = core
  const routes = new LiveValue(new RouteTable(section.routes))
  const checks = new WeakMap<InboundRoute, UserTokenCheck>()
  prepareChecks(checks, section, tokens)
  const evaluationTime = telemetry.metrics.policyEvaluation.with('inbound')
  const ownId = (): string => identity.identity.current.spiffeId.uri
  const pool = wire.newPool()
  const handle = inboundLine({
    options: core.lineOptions,
    traces: telemetry.traces,
    propagation: telemetry.propagation,
    trust: identity.trust,
    routes,
    limiter,
    tokens: {
      hop: new HopVerifier({ section: config.tokens.hop, clock: { now: world.now } }),
      checkOf: (route) => checks.get(route)!,
      ownId,
      realm: config.service.name,
      causes: core.causes,
      mayCallOut,
      count: (kind, result) => telemetry.metrics.tokenVerifications.with(kind, result).add(),
    },
    policy: core.policy,
    recordable: () => telemetry.audit.accepts,
    timed: (seconds) => evaluationTime.record(seconds),
    monotonic: world.monotonic,
    app: {
      pool,
      origin: appOrigin(section),
      ownId,
      tunnelLimits: wire.tunnelLimits,
      monotonic: world.monotonic,
      watchUpgrade: (facts, end) => core.watchUpgrade(facts, end),
    },
    record: recordInbound(telemetry.recorders, telemetry.pseudonym),
  })
  const listener = await openPeerListener({
    address: section.listen,
    tls: { identity: identity.identity, trust: identity.trust, now: world.now },
    watch: core.peerWatch,
    http: wire.http,
    handshakeTimeoutMs: config.wire.timeouts.handshake,
    maxHandshakes,
    handle,
    faultOf: (error) => callerFault(error) ?? new Refusal('request.malformed'),
    onRefusedConnection: core.onRefusedConnection,
    onRefusedHead: core.onRefusedHead,
    onRevoked: (peer) => core.onRevoked(peer.spiffeId),
    onBug: core.onBug,
  })
  return {
    listener,
    apply: (next, nextTokens) => {
      // Requests that were matched under the old routes still find their checks.
      prepareChecks(checks, next, nextTokens)
      routes.set(new RouteTable(next.routes))
    },
  }
}

/** Handshakes in flight; more would only make all of them late. */
const maxHandshakes = 256

const prepareChecks = (
  checks: WeakMap<InboundRoute, UserTokenCheck>,
  section: InboundSection,
  tokens: UserTokens,
): void => {
  for (const route of section.routes) checks.set(route, tokens.prepare(route.tokens))
}

const appOrigin = ({ app }: InboundSection): Origin => ({
  protocol: app.protocol,
  key: originKey({
    scheme: 'http',
    host: app.address.host,
    port: app.address.port,
    addresses: [app.address.host],
    clientIdentity: '',
    trustSet: '',
    protocol: app.protocol,
  }),
  maxConnections: app.max_connections,
  dial: async (signal) => {
    const address = await resolveLocal(app.address.host)
    if (address === undefined) throw new WireError('dial-failed', 'the app has no address', 'safe')
    return dialTcp({
      address,
      port: app.address.port,
      timeoutMs: app.connect_timeout,
      signal,
    })
  },
})
