/**
 * The composition root: a checked configuration in, a running sidecar out. The only place that knows every part, and
 * the one that says in which order things start and stop.
 *
 * Start: identity, telemetry, keys of token issuers and of APIs, policies, then the doors, health first and the mesh
 * last. Stop: not ready, no new connections, requests in flight, spans and audit records, identity.
 */
import { openInbound, type Inbound } from './compose/inbound.ts'
import { openOutbound } from './compose/outbound.ts'
import { openEgress } from './compose/egress.ts'
import { openCore, type Core } from './compose/foundation.ts'
import { openAdmin } from './compose/admin.ts'
import { openAppDoors } from './compose/app-doors.ts'
import { compilePolicies, compilePoliciesInSlices } from './compose/policy.ts'
import { observeParts } from './compose/observe-parts.ts'
import { openReadiness } from './compose/readiness.ts'
import { openUserTokens } from './compose/user-tokens.ts'
import { watchConfig } from './compose/watch-config.ts'
import { processWorld, type World } from './compose/world.ts'
import type { LoadedConfig } from './config/load.ts'
import type { Reload } from './config/reload.ts'
import { openHealthListener } from './listeners/health.ts'
import type { Listener } from './listeners/listener.ts'
import { openMetricsListener } from './listeners/metrics.ts'
import { RateLimiter } from './stages/limit-rate.ts'
import { metricsContentType } from './telemetry/metrics/exposition.ts'
import type { Address } from './units.ts'

/** A running sidecar. */
export interface Sidecar {
  /** Where it listens; ports are known even where 0 was asked for. */
  readonly addresses: {
    readonly peer: Address | undefined
    readonly app: Address
    readonly health: Address
    readonly admin: Address
    readonly metrics: Address | undefined
    /** Loopback ports of single services, by their name. */
    readonly services: Readonly<Record<string, Address>>
  }
  /** The parts, for tests and embedding. */
  readonly core: Core
  readonly reload: Reload
  /** Drains and stops; resolves when nothing is left. A second call ends what still runs. */
  stop(): Promise<void>
}

/** What to start. */
export interface StartOptions {
  readonly loaded: LoadedConfig
  /** Reads the configuration again, for reloads. */
  readonly load: () => LoadedConfig
  readonly world?: World
}

/**
 * Starts a sidecar.
 *
 * @throws IdentityFileError, RegoErrors, or the error of an address that cannot be bound; what was opened is closed
 */
export const startSidecar = async ({
  loaded,
  load,
  world = processWorld,
}: StartOptions): Promise<Sidecar> => {
  const { config } = loaded
  const limits = {
    budget: config.policy.budget,
    now: world.now,
    directory: config.policy.directory,
  }
  const core = await openCore(config, compilePolicies(loaded.policies, limits), world)
  const closers: (() => Promise<void> | void)[] = [() => core.close()]
  try {
    const limiter = new RateLimiter()
    let tokens = await openUserTokens(config, core)
    closers.push(() => tokens.close())
    closers.push(observeParts(core, () => tokens))
    const outbound = openOutbound(config, core, limiter)
    const egress = await openEgress(loaded, core)
    closers.push(() => egress.close())

    const reload = watchConfig(core, loaded, load, {
      apply: async (next) => {
        const { budget, directory, strict } = next.config.policy
        const policy = await compilePoliciesInSlices(
          next.policies,
          { budget, now: world.now, directory },
          strict ? 'strict' : 'lenient',
        )
        const nextTokens = await openUserTokens(next.config, core)
        await egress.apply(next)
        outbound.apply(next.config.outbound)
        if (next.config.inbound !== undefined) inbound?.apply(next.config.inbound, nextTokens)
        core.policy.set(policy)
        tokens.close()
        tokens = nextTokens
      },
    })
    closers.push(() => reload.stop())

    const readiness = openReadiness(core, reload.reload, () => tokens, egress)
    let drain = (): Promise<void> => Promise.resolve()
    const health = await openHealthListener({
      address: config.listeners.health,
      checks: readiness.checks,
      started: readiness.started,
      stopping: () => readiness.stopping,
      drain: () => drain(),
    })
    closers.push(() => health.close())
    const metrics =
      config.listeners.metrics === undefined
        ? undefined
        : await openMetricsListener({
            address: config.listeners.metrics,
            contentType: metricsContentType,
            text: () => core.telemetry.metrics.text(),
          })
    closers.push(() => metrics?.close())
    const admin = await openAdmin(config, core, {
      reload: reload.reload,
      egress,
      outbound,
      readiness,
    })
    closers.push(() => admin.close())
    const doors = await openAppDoors(config, core, outbound, egress)
    closers.push(() => doors.all.forEach((door) => door.destroy()))
    const inbound: Inbound | undefined =
      config.inbound === undefined
        ? undefined
        : await openInbound(
            config,
            config.inbound,
            core,
            limiter,
            tokens,
            () => outbound.services().length > 0,
          )
    readiness.markStarted()

    const listeners: Listener[] = [
      ...doors.all,
      ...(inbound === undefined ? [] : [inbound.listener]),
    ]
    let unreadySince: number | undefined
    const { drain: times } = config.listeners
    const becomeUnready = async (): Promise<void> => {
      readiness.stopping = true
      unreadySince ??= world.now()
      await delay(Math.max(0, unreadySince + times.delay - world.now()))
    }
    drain = async () => {
      await becomeUnready()
      const until = world.now() + times.grace
      while (listeners.some(({ connections }) => connections.busy > 0) && world.now() < until) {
        await delay(lookAgainMs)
      }
    }
    let stopping = 0
    const stop = async (): Promise<void> => {
      stopping += 1
      if (stopping > 1) {
        for (const listener of listeners) listener.destroy()
        return
      }
      await becomeUnready()
      for (const listener of listeners) listener.stopAccepting()
      core.upgrades.endAll('closing')
      await Promise.race([
        Promise.all(listeners.map((listener) => listener.drain())),
        delay(times.grace),
      ])
      for (const listener of listeners) listener.destroy()
      for (const close of closers.toReversed()) await close()
    }
    return {
      addresses: {
        peer: inbound?.listener.address,
        app: doors.app.address,
        health: health.address,
        admin: admin.address,
        metrics: metrics?.address,
        services: doors.services,
      },
      core,
      reload: reload.reload,
      stop,
    }
  } catch (thrown) {
    for (const close of closers.toReversed()) await close()
    throw thrown
  }
}

const lookAgainMs = 50

const delay = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms).unref()
  })
