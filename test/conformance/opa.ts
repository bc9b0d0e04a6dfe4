/**
 * Runs a directory of OPA's conformance cases and prints what passed and what failed.
 *
 *   npm run conformance:opa -- [--cases DIR] [--json] [--rego-version v0|v1] [--force-not]
 *
 * Without `--rego-version` a directory whose name, or whose parent's name, is `v0` holds cases of
 * Rego v0. `--force-not` parses every module with `future.keywords.not` in force.
 */

import { existsSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
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

const named = [basename(root), basename(dirname(root))].includes('v0') ? 'v0' : 'v1'
const version = values['rego-version'] ?? named
if (version !== 'v0' && version !== 'v1') {
  console.error(`unknown rego version ${version}: use v0 or v1`)
  process.exit(2)
}

const forced = values['force-not'] ? { forced: ['not'] } : {}
const results = loadCases(root).map((one) => ({
  one,
  verdict: runCase(one, { regoVersion: versionOf(one), ...forced }),
}))

/** Files below a folder `v0` or `v1` of the root are of that version. */
function versionOf(one: Case): 'v0' | 'v1' {
  const [first] = one.folder.split('/')
  return first === 'v0' || first === 'v1' ? first : (version as 'v0' | 'v1')
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
