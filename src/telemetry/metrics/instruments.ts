/**
 * Every metric of the sidecar, declared once: name, help and labels, and the cells that stages record into.
 *
 * Made by the composition root and handed to whoever records. Labels hold only names from the configuration (routes,
 * APIs, identities) and words from closed lists, so that a stranger cannot make new series.
 */
import { metric } from '../names.ts'
import { formatMetrics } from './exposition.ts'
import { briefBounds, durationBounds, Registry } from './registry.ts'
import type { Label, LabelValues, MetricSpec, RegistryLimits } from './registry.ts'

const method = {
  name: 'http_request_method',
  values: [
    'GET',
    'HEAD',
    'POST',
    'PUT',
    'DELETE',
    'CONNECT',
    'OPTIONS',
    'TRACE',
    'PATCH',
    'QUERY',
    '_OTHER',
  ],
} as const
const direction = { name: 'direction', values: ['inbound', 'outbound', 'egress'] } as const
/** A word of the closed list of error types, or a status code; bounded by where it comes from. */
const errorType = 'error_type'
const result = { name: 'result', values: ['ok', 'failed', 'stale', 'hit', 'miss'] } as const

/** The server name of a call to a host that no catalog entry names. */
export const undeclaredAddress = '_undeclared'

const declareHttp = (registry: Registry) => ({
  /** Seconds from the first byte of the head to the last of the answer, on the peer listener. */
  serverDuration: registry.histogram({
    name: metric.serverDuration,
    help: 'Seconds that requests from the mesh took.',
    labels: [method, 'http_route', 'http_response_status_code', errorType],
    bounds: durationBounds,
  }),
  /** Seconds of one attempt, to a mesh peer or a third party. `server_address` comes from the configuration. */
  clientDuration: registry.histogram({
    name: metric.clientDuration,
    help: 'Seconds that one attempt to a peer or a third party took.',
    labels: [
      method,
      'server_address',
      'server_port',
      'http_response_status_code',
      errorType,
      'service_peer_name',
    ],
    bounds: durationBounds,
  }),
  serverActive: registry.gauge({
    name: metric.serverActive,
    help: 'Requests that are being handled.',
    labels: [direction],
  }),
  clientActive: registry.gauge({
    name: metric.clientActive,
    help: 'Attempts that wait for an answer.',
    labels: ['service_peer_name'],
  }),
  clientConnections: registry.gauge({
    name: metric.clientConnections,
    help: 'Open connections to peers and third parties.',
    labels: ['service_peer_name', { name: 'http_connection_state', values: ['active', 'idle'] }],
  }),
  serverConnections: registry.gauge({
    name: metric.serverConnections,
    help: 'Open connections by listener.',
    labels: [{ name: 'listener', values: ['peer', 'app', 'health', 'admin'] }],
  }),
  handshakes: registry.counter({
    name: metric.handshakes,
    help: 'TLS handshakes; the result is ok or the reason of the refusal.',
    labels: [{ name: 'side', values: ['server', 'client'] }, 'result'],
  }),
  refusals: registry.counter({
    name: metric.refusals,
    help: 'Requests that were not passed on, by refusal code.',
    labels: [direction, 'code'],
  }),
})

