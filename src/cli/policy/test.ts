/** `sallyport policy test`: runs the tests of policies, with coverage when it is wanted. */
import { RegoErrors } from '../../rego/errors.ts'
import { parseSources, type Source } from '../../rego/policy.ts'
import type { Module, RegoVersion } from '../../rego/syntax/tree.ts'
import { Coverage, type CoverageReport } from '../../rego/workshop/coverage.ts'
import { runTests, type TestResult } from '../../rego/workshop/run-tests.ts'
import { exitCodes, UsageError, type Command, type ExitCode, type Given } from '../command.ts'
import { showErrors, tellErrors } from './errors.ts'
import { choose, numberOf, pathsArgument, pathsOf, versionOf, versionOption } from './options.ts'
import { readPaths } from './read-paths.ts'
import { jsonResult, tellResults } from './test-report.ts'

const defaultTimeoutMs = 5_000

const wantedNames = (given: Given): ((name: string) => boolean) => {
  const pattern = given.text('run')
  if (pattern === undefined) return () => true
  try {
    const compiled = new RegExp(pattern)
    return (name) => compiled.test(name)
  } catch {
    throw new UsageError(`--run cannot read ${pattern}`, 'give a regular expression')
  }
}

const exitOf = (results: readonly TestResult[], given: Given): ExitCode => {
  const spared = given.has('exit-zero-on-skipped')
  const unmet = results.some(
    ({ state }) => state === 'fail' || state === 'error' || (state === 'skip' && !spared),
  )
  return unmet ? exitCodes.unmet : exitCodes.ok
}

const modulesOf = (sources: readonly Source[], version: RegoVersion): readonly Module[] =>
  parseSources({ modules: sources, regoVersion: version })

/** `file:row` or `file:row-row` for what did not run. */
const missedLines = ({ files }: CoverageReport): readonly string[] =>
  Object.entries(files).flatMap(([file, { not_covered: missed = [] }]) =>
    missed.map(({ start, end }) =>
      start.row === end.row
        ? `${file}:${start.row}: not covered`
        : `${file}:${start.row}-${end.row}: not covered`,
    ),
  )

/** The command. */
export const test: Command = {
  name: 'policy test',
  summary: 'run the tests of policies',
  details: [
    'Rules whose name begins with test_ are tests: one passes when it is true, and a test over cases,',
    'test_name[case], when every case is true. Rules that begin with todo_test_ are skipped.',
    'Exits with 2 when a test fails, is in error or is skipped, or when coverage is below the threshold.',
  ].join('\n'),
  arguments: [pathsArgument],
  options: {
    verbose: {
      type: 'switch',
      short: 'v',
      description: 'show every test, and why a failed one failed',
    },
    run: {
      type: 'text',
      short: 'r',
      value: 'regex',
      description: 'run only tests whose name data.package.test_name it matches',
    },
    coverage: { type: 'switch', short: 'c', description: 'report the lines that ran, as JSON' },
    threshold: {
      type: 'text',
      value: 'percent',
      description: 'least coverage in percent; implies --coverage',
    },
    format: { type: 'text', short: 'f', value: 'format', description: 'pretty (default) or json' },
    timeout: {
      type: 'text',
      value: 'seconds',
      description: 'most time of one test (default: 5)',
    },
    'exit-zero-on-skipped': {
      type: 'switch',
      short: 'z',
      description: 'skipped tests alone do not make the command fail',
    },
    'fail-on-empty': { type: 'switch', description: 'fail when there is no test' },
    'v0-compatible': versionOption,
  },
  examples: [
    'sallyport policy test -v policies',
    'sallyport policy test --coverage --threshold 90 policies',
  ],
  run(given, { directory, now, terminal }) {
    const format = choose(given, 'format', ['pretty', 'json'])
    const threshold = numberOf(given, 'threshold', 0)
    const timeout = numberOf(given, 'timeout', 0.001)
    const coverage = given.has('coverage') || threshold !== undefined ? new Coverage() : undefined
    const files = readPaths(pathsOf(given), directory)
    try {
      const modules = modulesOf(files.modules, versionOf(given))
      const results = runTests({
        modules,
        data: files.data,
        wanted: wantedNames(given),
        timeoutMs: timeout === undefined ? defaultTimeoutMs : timeout * 1_000,
        explain: given.has('verbose') ? 'failures' : 'nothing',
        clock: () => process.hrtime.bigint(),
        policy: { now, ...(coverage === undefined ? {} : { trace: coverage }) },
      })
      const exit = exitOf(results, given)
      if (results.length === 0 && given.has('fail-on-empty')) {
        terminal.error('there is no test')
        return exitCodes.failed
      }
      if (coverage === undefined) {
        if (format === 'json') terminal.print(JSON.stringify(results.map(jsonResult), null, 2))
        else tellResults(results, given.has('verbose') ? 'verbose' : 'short', terminal)
        return exit
      }
      const report = coverage.report(modules)
      if (threshold === undefined || format === 'json')
        terminal.print(JSON.stringify(report, null, 2))
      else tellResults(results, 'short', terminal)
      if (exit !== exitCodes.ok) terminal.error('not every test passed')
      if (threshold === undefined || report.coverage >= threshold) return exit
      terminal.error(`coverage is ${report.coverage} %, the threshold ${threshold} %`)
      for (const line of missedLines(report)) terminal.tell(line)
      return exitCodes.unmet
    } catch (error) {
      if (!(error instanceof RegoErrors)) throw error
      tellErrors(showErrors(error.errors, files.modules), terminal)
      return exitCodes.failed
    }
  },
}
