/**
 * The `telemetry` section of the configuration: traces, metrics, logs and the audit trail.
 *
 * Read by the composition root. A traces field that is absent falls back to its `OTEL_*` variable and then to the
 * default that the doc line names; a field that is present beats the variable.
 */
import { z } from 'zod'
import { duration, size } from '../units.ts'

const traces = z
  .strictObject({
    exporter: z
      .enum(['otlp', 'console', 'none'])
      .optional()
      .describe('Where spans go. Falls back to OTEL_TRACES_EXPORTER, then otlp.'),
    endpoint: z
      .url()
      .optional()
      .describe(
        'Collector, such as http://localhost:4318; v1/traces is appended. Falls back to OTEL_EXPORTER_OTLP_TRACES_ENDPOINT (used as is) and OTEL_EXPORTER_OTLP_ENDPOINT, then http://localhost:4318, or :4317 for grpc.',
      ),
    protocol: z
      .enum(['http/protobuf', 'grpc'])
      .optional()
      .describe(
        'Falls back to OTEL_EXPORTER_OTLP_TRACES_PROTOCOL and OTEL_EXPORTER_OTLP_PROTOCOL, then http/protobuf.',
      ),
    sample_ratio: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe(
        'Share of new traces that is recorded; hops follow their parent, and third-party calls are recorded always. Falls back to OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG, then 1.',
      ),
    queue: z
      .int()
      .positive()
      .optional()
      .describe(
        'Finished spans that wait for export; more are dropped and counted. Falls back to OTEL_BSP_MAX_QUEUE_SIZE, then 8192.',
      ),
    batch: z
      .int()
      .positive()
      .optional()
      .describe('Spans in one export. Falls back to OTEL_BSP_MAX_EXPORT_BATCH_SIZE, then 512.'),
    delay: duration()
      .optional()
      .describe('Time between two exports. Falls back to OTEL_BSP_SCHEDULE_DELAY, then 1s.'),
    timeout: duration()
      .optional()
      .describe(
        'Time for one export with its retries. Falls back to OTEL_EXPORTER_OTLP_TRACES_TIMEOUT and OTEL_EXPORTER_OTLP_TIMEOUT, then 10s.',
      ),
    value_length: z
      .int()
      .positive()
      .optional()
      .describe(
        'Characters of one attribute value. Falls back to OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT and OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT, then 1024.',
      ),
    query_keys: z
      .array(z.string())
      .default([])
      .describe(
        'Query parameters whose values may stand in url.full; every other parameter is left out.',
      ),
    baggage_keys: z
      .array(z.string())
      .default([])
      .describe(
        'Baggage keys that travel between mesh services; every other key is dropped. None ever reaches a third party.',
      ),
    recent: z
      .int()
      .min(0)
      .max(1_000)
      .default(100)
      .describe('Traces kept in memory for the admin page.'),
    virtual_peers: z
      .boolean()
      .default(false)
      .describe(
        'Emit one synthetic SERVER span per third-party call, so that the API shows in the dependency graph of Jaeger as ext:<name>.',
      ),
  })
  .prefault({})
  .describe('Spans, sent by OTLP.')

const metrics = z
  .strictObject({
    label_values: z
      .int()
      .positive()
      .default(500)
      .describe('Distinct values of one label; further ones count as other.'),
    series: z
      .int()
      .positive()
      .default(5_000)
      .describe('Sets of label values of one metric; further ones count as other.'),
  })
  .prefault({})
  .describe('Metrics, read by Prometheus from the admin listener.')

const logs = z
  .strictObject({
    level: z
      .enum(['debug', 'info', 'warn', 'error'])
      .optional()
      .describe('Falls back to OTEL_LOG_LEVEL, then info.'),
    decisions: z
      .enum(['none', 'denials', 'all'])
      .default('denials')
      .describe('Which decisions are written as a log line.'),
    field_length: z
      .int()
      .min(32)
      .default(256)
      .describe('Characters of one field of a log line; the rest is cut.'),
  })
  .prefault({})
  .describe('JSON lines on standard output.')

const audit = z
  .strictObject({
    file: z
      .string()
      .min(1)
      .optional()
      .describe(
        'The audit file, such as /var/log/sallyport/audit.jsonl. Absent: no audit trail is written.',
      ),
    decisions: z
      .enum(['denials', 'all'])
      .default('denials')
      .describe(
        'Denials are recorded always; all adds what was allowed. Third-party calls are recorded always.',
      ),
    required: z
      .boolean()
      .default(false)
      .describe(
        'Refuse requests while records cannot be kept, instead of dropping records and counting them.',
      ),
    queue: z.int().positive().default(10_000).describe('Records that wait for the disk.'),
    queue_size: size().prefault('8MiB').describe('Bytes that wait for the disk; 8MiB by default.'),
    delay: duration()
      .prefault('200ms')
      .describe('Time until a batch is written and signed; 200ms by default.'),
    batch: z.int().positive().default(128).describe('Records in one signed batch.'),
    rotate_size: size()
      .prefault('64MiB')
      .describe(
        'Size at which a new file is begun, whose chain continues the old one; 64MiB by default.',
      ),
    keep: z.int().positive().optional().describe('Old files that are kept; absent: all of them.'),
  })
  .prefault({})
  .describe('One line per decision, hash-chained, each batch signed with the key of the workload.')

/** The `telemetry` section. */
export const telemetrySection = z
  .strictObject({
    service_name: z
      .string()
      .min(1)
      .optional()
      .describe(
        'The name of the app, under which its traces show. Falls back to OTEL_SERVICE_NAME, then the name of the service.',
      ),
    traces,
    metrics,
    logs,
    audit,
  })
  .prefault({})
  .describe('What is recorded, and where it goes.')

export type TelemetrySection = z.infer<typeof telemetrySection>
