/** The parts of a sidecar that all directions stand on; made once, before any door opens. */
import type { Bug } from '../exchange/refusal.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { LineOptions } from '../exchange/line.ts'
import type { RefusedConnection } from '../identity/mesh-tls.ts'
import type { PeerWatch } from '../identity/peer-watch.ts'
import type { Peer } from '../identity/peer.ts'
import type { IdentitySource } from '../identity/sources/identity-source.ts'
import type { RefusedHead } from '../listeners/begin-exchange.ts'
import type { Live } from '../live.ts'
import type { PolicyRevision } from '../stages/authorize.ts'
import type { Causes } from '../stages/causes.ts'
import type { VerifiedCaller, VerifiedToken } from '../token/verified-token.ts'
import type { Telemetry } from './telemetry.ts'
import type { SharedWire } from './wire.ts'
import type { World } from './world.ts'

/** The shared parts. */
export interface Core {
  readonly world: World
  readonly identity: IdentitySource
  readonly telemetry: Telemetry
  readonly wire: SharedWire
  readonly policy: Live<PolicyRevision>
  readonly causes: Causes
  readonly peerWatch: PeerWatch
  readonly lineOptions: LineOptions
  readonly onBug: (error: unknown) => void
  readonly onRefusedHead: (refused: RefusedHead) => void
  readonly onRefusedConnection: (refused: RefusedConnection) => void
  readonly onRevoked: (spiffeId: string) => void
  /** Ends an upgraded connection when the peer's certificate or the user's token ends. */
  readonly watchUpgrade: (
    facts: {
      readonly peer: Peer
      readonly user: VerifiedToken | undefined
      readonly caller: VerifiedCaller | undefined
    },
    end: (reason: string) => void,
  ) => void
}

/** Tells of a defect, once, where an operator looks; nothing of it reaches a caller. */
export const bugLine = (
  x: Exchange,
  bug: Bug,
): { readonly id: string; readonly cause: string } => ({
  id: x.id,
  cause: bug.cause instanceof Error ? (bug.cause.stack ?? bug.cause.message) : String(bug.cause),
})
