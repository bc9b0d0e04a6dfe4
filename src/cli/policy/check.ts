/** `sallyport policy check`: compiles policies and their tests, and shows every error at once. */
import { RegoErrors } from '../../rego/errors.ts'
import { compileBundle } from '../../rego/policy.ts'
import { exitCodes, type Command } from '../command.ts'
import { showErrors, tellErrors } from './errors.ts'
import { choose, pathsArgument, pathsOf, versionOf, versionOption } from './options.ts'
import { readPaths } from './read-paths.ts'

/** The command. */
export const check: Command = {
  name: 'policy check',
  summary: 'compile policies and report every error',
  details: 'Exits with 1 when there is an error. A hint stands below mistakes that are common.',
  arguments: [pathsArgument],
  options: {
    strict: {
      type: 'switch',
      short: 'S',
      description: 'also refuse unused imports, variables and arguments',
    },
    format: {
      type: 'text',
      short: 'f',
      value: 'format',
      description: 'pretty (default) or json: {"errors": [{message, code, location}]}',
    },
    'v0-compatible': versionOption,
  },
  examples: ['sallyport policy check --strict policies', 'sallyport policy check -f json policies'],
  run(given, { directory, terminal }) {
    const format = choose(given, 'format', ['pretty', 'json'])
    const { modules, data } = readPaths(pathsOf(given), directory)
    try {
      compileBundle(
        { modules, data, regoVersion: versionOf(given) },
        { check: given.has('strict') ? 'strict' : 'lenient' },
      )
      if (format === 'json') terminal.print('{}')
      else terminal.print(terminal.paint('green', 'ok'))
      return exitCodes.ok
    } catch (error) {
      if (!(error instanceof RegoErrors)) throw error
      const errors = showErrors(error.errors, modules)
      if (format === 'json') terminal.print(JSON.stringify({ errors }, undefined, 2))
      else tellErrors(errors, terminal)
      return exitCodes.failed
    }
  },
}
