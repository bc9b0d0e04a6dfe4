/** Opens traces for a test against a collector, with the shortest delays that work. */
import { telemetrySection } from '../../src/telemetry/section.ts'
import { resolveTraceSettings } from '../../src/telemetry/traces/environment.ts'
import type { Environment } from '../../src/telemetry/traces/environment.ts'
import { openTraces } from '../../src/telemetry/traces/traces.ts'
import type { TracesOptions } from '../../src/telemetry/traces/traces.ts'
import type { Traces } from '../../src/telemetry/traces/span.ts'

export interface TestTraces {
  readonly section?: Record<string, unknown>
  readonly environment?: Environment
  readonly options?: Partial<TracesOptions>
}

export const openTestTraces = ({
  section = {},
  environment = {},
  options = {},
}: TestTraces): Traces => {
  const parsed = telemetrySection.parse({ traces: { delay: '10ms', ...section } })
  const { settings } = resolveTraceSettings(parsed, environment)
  return openTraces({
    settings,
    facts: { serviceName: 'orders', version: '0.0.0-test', instance: 'test-instance' },
    now: Date.now,
    recent: 10,
    queryKeys: [],
    virtualPeers: 'none',
    ...options,
  })
}
