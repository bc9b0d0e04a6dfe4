/**
 * Joins the `traces` section with the `OTEL_*` variables into the settings of the tracer.
 *
 * Used by `traces.ts`, once at start. The SDK reads no environment by itself, so every variable is mapped here: the
 * file beats the variable, the variable of one signal beats the general one, and the default comes last. A variable
 * that cannot be used is reported and ignored, as the specification asks; nothing here throws, opens or reads a file.
 */
import { Secret } from '../../secret.ts'
import type { TelemetrySection } from '../section.ts'

/** The variables of a process. */
export type Environment = Readonly<Record<string, string | undefined>>

/** How the tracer is to work; times in milliseconds. */
export interface TraceSettings {
  /** `OTEL_SDK_DISABLED`: no span is recorded at all, third-party calls included. */
  readonly recording: 'on' | 'off'
  readonly serviceName: string | undefined
  readonly resource: Readonly<Record<string, string>>
  readonly detectors: ReadonlySet<'service' | 'host' | 'process'>
  readonly sampling: {
    /** Share of new traces that is recorded. */
    readonly ratio: number
    /** `ignore` decides each hop by the ratio, whatever its parent says. */
    readonly parent: 'follow' | 'ignore'
  }
  readonly exporter: 'otlp' | 'console' | 'none'
  readonly protocol: 'http/protobuf' | 'grpc'
  readonly url: string
  readonly headers: ReadonlyMap<string, Secret>
  readonly timeoutMs: number
  readonly compression: 'gzip' | 'none'
  /** Paths of PEM files. */
  readonly tls: {
    readonly ca: string | undefined
    readonly certificate: string | undefined
    readonly key: string | undefined
  }
  readonly queue: number
  readonly batch: number
  readonly delayMs: number
  readonly exportTimeoutMs: number
  readonly limits: SpanLimits
  /** `OTEL_PROPAGATORS`, for hops inside the mesh. */
  readonly propagators: ReadonlySet<'tracecontext' | 'baggage'>
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | undefined
}

/** The most that one span holds. */
export interface SpanLimits {
  readonly attributeValueLength: number
  readonly attributes: number
  readonly events: number
  readonly links: number
  readonly attributesOfEvent: number
  readonly attributesOfLink: number
}

/** The settings, and one sentence for each variable that was not used as written. */
export interface ResolvedTraceSettings {
  readonly settings: TraceSettings
  readonly warnings: readonly string[]
}

const samplers: Readonly<
  Record<string, { parent: 'follow' | 'ignore'; ratio: number | 'argument' }>
> = {
  always_on: { parent: 'ignore', ratio: 1 },
  always_off: { parent: 'ignore', ratio: 0 },
  traceidratio: { parent: 'ignore', ratio: 'argument' },
  parentbased_always_on: { parent: 'follow', ratio: 1 },
  parentbased_always_off: { parent: 'follow', ratio: 0 },
  parentbased_traceidratio: { parent: 'follow', ratio: 'argument' },
}

const unusedVariables: Readonly<Record<string, string>> = {
  OTEL_CONFIG_FILE: 'is not supported: write the telemetry section of sallyport.yaml',
  OTEL_METRIC_EXPORT_INTERVAL:
    'has no effect: metrics are read from /metrics of the admin listener',
  OTEL_METRIC_EXPORT_TIMEOUT: 'has no effect: metrics are read from /metrics of the admin listener',
  OTEL_EXPORTER_PROMETHEUS_HOST: 'has no effect: set admin.listen in sallyport.yaml',
  OTEL_EXPORTER_PROMETHEUS_PORT: 'has no effect: set admin.listen in sallyport.yaml',
}

/** Reads variables one by one and collects what is wrong with them. */
class Reader {
  readonly warnings: string[] = []
  readonly #environment: Environment

  constructor(environment: Environment) {
    this.#environment = environment
  }

  /** The first of `names` that is set to more than spaces. */
  text(...names: readonly string[]): { readonly name: string; readonly value: string } | undefined {
    for (const name of names) {
      const value = this.#environment[name]?.trim()
      if (value !== undefined && value !== '') return { name, value }
    }
    return undefined
  }

  warn(name: string, problem: string): undefined {
    this.warnings.push(`${name} ${problem}`)
    return undefined
  }

  number(least: number, ...names: readonly string[]): number | undefined {
    for (const name of names) {
      const found = this.text(name)
      if (found === undefined) continue
      const value = Number(found.value)
      if (Number.isFinite(value) && value >= least) return value
      this.warn(name, `is ignored: expected a number of at least ${least}, got ${found.value}`)
    }
    return undefined
  }

  /** A whole number; 0 or more. */
  count(...names: readonly string[]): number | undefined {
    const value = this.number(0, ...names)
    return value === undefined ? undefined : Math.floor(value)
  }

  choice<const Word extends string>(
    words: readonly Word[],
    ...names: readonly string[]
  ): Word | undefined {
    for (const name of names) {
      const found = this.text(name)
      if (found === undefined) continue
      const word = words.find((candidate) => candidate === found.value.toLowerCase())
      if (word !== undefined) return word
      this.warn(name, `is ignored: expected one of ${words.join(', ')}, got ${found.value}`)
    }
    return undefined
  }

