import { describe, expect, it } from 'vitest'
import { telemetrySection } from '../../src/telemetry/section.ts'
import { resolveTraceSettings } from '../../src/telemetry/traces/environment.ts'
import type { Environment } from '../../src/telemetry/traces/environment.ts'

const resolve = (environment: Environment, section: unknown = {}) =>
  resolveTraceSettings(telemetrySection.parse(section), environment)
const settings = (environment: Environment, section: unknown = {}) =>
  resolve(environment, section).settings

describe('without variables', () => {
  it('uses the defaults of the documentation', () => {
    const { settings: found, warnings } = resolve({})
    expect(warnings).toEqual([])
    expect(found).toMatchObject({
      recording: 'on',
      serviceName: undefined,
      sampling: { ratio: 1, parent: 'follow' },
      exporter: 'otlp',
      protocol: 'http/protobuf',
      url: 'http://localhost:4318/v1/traces',
      timeoutMs: 10_000,
      compression: 'none',
      queue: 8_192,
      batch: 512,
      delayMs: 1_000,
      exportTimeoutMs: 30_000,
    })
    expect(found.limits.attributeValueLength).toBe(1_024)
    expect([...found.propagators]).toEqual(['tracecontext', 'baggage'])
    expect([...found.detectors]).toEqual(['service', 'host', 'process'])
  })
})

