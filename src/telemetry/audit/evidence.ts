/**
 * Turns audit records into evidence for API10:2023, "Unsafe Consumption of APIs", of the OWASP API Security Top 10.
 *
 * Used by `sallyport audit export`, over records that the verification has read. For each third-party API it counts
 * calls and refusals, sorts every refusal under the measure that it is evidence for, and names a few records. A
 * measure without refusals is not proof that it works; it says only that nothing ran into it.
 */
import type { Decision } from './record.ts'

/** The measures that API10:2023 asks for, and the two that the catalog adds: who is called, and with which key. */
export const measures = {
  inventory: 'every provider is known, owned and reviewed before it is called',
  transport: 'calls go over TLS to the party that the certificate names',
  validation: 'what a provider answers is validated before it is used',
  redirects: 'redirects are followed only to listed locations',
  resources: 'the size and the shape of answers are limited',
  timeouts: 'answers are waited for only so long, and failing providers are left alone',
  destination: 'calls reach public addresses of the declared host only',
  disclosure: 'only agreed data and the right credential leave',
  authorization: 'a policy decides on every call',
} as const

export type Measure = keyof typeof measures

const measureOfReason: Readonly<Record<string, Measure>> = {
  undeclared: 'inventory',
  operation: 'inventory',
  caller: 'inventory',
  connect: 'inventory',
  'review-overdue': 'inventory',
  tls: 'transport',
  authority: 'transport',
  'response-contract': 'validation',
  'response-unsafe': 'validation',
  invalid: 'validation',
  redirect: 'redirects',
  'response-too-large': 'resources',
  timeout: 'timeouts',
  refused: 'timeouts',
  reset: 'timeouts',
  'circuit-open': 'timeouts',
  address: 'destination',
  dns: 'destination',
  credential: 'disclosure',
  'credential-age': 'disclosure',
  'own-credential': 'disclosure',
  leak: 'disclosure',
  'data-class': 'disclosure',
  'request-contract': 'disclosure',
}

/** The measure that a refusal code belongs to; undefined for codes that have nothing to do with third parties. */
export const measureOf = (code: string): Measure | undefined => {
  const [family, reason = ''] = code.split('.')
  if (family === 'policy') return 'authorization'
  if (family === 'limit') return 'resources'
  return family === 'api' ? measureOfReason[reason] : undefined
}

/** What the trail says about one measure for one API. */
export interface MeasureEvidence {
  readonly measure: Measure
  readonly refusals: number
  readonly byCode: Readonly<Record<string, number>>
  /** Decision ids, the first few. */
  readonly records: readonly string[]
}

/** What the trail says about one API. */
export interface ApiEvidence {
  readonly api: string
  readonly owner: string | undefined
  readonly purpose: string | undefined
  readonly callers: readonly string[]
  readonly hosts: readonly string[]
  readonly credentials: readonly string[]
  readonly calls: number
  readonly allowed: number
  readonly denied: number
  readonly wouldDeny: number
  /** Milliseconds since the epoch. */
  readonly firstCall: number
  readonly lastCall: number
  readonly measures: readonly MeasureEvidence[]
}

/** The name under which calls without a catalog entry are gathered. */
export const undeclared = '(undeclared)'

const examples = 5
const mostNames = 50

interface Tally {
  owner: string | undefined
  purpose: string | undefined
  readonly callers: Set<string>
  readonly hosts: Set<string>
  readonly credentials: Set<string>
  calls: number
  allowed: number
  denied: number
  wouldDeny: number
  firstCall: number
  lastCall: number
  readonly measures: Map<
    Measure,
    { refusals: number; byCode: Record<string, number>; records: string[] }
  >
}

const freshTally = (): Tally => ({
  owner: undefined,
  purpose: undefined,
  callers: new Set(),
  hosts: new Set(),
  credentials: new Set(),
  calls: 0,
  allowed: 0,
  denied: 0,
  wouldDeny: 0,
  firstCall: Infinity,
  lastCall: -Infinity,
  measures: new Map(),
})

const addName = (names: Set<string>, name: string | undefined): void => {
  if (name !== undefined && names.size < mostNames) names.add(name)
}

/** Gathers records one by one; `collect` may be given to the verification as its `onRecord`. */
export class EvidenceCollector {
  readonly #apis = new Map<string, Tally>()

