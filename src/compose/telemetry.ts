/** Opens what is recorded: spans, metrics, the log and the audit trail, from their section and `OTEL_*`. */
import { createHmac, randomBytes, randomUUID } from 'node:crypto'
import type { SidecarConfig } from '../config/schema.ts'
import type { WorkloadIdentity } from '../identity/workload-identity.ts'
import type { Live } from '../live.ts'
import type { Recorders } from '../stages/record-outcome.ts'
import { openAudit } from '../telemetry/audit/open-audit.ts'
import type { Audit } from '../telemetry/audit/audit.ts'
import { openLog, type Log } from '../telemetry/log.ts'
import { openMetrics, type Metrics } from '../telemetry/metrics/instruments.ts'
import type { PropagationRules } from '../telemetry/traces/boundary.ts'
import { resolveTraceSettings } from '../telemetry/traces/environment.ts'
import type { Traces } from '../telemetry/traces/span.ts'
import { openTraces, preciseClock } from '../telemetry/traces/traces.ts'
import { version } from '../version.ts'
import { signBatch } from './sign-batch.ts'
import type { World } from './world.ts'

/** Everything that is recorded with. */
export interface Telemetry {
  readonly traces: Traces
  readonly metrics: Metrics
  readonly log: Log
  readonly audit: Audit
  readonly recorders: Recorders
  readonly propagation: PropagationRules
  /** What may be written down of an end user: stable while this process runs, useless outside it. */
  readonly pseudonym: (subject: string) => string
}

/** Opens the log alone, so that what happens before the rest is open can be told. */
export const openProcessLog = (config: SidecarConfig, world: World): Log => {
  const { settings } = resolveTraceSettings(config.telemetry, world.environment)
  const { logs } = config.telemetry
  return openLog({
    level: logs.level ?? settings.logLevel ?? 'info',
    decisions: logs.decisions,
    fieldLength: logs.field_length,
    now: world.now,
    output: world.logOutput,
  }).with({ service: config.service.name })
}

/** Opens the rest. */
export const openTelemetry = (
  config: SidecarConfig,
  identity: Live<WorkloadIdentity>,
  log: Log,
  world: World,
): Telemetry => {
  const { telemetry } = config
  const { settings, warnings } = resolveTraceSettings(telemetry, world.environment)
  for (const warning of warnings) log.warn(warning)
  const spiffeId = identity.current.spiffeId.uri
  const traces = openTraces({
    settings,
    facts: {
      serviceName: telemetry.service_name ?? config.service.name,
      version,
      instance: randomUUID(),
      spiffeId,
    },
    now: preciseClock(),
    recent: telemetry.traces.recent,
    queryKeys: telemetry.traces.query_keys,
    virtualPeers: telemetry.traces.virtual_peers ? 'emit' : 'none',
    onExport: (fault) =>
      fault === undefined
        ? log.info('the collector takes spans again')
        : log.warn('the collector does not take spans', { fault }),
  })
  const metrics = openMetrics({
    limits: {
      labelValues: telemetry.metrics.label_values,
      series: telemetry.metrics.series,
    },
    target: { 'service.name': config.service.name, 'service.version': version },
    startTimeMs: world.now(),
  })
  const audit = openAudit({
    section: telemetry.audit,
    recent: config.admin.recent,
    sign: signBatch(identity),
    now: world.now,
    onFault: (fault) =>
      fault === undefined
        ? log.info('audit records are written again')
        : log.error('audit records cannot be written', { fault }),
  })
  return {
    traces,
    metrics,
    log,
    audit,
    recorders: { audit, metrics, logDecision: (decision) => log.decision(decision) },
    propagation: {
      traceContext: settings.propagators.has('tracecontext') ? 'propagate' : 'ignore',
      baggageKeys: new Set(telemetry.traces.baggage_keys),
    },
    pseudonym: pseudonyms(),
  }
}

const mostPseudonyms = 10_000

/** An HMAC under a key that lives as long as the process; those of recent users are kept. */
const pseudonyms = (): ((subject: string) => string) => {
  const key = randomBytes(32)
  const known = new Map<string, string>()
  return (subject) => {
    const found = known.get(subject)
    if (found !== undefined) return found
    const made = createHmac('sha256', key).update(subject).digest('hex').slice(0, 16)
    if (known.size >= mostPseudonyms) known.clear()
    known.set(subject, made)
    return made
  }
}
