/**
 * From the words of the command line to a command and what it was given.
 *
 * `node:util` splits the words; this finds the command, names unknown options, and checks that what must be given is.
 */
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util'
import { nearest } from '../config/read/nearest.ts'
import { UsageError, type Command, type Given } from './command.ts'

/** A command with what it was given, or help that was asked for. */
export type Parsed =
  | { readonly kind: 'command'; readonly command: Command; readonly given: Given }
  | { readonly kind: 'help'; readonly command: Command }

/** The command that the first words name, and how many words its name took. */
export const findCommand = (
  words: readonly string[],
  commands: readonly Command[],
): { readonly command: Command; readonly took: number } | undefined => {
  for (const took of [2, 1]) {
    const name = words.slice(0, took).join(' ')
    const command = commands.find((each) => each.name === name)
    if (command && words.length >= took) return { command, took }
  }
  return undefined
}

/** The error for words that name no command. */
export const unknownCommand = (
  words: readonly string[],
  commands: readonly Command[],
): UsageError => {
  const names = commands.map(({ name }) => name)
  const first = words[0]!
  const below = names.filter((name) => name.startsWith(`${first} `))
  const text = below.length > 0 ? words.slice(0, 2).join(' ') : first
  const meant = nearest(text, names) ?? nearest(first, names)
  if (below.length > 0 && meant === undefined) {
    return new UsageError(`no command is called ${text}`, `there are ${below.join(', ')}`)
  }
  return new UsageError(
    `no command is called ${text}`,
    meant === undefined ? 'sallyport help lists the commands' : `did you mean ${meant}`,
  )
}

const helpOption = { help: { type: 'boolean', short: 'h' } } as const

const optionsOf = (command: Command): ParseArgsOptionsConfig => ({
  ...helpOption,
  ...Object.fromEntries(
    Object.entries(command.options ?? {}).map(([name, option]) => [
      name,
      {
        type: option.type === 'switch' ? ('boolean' as const) : ('string' as const),
        multiple: option.type === 'list',
        ...(option.short === undefined ? {} : { short: option.short }),
      },
    ]),
  ),
})

const usageOf = (error: unknown, command: Command): UsageError => {
  const message = error instanceof Error ? error.message : String(error)
  const help = `sallyport help ${command.name} lists the options`
  const name = /'(-[^ ']*)/.exec(message)?.[1]
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION' && name !== undefined) {
    const meant = nearest(name.replace(/^-+/, ''), Object.keys(command.options ?? {}))
    return new UsageError(
      `${command.name} has no option ${name}`,
      meant === undefined ? help : `did you mean --${meant}`,
    )
  }
  const sentence = (message.split('. ')[0] ?? message).replace(/\.$/, '')
  return new UsageError(sentence.charAt(0).toLowerCase() + sentence.slice(1), help)
}

const checkArguments = (command: Command, words: readonly string[]): void => {
  const wanted = command.arguments ?? []
  const missing = wanted.filter(({ required }) => required)[words.length]
  const help = `sallyport help ${command.name} shows what it takes`
  if (missing) throw new UsageError(`${command.name} needs ${missing.name}`, help)
  const most = wanted.some(({ rest }) => rest === true) ? Infinity : wanted.length
  if (words.length > most) {
    throw new UsageError(`${command.name} does not take ${JSON.stringify(words[most])}`, help)
  }
}

/**
 * Parses the words after the program's name.
 *
 * @throws UsageError when they are not a command line that any command understands
 */
export const parseCommandLine = (
  words: readonly string[],
  commands: readonly Command[],
): Parsed => {
  const found = findCommand(words, commands)
  if (!found) throw unknownCommand(words, commands)
  const { command, took } = found
  const parsed = ((): ReturnType<typeof parseArgs> => {
    try {
      return parseArgs({
        args: words.slice(took),
        options: optionsOf(command),
        allowPositionals: true,
        strict: true,
      })
    } catch (error) {
      throw usageOf(error, command)
    }
  })()
  const { values, positionals } = parsed
  if (values['help'] === true) return { kind: 'help', command }
  checkArguments(command, positionals)
  return {
    kind: 'command',
    command,
    given: {
      arguments: positionals,
      has: (option) => values[option] === true,
      text: (option) => {
        const value = values[option]
        return typeof value === 'string' ? value : undefined
      },
      list: (option) => {
        const value = values[option]
        return Array.isArray(value) ? value.map(String) : []
      },
    },
  }
}