  readonly collect = (decision: Decision): void => {
    if (decision.line !== 'egress') return
    const name = decision.api ?? undeclared
    const tally = this.#apis.get(name) ?? freshTally()
    this.#apis.set(name, tally)
    tally.owner = decision.owner ?? tally.owner
    tally.purpose = decision.purpose ?? tally.purpose
    addName(tally.callers, decision.caller)
    addName(tally.hosts, decision.host)
    addName(tally.credentials, decision.credential)
    tally.calls += 1
    if (decision.decision === 'allow') tally.allowed += 1
    if (decision.decision === 'deny') tally.denied += 1
    if (decision.decision === 'would-deny') tally.wouldDeny += 1
    tally.firstCall = Math.min(tally.firstCall, decision.time)
    tally.lastCall = Math.max(tally.lastCall, decision.time)
    if (decision.code !== undefined) this.#collectRefusal(tally, decision.code, decision.id)
  }

  /** The evidence so far, by name of the API. */
  evidence(): readonly ApiEvidence[] {
    return [...this.#apis]
      .sort(([left], [right]) => left.localeCompare(right))
      .map(([api, tally]) => ({
        ...tally,
        api,
        callers: [...tally.callers].sort(),
        hosts: [...tally.hosts].sort(),
        credentials: [...tally.credentials].sort(),
        measures: (Object.keys(measures) as Measure[]).map((measure) => ({
          measure,
          ...(tally.measures.get(measure) ?? { refusals: 0, byCode: {}, records: [] }),
        })),
      }))
  }

  #collectRefusal(tally: Tally, code: string, id: string): void {
    const measure = measureOf(code)
    if (measure === undefined) return
    const entry = tally.measures.get(measure) ?? { refusals: 0, byCode: {}, records: [] }
    tally.measures.set(measure, entry)
    entry.refusals += 1
    entry.byCode[code] = (entry.byCode[code] ?? 0) + 1
    if (entry.records.length < examples) entry.records.push(id)
  }
}

const title = 'Evidence for OWASP API10:2023, Unsafe Consumption of APIs'

const day = (time: number): string => new Date(time).toISOString()

/** A cell that a spreadsheet does not take for a formula. */
const csvCell = (value: string | number): string => {
  const text = String(value)
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

const formatCsv = (apis: readonly ApiEvidence[]): string => {
  const rows: (string | number)[][] = [
    [
      'api',
      'owner',
      'purpose',
      'calls',
      'allowed',
      'denied',
      'would_deny',
      'first_call',
      'last_call',
      'measure',
      'refusals',
      'codes',
      'records',
    ],
  ]
  for (const {
    api,
    owner = '',
    purpose = '',
    calls,
    allowed,
    denied,
    wouldDeny,
    firstCall,
    lastCall,
    measures: list,
  } of apis) {
    for (const { measure, refusals, byCode, records } of list) {
      const codes = Object.entries(byCode)
        .map(([code, count]) => `${code}=${count}`)
        .join(' ')
      rows.push([
        api,
        owner,
        purpose,
        calls,
        allowed,
        denied,
        wouldDeny,
        day(firstCall),
        day(lastCall),
        measure,
        refusals,
        codes,
        records.join(' '),
      ])
    }
  }
  return rows.map((row) => `${row.map(csvCell).join(',')}\r\n`).join('')
}

const markdownCell = (text: string): string =>
  text.replace(/[|\\`<>[\]\n]/g, (character) => (character === '\n' ? ' ' : `\\${character}`))

const formatMarkdown = (apis: readonly ApiEvidence[]): string => {
  const lines = [`# ${title}`, '']
  for (const entry of apis) {
    const {
      api,
      owner = 'nobody',
      purpose = 'not stated',
      calls,
      allowed,
      denied,
      wouldDeny,
    } = entry
    lines.push(`## ${markdownCell(api)}`, '')
    lines.push(
      `Owner: ${markdownCell(owner)}. Purpose: ${markdownCell(purpose)}. From ${day(entry.firstCall)} to ${day(entry.lastCall)}.`,
    )
    lines.push(
      `${calls} calls: ${allowed} allowed, ${denied} refused, ${wouldDeny} would have been refused. Callers: ${entry.callers.map(markdownCell).join(', ') || 'none'}.`,
      '',
    )
    lines.push('| measure | refusals | codes | records |', '| --- | --- | --- | --- |')
    for (const { measure, refusals, byCode, records } of entry.measures) {
      const codes = Object.entries(byCode)
        .map(([code, count]) => `${code} ${count}`)
        .join(', ')
      lines.push(`| ${measures[measure]} | ${refusals} | ${codes} | ${records.join(' ')} |`)
    }
    lines.push('')
  }
  return `${lines.join('\n')}\n`
}

/** Writes the evidence for a person (Markdown), a spreadsheet (CSV) or a program (JSON). */
export const formatEvidence = (
  apis: readonly ApiEvidence[],
  format: 'markdown' | 'csv' | 'json',
): string => {
  if (format === 'csv') return formatCsv(apis)
  if (format === 'markdown') return formatMarkdown(apis)
  return `${JSON.stringify({ title, measures, apis }, null, 2)}\n`
}
