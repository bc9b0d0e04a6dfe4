/** The expressions of alert rules and dashboards, and which metrics and labels each of them names. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

const deploy = join(import.meta.dirname, '../../deploy')

/** One expression and where it stands. */
export interface Expression {
  readonly where: string
  readonly text: string
}

/** A rule of Prometheus. */
export interface AlertRule {
  readonly alert: string
  readonly expr: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

/** The alert rules. */
export const alertRules = (): readonly AlertRule[] => {
  const file = parse(readFileSync(join(deploy, 'prometheus/alerts.yaml'), 'utf8')) as {
    readonly groups: readonly { readonly rules: readonly AlertRule[] }[]
  }
  return file.groups.flatMap(({ rules }) => rules)
}

interface Panel {
  readonly id: number
  readonly title: string
  readonly gridPos: {
    readonly x: number
    readonly y: number
    readonly w: number
    readonly h: number
  }
  readonly targets: readonly { readonly refId: string; readonly expr: string }[]
}

/** A dashboard of Grafana. */
export interface Dashboard {
  readonly uid: string
  readonly title: string
  readonly panels: readonly Panel[]
  readonly annotations: { readonly list: readonly { readonly expr: string }[] }
  readonly templating: { readonly list: readonly { readonly definition: string }[] }
}

/** The dashboards, by file name. */
export const dashboards = (): ReadonlyMap<string, Dashboard> =>
  new Map(
    readdirSync(join(deploy, 'grafana'))
      .filter((name) => name.endsWith('.json'))
      .map((name) => [
        name,
        JSON.parse(readFileSync(join(deploy, 'grafana', name), 'utf8')) as Dashboard,
      ]),
  )

/** Every expression that is shipped. */
export const expressions = (): readonly Expression[] => [
  ...alertRules().map(({ alert, expr }) => ({ where: alert, text: expr })),
  ...[...dashboards()].flatMap(([name, { panels, annotations, templating }]) => [
    ...panels.flatMap(({ title, targets }) =>
      targets.map(({ expr }) => ({ where: `${name}: ${title}`, text: expr })),
    ),
    ...annotations.list.map(({ expr }) => ({ where: `${name}: annotation`, text: expr })),
    ...templating.list.map(({ definition }) => ({
      where: `${name}: variable`,
      text: /^label_values\((.*), \w+\)$/.exec(definition)?.[1] ?? definition,
    })),
  ]),
]

const withoutTexts = (text: string): string => text.replaceAll(/"(?:\\.|[^"\\])*"/g, '""')

/** Words of the language that could be taken for metrics. */
const words =
  /^(?:sum|min|max|avg|count|rate|increase|histogram_quantile|by|and|or|unless|on|le|__rate_interval|m|s|h)$/

/** Names of metrics: words that are neither in a matcher, nor in a list of labels, nor of the language. */
export const metricsIn = (text: string): readonly string[] => [
  ...new Set(
    [
      ...withoutTexts(text)
        .replaceAll(/\{[^}]*\}/g, '')
        .replaceAll(/\[[^\]]*\]/g, '')
        .replaceAll(/\bby \([^)]*\)/g, '')
        .matchAll(/[a-zA-Z_][a-zA-Z0-9_]*/g),
    ]
      .map(([name]) => name)
      .filter((name) => !words.test(name)),
  ),
]

/** Names of labels that the expression matches on or groups by. */
export const labelsIn = (text: string): readonly string[] => {
  const plain = withoutTexts(text)
  const matched = [...plain.matchAll(/(\w+)(?:=~|!~|!=|=)""/g)].map((match) => match[1]!)
  const grouped = [...plain.matchAll(/\bby \(([^)]*)\)/g)].flatMap((match) =>
    match[1]!.split(',').map((label) => label.trim()),
  )
  return [...new Set([...matched, ...grouped])]
}

/** Whether brackets of every kind close in order. */
export const isBalanced = (text: string): boolean => {
  const open: string[] = []
  const pairs: Readonly<Record<string, string>> = { ')': '(', ']': '[', '}': '{' }
  for (const [sign] of withoutTexts(text).matchAll(/[()[\]{}]/g)) {
    if (!Object.hasOwn(pairs, sign)) open.push(sign)
    else if (open.pop() !== pairs[sign]) return false
  }
  return open.length === 0
}
