/**
 * Writes a registry as Prometheus text, format 0.0.4, by the rules that OpenTelemetry gives for it: units in names,
 * `target_info` for the resource, no labels for scopes.
 *
 * Served by the admin listener at `/metrics`. Runs once per scrape; what it costs does not touch requests.
 */
import { HistogramCell } from './registry.ts'
import type { Metric, Registry } from './registry.ts'

/** The value of `content-type` for this text. */
export const metricsContentType = 'text/plain; version=0.0.4; charset=utf-8'

const escapeHelp = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
const escapeLabel = (text: string): string => escapeHelp(text).replaceAll('"', '\\"')

const formatNumber = (value: number): string => {
  if (value === Infinity) return '+Inf'
  if (value === -Infinity) return '-Inf'
  return String(value)
}

const formatLabels = (names: readonly string[], values: readonly string[], extra = ''): string => {
  const pairs = names.map((name, index) => `${name}="${escapeLabel(values[index] ?? '')}"`)
  if (extra !== '') pairs.push(extra)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

const formatHistogram = (
  metric: Metric,
  values: readonly string[],
  cell: HistogramCell,
  lines: string[],
): void => {
  let total = 0
  cell.counts.forEach((count, index) => {
    total += count
    const bound = formatNumber(cell.bounds[index] ?? Infinity)
    lines.push(
      `${metric.name}_bucket${formatLabels(metric.labels, values, `le="${bound}"`)} ${total}`,
    )
  })
  const labels = formatLabels(metric.labels, values)
  lines.push(
    `${metric.name}_sum${labels} ${formatNumber(cell.sum)}`,
    `${metric.name}_count${labels} ${total}`,
  )
}

const formatMetric = (metric: Metric, lines: string[]): void => {
  lines.push(
    `# HELP ${metric.name} ${escapeHelp(metric.help)}`,
    `# TYPE ${metric.name} ${metric.type}`,
  )
  for (const { values, cell } of metric.collect()) {
    if (cell instanceof HistogramCell) {
      formatHistogram(metric, values, cell, lines)
      continue
    }
    const { value } = cell
    lines.push(`${metric.name}${formatLabels(metric.labels, values)} ${formatNumber(value)}`)
  }
}

/** `service.name` becomes `service_name`. */
const labelName = (name: string): string =>
  name.replace(/[^A-Za-z0-9_]/g, '_').replace(/^\d/, '_$&')

/** The whole text. `target` holds the resource's attributes, which stand on `target_info` alone. */
export const formatMetrics = (
  registry: Registry,
  target: Readonly<Record<string, string>>,
): string => {
  const names = Object.keys(target)
  const lines = [
    '# HELP target_info Facts of this process.',
    '# TYPE target_info gauge',
    `target_info${formatLabels(names.map(labelName), Object.values(target))} 1`,
  ]
  for (const metric of registry.metrics()) formatMetric(metric, lines)
  return `${lines.join('\n')}\n`
}
