/** `sallyport policy explain`: which rule decided, and what kept the others from deciding otherwise. */
import { RegoErrors } from '../../rego/errors.ts'
import { explainText } from '../../rego/explain.ts'
import { compileBundle } from '../../rego/policy.ts'
import { toJson } from '../../rego/value-text.ts'
import { CommandError, exitCodes, UsageError, type Command } from '../command.ts'
import { showErrors, tellErrors } from './errors.ts'
import { indented } from './indent.ts'
import { pathsArgument, versionOf } from './options.ts'
import { filesBeside, inputOf, sourceOptions } from './question.ts'

/** The command. */
export const explain: Command = {
  name: 'policy explain',
  summary: 'say which rule decided, and what kept the others from deciding otherwise',
  details:
    'Each line names a rule, the first of its conditions that failed and what it read, the rule nearest to success\nfirst.',
  arguments: [
    { name: 'rule', description: 'such as data.sallyport.inbound.allow', required: true },
    pathsArgument,
  ],
  options: sourceOptions,
  examples: ['sallyport policy explain data.sallyport.inbound.allow --input request.json'],
  async run(given, { directory, now, terminal }) {
    const [rule = '', ...paths] = given.arguments
    if (!rule.startsWith('data.'))
      throw new UsageError(`${rule} is not a rule`, 'write it like data.sallyport.inbound.allow')
    const files = filesBeside(given, paths, directory)
    const input = await inputOf(given, directory)
    try {
      const policy = compileBundle({ ...files, regoVersion: versionOf(given) }, { now })
      const decision = policy.prepare(rule).decide(input, { explain: {} })
      const { defined, value, error, failures = [], rule: by } = decision
      if (error !== undefined) throw new CommandError(`${error.code}: ${error.message}`)
      const place = by === undefined ? '' : `, by ${by.file}:${by.row}`
      terminal.print(`${defined ? indented(toJson(value!)) : 'undefined'}${place}`)
      const others = failures.filter(
        ({ location }) => location.file !== by?.file || location.row !== by.row,
      )
      if (others.length > 0) terminal.print(explainText(others, '  '))
      return exitCodes.ok
    } catch (error) {
      if (!(error instanceof RegoErrors)) throw error
      tellErrors(showErrors(error.errors, files.modules), terminal)
      return exitCodes.unmet
    }
  },
}
