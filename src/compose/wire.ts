/** What all connections of one process share: the timer wheel, the settings of HTTP, the limits of tunnels. */
import type { SidecarConfig } from '../config/schema.ts'
import type { Http1ServerOptions } from '../wire/http1/server.ts'
import { Pool } from '../wire/pool.ts'
import { TimerWheel } from '../wire/timers.ts'
import type { TunnelLimits } from '../wire/tunnel.ts'
import type { World } from './world.ts'

/** The shared parts. */
export interface SharedWire {
  readonly wheel: TimerWheel
  readonly http: Omit<Http1ServerOptions, 'mode' | 'scheme' | 'context'>
  readonly tunnelLimits: TunnelLimits
  /** A pool of its own for each direction, so that one cannot starve another. */
  readonly newPool: () => Pool
}

/** Makes them. */
export const shareWire = ({ wire }: SidecarConfig, world: World): SharedWire => {
  const wheel = new TimerWheel({ now: world.monotonic })
  return {
    wheel,
    http: {
      limits: wire.limits,
      timeouts: wire.timeouts,
      wheel,
      slashes: wire.merge_slashes ? 'merge' : 'keep',
      underscores: wire.headers_with_underscores,
    },
    tunnelLimits: {
      wheel,
      idleMs: wire.timeouts.stream_idle,
      maxDurationMs: wire.timeouts.upgraded,
    },
    newPool: () =>
      new Pool({ limits: wire.limits, timeouts: wire.timeouts, pool: wire.pool, wheel }),
  }
}
