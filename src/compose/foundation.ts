/** The parts of a sidecar that all directions stand on; opened once, before any door. */
import type { SidecarConfig } from '../config/schema.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { LineOptions } from '../exchange/line.ts'
import type { RefusedConnection } from '../identity/mesh-tls.ts'
import { PeerWatch } from '../identity/peer-watch.ts'
import type { Peer } from '../identity/peer.ts'
import { systemClock } from '../identity/sources/clock.ts'
import type { IdentityEvent, IdentitySource } from '../identity/sources/identity-source.ts'
import { openIdentity } from '../identity/sources/open.ts'
import type { RefusedHead } from '../listeners/begin-exchange.ts'
import { LiveValue } from '../live.ts'
import type { PolicyRevision } from '../stages/authorize.ts'
import { Causes } from '../stages/causes.ts'
import type { Log } from '../telemetry/log.ts'
import type { VerifiedCaller, VerifiedToken } from '../token/verified-token.ts'
import { operatorFetch, type OperatorFetch } from './operator-fetch.ts'
import { openProcessLog, openTelemetry, type Telemetry } from './telemetry.ts'
import { OpenUpgrades, upgradeWatch } from './upgrade-watch.ts'
import { shareWire, type SharedWire } from './wire.ts'
import type { World } from './world.ts'

/** What an upgraded connection stands on. */
export interface UpgradeFacts {
  readonly peer: Peer
  readonly user: VerifiedToken | undefined
  readonly caller: VerifiedCaller | undefined
}

/** The shared parts. */
export interface Core {
  readonly world: World
  readonly identity: IdentitySource
  readonly telemetry: Telemetry
  readonly wire: SharedWire
  readonly fetch: OperatorFetch
  readonly policy: LiveValue<PolicyRevision>
  readonly causes: Causes
  readonly peerWatch: PeerWatch
  readonly lineOptions: LineOptions
  readonly onBug: (error: unknown) => void
  readonly onRefusedHead: (refused: RefusedHead) => void
  readonly onRefusedConnection: (refused: RefusedConnection) => void
  readonly onRevoked: (spiffeId: string) => void
  /** Ends an upgraded connection when the peer's certificate or the user's token ends. */
  readonly watchUpgrade: (facts: UpgradeFacts, end: (reason: string) => void) => () => void
  /** Upgraded connections that are open. */
  readonly upgrades: OpenUpgrades
  close(): Promise<void>
}

/**
 * Opens them.
 *
 * @throws IdentityFileError when the identity cannot be read
 */
export const openCore = async (
  config: SidecarConfig,
  policy: PolicyRevision,
  world: World,
): Promise<Core> => {
  const log = openProcessLog(config, world)
  const identity = await openIdentity(config.identity, {
    clock: systemClock,
    random: world.random,
    baseDirectory: '.',
    onEvent: (event) => tellIdentity(log, event),
  })
  const telemetry = openTelemetry(config, identity.identity, log, world)
  const wire = shareWire(config, world)
  const peerWatch = new PeerWatch({ trust: identity.trust, clock: systemClock })
  const upgrades = new OpenUpgrades()
  const onBug = (error: unknown): void => {
    log.error('bug', { cause: causeText(error) })
  }
  telemetry.metrics.observe('identityExpiry', () => {
    const { notAfter, spiffeId } = identity.identity.current
    return [[(notAfter - world.now()) / 1_000, spiffeId.uri]]
  })
  const livePolicy = new LiveValue(policy)
  const tellPolicy = ({ revision }: PolicyRevision): void => {
    telemetry.metrics.policyInfo.clear()
    telemetry.metrics.policyInfo.with(revision).set(1)
  }
  tellPolicy(policy)
  livePolicy.subscribe(tellPolicy)
  identity.identity.subscribe(() => telemetry.metrics.identityRotations.with('leaf', 'ok').add())
  identity.trust.subscribe(() => telemetry.metrics.identityRotations.with('bundle', 'ok').add())
  return {
    world,
    identity,
    telemetry,
    wire,
    fetch: operatorFetch(wire.newPool(), world.monotonic),
    policy: livePolicy,
    causes: new Causes(world.monotonic),
    peerWatch,
    lineOptions: {
      now: world.now,
      onBug: (x: Exchange, bug) => log.error('bug', { id: x.id, cause: causeText(bug.cause) }),
    },
    onBug,
    onRefusedHead: (refused) => tellRefusedHead(telemetry, world, refused),
    onRefusedConnection: (refused) => tellRefusedConnection(telemetry, refused),
    onRevoked: (spiffeId) => {
      telemetry.metrics.connectionsRevoked.with('trust-lost').add()
      log.warn('a connection is drained because its peer is no longer trusted', { peer: spiffeId })
    },
    watchUpgrade: upgradeWatch(peerWatch, upgrades, world.now),
    upgrades,
    close: async () => {
      upgrades.endAll('closing')
      peerWatch.close()
      identity.close()
      await telemetry.traces.shutdown(5_000)
      await telemetry.audit.close()
      await log.flush()
    },
  }
}

const causeText = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error)

const tellIdentity = (log: Log, event: IdentityEvent): void => {
  switch (event.kind) {
    case 'rotated':
      log.info('our certificate was renewed', {
        spiffe_id: event.identity.spiffeId.uri,
        expires: new Date(event.identity.notAfter).toISOString(),
      })
      return
    case 'trust-changed':
      log.info('the trust bundles changed', { trust_domains: event.trustDomains })
      return
    case 'reload-failed':
      log.error('the identity files cannot be used; the last good ones stay in force', {
        fault: event.error.message,
      })
      return
    case 'recovered':
      log.info('the identity files can be used again')
      return
    case 'warning':
      log.warn(event.detail, { file: event.file })
      return
    case 'expiring':
      log.warn('our certificate was not renewed', {
        life_used_percent: event.percent,
        seconds_left: event.secondsLeft,
      })
  }
}

const tellRefusedHead = (
  { audit, metrics, log }: Telemetry,
  world: World,
  head: RefusedHead,
): void => {
  const { id, direction, refusal, peer } = head
  metrics.refusals.with(direction, refusal.code).add()
  const decision = {
    id,
    time: world.now(),
    line: direction,
    decision: 'deny',
    code: refusal.code,
    stage: 'read-head',
    status: refusal.entry.status,
    peer,
    mode: 'enforce',
    durationMs: 0,
  } as const
  audit.record(decision)
  log.decision(decision)
}

const tellRefusedConnection = ({ metrics, log }: Telemetry, refused: RefusedConnection): void => {
  const code = 'code' in refused.error ? refused.error.code : 'failed'
  metrics.handshakes.with('server', refused.phase === 'plaintext' ? 'plaintext' : code).add()
  log.warn('a connection was turned away', {
    phase: refused.phase,
    reason: code,
    remote_address: refused.remoteAddress,
    certificate: refused.thumbprint,
  })
}
