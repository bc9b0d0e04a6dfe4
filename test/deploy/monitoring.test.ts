import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { openMetrics, type Metrics } from '../../src/telemetry/metrics/instruments.ts'
import { metric } from '../../src/telemetry/names.ts'
import {
  alertRules,
  dashboards,
  expressions,
  isBalanced,
  labelsIn,
  metricsIn,
} from './expressions.ts'
import { findTool } from './tools.ts'

const root = resolve(import.meta.dirname, '../..')
const promtool = findTool('promtool', 'SALLYPORT_PROMTOOL', ['--version'])

/** Metrics that are read at the scrape; openMetrics declares them when they are connected. */
const observed = [
  'identityExpiry',
  'keySetAge',
  'credentialAge',
  'spansDropped',
  'auditDropped',
  'auditHealthy',
  'eventLoopLag',
  'bypassSockets',
] as const

/** Labels that Prometheus adds to what it scrapes. */
const fromTarget = ['namespace', 'pod', 'le']

const base = (name: string): string => name.replace(/_(?:bucket|sum|count)$/, '')

describe('what is shipped for Prometheus and Grafana', () => {
  const labels = new Map<string, readonly string[]>()
  const types = new Map<string, string>()

  beforeAll(() => {
    const metrics: Metrics = openMetrics({ target: {}, startTimeMs: 0 })
    for (const key of observed) metrics.observe(key, () => [])
    for (const each of metrics.registry.metrics()) {
      labels.set(each.name, each.labels)
      types.set(each.name, each.type)
    }
  })

  const nameOf = (name: string): string =>
    types.get(base(name)) === 'histogram' ? base(name) : name

  it.each(expressions().map(({ where, text }) => [where, text] as const))(
    'names metrics and labels that exist: %s',
    (_, text) => {
      const names = metricsIn(text)
      expect(names.length).toBeGreaterThan(0)
      for (const name of names) {
        expect([...labels.keys()]).toContain(nameOf(name))
        expect(Object.values(metric)).toContain(nameOf(name))
      }
      const known = names.flatMap((name) => labels.get(nameOf(name)) ?? [])
      for (const label of labelsIn(text)) expect([...known, ...fromTarget]).toContain(label)
      expect(isBalanced(text)).toBe(true)
    },
  )

  it('counts with rates, and only counters', () => {
    const wrong = expressions().flatMap(({ where, text }) =>
      [...text.matchAll(/(?:rate|increase)\((\w+)/g)]
        .map((match) => match[1]!)
        .filter((name) => !(types.get(name) === 'counter' || types.get(base(name)) === 'histogram'))
        .map((name) => `${where}: ${name}`),
    )
    expect(wrong).toEqual([])
  })

  it('names only metrics that the running sidecar sets', () => {
    const sources = ['compose', 'stages', 'egress', 'inbound', 'outbound', 'listeners', 'identity']
      .flatMap((folder) =>
        readdirSync(join(root, 'src', folder), { recursive: true, encoding: 'utf8' })
          .filter((name) => name.endsWith('.ts'))
          .map((name) => readFileSync(join(root, 'src', folder, name), 'utf8')),
      )
      .join('\n')
    const used = new Set(expressions().flatMap(({ text }) => metricsIn(text).map(nameOf)))
    const keys = Object.entries(metric).filter(([, name]) => used.has(name))
    const unset = keys.filter(
      ([key, name]) => !name.startsWith('process_') && !new RegExp(`\\b${key}\\b`).test(sources),
    )
    expect(unset.map(([, name]) => name)).toEqual([])
  })
})

describe('the alert rules', () => {
  const rules = alertRules()

  it('speak of expiry, denials, undeclared hosts, old keys, lost spans and stale policies', () => {
    const all = rules.map(({ expr }) => expr).join('\n')
    for (const name of [
      metric.identityExpiry,
      metric.refusals,
      metric.egressUndeclared,
      metric.credentialAge,
      metric.spansDropped,
      metric.configStale,
    ]) {
      expect(all).toContain(name)
    }
  })

  it('each say what is wrong and what to do, with labels that their expression keeps', () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length)
    for (const { alert, expr, labels, annotations } of rules) {
      expect(alert).toMatch(/^Sallyport[A-Z][A-Za-z]+$/)
      expect(['critical', 'warning', 'info']).toContain(labels['severity'])
      expect(annotations['action'], alert).toMatch(/\.$/)
      const used = [...annotations['summary']!.matchAll(/\$labels\.(\w+)/g)].map(
        (match) => match[1]!,
      )
      for (const label of used) expect(labelsIn(expr), alert).toContain(label)
    }
  })

  it.skipIf(promtool === undefined)('are accepted by promtool', () => {
    const file = join(root, 'deploy/prometheus/alerts.yaml')
    expect(promtool!(['check', 'rules', file])).toMatchObject({ code: 0 })
  })
})

describe('the dashboards', () => {
  it.each([...dashboards()])(
    '%s have panels that do not overlap, each with a number',
    (_, board) => {
      const { panels } = board
      expect(board.uid).toMatch(/^sallyport-/)
      expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
      for (const [index, { gridPos: one, title }] of panels.entries()) {
        expect(one.x + one.w).toBeLessThanOrEqual(24)
        for (const { gridPos: two, title: other } of panels.slice(index + 1)) {
          const apart =
            one.x + one.w <= two.x ||
            two.x + two.w <= one.x ||
            one.y + one.h <= two.y ||
            two.y + two.h <= one.y
          expect(apart, `${title} and ${other}`).toBe(true)
        }
      }
    },
  )
})
