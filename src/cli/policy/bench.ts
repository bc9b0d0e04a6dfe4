/** `sallyport policy bench`: how long one query takes, warm, with the input given as it is on a request. */
import { RegoErrors } from '../../rego/errors.ts'
import { compileBundle } from '../../rego/policy.ts'
import { prepareQuery } from '../../rego/workshop/solve.ts'
import { exitCodes, type Command } from '../command.ts'
import { showErrors, tellErrors } from './errors.ts'
import { choose, numberOf, versionOf } from './options.ts'
import { filesOf, inputOf, queryArgument, sourceOptions } from './question.ts'

const samples = 200
const warmUpNs = 200_000_000n

interface Timing {
  readonly runs: number
  /** Nanoseconds of one run. */
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly compileNs: number
  readonly bytesPerRun: number
}

/** Runs in batches long enough for the clock, and takes the batches as samples. */
const measure = (run: () => void, count: number | undefined): Omit<Timing, 'compileNs'> => {
  const clock = process.hrtime.bigint.bind(process.hrtime)
  const timeOf = (batch: number): number => {
    const begun = clock()
    for (let at = 0; at < batch; at += 1) run()
    return Number(clock() - begun)
  }
  const warm = clock() + warmUpNs
  while (clock() < warm) run()
  let batch = 1
  while (timeOf(batch) < 1_000_000 && batch < 1_000_000) batch *= 2
  if (count !== undefined) batch = Math.max(1, Math.ceil(count / samples))
  const before = process.memoryUsage().heapUsed
  timeOf(batch)
  const grown = Math.max(0, process.memoryUsage().heapUsed - before)
  const times = Array.from({ length: samples }, () => timeOf(batch) / batch).sort((a, b) => a - b)
  const at = (share: number): number => Math.round(times[Math.floor(share * (samples - 1))] ?? 0)
  return {
    runs: batch * samples,
    p50: at(0.5),
    p90: at(0.9),
    p99: at(0.99),
    bytesPerRun: Math.round(grown / batch),
  }
}

/** The command. */
export const bench: Command = {
  name: 'policy bench',
  summary: 'measure how long a query takes',
  details:
    'Times are of one evaluation, in nanoseconds; percentiles are over batches of evaluations.',
  arguments: [queryArgument],
  options: {
    ...sourceOptions,
    count: {
      type: 'text',
      value: 'number',
      description: 'how often to run (default: about 0.2 s)',
    },
    format: { type: 'text', short: 'f', value: 'format', description: 'pretty (default) or json' },
  },
  examples: ['sallyport policy bench -d policies -i request.json data.sallyport.inbound.allow'],
  async run(given, { directory, terminal }) {
    const format = choose(given, 'format', ['pretty', 'json'])
    const count = numberOf(given, 'count', 1)
    const files = filesOf(given, directory)
    const input = await inputOf(given, directory)
    try {
      const begun = process.hrtime.bigint()
      const policy = compileBundle({ ...files, regoVersion: versionOf(given) })
      const compileNs = Number(process.hrtime.bigint() - begun)
      const query = prepareQuery(policy, given.arguments[0] ?? '')
      const decide = query.document === undefined ? undefined : policy.prepare(query.document)
      const run =
        decide === undefined ? () => void query.run(input, {}) : () => void decide.decide(input)
      const timing: Timing = { ...measure(run, count), compileNs }
      if (format === 'json') terminal.print(JSON.stringify(timing, undefined, 2))
      else {
        terminal.print(`compiled in ${(timing.compileNs / 1e6).toFixed(1)} ms`)
        terminal.print(`${timing.runs} evaluations`)
        terminal.print(`p50 ${timing.p50} ns, p90 ${timing.p90} ns, p99 ${timing.p99} ns`)
        terminal.print(`${timing.bytesPerRun} bytes allocated by one`)
      }
      return exitCodes.ok
    } catch (error) {
      if (!(error instanceof RegoErrors)) throw error
      tellErrors(showErrors(error.errors, files.modules), terminal)
      return exitCodes.unmet
    }
  },
}
