/** Puts the egress line together: the catalog, the guard, the keys, the limits, and connections to third parties. */
import { createHash } from 'node:crypto'
import type { Catalog } from '../catalog/catalog.ts'
import { KeyKeeper } from '../catalog/credential/keeper.ts'
import { systemReaders, type SecretTransport } from '../catalog/credential/source.ts'
import type { ApiEntry } from '../catalog/entry/entry.ts'
import { ApiLimits } from '../catalog/limits/api-limits.ts'
import type { SidecarConfig } from '../config/schema.ts'
import type { LoadedConfig } from '../config/load.ts'
import { checkResponse } from '../egress/check-response.ts'
import { connectLine } from '../egress/connect/connect-line.ts'
import { interceptedEntry } from '../egress/connect/match-connect.ts'
import { egressLine, type EgressParts } from '../egress/line.ts'
import { egressAttributes, recordEgress, type EgressFacts } from '../egress/record.ts'
import type { EgressSection } from '../egress/section.ts'
import { authorityOf } from '../egress/match-api.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { Handler } from '../exchange/line.ts'
import type { Observer } from '../exchange/outcome.ts'
import type { Refusal } from '../exchange/refusal.ts'
import { LiveValue, type Live } from '../live.ts'
import type { AppListenerParts } from '../listeners/app.ts'
import { Secret } from '../secret.ts'
import { randomIdentifiers } from '../telemetry/traces/identifiers.ts'
import { spanName } from '../telemetry/traces/span.ts'
import type { ClientCertificate } from '../token/oauth/oauth-client.ts'
import type { ServerRequest } from '../wire/message.ts'
import { apiOrigins, type ShownCertificate } from './api-origin.ts'
import { watchBypass, type BypassWatch } from './egress/bypass-watch.ts'
import { departureGuards } from './egress/departures.ts'
import { openInterception } from './egress/interception.ts'
import { apiKeys } from './egress/keys.ts'
import { openLearned, type Learned } from './egress/learned.ts'
import { learnFrom } from './egress/learn-calls.ts'
import { tokenPost } from './egress/token-post.ts'
import type { Core } from './foundation.ts'
import { guardedResolver } from './guarded-resolver.ts'
import { resolverOf } from './name-server.ts'
import type { OperatorFetch } from './operator-fetch.ts'

/** The running egress side. */
export interface Egress {
  readonly handle: Handler<{ readonly request: ServerRequest }>
  /** Answers CONNECT. */
  readonly connect: AppListenerParts['connect']
  readonly catalog: Live<Catalog>
  readonly keys: KeyKeeper
  readonly learned: Learned
  readonly bypass: BypassWatch
  apply(next: LoadedConfig): Promise<void>
  close(): void
}

