/** `sallyport policy …`: compiles policies, runs their tests, and asks them one question. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { readPolicies, type PolicyText } from '../../config/checks/policies.ts'
import { ConfigFaults, type ConfigFault } from '../../config/read/fault.ts'
import { RegoErrors } from '../../rego/errors.ts'
import { explainText } from '../../rego/explain.ts'
import { compileBundle, type DecideOptions, type Decision, type Policy } from '../../rego/policy.ts'
import { toJson } from '../../rego/value-text.ts'
import {
  CommandError,
  exitCodes,
  UsageError,
  type Argument,
  type Command,
  type Given,
} from '../command.ts'

const folder: Argument = {
  name: 'folder',
  description: 'the policies (default: policies)',
  required: false,
}

const testsBelow = (directory: string): readonly string[] =>
  readdirSync(directory)
    .sort()
    .filter((name) => !name.startsWith('.'))
    .flatMap((name) => {
      const path = join(directory, name)
      if (statSync(path).isDirectory()) return testsBelow(path)
      return name.endsWith('_test.rego') ? [path] : []
    })

const toFault = ({ message, code, location }: RegoErrors['errors'][number]): ConfigFault => ({
  file: location.file,
  line: Math.max(location.row, 1),
  column: Math.max(location.col, 1),
  setting: '',
  expected: 'a policy that compiles',
  got: `${code}: ${message}`,
  hint: 'mend what the message names',
})

/** Compiles what is in a folder, the tests with it when they are wanted. */
const compile = (
  root: string,
  directory: string,
  kind: 'policies' | 'policies and tests',
): { readonly policy: Policy; readonly tests: readonly PolicyText[] } => {
  if (!existsSync(root))
    throw new CommandError(`${root} does not exist`, 'name the folder of the policies')
  const sources = readPolicies(root, join(root, 'apis'))
  if (sources.faults.length > 0) throw new ConfigFaults(sources.faults)
  const tests =
    kind === 'policies'
      ? []
      : testsBelow(root).map((file) => ({ file, text: readFileSync(file, 'utf8') }))
  const modules = [...sources.modules, ...tests].map(({ file, text }) => ({
    file: relative(directory, file),
    text,
  }))
  try {
    return { policy: compileBundle({ modules, data: sources.data }), tests }
  } catch (error) {
    if (error instanceof RegoErrors) throw new ConfigFaults(error.errors.map(toFault))
    throw error
  }
}

const packagePattern = /^\s*package\s+([A-Za-z_][\w.]*)/m

/** The rules of a test file that are tests, `data.package.test_name`; those that begin with `todo_` are left out. */
const testRules = ({ text }: PolicyText): readonly string[] => {
  const name = packagePattern.exec(text)?.[1] ?? ''
  const found = [...text.matchAll(/^(test_\w+)/gm)].map((match) => `data.${name}.${match[1]!}`)
  return [...new Set(found)]
}

const test: Command = {
  name: 'policy test',
  summary: 'run the tests of the policies (*_test.rego)',
  details: 'A rule whose name begins with test_ passes when it is true, as in OPA.',
  arguments: [folder],
  run(given, { directory, terminal }) {
    const root = join(directory, given.arguments[0] ?? 'policies')
    const { policy, tests } = compile(root, directory, 'policies and tests')
    let passed = 0
    const failed: string[] = []
    for (const rule of tests.flatMap(testRules)) {
      const { value, error } = policy.prepare(rule).decide(undefined)
      if (error === undefined && value !== undefined && value !== false) passed += 1
      else failed.push(`${rule}${error === undefined ? '' : `: ${error.message}`}`)
    }
    for (const rule of failed) terminal.print(`${terminal.paint('red', 'FAIL')} ${rule}`)
    terminal.print(`${passed} passed, ${failed.length} failed`)
    return failed.length === 0 ? exitCodes.ok : exitCodes.failed
  },
}

const check: Command = {
  name: 'policy check',
  summary: 'compile the policies and report every error',
  arguments: [folder],
  run(given, { directory, terminal }) {
    compile(join(directory, given.arguments[0] ?? 'policies'), directory, 'policies and tests')
    terminal.print(terminal.paint('green', 'ok'))
    return exitCodes.ok
  },
}

const question = {
  arguments: [
    { name: 'rule', description: 'such as data.sallyport.inbound.allow', required: true },
    folder,
  ],
  options: {
    input: {
      type: 'text',
      short: 'i',
      value: 'file',
      description: 'the input document in JSON (default: none)',
    },
  },
} as const

/** Decides on what the command line asks. */
const decide = (given: Given, directory: string, options: DecideOptions): Decision => {
  const [rule = '', root = 'policies'] = given.arguments
  if (!rule.startsWith('data.')) {
    throw new UsageError(`${rule} is not a rule`, 'write it like data.sallyport.inbound.allow')
  }
  const { policy } = compile(join(directory, root), directory, 'policies')
  const decision = policy.prepare(rule).decide(inputOf(given, directory), options)
  if (decision.error !== undefined) {
    throw new CommandError(`${decision.error.code}: ${decision.error.message}`)
  }
  return decision
}

const inputOf = (given: Given, directory: string): unknown => {
  const file = given.text('input')
  if (file === undefined) return undefined
  try {
    return JSON.parse(readFileSync(join(directory, file), 'utf8')) as unknown
  } catch (error) {
    throw new CommandError(
      `${file}: ${error instanceof SyntaxError ? 'not JSON' : 'cannot be read'}`,
      'give the input document as one JSON value',
    )
  }
}

const shown = ({ defined, value }: Decision): string =>
  defined ? JSON.stringify(toJson(value!), undefined, 2) : 'undefined'

const evaluate: Command = {
  name: 'policy eval',
  summary: 'ask one rule about one input document',
  ...question,
  examples: ['sallyport policy eval data.sallyport.inbound.allow --input request.json'],
  run(given, { directory, terminal }) {
    const decision = decide(given, directory, {})
    terminal.print(shown(decision))
    return decision.defined ? exitCodes.ok : exitCodes.failed
  },
}

const explain: Command = {
  name: 'policy explain',
  summary: 'say which rule decided, and what kept the others from deciding otherwise',
  details:
    'Each line names a rule, the first of its conditions that failed and what it read, the rule nearest to success\nfirst.',
  ...question,
  run(given, { directory, terminal }) {
    const decision = decide(given, directory, { explain: {} })
    const { failures = [], rule } = decision
    const by = rule === undefined ? '' : `, by ${rule.file}:${rule.row}`
    terminal.print(`${shown(decision)}${by}`)
    const others = failures.filter(
      ({ location }) => location.file !== rule?.file || location.row !== rule.row,
    )
    if (others.length > 0) terminal.print(explainText(others, '  '))
    return exitCodes.ok
  },
}

/** The commands, in the order of the help text. */
export const policy: readonly Command[] = [check, test, evaluate, explain]
