/** `sallyport apis …`: the catalog of third-party APIs on the command line. Opens no socket. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Catalog } from '../../catalog/catalog.ts'
import { Discovery } from '../../catalog/discovery/discovery.ts'
import {
  draftEntries,
  draftPolicy,
  draftSchemas,
  type DraftFile,
} from '../../catalog/discovery/draft.ts'
import type { ApiEntry } from '../../catalog/entry/entry.ts'
import { nearest } from '../../catalog/entry/nearness.ts'
import { reviewState } from '../../catalog/judge-call.ts'
import type { LedgerRow } from '../../catalog/ledger.ts'
import { backstageEntity, yamlText } from '../../catalog/report/backstage.ts'
import { renderReport, reportFormats, type ReportFormat } from '../../catalog/report/render.ts'
import { makeReport } from '../../catalog/report/report.ts'
import { readState } from '../../catalog/state-file.ts'
import type { UsageRow } from '../../catalog/usage.ts'
import { checkCatalog } from '../../config/checks/catalog.ts'
import { ConfigFaults } from '../../config/read/fault.ts'
import {
  CommandError,
  exitCodes,
  UsageError,
  type Command,
  type Given,
  type Option,
} from '../command.ts'

const dayMs = 86_400_000
const reviewWarningMs = 14 * dayMs
const reviewDays = 90

const folderOption: Option = {
  type: 'text',
  short: 'd',
  value: 'folder',
  description: 'folder of the catalog (default: policies/apis)',
}

const fileOption = (what: string): Option => ({ type: 'text', value: 'file', description: what })

const shownFolder = (given: Given): string => given.text('directory') ?? 'policies/apis'

/** The catalog of the folder; all of its faults at once when there are any. */
const catalogOf = (given: Given, directory: string): Catalog => {
  const folder = join(directory, shownFolder(given))
  if (!existsSync(folder)) {
    throw new CommandError(
      `there is no catalog in ${shownFolder(given)}`,
      'name the folder with --directory',
    )
  }
  const { catalog, faults } = checkCatalog(folder)
  if (faults.length > 0) throw new ConfigFaults(faults)
  return catalog
}

/** The rows of a state file; none given is undefined, a given file that cannot be used is an error. */
const rowsOf = (
  given: Given,
  option: string,
  directory: string,
): readonly unknown[] | undefined => {
  const name = given.text(option)
  if (name === undefined) return undefined
  const state = readState(join(directory, name))
  if (state.kind === 'state' && Array.isArray(state.value)) return state.value as unknown[]
  throw new CommandError(
    `${name} is no file with what a sidecar saved`,
    `the sidecar writes it; see egress.apis in the configuration`,
  )
}

