/**
 * What a command is: one description that the parser, the help text and the reference are made from, and what it does.
 *
 * A command gets everything that it touches of the process handed in, so that tests can hold it.
 */
import type { Environment } from '../config/environment.ts'
import type { Terminal } from './terminal.ts'

/** How the process ends. Names follow sysexits.h where it has one. */
export const exitCodes = {
  ok: 0,
  /** It was tried and did not succeed. */
  failed: 1,
  /** A test of a policy did not pass, or a query ended in an error; the number that `opa` gives it. */
  unmet: 2,
  /** The command line is wrong (EX_USAGE). */
  usage: 64,
  /** The configuration is wrong (EX_CONFIG). */
  config: 78,
} as const

/** One of {@link exitCodes}. */
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** An option `--name`, with a value unless it is a switch. */
export interface Option {
  readonly type: 'switch' | 'text' | 'list'
  /** What the value is called in the help text. */
  readonly value?: string
  readonly short?: string
  readonly description: string
}

/** A word of the command line that is not an option. */
export interface Argument {
  readonly name: string
  readonly description: string
  readonly required: boolean
  /** Takes all that follow. */
  readonly rest?: boolean
}

/** What the command line said. */
export interface Given {
  readonly arguments: readonly string[]
  has(option: string): boolean
  text(option: string): string | undefined
  list(option: string): readonly string[]
}

/** What a command may touch of the process. */
export interface Surroundings {
  readonly terminal: Terminal
  readonly environment: Environment
  /** Folder that relative paths on the command line start from. */
  readonly directory: string
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** From now on SIGTERM and SIGINT do not end the process; resolves with the name of the first that comes. */
  readonly stopped: () => Promise<string>
  /** Calls back at each SIGHUP. */
  readonly onHangup: (listener: () => void) => void
}

/** One command. */
export interface Command {
  /** One or two words, `certs issue`. */
  readonly name: string
  readonly summary: string
  /** What else there is to know, in whole sentences; shown by `help <command>`. */
  readonly details?: string
  readonly arguments?: readonly Argument[]
  readonly options?: Readonly<Record<string, Option>>
  readonly examples?: readonly string[]
  run(given: Given, surroundings: Surroundings): Promise<ExitCode> | ExitCode
}

/** The command line asks for something that there is not. */
export class UsageError extends Error {
  readonly hint: string

  constructor(message: string, hint: string) {
    super(message)
    this.name = 'UsageError'
    this.hint = hint
  }
}

/** A command could not do what it was asked; the message says why and the hint what would help. */
export class CommandError extends Error {
  readonly hint: string | undefined

  constructor(message: string, hint?: string) {
    super(message)
    this.name = 'CommandError'
    this.hint = hint
  }
}