const declareTrust = (registry: Registry) => ({
  policyDecisions: registry.counter({
    name: metric.policyDecisions,
    help: 'Decisions of policies.',
    labels: [direction, { name: 'decision', values: ['allow', 'deny', 'would-deny'] }, 'rule'],
  }),
  policyEvaluation: registry.histogram({
    name: metric.policyEvaluation,
    help: 'Seconds that one policy decision took.',
    labels: [direction],
    bounds: briefBounds,
  }),
  policyInfo: registry.gauge({
    name: metric.policyInfo,
    help: 'The policy revision in force, as a label; always 1.',
    labels: ['revision'],
  }),
  tokenVerifications: registry.counter({
    name: metric.tokenVerifications,
    help: 'Verified tokens; the result is ok or the reason of the refusal.',
    labels: [{ name: 'kind', values: ['user', 'hop'] }, 'result'],
  }),
  tokenCache: registry.counter({
    name: metric.tokenCache,
    help: 'Look-ups of verified tokens.',
    labels: [{ name: 'kind', values: ['user', 'hop'] }, result],
  }),
  hopTokensMinted: registry.counter({
    name: metric.hopTokensMinted,
    help: 'Hop tokens that were signed.',
    labels: [],
  }),
  keySetFetches: registry.counter({
    name: metric.keySetFetches,
    help: 'Fetches of key sets.',
    labels: ['provider', result],
  }),
  identityRotations: registry.counter({
    name: metric.identityRotations,
    help: 'Replacements of our own identity and of trust bundles.',
    labels: [{ name: 'kind', values: ['leaf', 'bundle'] }, result],
  }),
  connectionsRevoked: registry.counter({
    name: metric.connectionsRevoked,
    help: 'Connections that were ended because their certificate stopped being good.',
    labels: ['reason'],
  }),
  configReloads: registry.counter({
    name: metric.configReloads,
    help: 'Reloads by what was loaded.',
    labels: [
      { name: 'kind', values: ['config', 'policies', 'catalog', 'identity', 'keys'] },
      result,
    ],
  }),
  configStale: registry.gauge({
    name: metric.configStale,
    help: '1 while the last good version is in force because the newest one is broken.',
    labels: [{ name: 'kind', values: ['config', 'policies', 'catalog', 'identity', 'keys'] }],
  }),
  configInfo: registry.gauge({
    name: metric.configInfo,
    help: 'The configuration revision in force, as a label; always 1.',
    labels: ['revision'],
  }),
})

const declareEgress = (registry: Registry) => ({
  egressCalls: registry.counter({
    name: metric.egressCalls,
    help: 'Attempts to call third parties, refused ones included.',
    labels: [
      'api',
      { name: 'decision', values: ['allow', 'deny', 'would-deny', 'redact'] },
      errorType,
    ],
  }),
  /** The label is the first eight hex digits of the SHA-256 of the host. */
  egressUndeclared: registry.counter({
    name: metric.egressUndeclared,
    help: 'Calls to hosts that no catalog entry names.',
    labels: ['host_hash'],
  }),
  egressBytes: registry.counter({
    name: metric.egressBytes,
    help: 'Bytes of bodies exchanged with third parties.',
    labels: ['api', { name: 'flow', values: ['sent', 'received'] }],
  }),
  egressOverhead: registry.histogram({
    name: metric.egressOverhead,
    help: 'Seconds that the sidecar added to one third-party call.',
    labels: ['api'],
    bounds: briefBounds,
  }),
  contractViolations: registry.counter({
    name: metric.contractViolations,
    help: 'Requests and responses that break the contract of their API.',
    labels: [
      'api',
      { name: 'flow', values: ['request', 'response'] },
      { name: 'mode', values: ['observe', 'enforce', 'strip'] },
    ],
  }),
  leaksBlocked: registry.counter({
    name: metric.leaksBlocked,
    help: 'Known keys that were on their way to a host they do not belong to.',
    labels: ['api'],
  }),
  reviewOverdue: registry.gauge({
    name: metric.reviewOverdue,
    help: '1 for an API whose review date has passed.',
    labels: ['api'],
  }),
  catalogEntries: registry.gauge({
    name: metric.catalogEntries,
    help: 'APIs in the catalog.',
    labels: [],
  }),
  credentialFetches: registry.counter({
    name: metric.credentialFetches,
    help: 'Fetches of credentials and of OAuth tokens.',
    labels: ['api', result],
  }),
  credentialFallbacks: registry.counter({
    name: metric.credentialFallbacks,
    help: 'Calls that were repeated with the older key because the newer one was refused.',
    labels: ['api'],
  }),
  breakerState: registry.gauge({
    name: metric.breakerState,
    help: '1 while the circuit breaker is open.',
    labels: ['service_peer_name'],
  }),
  retries: registry.counter({
    name: metric.retries,
    help: 'Repeated attempts.',
    labels: ['service_peer_name'],
  }),
})

const declareSelf = (registry: Registry) => ({
  auditRecords: registry.counter({
    name: metric.auditRecords,
    help: 'Audit records by what became of them.',
    labels: [{ name: 'outcome', values: ['queued', 'dropped'] }],
  }),
  logsDropped: registry.counter({
    name: metric.logsDropped,
    help: 'Log lines that were lost because the output did not keep up.',
    labels: [],
  }),
})