const check: Command = {
  name: 'apis check',
  summary: 'check every entry of the catalog, and the contracts that the entries name',
  details:
    'All faults are reported at once, each with file, line, column, what was expected, what is there and how to mend\nit. Exits with 78 when there is one.',
  options: { directory: folderOption },
  examples: ['sallyport apis check'],
  run(given, { directory, now, terminal }) {
    const catalog = catalogOf(given, directory)
    for (const entry of catalog.entries) {
      const { state, daysLeft } = reviewState(entry, now(), reviewWarningMs)
      if (state === 'overdue')
        terminal.tell(
          `${entry.name}: ${terminal.paint('yellow', 'overdue')}: the review was due by ${entry.review_by}`,
        )
      if (state === 'due-soon')
        terminal.tell(`${entry.name}: the review is due by ${entry.review_by}, in ${daysLeft} days`)
    }
    terminal.print(
      `${shownFolder(given)}: ${terminal.paint('green', 'ok')}: ${counted(catalog.entries.length, 'API')}, ${counted(operationsIn(catalog), 'operation')}`,
    )
    return exitCodes.ok
  },
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`

const operationsIn = (catalog: Catalog): number =>
  catalog.entries.reduce((sum, entry) => sum + entry.operations.length, 0)

const list: Command = {
  name: 'apis list',
  summary: 'list the third-party APIs: name, owner, data, hosts, review date, purpose',
  options: {
    directory: folderOption,
    json: { type: 'switch', description: 'print one JSON document' },
  },
  run(given, { directory, now, terminal }) {
    const catalog = catalogOf(given, directory)
    if (given.has('json')) {
      const report = makeReport({
        catalog,
        usage: undefined,
        ledger: [],
        now: now(),
        reviewWarningMs,
      })
      terminal.print(renderReport(report, 'json').trimEnd())
      return exitCodes.ok
    }
    const rows = catalog.entries.map((entry) => [
      entry.name,
      entry.owner,
      entry.data.join(',') || '-',
      entry.hosts.map((host) => host.text).join(','),
      entry.review_by,
      entry.purpose,
    ])
    const widths = [0, 1, 2, 3, 4].map((column) =>
      Math.max(0, ...rows.map((row) => row[column]!.length)),
    )
    for (const row of rows)
      terminal.print(
        row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd(),
      )
    return exitCodes.ok
  },
}

const find = (catalog: Catalog, name: string): ApiEntry => {
  const entry = catalog.get(name)
  if (entry) return entry
  const names = catalog.entries.map((one) => one.name)
  const near = nearest(name, names, 1)[0]
  throw new CommandError(
    `there is no API named ${name}`,
    near ? `did you mean ${near}?` : `known: ${names.join(', ')}`,
  )
}

const show: Command = {
  name: 'apis show',
  summary: 'show one third-party API with its operations and limits',
  arguments: [{ name: 'name', description: 'name of the entry', required: true }],
  options: {
    directory: folderOption,
    backstage: { type: 'switch', description: 'as a Backstage entity' },
  },
  examples: ['sallyport apis show card-api'],
  run(given, { directory, now, terminal }) {
    const entry = find(catalogOf(given, directory), given.arguments[0] ?? '')
    const { index: _, hosts, operations, reviewEndsAt, redirects, file, ...settings } = entry
    const { state, daysLeft } = reviewState({ ...entry, reviewEndsAt }, now(), reviewWarningMs)
    const shown = {
      ...settings,
      hosts: hosts.map((host) => host.text),
      operations: operations.map((one) => ({
        id: one.id,
        method: one.method,
        path: one.template,
        data: one.data,
        contract: one.contract ? 'yes' : 'no',
      })),
      redirects: { mode: redirects.mode, targets: redirects.targets.map((host) => host.text) },
      review: { state, days_left: daysLeft },
      file: file.startsWith(`${directory}/`) ? file.slice(directory.length + 1) : file,
    }
    terminal.print(yamlText(given.has('backstage') ? backstageEntity(entry) : shown).trimEnd())
    return exitCodes.ok
  },
}

const formatOf = (given: Given): ReportFormat => {
  const text = given.text('format') ?? 'markdown'
  const format = reportFormats.find((one) => one === text)
  if (format) return format
  throw new UsageError(`${text} is not a format`, `use one of ${reportFormats.join(', ')}`)
}

const report: Command = {
  name: 'apis report',
  summary:
    'report on the catalog: unused and unowned entries, overdue reviews, old keys, plaintext, refused calls',
  details:
    'Without the files that a sidecar saves, nothing is said about use and only stated days of issue count for keys.',
  options: {
    directory: folderOption,
    format: {
      type: 'text',
      value: 'format',
      short: 'f',
      description: `${reportFormats.join(', ')} (default: markdown)`,
    },
    usage: fileOption('calls that a sidecar counted'),
    ledger: fileOption('key ledger of a sidecar'),
    strict: { type: 'switch', description: 'exit with 1 when a finding is of high severity' },
  },
  examples: [
    'sallyport apis report --format csv',
    'sallyport apis report --usage state/usage.json --ledger state/keys.json',
  ],
  run(given, { directory, now, terminal }) {
    const format = formatOf(given)
    const made = makeReport({
      catalog: catalogOf(given, directory),
      usage: rowsOf(given, 'usage', directory) as readonly UsageRow[] | undefined,
      ledger: (rowsOf(given, 'ledger', directory) ?? []) as readonly LedgerRow[],
      now: now(),
      reviewWarningMs,
    })
    terminal.print(renderReport(made, format).replace(/\r?\n$/, ''))
    const grave = made.findings.some((finding) => finding.severity === 'high')
    return given.has('strict') && grave ? exitCodes.failed : exitCodes.ok
  },
}

const write = (folder: string, files: readonly DraftFile[]): void => {
  for (const { file, text } of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), text, { flag: 'wx' })
  }
}

const inFolder = (folder: string, files: readonly DraftFile[]): readonly DraftFile[] =>
  files.map(({ file, text }) => ({ file: join(folder, file), text }))

const draft: Command = {
  name: 'apis draft',
  summary:
    'draft catalog entries and a least-privilege policy from the calls that a sidecar observed',
  details:
    'Each line of a draft carries its evidence: how many calls, when first and last, by whom, example traces. Owner and\npurpose are to be filled in. Files that exist are never overwritten.',
  options: {
    learned: fileOption('what a sidecar learned in observe mode (required)'),
    out: { type: 'text', value: 'folder', description: 'where to write (default: policies/draft)' },
    schemas: {
      type: 'switch',
      description: 'also write JSON Schemas of the bodies that were seen',
    },
  },
  examples: ['sallyport apis draft --learned state/learned.json'],
  run(given, { directory, now, terminal }) {
    const saved = rowsOf(given, 'learned', directory)
    if (!saved)
      throw new UsageError('it needs what a sidecar learned', 'name the file with --learned')
    const hosts = new Discovery(
      { hosts: Number.MAX_SAFE_INTEGER, shapes: Number.MAX_SAFE_INTEGER },
      saved,
    ).learned()
    const files = [
      ...inFolder('apis', draftEntries(hosts, { now: now(), reviewDays })),
      ...(given.has('schemas') ? inFolder('apis', draftSchemas(hosts)) : []),
      draftPolicy(hosts),
    ]
    const folder = given.text('out') ?? 'policies/draft'
    const existing = files.find(({ file }) => existsSync(join(directory, folder, file)))
    if (existing)
      throw new CommandError(
        `${join(folder, existing.file)} exists`,
        'write to another folder with --out, or remove the old draft',
      )
    write(join(directory, folder), files)
    for (const { file } of files) terminal.print(join(folder, file))
    const left = hosts.reduce((sum, one) => sum + one.leftOut, 0)
    if (left > 0)
      terminal.tell(
        `${left} calls are in no draft: their paths are ambiguous, or there were too many`,
      )
    terminal.hint('fill in owner and purpose, then move the entries to policies/apis')
    return exitCodes.ok
  },
}

/** The commands. */
export const apis: readonly Command[] = [list, show, check, report, draft]
