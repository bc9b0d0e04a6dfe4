/** Results of policy tests for people and for programs, in the forms of `opa test`. */
import { explainText } from '../../rego/explain.ts'
import { testName, type CaseResult, type TestResult } from '../../rego/workshop/run-tests.ts'
import type { Colour, Terminal } from '../terminal.ts'

const words = { pass: 'PASS', fail: 'FAIL', skip: 'SKIPPED', error: 'ERROR' } as const
const colours: Readonly<Record<TestResult['state'], Colour>> = {
  pass: 'green',
  fail: 'red',
  skip: 'yellow',
  error: 'red',
}
const ruler = '-'.repeat(80)

const duration = (nanoseconds: number): string => {
  if (nanoseconds < 1_000) return `${nanoseconds}ns`
  if (nanoseconds < 1_000_000) return `${nanoseconds / 1_000}µs`
  return `${nanoseconds / 1_000_000}ms`
}

const caseLines = (cases: readonly CaseResult[], indent: string): readonly string[] =>
  cases.flatMap(({ name, fail, cases: below }) => [
    `${indent}${name}: ${fail ? words.fail : words.pass}`,
    ...caseLines(below, `${indent}  `),
  ])

/** Writes the results: all of them, or those that did not pass; then how many there were of each kind. */
export const tellResults = (
  results: readonly TestResult[],
  form: 'verbose' | 'short',
  terminal: Terminal,
): void => {
  const shown = results.filter(({ state }) => form === 'verbose' || state !== 'pass')
  let file = ''
  for (const { test, state, cases, durationNs, error, output, failures } of shown) {
    if (test.location.file !== file) {
      file = test.location.file
      terminal.print(`${file}:`)
    }
    const time = state === 'skip' ? '' : ` (${duration(durationNs)})`
    terminal.print(`${testName(test)}: ${terminal.paint(colours[state], words[state])}${time}`)
    for (const line of caseLines(cases, '  ')) terminal.print(line)
    if (error !== undefined) {
      const { location } = error
      const place = location === undefined ? '' : `${location.file}:${location.row}: `
      terminal.print(`  ${place}${error.code}: ${error.message}`)
    }
    if (failures.length > 0) terminal.print(explainText(failures, '  '))
    for (const line of output) terminal.print(`  ${line}`)
  }
  if (shown.length > 0) terminal.print(ruler)
  const total = results.length
  const count = (state: TestResult['state']): number =>
    results.filter((result) => result.state === state).length
  terminal.print(`PASS: ${count('pass')}/${total}`)
  for (const state of ['fail', 'skip', 'error'] as const) {
    if (count(state) > 0) terminal.print(`${words[state]}: ${count(state)}/${total}`)
  }
}

const jsonCases = (cases: readonly CaseResult[]): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    cases.map(({ name, fail, cases: below }) => [
      name,
      {
        name,
        ...(fail ? { fail } : {}),
        ...(below.length > 0 ? { sub_results: jsonCases(below) } : {}),
      },
    ]),
  )

/** One result as `opa test -f json` has it. */
export const jsonResult = (result: TestResult): Readonly<Record<string, unknown>> => {
  const { test, state, cases, durationNs, error, output } = result
  return {
    location: test.location,
    package: test.package,
    name: test.name,
    ...(state === 'fail' ? { fail: true } : {}),
    ...(error === undefined ? {} : { error }),
    ...(state === 'skip' ? { skip: true } : {}),
    duration: durationNs,
    ...(output.length === 0
      ? {}
      : { output: Buffer.from(`${output.join('\n')}\n`).toString('base64') }),
    ...(cases.length === 0 ? {} : { sub_results: jsonCases(cases) }),
  }
}