  url(name: string): string | undefined {
    const found = this.text(name)
    if (found === undefined) return undefined
    if (URL.canParse(found.value) && /^https?:/.test(found.value)) return found.value
    return this.warn(name, `is ignored: expected an http or https URL, got ${found.value}`)
  }
}

const parsePairs = (text: string): Map<string, string> | undefined => {
  const pairs = new Map<string, string>()
  for (const part of text.split(',')) {
    if (part.trim() === '') continue
    const at = part.indexOf('=')
    if (at < 1) return undefined
    try {
      pairs.set(
        decodeURIComponent(part.slice(0, at).trim()),
        decodeURIComponent(part.slice(at + 1).trim()),
      )
    } catch {
      return undefined
    }
  }
  return pairs
}

const readResource = (reader: Reader): Map<string, string> => {
  const found = reader.text('OTEL_RESOURCE_ATTRIBUTES')
  if (found === undefined) return new Map()
  const pairs = parsePairs(found.value)
  if (pairs !== undefined) return pairs
  reader.warn(
    found.name,
    'is ignored as a whole: expected key=value pairs with commas between, percent-encoded',
  )
  return new Map()
}

const readHeaders = (reader: Reader): Map<string, Secret> => {
  const headers = new Map<string, Secret>()
  for (const name of ['OTEL_EXPORTER_OTLP_HEADERS', 'OTEL_EXPORTER_OTLP_TRACES_HEADERS']) {
    const found = reader.text(name)
    if (found === undefined) continue
    const pairs = parsePairs(found.value)
    if (pairs === undefined)
      reader.warn(name, 'is ignored: expected key=value pairs with commas between, percent-encoded')
    for (const [key, value] of pairs ?? []) headers.set(key.toLowerCase(), new Secret(value))
  }
  return headers
}

const readSampling = (reader: Reader, ratio: number | undefined): TraceSettings['sampling'] => {
  if (ratio !== undefined) return { ratio, parent: 'follow' }
  const name = reader.choice(Object.keys(samplers), 'OTEL_TRACES_SAMPLER')
  const sampler = samplers[name ?? 'parentbased_always_on']!
  if (sampler.ratio !== 'argument') return { ratio: sampler.ratio, parent: sampler.parent }
  const argument = reader.number(0, 'OTEL_TRACES_SAMPLER_ARG') ?? 1
  if (argument <= 1) return { ratio: argument, parent: sampler.parent }
  reader.warn(
    'OTEL_TRACES_SAMPLER_ARG',
    `is ignored: expected a number from 0 to 1, got ${argument}`,
  )
  return { ratio: 1, parent: sampler.parent }
}