/** Makes it; resolves when every key was read once. */
export const openEgress = async (loaded: LoadedConfig, core: Core): Promise<Egress> => {
  const { config } = loaded
  const { telemetry, identity, world } = core
  let section: EgressSection = config.egress
  const catalog = new LiveValue(loaded.catalog)
  const keys = new KeyKeeper(systemReaders(secretTransport(core.fetch)))
  const learned = openLearned(section.apis, telemetry.log)
  keys.subscribe(({ entry, id, change, detail }) =>
    telemetry.log.info('a key changed', { api: entry, key: id, change, detail }),
  )
  const guards = departureGuards(keys, () => section.apis)
  const evaluationTime = telemetry.metrics.policyEvaluation.with('egress')
  const ownId = (): string => identity.identity.current.spiffeId.uri
  const resolve = guardedResolver({
    resolver: resolverOf(config.egress.dns_servers, config.egress.timeouts.resolve),
    timeoutMs: config.egress.timeouts.resolve,
    denyCidrs: config.egress.deny_cidrs,
    ownListeners: listenersOf(config),
    monotonic: world.monotonic,
  })
  const originOf = apiOrigins({
    now: world.now,
    connectTimeoutMs: config.egress.timeouts.connect,
    observedCa: config.egress.observed.ca,
  })
  const limitsOf = limitsByEntry(world.now)
  const write = recordEgress(telemetry.recorders, ownId)
  const learn = learnFrom(learned, ownId)
  const record: Observer<EgressFacts> = (x, outcome) => {
    write(x, outcome)
    learn(x, outcome)
    const entry = x.api?.entry
    if (entry?.limits.breaker !== undefined) {
      const isOpen = limitsOf(entry).circuit() === 'open'
      telemetry.metrics.breakerState.with(entry.name).set(isOpen ? 1 : 0)
    }
  }
  const post = tokenPost({
    catalog,
    resolve,
    pool: core.wire.newPool(),
    originOf: (api, addresses, client) => originOf(api, addresses, shownBy(core, client)),
    traces: telemetry.traces,
    record,
    ownId,
    now: world.now,
    monotonic: world.monotonic,
  })
  const credentials = apiKeys({
    keys,
    ledger: learned.ledger,
    post,
    log: telemetry.log,
    metrics: telemetry.metrics,
    now: world.now,
  })
  const onViolation =
    (flow: 'request' | 'response') =>
    (api: string, mode: 'observe' | 'enforce' | 'strip'): void =>
      telemetry.metrics.contractViolations.with(api, flow, mode).add()
  const parts: EgressParts = {
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
    resolve,
    observedCidrs: () => section.observed.unsafe_allow_cidrs,
    limits: { of: limitsOf, caller: ownId },
    check: {
      guard: guards.current,
      mayRepeat: (entry) => mayRepeat(entry, keys),
      onViolation: onViolation('request'),
      onLeak: (api) => telemetry.metrics.leaksBlocked.with(api).add(),
    },
    policy: core.policy,
    recordable: () => telemetry.audit.accepts,
    timed: (seconds) => evaluationTime.record(seconds),
    monotonic: world.monotonic,
    observedPolicy: () => section.policy,
    credentials,
    api: {
      pool: core.wire.newPool(),
      originOf: (api, addresses) => originOf(api, addresses),
      checkResponse: checkResponse({ onViolation: onViolation('response') }),
      limitsOf,
      caller: ownId,
      identifiers: randomIdentifiers(),
      attributesOf: (x) => egressAttributes(x, ownId()),
      onRepeat: (entry) => telemetry.metrics.retries.with(entry.name).add(),
      onKeyRefused: (entry, detail) => {
        telemetry.metrics.credentialFallbacks.with(entry.name).add()
        telemetry.log.error('a vendor refused the key of a call', { api: entry.name, detail })
      },
      monotonic: world.monotonic,
      now: world.now,
      random: world.random,
      after,
    },
    record,
  }
  const handle = egressLine(parts)
  const interception = openInterception({
    catalog,
    caFile: config.egress.interception.ca_file,
    bundleFile: config.egress.interception.bundle_file,
    lifetimeMs: config.egress.interception.lifetime,
    now: world.now,
    log: telemetry.log,
  })
  const tunnels = new Set<(reason: string) => void>()
  const tunnelled = connectLine(parts, {
    limits: {
      wheel: core.wire.wheel,
      idleMs: config.egress.tunnels.idle_timeout,
      maxDurationMs: config.egress.tunnels.longest,
    },
    connectTimeoutMs: config.egress.timeouts.connect,
    helloTimeoutMs: config.egress.tunnels.hello_timeout,
    onOpen: (end) => {
      tunnels.add(end)
      return () => tunnels.delete(end)
    },
  })
  const declareEntries = (): void => {
    telemetry.metrics.catalogEntries.with().set(catalog.current.entries.length)
    telemetry.metrics.reviewOverdue.clear()
    for (const { name, reviewEndsAt } of catalog.current.entries) {
      telemetry.metrics.reviewOverdue.with(name).set(reviewEndsAt <= world.now() ? 1 : 0)
    }
  }
  telemetry.metrics.observe('credentialAge', () =>
    catalog.current.entries.flatMap((entry) => {
      const held = keys.current(entry)
      if (held.kind !== 'ready') return []
      const { ageDays } = learned.ledger.judge(entry, held.key, world.now())
      return [[ageDays, entry.name, held.id] as const]
    }),
  )
  await keys.keep(loaded.catalog.entries)
  declareEntries()
  const bypass = watchBypass(config.egress.bypass, telemetry.log, telemetry.metrics)
  return {
    handle,
    connect: (x, open) => {
      const { host } = x.request.head.target
      const entry = interceptedEntry(parts.match, x.request)
      if (entry === undefined) tunnelled(x)
      else {
        open(interception.contextFor(host), (id, refusal) =>
          recordRefusedInside(core, record, x, entry, { id, refusal }),
        )
      }
    },
    catalog,
    keys,
    learned,
    bypass,
    apply: async (next) => {
      await keys.keep(next.catalog.entries)
      section = next.config.egress
      catalog.set(next.catalog)
      guards.renew()
      interception.renew()
      declareEntries()
    },
    close: () => {
      for (const end of tunnels) end('the sidecar stops')
      interception.close()
      bypass.close()
      learned.close()
      keys.close()
    },
  }
}

