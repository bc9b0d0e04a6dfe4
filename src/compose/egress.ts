/** Puts the egress line together: the catalog, the guard, the keys, and connections to third parties. */
import { createHash } from 'node:crypto'
import type { Catalog } from '../catalog/catalog.ts'
import { KeyKeeper } from '../catalog/credential/keeper.ts'
import { systemReaders, type SecretTransport } from '../catalog/credential/source.ts'
import type { SidecarConfig } from '../config/schema.ts'
import type { LoadedConfig } from '../config/load.ts'
import { checkResponse } from '../egress/check-response.ts'
import { egressLine } from '../egress/line.ts'
import { recordEgress } from '../egress/record.ts'
import type { EgressSection } from '../egress/section.ts'
import type { Handler } from '../exchange/line.ts'
import { LiveValue, type Live } from '../live.ts'
import type { RateLimiter } from '../stages/limit-rate.ts'
import type { ServerRequest } from '../wire/message.ts'
import { apiOrigins } from './api-origin.ts'
import type { Core } from './foundation.ts'
import { guardedResolver } from './guarded-resolver.ts'
import { resolverOf } from './name-server.ts'
import type { OperatorFetch } from './operator-fetch.ts'

/** The running egress side. */
export interface Egress {
  readonly handle: Handler<{ readonly request: ServerRequest }>
  /** Answers CONNECT. */
  readonly connect: Handler<{ readonly request: ServerRequest }>
  readonly catalog: Live<Catalog>
  readonly keys: KeyKeeper
  apply(next: LoadedConfig): Promise<void>
  close(): void
}

/** Makes it; resolves when every key was read once. */
export const openEgress = async (
  loaded: LoadedConfig,
  core: Core,
  limiter: RateLimiter,
): Promise<Egress> => {
  const { config } = loaded
  const { telemetry, identity, world } = core
  let section: EgressSection = config.egress
  const catalog = new LiveValue(loaded.catalog)
  const keys = new KeyKeeper(systemReaders(secretTransport(core.fetch)))
  keys.subscribe(({ entry, id, change, detail }) =>
    telemetry.log.info('a key changed', { api: entry, key: id, change, detail }),
  )
  const evaluationTime = telemetry.metrics.policyEvaluation.with('egress')
  const ownId = (): string => identity.identity.current.spiffeId.uri
  const handle = egressLine({
    options: core.lineOptions,
    traces: telemetry.traces,
    propagation: telemetry.propagation,
    dataClassHeader: config.egress.apis.data_class_header,
    match: {
      catalog,
      mode: () => section.apis.mode,
      reviewWarningMs: () => section.apis.review_warning,
      now: world.now,
      ownId,
      onUndeclared: (host) => telemetry.metrics.egressUndeclared.with(hashOf(host)).add(),
    },
    resolve: guardedResolver({
      resolver: resolverOf(config.egress.dns_servers, config.egress.timeouts.resolve),
      timeoutMs: config.egress.timeouts.resolve,
      denyCidrs: config.egress.deny_cidrs,
      ownListeners: listenersOf(config),
      monotonic: world.monotonic,
    }),
    limiter,
    policy: core.policy,
    recordable: () => telemetry.audit.accepts,
    timed: (seconds) => evaluationTime.record(seconds),
    monotonic: world.monotonic,
    observedPolicy: () => section.policy,
    credentials: { keyOf: (entry) => keys.current(entry), now: world.now },
    api: {
      pool: core.wire.newPool(),
      originOf: apiOrigins({
        now: world.now,
        connectTimeoutMs: config.egress.timeouts.connect,
      }),
      checkResponse,
      monotonic: world.monotonic,
    },
    record: recordEgress(telemetry.recorders, ownId),
  })
  const declareEntries = (): void => {
    telemetry.metrics.catalogEntries.with().set(catalog.current.entries.length)
  }
  await keys.keep(loaded.catalog.entries)
  declareEntries()
  return {
    handle,
    connect: handle,
    catalog,
    keys,
    apply: async (next) => {
      await keys.keep(next.catalog.entries)
      section = next.config.egress
      catalog.set(next.catalog)
      declareEntries()
    },
    close: () => keys.close(),
  }
}

const secretTransport =
  (fetch: OperatorFetch): SecretTransport =>
  async ({ url, headers, timeoutMs }) => {
    const { status, body } = await fetch({
      method: 'GET',
      url,
      headers,
      timeoutMs,
      maxBytes: 256 * 1024,
    })
    return { status, body: body.toString('utf8') }
  }

const hashOf = (host: string): string => createHash('sha256').update(host).digest('hex').slice(0, 8)

const listenersOf = ({ inbound, listeners, admin }: SidecarConfig) =>
  [inbound?.listen, listeners.app, listeners.health, admin.listen]
    .filter((address) => address !== undefined)
    .map(({ host, port }) => ({ address: host, port }))
