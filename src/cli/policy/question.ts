/** What `eval` and `bench` share: a query, the policies that it is asked of, and the input. */
import { text as readStream } from 'node:stream/consumers'
import { join } from 'node:path'
import { existsSync } from 'node:fs'
import { parseJson } from '../../rego/builtins/json/text.ts'
import type { Value } from '../../rego/values.ts'
import { fromJson } from '../../rego/value-text.ts'
import { CommandError, UsageError, type Argument, type Given, type Option } from '../command.ts'
import { versionOption } from './options.ts'
import { readPaths, readValue, type PolicyFiles } from './read-paths.ts'

/** The query. */
export const queryArgument: Argument = {
  name: 'query',
  description: 'such as data.sallyport.inbound.allow',
  required: true,
}

/** Where policies, data and input come from. */
export const sourceOptions: Readonly<Record<string, Option>> = {
  data: {
    type: 'list',
    short: 'd',
    value: 'path',
    description: 'a folder or a file of policies and data; may be given more than once',
  },
  bundle: {
    type: 'list',
    short: 'b',
    value: 'path',
    description: 'a bundle, as a folder or a .tar.gz; its signature is not checked',
  },
  input: {
    type: 'text',
    short: 'i',
    value: 'file',
    description: 'the input document, in JSON or YAML',
  },
  'stdin-input': {
    type: 'switch',
    short: 'I',
    description: 'read the input document from standard input',
  },
  'v0-compatible': versionOption,
}

/** The policies and data that the options name. */
export const filesOf = (given: Given, directory: string): PolicyFiles =>
  readPaths([...given.list('data'), ...given.list('bundle')], directory)

/** The same with paths that stand behind the rule; the folder `policies` when nothing is named. */
export const filesBeside = (
  given: Given,
  paths: readonly string[],
  directory: string,
): PolicyFiles => {
  const named = [...paths, ...given.list('data'), ...given.list('bundle')]
  return readPaths(named.length === 0 ? ['policies'] : named, directory)
}

/** The input document; undefined when there is none. */
export const inputOf = async (given: Given, directory: string): Promise<Value | undefined> => {
  const file = given.text('input')
  if (given.has('stdin-input')) {
    if (file !== undefined)
      throw new UsageError('--input and --stdin-input exclude each other', 'give one of them')
    return parsed(await readStream(process.stdin), 'standard input')
  }
  if (file === undefined) return undefined
  const path = join(directory, file)
  if (!existsSync(path)) throw new CommandError(`${file} does not exist`, 'name the input document')
  return fromJson(readValue(path, file))
}

const parsed = (text: string, what: string): Value => {
  try {
    return parseJson(text)
  } catch (error) {
    throw new CommandError(`${what}: ${error instanceof Error ? error.message : String(error)}`)
  }
}