describe('OTEL variables', () => {
  it.each([
    [{ OTEL_SDK_DISABLED: 'true' }, { recording: 'off' }],
    [{ OTEL_SDK_DISABLED: 'false' }, { recording: 'on' }],
    [{ OTEL_SERVICE_NAME: 'orders' }, { serviceName: 'orders' }],
    [
      { OTEL_RESOURCE_ATTRIBUTES: 'service.name=a,zone=eu%2C1' },
      { serviceName: 'a', resource: { 'service.name': 'a', zone: 'eu,1' } },
    ],
    [{ OTEL_RESOURCE_ATTRIBUTES: 'service.name=a', OTEL_SERVICE_NAME: 'b' }, { serviceName: 'b' }],
    [{ OTEL_TRACES_SAMPLER: 'always_on' }, { sampling: { ratio: 1, parent: 'ignore' } }],
    [{ OTEL_TRACES_SAMPLER: 'always_off' }, { sampling: { ratio: 0, parent: 'ignore' } }],
    [
      { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.25' },
      { sampling: { ratio: 0.25, parent: 'ignore' } },
    ],
    [{ OTEL_TRACES_SAMPLER: 'traceidratio' }, { sampling: { ratio: 1, parent: 'ignore' } }],
    [
      { OTEL_TRACES_SAMPLER: 'parentbased_always_on' },
      { sampling: { ratio: 1, parent: 'follow' } },
    ],
    [
      { OTEL_TRACES_SAMPLER: 'parentbased_always_off' },
      { sampling: { ratio: 0, parent: 'follow' } },
    ],
    [
      { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.01' },
      { sampling: { ratio: 0.01, parent: 'follow' } },
    ],
    [{ OTEL_TRACES_EXPORTER: 'console' }, { exporter: 'console' }],
    [{ OTEL_TRACES_EXPORTER: 'none' }, { exporter: 'none' }],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318' }, { url: 'http://c:4318/v1/traces' }],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318/base/' },
      { url: 'http://c:4318/base/v1/traces' },
    ],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://c:4318/x' }, { url: 'http://c:4318/x' }],
    [
      { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://a/x', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://b' },
      { url: 'http://a/x' },
    ],
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, { protocol: 'grpc', url: 'http://localhost:4317' }],
    [
      { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/protobuf' },
      { protocol: 'http/protobuf' },
    ],
    [
      { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_EXPORTER_OTLP_ENDPOINT: 'https://c:4317' },
      { url: 'https://c:4317' },
    ],
    [{ OTEL_EXPORTER_OTLP_TIMEOUT: '2500' }, { timeoutMs: 2_500 }],
    [
      { OTEL_EXPORTER_OTLP_TIMEOUT: '2500', OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: '100' },
      { timeoutMs: 100 },
    ],
    [{ OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip' }, { compression: 'gzip' }],
    [
      { OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip', OTEL_EXPORTER_OTLP_TRACES_COMPRESSION: 'none' },
      { compression: 'none' },
    ],
    [
      {
        OTEL_EXPORTER_OTLP_CERTIFICATE: 'ca.pem',
        OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: 'leaf.pem',
        OTEL_EXPORTER_OTLP_CLIENT_KEY: 'key.pem',
      },
      { tls: { ca: 'ca.pem', certificate: 'leaf.pem', key: 'key.pem' } },
    ],
    [
      {
        OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE: 'own.pem',
        OTEL_EXPORTER_OTLP_CERTIFICATE: 'ca.pem',
      },
      { tls: { ca: 'own.pem', certificate: undefined, key: undefined } },
    ],
    [{ OTEL_BSP_SCHEDULE_DELAY: '250' }, { delayMs: 250 }],
    [{ OTEL_BSP_EXPORT_TIMEOUT: '5000' }, { exportTimeoutMs: 5_000 }],
    [{ OTEL_BSP_MAX_QUEUE_SIZE: '100' }, { queue: 100, batch: 100 }],
    [{ OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '64' }, { batch: 64 }],
    [{ OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT: '80' }, { limits: { attributeValueLength: 80 } }],
    [{ OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT: '90' }, { limits: { attributeValueLength: 90 } }],
    [
      { OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT: '90', OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT: '80' },
      { limits: { attributeValueLength: 80 } },
    ],
    [{ OTEL_ATTRIBUTE_COUNT_LIMIT: '20' }, { limits: { attributes: 20 } }],
    [{ OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT: '21' }, { limits: { attributes: 21 } }],
    [{ OTEL_SPAN_EVENT_COUNT_LIMIT: '22' }, { limits: { events: 22 } }],
    [{ OTEL_SPAN_LINK_COUNT_LIMIT: '23' }, { limits: { links: 23 } }],
    [{ OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT: '24' }, { limits: { attributesOfEvent: 24 } }],
    [{ OTEL_LINK_ATTRIBUTE_COUNT_LIMIT: '25' }, { limits: { attributesOfLink: 25 } }],
    [{ OTEL_LOG_LEVEL: 'debug' }, { logLevel: 'debug' }],
    [{ OTEL_LOG_LEVEL: 'verbose' }, { logLevel: 'debug' }],
    [{ OTEL_LOG_LEVEL: 'none' }, { logLevel: 'error' }],
  ] as readonly [Environment, object][])('%j', (environment, expected) => {
    const { settings: found, warnings } = resolve(environment)
    expect(warnings).toEqual([])
    expect(found).toMatchObject(expected)
  })

  it('OTEL_EXPORTER_OTLP_HEADERS are joined with those for traces, which win, and do not print', () => {
    const { headers } = settings({
      OTEL_EXPORTER_OTLP_HEADERS: 'Authorization=Bearer%20canary,x-a=1',
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'x-a=2',
    })
    expect(headers.get('authorization')?.reveal()).toBe('Bearer canary')
    expect(headers.get('x-a')?.reveal()).toBe('2')
    expect(JSON.stringify([...headers])).not.toContain('canary')
  })

  it('OTEL_PROPAGATORS=none lets nothing travel', () => {
    expect(settings({ OTEL_PROPAGATORS: 'none' }).propagators.size).toBe(0)
    expect([...settings({ OTEL_PROPAGATORS: 'tracecontext' }).propagators]).toEqual([
      'tracecontext',
    ])
  })

  it('OTEL_NODE_RESOURCE_DETECTORS chooses what the resource tells', () => {
    expect([...settings({ OTEL_NODE_RESOURCE_DETECTORS: 'host' }).detectors]).toEqual(['host'])
    expect(settings({ OTEL_NODE_RESOURCE_DETECTORS: 'none' }).detectors.size).toBe(0)
  })

  it('OTEL_SEMCONV_STABILITY_OPT_IN changes nothing and is not complained about', () => {
    expect(resolve({ OTEL_SEMCONV_STABILITY_OPT_IN: 'http/dup' })).toEqual(resolve({}))
  })
})

describe('variables that cannot be used', () => {
  it.each([
    [{ OTEL_SDK_DISABLED: 'yes' }, 'OTEL_SDK_DISABLED is ignored: expected one of true, false'],
    [{ OTEL_TRACES_SAMPLER: 'xray' }, 'OTEL_TRACES_SAMPLER is ignored'],
    [
      { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '7' },
      'OTEL_TRACES_SAMPLER_ARG is ignored',
    ],
    [{ OTEL_TRACES_EXPORTER: 'zipkin' }, 'OTEL_TRACES_EXPORTER is ignored'],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'not a url' }, 'OTEL_EXPORTER_OTLP_ENDPOINT is ignored'],
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' }, 'http/protobuf is used'],
    [{ OTEL_EXPORTER_OTLP_TIMEOUT: 'soon' }, 'OTEL_EXPORTER_OTLP_TIMEOUT is ignored'],
    [{ OTEL_EXPORTER_OTLP_COMPRESSION: 'br' }, 'OTEL_EXPORTER_OTLP_COMPRESSION is ignored'],
    [{ OTEL_EXPORTER_OTLP_HEADERS: 'broken' }, 'OTEL_EXPORTER_OTLP_HEADERS is ignored'],
    [{ OTEL_BSP_MAX_QUEUE_SIZE: '-1' }, 'OTEL_BSP_MAX_QUEUE_SIZE is ignored'],
    [{ OTEL_PROPAGATORS: 'b3' }, 'OTEL_PROPAGATORS names b3'],
    [{ OTEL_METRICS_EXPORTER: 'otlp' }, 'OTEL_METRICS_EXPORTER is ignored'],
    [{ OTEL_LOGS_EXPORTER: 'otlp' }, 'OTEL_LOGS_EXPORTER is ignored'],
    [{ OTEL_METRIC_EXPORT_INTERVAL: '1' }, 'OTEL_METRIC_EXPORT_INTERVAL has no effect'],
    [{ OTEL_METRIC_EXPORT_TIMEOUT: '1' }, 'OTEL_METRIC_EXPORT_TIMEOUT has no effect'],
    [{ OTEL_EXPORTER_PROMETHEUS_HOST: 'x' }, 'OTEL_EXPORTER_PROMETHEUS_HOST has no effect'],
    [{ OTEL_EXPORTER_PROMETHEUS_PORT: '1' }, 'OTEL_EXPORTER_PROMETHEUS_PORT has no effect'],
    [
      { OTEL_CONFIG_FILE: 'x.yaml' },
      'OTEL_CONFIG_FILE is not supported: write the telemetry section of sallyport.yaml',
    ],
    [{ OTEL_NODE_RESOURCE_DETECTORS: 'env' }, 'OTEL_NODE_RESOURCE_DETECTORS names env'],
    [{ OTEL_LOG_LEVEL: 'loud' }, 'OTEL_LOG_LEVEL is ignored'],
  ] as readonly [Environment, string][])('%j is reported', (environment, message) => {
    const { settings: found, warnings } = resolve(environment)
    expect(warnings.join('\n')).toContain(message)
    expect(found.queue).toBe(8_192)
    expect(found.url).toBe('http://localhost:4318/v1/traces')
  })

  it('one bad pair voids the whole of OTEL_RESOURCE_ATTRIBUTES', () => {
    const { settings: found, warnings } = resolve({
      OTEL_RESOURCE_ATTRIBUTES: 'service.name=a,broken',
    })
    expect(found.resource).toEqual({})
    expect(found.serviceName).toBeUndefined()
    expect(warnings[0]).toContain('OTEL_RESOURCE_ATTRIBUTES is ignored as a whole')
  })

  it('a proxy that the gRPC library would use is reported, unless the collector may be named as an exception', () => {
    const grpc = { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', http_proxy: 'http://127.0.0.1:15001' }
    expect(resolve(grpc).warnings.join()).toContain('http_proxy would carry spans over gRPC')
    expect(resolve({ ...grpc, no_grpc_proxy: 'collector' }).warnings).toEqual([])
    expect(resolve({ http_proxy: 'http://127.0.0.1:15001' }).warnings).toEqual([])
  })

  it('an empty variable is the same as none', () => {
    expect(resolve({ OTEL_TRACES_SAMPLER: '', OTEL_EXPORTER_OTLP_ENDPOINT: ' ' })).toEqual(
      resolve({}),
    )
  })
})

describe('the file beats the variable', () => {
  it.each([
    [{ service_name: 'file' }, { OTEL_SERVICE_NAME: 'env' }, { serviceName: 'file' }],
    [{ traces: { exporter: 'none' } }, { OTEL_TRACES_EXPORTER: 'console' }, { exporter: 'none' }],
    [
      { traces: { endpoint: 'http://file' } },
      { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://env' },
      { url: 'http://file/v1/traces' },
    ],
    [
      { traces: { protocol: 'grpc' } },
      { OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf' },
      { protocol: 'grpc' },
    ],
    [
      { traces: { sample_ratio: 0.5 } },
      { OTEL_TRACES_SAMPLER: 'always_off' },
      { sampling: { ratio: 0.5, parent: 'follow' } },
    ],
    [
      { traces: { queue: 7, batch: 3, delay: '3s', timeout: '4s' } },
      { OTEL_BSP_MAX_QUEUE_SIZE: '9' },
      { queue: 7, batch: 3, delayMs: 3_000, timeoutMs: 4_000 },
    ],
    [
      { traces: { value_length: 99 } },
      { OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT: '5' },
      { limits: { attributeValueLength: 99 } },
    ],
    [{ logs: { level: 'warn' } }, { OTEL_LOG_LEVEL: 'debug' }, { logLevel: 'warn' }],
  ] as readonly [unknown, Environment, object][])(
    '%j over %j',
    (section, environment, expected) => {
      expect(settings(environment, section)).toMatchObject(expected)
    },
  )
})
