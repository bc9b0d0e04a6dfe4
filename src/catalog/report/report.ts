/**
 * The state of the catalog as a table and a list of findings: who calls whom, why, with which key, and what is overdue.
 *
 * For `sallyport apis report` and the admin page. Judges the catalog with the usage and the key ledger that it is given;
 * without them it says less, never something wrong.
 */
import type { Catalog } from '../catalog.ts'
import type { ApiEntry } from '../entry/entry.ts'
import { reviewState } from '../judge-call.ts'
import type { LedgerRow } from '../ledger.ts'
import type { UsageRow } from '../usage.ts'

/** What a report is made of. */
export interface ReportSources {
  readonly catalog: Catalog
  /** Undefined when nothing was counted: then nothing is called unused. */
  readonly usage: readonly UsageRow[] | undefined
  readonly ledger: readonly LedgerRow[]
  readonly now: number
  readonly reviewWarningMs: number
}

/** Something that an owner should look at. */
export interface ReportFinding {
  readonly api: string
  readonly kind:
    | 'unused'
    | 'unowned'
    | 'review-overdue'
    | 'review-due-soon'
    | 'old-key'
    | 'key-due-soon'
    | 'plaintext'
    | 'calls-refused'
    | 'deprecated-in-use'
    | 'no-contract'
  readonly severity: 'high' | 'medium' | 'low'
  readonly detail: string
}

/** One API. */
export interface ReportRow {
  readonly entry: ApiEntry
  readonly review: ReturnType<typeof reviewState>
  readonly calls: number
  readonly refused: number
  readonly failed: number
  readonly lastCall: number | undefined
  /** Callers seen. */
  readonly seenCallers: readonly string[]
  readonly keyAgeDays: number | undefined
}

/** The report. */
export interface ApiReport {
  /** Time of the report in ms. */
  readonly madeAt: number
  readonly rows: readonly ReportRow[]
  readonly findings: readonly ReportFinding[]
}

const dayMs = 86_400_000
const nobody = /(^|:)(unknown|none|nobody|todo|tbd|n\/a|-|\?|who-answers-for-it)$/i

/** Makes the report. */
export const makeReport = (sources: ReportSources): ApiReport => {
  const rows = sources.catalog.entries.map((entry) => rowOf(entry, sources))
  const findings = rows.flatMap((row) => findingsOf(row, sources))
  const undeclared = (sources.usage ?? []).filter((row) => row.api === 'undeclared')
  const calls = undeclared.reduce((sum, row) => sum + row.calls, 0)
  if (calls > 0)
    findings.push({
      api: 'undeclared',
      kind: 'calls-refused',
      severity: 'medium',
      detail: `${calls} calls to hosts that no entry declares`,
    })
  const order = { high: 0, medium: 1, low: 2 }
  findings.sort(
    (a, b) => order[a.severity] - order[b.severity] || (a.api < b.api ? -1 : a.api > b.api ? 1 : 0),
  )
  return { madeAt: sources.now, rows, findings }
}

const rowOf = (
  entry: ApiEntry,
  { usage, ledger, now, reviewWarningMs }: ReportSources,
): ReportRow => {
  const used = (usage ?? []).filter((row) => row.api === entry.name)
  const sum = (pick: (row: UsageRow) => number): number =>
    used.reduce((total, row) => total + pick(row), 0)
  const last = used.map((row) => row.lastCall)
  return {
    entry,
    review: reviewState(entry, now, reviewWarningMs),
    calls: sum((row) => row.calls),
    refused: sum((row) => row.refused),
    failed: sum((row) => row.failed),
    lastCall: last.length === 0 ? undefined : Math.max(...last),
    seenCallers: used.map((row) => row.caller).sort(),
    keyAgeDays: keyAge(entry, ledger, now),
  }
}

/** The age of the newest key: an older one that still overlaps is on its way out. */
const keyAge = (entry: ApiEntry, ledger: readonly LedgerRow[], now: number): number | undefined => {
  if (!entry.credential) return undefined
  const seen = ledger.filter((row) => row.entry === entry.name).map((row) => row.firstSeen)
  const stated =
    entry.credential.issued === undefined
      ? undefined
      : Date.parse(`${entry.credential.issued}T00:00:00Z`)
  const since = seen.length > 1 ? Math.max(...seen) : (stated ?? seen[0])
  return since === undefined ? undefined : Math.floor((now - since) / dayMs)
}

const findingsOf = (row: ReportRow, { usage, now }: ReportSources): readonly ReportFinding[] => {
  const { entry, review } = row
  const found: ReportFinding[] = []
  const say = (
    kind: ReportFinding['kind'],
    severity: ReportFinding['severity'],
    detail: string,
  ): void => {
    found.push({ api: entry.name, kind, severity, detail })
  }
  if (entry.unsafe_plaintext)
    say(
      'plaintext',
      'high',
      `calls to ${entry.hosts.map((host) => host.text).join(', ')} are not encrypted`,
    )
  if (review.state === 'overdue')
    say(
      'review-overdue',
      'high',
      `the review was due by ${entry.review_by}${entry.review_mode === 'enforce' ? '; calls are refused' : ''}`,
    )
  if (review.state === 'due-soon')
    say(
      'review-due-soon',
      'low',
      `the review is due by ${entry.review_by}, in ${review.daysLeft} days`,
    )
  if (nobody.test(entry.owner)) say('unowned', 'high', `the owner is ${entry.owner}`)
  if (entry.credential && row.keyAgeDays !== undefined) {
    const limit = entry.credential.rotate_every / dayMs
    if (row.keyAgeDays >= limit)
      say(
        'old-key',
        'high',
        `key ${entry.credential.id} is ${row.keyAgeDays} days old; its limit is ${Math.round(limit)}`,
      )
    else if (row.keyAgeDays >= limit * 0.8)
      say(
        'key-due-soon',
        'medium',
        `key ${entry.credential.id} is ${row.keyAgeDays} days old; rotate it before day ${Math.round(limit)}`,
      )
  }
  const quiet = row.lastCall === undefined || now - row.lastCall > entry.quiet_after
  if (usage !== undefined && quiet && entry.lifecycle !== 'retired') {
    say(
      'unused',
      'medium',
      row.lastCall === undefined ? 'no call was seen' : `no call since ${day(row.lastCall)}`,
    )
  }
  if (entry.lifecycle === 'deprecated' && row.calls > 0 && !quiet)
    say('deprecated-in-use', 'medium', 'it is deprecated and still called')
  if (row.refused > 0)
    say('calls-refused', 'medium', `${row.refused} of ${row.calls} calls were refused`)
  if (
    entry.connect !== 'tunnel' &&
    entry.operations.every((operation) => operation.contract === undefined)
  ) {
    say('no-contract', 'low', 'answers are not checked against a contract')
  }
  return found
}

/** `2026-11-23` for a time in ms. */
export const day = (time: number): string => new Date(time).toISOString().slice(0, 10)