const readProtocol = (reader: Reader): 'http/protobuf' | 'grpc' | undefined => {
  const names = ['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'OTEL_EXPORTER_OTLP_PROTOCOL']
  const found = reader.choice(['http/protobuf', 'grpc', 'http/json'], ...names)
  if (found !== 'http/json') return found
  reader.warn(
    reader.text(...names)!.name,
    'asks for http/json, which is not supported: http/protobuf is used',
  )
  return 'http/protobuf'
}

const withTracesPath = (endpoint: string): string =>
  endpoint.endsWith('/') ? `${endpoint}v1/traces` : `${endpoint}/v1/traces`

const readUrl = (
  reader: Reader,
  protocol: 'http/protobuf' | 'grpc',
  endpoint: string | undefined,
): string => {
  const own = reader.url('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT')
  const general = reader.url('OTEL_EXPORTER_OTLP_ENDPOINT')
  if (protocol === 'grpc') return endpoint ?? own ?? general ?? 'http://localhost:4317'
  if (endpoint !== undefined) return withTracesPath(endpoint)
  return own ?? withTracesPath(general ?? 'http://localhost:4318')
}

const readDetectors = (reader: Reader): TraceSettings['detectors'] => {
  const all = ['service', 'host', 'process'] as const
  const found = reader.text('OTEL_NODE_RESOURCE_DETECTORS')
  if (found === undefined || found.value === 'all') return new Set(all)
  if (found.value === 'none') return new Set()
  const words = found.value.split(',').map((word) => word.trim())
  for (const word of words) {
    if (!all.some((known) => known === word)) {
      reader.warn(
        found.name,
        `names ${word}, which is ignored: expected ${all.join(', ')}, all or none`,
      )
    }
  }
  return new Set(all.filter((known) => words.includes(known)))
}

const readPropagators = (reader: Reader): TraceSettings['propagators'] => {
  const all = ['tracecontext', 'baggage'] as const
  const found = reader.text('OTEL_PROPAGATORS')
  if (found === undefined) return new Set(all)
  const words = found.value.split(',').map((word) => word.trim())
  for (const word of words) {
    if (word === 'none' || all.some((known) => known === word)) continue
    reader.warn(
      found.name,
      `names ${word}, which is not supported: only tracecontext and baggage travel`,
    )
  }
  return words.includes('none') ? new Set() : new Set(all.filter((known) => words.includes(known)))
}

const readLimits = (reader: Reader, valueLength: number | undefined): SpanLimits => ({
  attributeValueLength:
    valueLength ??
    reader.count('OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT', 'OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT') ??
    1_024,
  attributes: reader.count('OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT', 'OTEL_ATTRIBUTE_COUNT_LIMIT') ?? 128,
  events: reader.count('OTEL_SPAN_EVENT_COUNT_LIMIT') ?? 128,
  links: reader.count('OTEL_SPAN_LINK_COUNT_LIMIT') ?? 128,
  attributesOfEvent: reader.count('OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT') ?? 128,
  attributesOfLink: reader.count('OTEL_LINK_ATTRIBUTE_COUNT_LIMIT') ?? 128,
})

const readLogLevel = (reader: Reader): TraceSettings['logLevel'] => {
  const words = ['none', 'error', 'warn', 'info', 'debug', 'verbose', 'all'] as const
  const word = reader.choice(words, 'OTEL_LOG_LEVEL')
  if (word === 'verbose' || word === 'all') return 'debug'
  return word === 'none' ? 'error' : word
}

const path = (reader: Reader, name: string): string | undefined =>
  reader.text(`OTEL_EXPORTER_OTLP_TRACES_${name}`, `OTEL_EXPORTER_OTLP_${name}`)?.value

/** The gRPC library takes a proxy from the environment by itself; over HTTP the exporter always connects directly. */
const warnOfProxy = (reader: Reader): void => {
  const proxy = reader.text('grpc_proxy', 'https_proxy', 'http_proxy')
  if (proxy === undefined || reader.text('no_grpc_proxy', 'no_proxy') !== undefined) return
  reader.warn(
    proxy.name,
    'would carry spans over gRPC: name the collector in no_grpc_proxy, or export over http/protobuf',
  )
}

/** Joins section and environment. Never throws. */
export const resolveTraceSettings = (
  section: TelemetrySection,
  environment: Environment,
): ResolvedTraceSettings => {
  const reader = new Reader(environment)
  const { traces } = section
  for (const [name, problem] of Object.entries(unusedVariables)) {
    if (reader.text(name) !== undefined) reader.warn(name, problem)
  }
  for (const signal of ['OTEL_METRICS_EXPORTER', 'OTEL_LOGS_EXPORTER']) {
    const word = reader.text(signal)?.value
    const expected =
      signal === 'OTEL_METRICS_EXPORTER' ? ['prometheus', 'none'] : ['console', 'none']
    if (word !== undefined && !expected.includes(word)) {
      reader.warn(signal, `is ignored: ${word} is not supported, only ${expected.join(' and ')}`)
    }
  }
  const resource = readResource(reader)
  const disabled = reader.choice(['true', 'false'], 'OTEL_SDK_DISABLED') === 'true'
  const protocol = traces.protocol ?? readProtocol(reader) ?? 'http/protobuf'
  const queue = traces.queue ?? reader.count('OTEL_BSP_MAX_QUEUE_SIZE') ?? 8_192
  const batch = traces.batch ?? reader.count('OTEL_BSP_MAX_EXPORT_BATCH_SIZE') ?? 512
  if (protocol === 'grpc') warnOfProxy(reader)
  const settings: TraceSettings = {
    recording: disabled ? 'off' : 'on',
    serviceName:
      section.service_name ??
      reader.text('OTEL_SERVICE_NAME')?.value ??
      resource.get('service.name'),
    resource: Object.fromEntries(resource),
    detectors: readDetectors(reader),
    sampling: readSampling(reader, traces.sample_ratio),
    exporter:
      traces.exporter ??
      reader.choice(['otlp', 'console', 'none'], 'OTEL_TRACES_EXPORTER') ??
      'otlp',
    protocol,
    url: readUrl(reader, protocol, traces.endpoint),
    headers: readHeaders(reader),
    timeoutMs:
      traces.timeout ??
      reader.number(1, 'OTEL_EXPORTER_OTLP_TRACES_TIMEOUT', 'OTEL_EXPORTER_OTLP_TIMEOUT') ??
      10_000,
    compression:
      reader.choice(
        ['gzip', 'none'],
        'OTEL_EXPORTER_OTLP_TRACES_COMPRESSION',
        'OTEL_EXPORTER_OTLP_COMPRESSION',
      ) ?? 'none',
    tls: {
      ca: path(reader, 'CERTIFICATE'),
      certificate: path(reader, 'CLIENT_CERTIFICATE'),
      key: path(reader, 'CLIENT_KEY'),
    },
    queue: Math.max(1, queue),
    batch: Math.min(Math.max(1, batch), Math.max(1, queue)),
    delayMs: traces.delay ?? reader.count('OTEL_BSP_SCHEDULE_DELAY') ?? 1_000,
    exportTimeoutMs: reader.number(1, 'OTEL_BSP_EXPORT_TIMEOUT') ?? 30_000,
    limits: readLimits(reader, traces.value_length),
    propagators: readPropagators(reader),
    logLevel: section.logs.level ?? readLogLevel(reader),
  }
  return { settings, warnings: reader.warnings }
}
