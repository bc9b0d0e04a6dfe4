/** Arguments and options that the policy commands share. */
import type { RegoVersion } from '../../rego/syntax/tree.ts'
import { UsageError, type Argument, type Given, type Option } from '../command.ts'

/** The paths of policies and tests. */
export const pathsArgument: Argument = {
  name: 'path',
  description: 'folders and files of policies (default: policies)',
  required: false,
  rest: true,
}

/** `--v0-compatible`. */
export const versionOption: Option = {
  type: 'switch',
  description: 'read the policies as they were written before Rego v1',
}

/** The paths that were given. */
export const pathsOf = (given: Given): readonly string[] =>
  given.arguments.length === 0 ? ['policies'] : given.arguments

/** The version that modules are written in. */
export const versionOf = (given: Given): RegoVersion => (given.has('v0-compatible') ? 'v0' : 'v1')

/** One of some words; the first when the option is absent. @throws UsageError for another word */
export const choose = <T extends string>(
  given: Given,
  option: string,
  words: readonly [T, ...T[]],
): T => {
  const text = given.text(option) ?? words[0]
  const found = words.find((word) => word === text)
  if (found === undefined)
    throw new UsageError(`--${option} does not know ${text}`, `it takes ${words.join(', ')}`)
  return found
}

/** A number from `least` on. @throws UsageError for anything else */
export const numberOf = (given: Given, option: string, least: number): number | undefined => {
  const text = given.text(option)
  if (text === undefined) return undefined
  const number = Number(text)
  if (text.trim() === '' || !Number.isFinite(number) || number < least)
    throw new UsageError(`--${option} is not ${text}`, `give a number from ${least} on`)
  return number
}
