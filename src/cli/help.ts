/** Help texts, made from the table of commands and from nothing else. */
import { environmentSettings, fileVariable } from '../config/environment.ts'
import { exitCodes, type Command } from './command.ts'

const columns = (rows: readonly (readonly [string, string])[]): string => {
  const width = Math.max(...rows.map(([left]) => left.length)) + 2
  return rows.map(([left, right]) => `  ${left.padEnd(width)}${right}`).join('\n')
}

const usage = (command: Command): string => {
  const words = (command.arguments ?? []).map(({ name, required, rest }) => {
    const word = `${name}${rest === true ? '…' : ''}`
    return required ? `<${word}>` : `[${word}]`
  })
  const options = Object.keys(command.options ?? {}).length > 0 ? ['[options]'] : []
  return ['sallyport', command.name, ...words, ...options].join(' ')
}

const optionRows = (command: Command): readonly (readonly [string, string])[] => [
  ...Object.entries(command.options ?? {}).map(([name, option]): readonly [string, string] => {
    const short = option.short === undefined ? '    ' : `-${option.short}, `
    const value = option.type === 'switch' ? '' : ` <${option.value ?? 'text'}>`
    return [`${short}--${name}${value}`, option.description]
  }),
  ['-h, --help', 'show this help'],
]

/** The help of one command. */
export const commandHelp = (command: Command): string => {
  const parts = [`${command.summary}\n\nusage: ${usage(command)}`]
  if (command.details !== undefined) parts.push(command.details)
  const words = (command.arguments ?? []).map(
    ({ name, description }): readonly [string, string] => [name, description],
  )
  if (words.length > 0) parts.push(`arguments:\n${columns(words)}`)
  parts.push(`options:\n${columns(optionRows(command))}`)
  if (command.examples)
    parts.push(`examples:\n${command.examples.map((each) => `  ${each}`).join('\n')}`)
  return parts.join('\n\n')
}

/** The list of all commands. */
export const overview = (commands: readonly Command[]): string =>
  [
    'sallyport stands beside one service and proves, decides and records what passes',
    'usage: sallyport <command> [arguments] [options]',
    `commands:\n${columns(commands.map(({ name, summary }) => [name, summary]))}`,
    `environment:\n${columns([
      [fileVariable, 'the configuration file, when --config is absent (default: sallyport.yaml)'],
      ...environmentSettings.map(({ name, description }): readonly [string, string] => [
        name,
        description.charAt(0).toLowerCase() + description.slice(1),
      ]),
      ['NO_COLOR', 'any value turns colour off'],
    ])}`,
    `exit codes: ${exitCodes.ok} done, ${exitCodes.failed} not done, ${exitCodes.unmet} a policy test not passed, ${exitCodes.usage} wrong command line, ${exitCodes.config} wrong configuration`,
    'sallyport help <command> says more about one command',
  ].join('\n\n')
