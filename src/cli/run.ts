/**
 * Runs one command line: finds the command, runs it, and turns what went wrong into a message and an exit code.
 *
 * The only place where an error of a command becomes words for people.
 */
import { ConfigFaults, formatFault } from '../config/read/fault.ts'
import { findCommand, parseCommandLine, unknownCommand } from './arguments.ts'
import { CommandError, exitCodes, UsageError, type ExitCode, type Surroundings } from './command.ts'
import { commands } from './commands.ts'
import { commandHelp, overview } from './help.ts'
import type { Terminal } from './terminal.ts'
import { versionText } from './commands/version.ts'

/** Runs the words that follow the program's name. Never throws. */
export const runCommandLine = async (
  words: readonly string[],
  surroundings: Surroundings,
): Promise<ExitCode> => {
  try {
    return await run(words, surroundings)
  } catch (error) {
    return report(error, surroundings.terminal)
  }
}

const run = async (words: readonly string[], surroundings: Surroundings): Promise<ExitCode> => {
  const { terminal } = surroundings
  const [first, ...rest] = words
  if (first === undefined) {
    terminal.tell(overview(commands))
    return exitCodes.usage
  }
  if (first === 'help' || first === '--help' || first === '-h') {
    terminal.print(helpFor(rest))
    return exitCodes.ok
  }
  if (first === '--version' || first === '-v') {
    terminal.print(versionText())
    return exitCodes.ok
  }
  const parsed = parseCommandLine(words, commands)
  if (parsed.kind === 'help') {
    terminal.print(commandHelp(parsed.command))
    return exitCodes.ok
  }
  return parsed.command.run(parsed.given, surroundings)
}

const helpFor = (words: readonly string[]): string => {
  if (words.length === 0) return overview(commands)
  const found = findCommand(words, commands)
  if (found) return commandHelp(found.command)
  const below = commands.filter(({ name }) => name.startsWith(`${words[0]!} `))
  if (below.length === 0) throw unknownCommand(words, commands)
  return below.map(commandHelp).join('\n\n\n')
}

/** What libraries say when a file is wrong; they have their own error classes, and all have this shape. */
interface FileProblem {
  readonly problem: {
    readonly expected: string
    readonly got: string
    readonly file: string
    readonly fix: string
  }
}

const isFileProblem = (error: unknown): error is FileProblem =>
  error instanceof Error && 'problem' in error && typeof error.problem === 'object'

const report = (error: unknown, terminal: Terminal): ExitCode => {
  if (error instanceof UsageError) {
    terminal.error(error.message)
    terminal.hint(error.hint)
    return exitCodes.usage
  }
  if (error instanceof ConfigFaults) {
    for (const fault of error.faults) terminal.tell(formatFault(fault))
    const count = error.faults.length
    terminal.error(`${count} ${count === 1 ? 'fault' : 'faults'} in the configuration`)
    return exitCodes.config
  }
  if (isFileProblem(error)) {
    const { file, expected, got, fix } = error.problem
    terminal.error(`${file}: expected ${expected}, got ${got}`)
    terminal.hint(fix)
    return exitCodes.failed
  }
  terminal.error(error instanceof Error ? error.message : String(error))
  if (error instanceof CommandError && error.hint !== undefined) terminal.hint(error.hint)
  return exitCodes.failed
}
