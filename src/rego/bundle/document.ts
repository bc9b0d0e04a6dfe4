/** A data file of a policy, JSON or YAML by its name, with all digits of its numbers. */

import { JsonError, parseJson } from '../builtins/json/text.ts'
import { parseYaml, YamlError } from '../builtins/json/yaml.ts'
import { BundleError } from './bundle-error.ts'

/** Whether a file, by the last part of its name, holds data. */
export function isDataFile(name: string): boolean {
  return /(?:^|[/\\])data\.(?:json|ya?ml)$/.test(name)
}

/** The value of a file. @throws BundleError when it is not what its name says */
export function readDocument(name: string, text: string): unknown {
  try {
    return name.endsWith('.json') ? parseJson(text) : parseYaml(text)
  } catch (error) {
    if (error instanceof JsonError || error instanceof YamlError)
      throw new BundleError('data', `${name}: ${error.message}`)
    throw error
  }
}
