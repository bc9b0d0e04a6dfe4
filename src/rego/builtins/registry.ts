/**
 * All built-in functions by name, for the compiler and the runtime.
 *
 * Puts each function's name in front of its errors, and turns what a huge or deeply nested value makes JavaScript
 * throw into an error of the call. The few that the engine itself evaluates are in {@link engineBuiltins}.
 */
import type { Value } from '../values.ts'
import { aggregateFunctions } from './aggregates.ts'
import { arrayFunctions } from './arrays.ts'
import { BuiltinError, type Builtin, type BuiltinContext } from './builtin.ts'
import { conversionFunctions } from './conversions.ts'
import { cryptographyFunctions } from './cryptography.ts'
import { encodingFunctions } from './encodings.ts'
import { engineFunctions } from './engine.ts'
import { graphFunctions } from './graphs.ts'
import { identifierFunctions } from './identifiers.ts'
import { jsonFunctions } from './json.ts'
import { networkFunctions } from './networks.ts'
import { numberFunctions } from './numbers.ts'
import { objectFunctions } from './objects.ts'
import type { FunctionTable, Implementation } from './operand.ts'
import { patternFunctions } from './patterns.ts'
import { providerFunctions } from './providers.ts'
import { queryFunctions } from './queries.ts'
import { requestFunctions } from './requests.ts'
import { schemaFunctions } from './schemas.ts'
import { setFunctions } from './sets.ts'
import { signatures, type Signature } from './signatures.ts'
import { stringFunctions } from './strings.ts'
import { templateFunctions } from './templates.ts'
import { timeFunctions } from './times.ts'
import { tokenFunctions } from './tokens.ts'
import { unitFunctions } from './units.ts'
import { versionFunctions } from './versions.ts'

/** Built-ins whose meaning needs the evaluator: relations, output, annotations, interpolation. */
export const engineBuiltins: ReadonlySet<string> = new Set([
  'internal.print',
  'internal.template_string',
  'internal.test_case',
  'print',
  'rego.metadata.chain',
  'rego.metadata.rule',
  'walk',
])

const tables: readonly FunctionTable[] = [
  aggregateFunctions,
  arrayFunctions,
  conversionFunctions,
  cryptographyFunctions,
  encodingFunctions,
  engineFunctions,
  graphFunctions,
  identifierFunctions,
  jsonFunctions,
  networkFunctions,
  numberFunctions,
  objectFunctions,
  patternFunctions,
  providerFunctions,
  queryFunctions,
  requestFunctions,
  schemaFunctions,
  setFunctions,
  stringFunctions,
  templateFunctions,
  timeFunctions,
  tokenFunctions,
  unitFunctions,
  versionFunctions,
]

const implementations = new Map<string, Implementation>(
  tables.flatMap((table) => Object.entries(table)),
)

/** The built-in functions that are plain functions of their operands, by name. */
export const builtins: ReadonlyMap<string, Builtin> = new Map(
  signatures.flatMap((signature) => {
    const implementation = implementations.get(signature[0])
    return implementation === undefined ? [] : [[signature[0], bind(signature, implementation)]]
  }),
)

function bind([name, args]: Signature, implementation: Implementation): Builtin {
  return {
    name,
    args,
    // No function has more than four operands, and naming them spares an array for each call.
    run(context: BuiltinContext, a?: Value, b?: Value, c?: Value, d?: Value): Value | undefined {
      try {
        return implementation(context, a!, b!, c!, d!)
      } catch (error) {
        throw named(name, error)
      }
    },
  }
}

function named(name: string, error: unknown): unknown {
  if (error instanceof BuiltinError)
    return new BuiltinError(error.code, `${name}: ${error.message}`)
  if (error instanceof RangeError) return failed(name, 'value is too large or nested too deeply')
  return isNodeError(error) ? failed(name, error.message) : error
}

function failed(name: string, message: string): BuiltinError {
  return new BuiltinError('eval_builtin_error', `${name}: ${message}`)
}

/** An error of Node's own functions, such as OpenSSL's about a key or a certificate. */
function isNodeError(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_')
}