/** Metrics whose values are read at the scrape from whoever knows them. */
const observed = {
  identityExpiry: {
    name: metric.identityExpiry,
    help: 'Seconds until the certificate of an identity expires; negative once it has.',
    labels: ['identity'],
  },
  keySetAge: {
    name: metric.keySetAge,
    help: 'Seconds since the key set of a token provider was fetched.',
    labels: ['provider'],
  },
  credentialAge: {
    name: metric.credentialAge,
    help: 'Days since the key of an API was first seen.',
    labels: ['api', 'credential'],
  },
  limitQueue: {
    name: metric.limitQueue,
    help: 'Calls that wait for a rate limit.',
    labels: ['api'],
  },
  bypassSockets: {
    name: metric.bypassSockets,
    help: 'Sockets of the pod that do not pass here.',
    labels: [],
  },
  spans: {
    name: metric.spans,
    help: 'Recorded spans by what became of them.',
    labels: [{ name: 'outcome', values: ['exported', 'dropped', 'failed'] }],
    type: 'counter',
  },
  spansDropped: {
    name: metric.spansDropped,
    help: 'Spans that were lost, by a full queue or by the collector.',
    labels: [],
    type: 'counter',
  },
  spanQueue: { name: metric.spanQueue, help: 'Spans that wait for export.', labels: [] },
  attributesUnlisted: {
    name: metric.attributesUnlisted,
    help: 'Span attributes that were refused because their name is not listed.',
    labels: [],
    type: 'counter',
  },
  auditDropped: {
    name: metric.auditDropped,
    help: 'Audit records that were lost.',
    labels: [],
    type: 'counter',
  },
  auditHealthy: {
    name: metric.auditHealthy,
    help: '1 while audit records can be written.',
    labels: [],
  },
  auditQueue: {
    name: metric.auditQueue,
    help: 'Audit records that wait for the disk.',
    labels: [],
  },
  eventLoopLag: {
    name: metric.eventLoopLag,
    help: 'Seconds by which timers are late, 99th percentile.',
    labels: [],
  },
  openDescriptors: { name: metric.openDescriptors, help: 'Open file descriptors.', labels: [] },
} as const

type Observed = typeof observed

/** All metrics of one sidecar. */
export type Metrics = ReturnType<typeof declareHttp> &
  ReturnType<typeof declareTrust> &
  ReturnType<typeof declareEgress> &
  ReturnType<typeof declareSelf> & {
    /** Connects a metric that is read at the scrape with its source; once for each metric. */
    observe<Key extends keyof Observed>(
      key: Key,
      read: () => Iterable<
        readonly [value: number, ...values: LabelValues<Observed[Key]['labels']>]
      >,
    ): void
    /** The text for Prometheus. */
    text(): string
    readonly registry: Registry
  }

const declareProcess = (registry: Registry, startTimeMs: number): void => {
  registry.observe(
    { name: metric.residentMemory, help: 'Resident memory in bytes.', labels: [] },
    () => [[process.memoryUsage.rss()]],
  )
  registry.observe(
    {
      name: metric.processorTime,
      help: 'User and system processor seconds.',
      labels: [],
      type: 'counter',
    },
    () => {
      const { user, system } = process.cpuUsage()
      return [[(user + system) / 1_000_000]]
    },
  )
  registry.observe(
    {
      name: metric.startTime,
      help: 'Start of the process, in seconds since the epoch.',
      labels: [],
    },
    () => [[startTimeMs / 1_000]],
  )
  registry.observe(
    {
      name: metric.seriesFolded,
      help: 'Records whose label values were counted as other.',
      labels: [],
      type: 'counter',
    },
    () => [[registry.folded]],
  )
}

/** Declares everything. `target` are the resource's attributes, `startTimeMs` when the process began. */
export const openMetrics = (options: {
  readonly limits?: RegistryLimits
  readonly target: Readonly<Record<string, string>>
  readonly startTimeMs: number
}): Metrics => {
  const registry = options.limits === undefined ? new Registry() : new Registry(options.limits)
  const declared = {
    ...declareHttp(registry),
    ...declareTrust(registry),
    ...declareEgress(registry),
    ...declareSelf(registry),
  }
  declareProcess(registry, options.startTimeMs)
  return {
    ...declared,
    observe: (key, read) => {
      const spec: MetricSpec<readonly Label[]> = observed[key]
      registry.observe(spec, read as () => Iterable<readonly [number, ...string[]]>)
    },
    text: () => formatMetrics(registry, options.target),
    registry,
  }
}