/** What is refused inside an opened CONNECT before it takes the line has a span and a record as well. */
const recordRefusedInside = (
  { telemetry, world }: Core,
  record: Observer<EgressFacts>,
  x: Exchange & { readonly request: ServerRequest },
  entry: ApiEntry,
  { id, refusal }: { readonly id: string; readonly refusal: Refusal },
): void => {
  const { target } = x.request.head
  const span = telemetry.traces.start({
    name: spanName('CONNECT', undefined),
    kind: 'client',
    parent: undefined,
    always: 'sampled-always',
  })
  const api = {
    entry,
    operation: undefined,
    host: target.host,
    port: target.port,
    authority: authorityOf(target.host, target.port, 443),
    data: [],
    warnings: [],
  }
  record(
    { ...x, id, startedAt: world.now(), span, api, target },
    {
      status: refusal.entry.status,
      requestBytes: 0,
      responseBytes: 0,
      decision: 'deny',
      refusal,
      stage: 'match-api',
      endedAt: world.now(),
    },
  )
}

/** The limits of each API; a reload that leaves them as they are keeps their counts. */
const limitsByEntry = (now: () => number) => {
  const byName = new Map<string, { readonly settings: string; readonly limits: ApiLimits }>()
  const byEntry = new WeakMap<ApiEntry, ApiLimits>()
  return (entry: ApiEntry): ApiLimits => {
    const known = byEntry.get(entry)
    if (known !== undefined) return known
    const settings = JSON.stringify(entry.limits)
    const before = byName.get(entry.name)
    const limits =
      before?.settings === settings ? before.limits : new ApiLimits(entry, { now, after })
    byName.set(entry.name, { settings, limits })
    byEntry.set(entry, limits)
    return limits
  }
}

const after = (task: () => void, ms: number): (() => void) => {
  const timer = setTimeout(task, ms)
  return () => clearTimeout(timer)
}

/** A repeat is possible by the limits, or because a rotated key, or an access token, may be refused. */
const mayRepeat = (entry: ApiEntry, keys: KeyKeeper): boolean => {
  if (entry.limits.retry.attempts > 1) return true
  if (entry.authentication.kind.startsWith('oauth2-')) return true
  const held = keys.current(entry)
  return held.kind === 'ready' && held.previous !== undefined
}

const shownBy = (
  { identity }: Core,
  client: ClientCertificate | undefined,
): ShownCertificate | undefined => {
  if (client === undefined) return undefined
  if (client !== 'workload') {
    return { certificatePem: client.certificatePem, keyPem: client.privateKeyPem }
  }
  const { certificatePem, keyPem } = identity.identity.current
  return { certificatePem, keyPem: new Secret(keyPem.reveal()) }
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
