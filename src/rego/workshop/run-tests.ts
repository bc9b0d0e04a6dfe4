/**
 * Runs the tests of policies as OPA does: a test passes when it is true, fails when it is undefined or anything else,
 * and is in error when its query, or a built-in in it, ends with one. A test over cases passes when every case that it comes to is true.
 */

import { builtins as allBuiltins } from '../builtins/registry.ts'
import type { Failure } from '../explain.ts'
import { Policy, type Decision, type DecisionError, type PolicyOptions } from '../policy.ts'
import type { Module } from '../syntax/tree.ts'
import { fromJson, toJsonText } from '../value-text.ts'
import { isArray, isObject, objectGet, type Value } from '../values.ts'
import { caseNote, findTests, type TestRule } from './find-tests.ts'

/** How a case of a test went; cases may have cases. */
export interface CaseResult {
  readonly name: string
  readonly fail: boolean
  readonly cases: readonly CaseResult[]
}

/** How a test went. */
export interface TestResult {
  readonly test: TestRule
  readonly state: 'pass' | 'fail' | 'skip' | 'error'
  readonly error?: DecisionError
  readonly cases: readonly CaseResult[]
  /** Nanoseconds. */
  readonly durationNs: number
  /** What the test printed. */
  readonly output: readonly string[]
  /** With `explain`: the conditions that a failed test did not meet. */
  readonly failures: readonly Failure[]
}

/** What to run, and how. */
export interface TestOptions {
  readonly modules: readonly Module[]
  readonly data: unknown
  /** Runs only the tests whose name `data.package.test_name` it accepts. */
  readonly wanted: (name: string) => boolean
  /** Most milliseconds of one test. */
  readonly timeoutMs: number
  readonly explain: 'failures' | 'nothing'
  /** Nanoseconds of a clock that never goes back. */
  readonly clock: () => bigint
  readonly policy?: Pick<PolicyOptions, 'now' | 'trace' | 'check'>
}

/** The name that people know a test by. */
export function testName({ package: home, name }: TestRule): string {
  return `${home}.${name}`
}

/** Runs the tests, in the order of their modules; throws `RegoErrors` when the modules do not compile. */
export function runTests(options: TestOptions): readonly TestResult[] {
  const { tests, modules } = findTests(options.modules)
  const output: string[] = []
  const noted: Value[] = []
  const note = {
    name: caseNote,
    args: ['array[any]'],
    run: (_context: unknown, names: Value) => {
      noted.push(names)
      return true
    },
  }
  const policy = new Policy(modules, fromJson(options.data), {
    ...options.policy,
    builtins: new Map([...allBuiltins, [caseNote, note]]),
    print: (line, { file, row }) => void output.push(`${file}:${row}: ${line}`),
  })
  return tests
    .filter((test) => options.wanted(testName(test)))
    .map((test): TestResult => {
      if (test.todo) {
        return { test, state: 'skip', cases: [], durationNs: 0, output: [], failures: [] }
      }
      output.length = noted.length = 0
      const decide = policy.prepare(`${test.package}[${JSON.stringify(test.name)}]`)
      const budget = { steps: Number.MAX_SAFE_INTEGER, wallMs: options.timeoutMs }
      const asked = { budget, builtinErrors: 'strict' } as const
      const begun = options.clock()
      const decision = decide.decide(undefined, asked)
      const durationNs = Number(options.clock() - begun)
      const result = judge(test, decision, noted)
      const why =
        options.explain === 'failures' && result.state === 'fail' && test.kind === 'one'
          ? (decide.decide(undefined, { ...asked, explain: {} }).failures ?? []).map(
              withoutReplaced,
            )
          : []
      return { ...result, durationNs, output: [...output], failures: why }
    })
}

/** What was read while a `with` was in force cannot be read again afterwards; the condition alone is told. */
function withoutReplaced(failure: Failure): Failure {
  return failure.condition.includes(' with ') ? { ...failure, values: [], because: [] } : failure
}

function judge(
  test: TestRule,
  { defined, value, error }: Decision,
  noted: readonly Value[],
): Pick<TestResult, 'test' | 'state' | 'error' | 'cases'> {
  if (error !== undefined) return { test, state: 'error', error, cases: [] }
  if (test.kind === 'one') return { test, state: value === true ? 'pass' : 'fail', cases: [] }
  const cases = casesOf(defined ? value : undefined, noted.filter(isArray), 0)
  const failed = cases.length === 0 || cases.some(({ fail }) => fail)
  return { test, state: failed ? 'fail' : 'pass', cases }
}

/** The cases that were noted, level by level, with what the test's value says of each. */
function casesOf(
  value: Value | undefined,
  noted: readonly (readonly Value[])[],
  level: number,
): CaseResult[] {
  const groups = new Map<string, (readonly Value[])[]>()
  for (const names of noted) {
    const key = names[level]
    if (key === undefined) continue
    const name = typeof key === 'string' ? key : toJsonText(key)
    groups.set(name, [...(groups.get(name) ?? []), names])
  }
  return [...groups].map(([name, members]) => {
    const key = members[0]![level]!
    const own = value !== undefined && isObject(value) ? objectGet(value, key) : undefined
    const cases = casesOf(own, members, level + 1)
    const fail = cases.length > 0 ? cases.some((each) => each.fail) : own !== true
    return { name, fail, cases }
  })
}
