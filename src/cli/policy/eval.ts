/** `sallyport policy eval`: asks policies one query, and explains the answer when that is wanted. */
import { builtins } from '../../rego/builtins/registry.ts'
import { EvalError, RegoErrors } from '../../rego/errors.ts'
import { explainText } from '../../rego/explain.ts'
import { compileBundle, type DecideOptions, type Policy } from '../../rego/policy.ts'
import type { Value } from '../../rego/values.ts'
import { Profile } from '../../rego/workshop/profile.ts'
import { prepareQuery, type Solution } from '../../rego/workshop/solve.ts'
import { Story } from '../../rego/workshop/story.ts'
import { exitCodes, UsageError, type Command, type ExitCode, type Given } from '../command.ts'
import { showErrors, tellErrors } from './errors.ts'
import { tellAnswer, type Answer } from './eval-report.ts'
import { choose, versionOf } from './options.ts'
import { filesOf, inputOf, queryArgument, sourceOptions } from './question.ts'
import type { PolicyFiles } from './read-paths.ts'

const formats = ['json', 'pretty', 'raw', 'values', 'bindings'] as const
const explanations = ['off', 'fails', 'notes', 'full'] as const

interface Watchers {
  readonly profile: Profile | undefined
  readonly story: Story | undefined
}

const compile = (
  files: PolicyFiles,
  given: Given,
  { profile, story }: Watchers,
  now: () => number,
): Policy => {
  const noted = {
    name: 'trace',
    args: ['string'],
    run: (
      context: { readonly location: { file: string; row: number; col: number } },
      note: Value,
    ) => {
      story?.note(typeof note === 'string' ? note : '', context.location)
      return true
    },
  }
  const trace = profile ?? story
  return compileBundle(
    { modules: files.modules, data: files.data, regoVersion: versionOf(given) },
    {
      now,
      builtins: new Map([...builtins, ['trace', noted]]),
      ...(trace === undefined ? {} : { trace }),
      print: (line) => void process.stderr.write(`${line}\n`),
    },
  )
}

const isDefined = (solutions: readonly Solution[]): boolean =>
  solutions.length > 0 &&
  solutions.every(({ expressions }) => expressions.every(({ value }) => value !== false))

const exitOf = (given: Given, solutions: readonly Solution[]): ExitCode => {
  if (given.has('fail') && solutions.length === 0) return exitCodes.failed
  if (given.has('fail-defined') && solutions.length > 0) return exitCodes.failed
  return exitCodes.ok
}

/** Asks, and keeps what went wrong as part of the answer. */
const ask = (
  policy: Policy,
  query: string,
  input: Value | undefined,
  given: Given,
  { profile, story }: Watchers,
): Answer => {
  const prepared = prepareQuery(policy, query)
  const options: DecideOptions = given.has('strict-builtin-errors')
    ? { builtinErrors: 'strict' }
    : {}
  try {
    const solutions = prepared.run(input, options)
    const failures =
      choose(given, 'explain', explanations) === 'fails' &&
      prepared.document !== undefined &&
      !isDefined(solutions)
        ? (policy.prepare(prepared.document).decide(input, { ...options, explain: {} }).failures ??
          [])
        : []
    return {
      solutions,
      errors: [],
      profile: profile?.lines(),
      story: failures.length > 0 ? explainText(failures).split('\n') : story?.text(),
    }
  } catch (error) {
    if (!(error instanceof EvalError)) throw error
    const { code, message, location } = error
    const errors = [{ code, message, ...(location === undefined ? {} : { location }) }]
    return { solutions: [], errors, profile: profile?.lines(), story: story?.text() }
  }
}

/** The command. */
export const evaluate: Command = {
  name: 'policy eval',
  summary: 'ask policies one query',
  details: [
    'The answer has the shape of `opa eval`. Exits with 1 when --fail or --fail-defined says so, and with 2 when the',
    'policies do not compile or the query ends in an error.',
  ].join('\n'),
  arguments: [queryArgument],
  options: {
    ...sourceOptions,
    format: {
      type: 'text',
      short: 'f',
      value: 'format',
      description: 'json (default), pretty, raw, values or bindings',
    },
    explain: {
      type: 'text',
      value: 'mode',
      description: 'off (default), fails: the conditions that did not hold; notes; full',
    },
    profile: { type: 'switch', description: 'show what each line cost' },
    fail: { type: 'switch', description: 'exit with 1 when the answer is undefined' },
    'fail-defined': { type: 'switch', description: 'exit with 1 when there is an answer' },
    'strict-builtin-errors': {
      type: 'switch',
      description: 'an error of a built-in ends the query instead of being undefined',
    },
  },
  examples: [
    'sallyport policy eval -d policies -i request.json data.sallyport.inbound.allow',
    'sallyport policy eval -d policies -i request.json --explain fails -f pretty data.sallyport.inbound.allow',
  ],
  async run(given, { directory, now, terminal }) {
    const format = choose(given, 'format', formats)
    const explain = choose(given, 'explain', explanations)
    const isProfiled = given.has('profile')
    if (isProfiled && explain !== 'off')
      throw new UsageError('--profile and --explain exclude each other', 'give one of them')
    const watchers: Watchers = {
      profile: isProfiled ? new Profile(() => process.hrtime.bigint()) : undefined,
      story: explain === 'off' ? undefined : new Story(explain),
    }
    const files = filesOf(given, directory)
    const input = await inputOf(given, directory)
    try {
      const policy = compile(files, given, watchers, now)
      const answer = ask(policy, given.arguments[0] ?? '', input, given, watchers)
      tellAnswer(answer, format, terminal)
      return answer.errors.length > 0 ? exitCodes.unmet : exitOf(given, answer.solutions)
    } catch (error) {
      if (!(error instanceof RegoErrors)) throw error
      const errors = showErrors(error.errors, files.modules)
      if (format === 'json') terminal.print(JSON.stringify({ errors }, undefined, 2))
      else tellErrors(errors, terminal)
      return exitCodes.unmet
    }
  },
}
