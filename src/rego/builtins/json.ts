/** Functions over JSON and YAML text, and over paths in documents. */
import { objectEntries, type Value } from '../values.ts'
import { toTerm } from '../value-text.ts'
import { applyPatch, PatchError } from './json/patch.ts'
import { dropPaths, keepPaths, pathTree } from './json/paths.ts'
import { isJson, JsonError, parseJson, writeJson, type Layout } from './json/text.ts'
import { parseYaml, writeYaml, YamlError } from './json/yaml.ts'
import {
  arrayOperand,
  fail,
  failOperand,
  objectOperand,
  stringOperand,
  type FunctionTable,
} from './operand.ts'
import { BuiltinError, type BuiltinContext } from './builtin.ts'

/** Runs a reader of foreign text, and makes its own error the call's. */
function reading<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof JsonError || error instanceof YamlError) fail(error.message)
    throw error
  }
}

/** Pays for reading a text, by how many characters one step covers. */
function paid(context: BuiltinContext, text: string, charactersPerStep: number): string {
  context.spend(1 + Math.floor(text.length / charactersPerStep))
  return text
}

interface MarshalOptions {
  prefix: string
  indent: string
  pretty: boolean | undefined
  implied: boolean
}

function marshalOptions(value: Value): MarshalOptions {
  const options: MarshalOptions = { prefix: '', indent: '\t', pretty: undefined, implied: false }
  for (const { key, value: setting } of objectEntries(objectOperand(value, 2))) {
    if (key === 'prefix' || key === 'indent') {
      if (typeof setting !== 'string') failOperand(2, `key "${key}" failed cast to string`)
      options[key] = setting
      options.implied = true
    } else if (key === 'pretty') {
      if (typeof setting !== 'boolean') failOperand(2, 'key "pretty" failed cast to bool')
      options.pretty = setting
    } else {
      failOperand(2, `object contained unknown key ${toTerm(key)}`)
    }
  }
  return options
}

function marshalWithOptions(value: Value, settings: Value): string {
  const options = marshalOptions(settings)
  if (!(options.pretty ?? options.implied)) return writeJson(value)
  const layout: Layout = { prefix: options.prefix, indent: options.indent }
  return options.prefix + writeJson(value, layout)
}

/** A patch that does not apply gives no result, not an error. */
function patch(context: BuiltinContext, document: Value, operations: Value): Value | undefined {
  const list = arrayOperand(operations, 2)
  try {
    return applyPatch(document, list, (steps) => context.spend(steps))
  } catch (error) {
    if (error instanceof PatchError || error instanceof BuiltinError) return undefined
    throw error
  }
}

function isYaml(text: string): boolean {
  try {
    parseYaml(text)
    return true
  } catch {
    return false
  }
}

export const jsonFunctions: FunctionTable = {
  'json.filter': (_, document, paths) => {
    const object = objectOperand(document, 1)
    return keepPaths(object, pathTree(paths))
  },
  'json.remove': (_, document, paths) => {
    const object = objectOperand(document, 1)
    return dropPaths(object, pathTree(paths))
  },
  'json.patch': (context, document, operations) => patch(context, document, operations),
  'json.is_valid': (_, text) => typeof text === 'string' && isJson(text),
  'json.marshal': (_, value) => writeJson(value),
  'json.marshal_with_options': (_, value, options) => marshalWithOptions(value, options),
  'json.unmarshal': (context, text) => {
    const source = paid(context, stringOperand(text, 1), 256)
    return reading(() => parseJson(source))
  },
  'yaml.is_valid': (context, text) => typeof text === 'string' && isYaml(paid(context, text, 8)),
  'yaml.marshal': (_, value) => writeYaml(value),
  'yaml.unmarshal': (context, text) => {
    const source = paid(context, stringOperand(text, 1), 8)
    return reading(() => parseYaml(source))
  },
}
