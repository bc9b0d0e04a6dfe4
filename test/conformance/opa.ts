/**
 * Runs a directory of OPA's conformance cases and prints what passed and what failed.
 *
 *   npm run conformance:opa -- [--cases DIR] [--json] [--rego-version v0|v1] [--force-not]
 *
 * Without `--rego-version` the nearest folder called `v0` or `v1` tells the version; without one, a case
 * that is none of v1 is tried as one of v0. `--force-not` parses every module with `future.keywords.not` in force.
 */

import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'

import { loadCases, type Case } from './cases.ts'
import { runCase, type Verdict } from './run-case.ts'

const { values } = parseArgs({
  options: {
    cases: { type: 'string' },
    json: { type: 'boolean', default: false },
    'rego-version': { type: 'string' },
    'force-not': { type: 'boolean', default: false },
  },
})

const vectors = process.env['SALLYPORT_VECTORS'] ?? resolve(import.meta.dirname, '../../../shared')
const root = resolve(values.cases ?? resolve(vectors, 'opa-cases/v1'))

if (!existsSync(root)) {
  console.error(`no conformance cases at ${root}: give --cases DIR, or set SALLYPORT_VECTORS`)
  process.exit(2)
}

type Version = 'v0' | 'v1'

const version = values['rego-version']
if (version !== undefined && version !== 'v0' && version !== 'v1') {
  console.error(`unknown rego version ${version}: use v0 or v1`)
  process.exit(2)
}

const forced = values['force-not'] ? { forced: ['not'] } : {}
const results = loadCases(root).map((one) => ({ one, verdict: verdictOf(one) }))

/** The version a case says, else the option, else what a folder on its way is called. */
function versionOf(one: Case): Version | undefined {
  const said = one.fields['rego_version'] ?? version
  if (said === 'v0' || said === 'v1') return said
  const folders = `${root}/${one.folder}`.split('/').reverse()
  return folders.find((folder) => folder === 'v0' || folder === 'v1')
}

/** A case of unknown version is one of v1, or of v0 when its modules are none of v1. */
function verdictOf(one: Case): Verdict {
  const known = versionOf(one)
  const verdict = runCase(one, { regoVersion: known ?? 'v1', ...forced })
  if (known !== undefined || verdict.passed) return verdict
  const older = runCase(one, { regoVersion: 'v0', ...forced })
  return older.passed ? older : verdict
}

interface Tally {
  passed: number
  failed: number
}

const folders = new Map<string, Tally>()
const total: Tally = { passed: 0, failed: 0 }
const failing: { file: string; note: string; reason: string }[] = []
for (const { one, verdict } of results) count(one, verdict)

function count(one: Case, verdict: Verdict): void {
  const tally = folders.get(one.folder) ?? { passed: 0, failed: 0 }
  folders.set(one.folder, tally)
  for (const each of [tally, total]) {
    if (verdict.passed) each.passed += 1
    else each.failed += 1
  }
  if (!verdict.passed) failing.push({ file: one.file, note: one.note, reason: verdict.reason })
}

if (values.json) {
  console.log(
    JSON.stringify(
      { cases: root, ...total, folders: Object.fromEntries(folders), failing },
      null,
      2,
    ),
  )
} else {
  for (const { file, note, reason } of failing) console.log(`FAIL ${file}: ${note}\n     ${reason}`)
  for (const [folder, tally] of folders) {
    const mark = tally.failed === 0 ? '' : `, ${tally.failed} failed`
    console.log(`${folder}: ${tally.passed} passed${mark}`)
  }
  console.log(
    `\n${total.passed} passed, ${total.failed} failed of ${results.length} cases in ${folders.size} folders`,
  )
}
process.exitCode = total.failed === 0 ? 0 : 1
