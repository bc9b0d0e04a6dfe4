/** A report in the forms that people and other systems read: Markdown, JSON, CSV, Backstage entities, CycloneDX services. */
import type { ApiEntry } from '../entry/entry.ts'
import { day } from './report.ts'
import type { ApiReport, ReportRow } from './report.ts'
import { backstageText } from './backstage.ts'
import { cycloneDx } from './cyclonedx.ts'

/** The forms. */
export const reportFormats = ['markdown', 'json', 'csv', 'backstage', 'cyclonedx'] as const

/** One of {@link reportFormats}. */
export type ReportFormat = (typeof reportFormats)[number]

/** The report as text that ends with a line end. */
export const renderReport = (report: ApiReport, format: ReportFormat): string => {
  switch (format) {
    case 'markdown':
      return markdown(report)
    case 'csv':
      return csv(report)
    case 'backstage':
      return backstageText(report.rows.map((row) => row.entry))
    case 'cyclonedx':
      return `${JSON.stringify(cycloneDx(report), null, 2)}\n`
    default:
      return `${JSON.stringify(jsonReport(report), null, 2)}\n`
  }
}

const hostsOf = (entry: ApiEntry): string => entry.hosts.map((host) => host.text).join(' ')

const authenticationOf = (entry: ApiEntry): string =>
  entry.credential
    ? `${entry.authentication.kind} (${entry.credential.id})`
    : entry.authentication.kind

const cell = (text: string): string =>
  text.replaceAll(/[|\\<>]/g, (character) => `\\${character}`).replaceAll(/\s+/g, ' ')

const markdown = (report: ApiReport): string => {
  const lines = [
    `# Third-party APIs, ${day(report.madeAt)}`,
    '',
    `${report.rows.length} entries, ${report.findings.length} findings.`,
    '',
  ]
  if (report.findings.length > 0) {
    lines.push(
      '## Findings',
      '',
      '| severity | API | finding | detail |',
      '| --- | --- | --- | --- |',
    )
    for (const { severity, api, kind, detail } of report.findings)
      lines.push(`| ${severity} | ${api} | ${kind} | ${cell(detail)} |`)
    lines.push('')
  }
  lines.push(
    '## Entries',
    '',
    '| API | owner | purpose | data | hosts | key | key age | review by | calls | refused | last call |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |',
  )
  for (const row of report.rows) lines.push(`| ${columns(row).map(cell).join(' | ')} |`)
  return `${lines.join('\n')}\n`
}

const columns = (row: ReportRow): readonly string[] => [
  row.entry.name,
  row.entry.owner,
  row.entry.purpose,
  row.entry.data.join(' '),
  hostsOf(row.entry),
  authenticationOf(row.entry),
  row.keyAgeDays === undefined ? '' : `${row.keyAgeDays} d`,
  row.entry.review_by,
  String(row.calls),
  String(row.refused),
  row.lastCall === undefined ? '' : day(row.lastCall),
]

/** A cell that a spreadsheet would run as a formula is defused (OWASP CSV injection). */
const csvCell = (text: string): string => {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

const csv = (report: ApiReport): string => {
  const head = [
    'api',
    'owner',
    'purpose',
    'data',
    'hosts',
    'authentication',
    'key_age',
    'review_by',
    'calls',
    'refused',
    'last_call',
    'lifecycle',
    'connect',
    'callers',
    'findings',
  ]
  const rows = report.rows.map((row) => [
    ...columns(row),
    row.entry.lifecycle,
    row.entry.connect,
    row.entry.callers.join(' '),
    report.findings
      .filter((finding) => finding.api === row.entry.name)
      .map((finding) => finding.kind)
      .join(' '),
  ])
  return `${[head, ...rows].map((row) => row.map(csvCell).join(',')).join('\r\n')}\r\n`
}

const jsonReport = (report: ApiReport): unknown => ({
  made_at: new Date(report.madeAt).toISOString(),
  findings: report.findings,
  apis: report.rows.map((row) => ({
    name: row.entry.name,
    owner: row.entry.owner,
    purpose: row.entry.purpose,
    lifecycle: row.entry.lifecycle,
    connect: row.entry.connect,
    data: row.entry.data,
    callers: row.entry.callers,
    hosts: row.entry.hosts.map((host) => host.text),
    operations: row.entry.operations.map(
      (operation) => `${operation.method} ${operation.template}`,
    ),
    authentication: row.entry.authentication.kind,
    credential: row.entry.credential?.id,
    key_age_days: row.keyAgeDays,
    depends_on: row.entry.depends_on,
    review: { by: row.entry.review_by, state: row.review.state, days_left: row.review.daysLeft },
    usage: {
      calls: row.calls,
      refused: row.refused,
      failed: row.failed,
      last_call: row.lastCall === undefined ? undefined : new Date(row.lastCall).toISOString(),
      callers: row.seenCallers,
    },
    contacts: row.entry.contacts,
    links: row.entry.links,
    file: row.entry.file,
  })),
})
