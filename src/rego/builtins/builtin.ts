/**
 * What a built-in function is: its name, its declared operand types and the code that runs it, and
 * what it may ask of the query that calls it. The engine calls `run` only when every operand is
 * defined; whether an operand has the declared type is the built-in's own check.
 */

import type { Value } from '../values.ts'

/** One operand type of a declaration in OPA's capabilities, as OPA writes it: `array[any]`. */
export type ArgType = string

export type BuiltinErrorCode = 'eval_builtin_error' | 'eval_type_error'

/** A call that failed: undefined by default, the end of the query under strict errors. */
export class BuiltinError extends Error {
  readonly code: BuiltinErrorCode

  constructor(code: BuiltinErrorCode, message: string) {
    super(message)
    this.name = 'BuiltinError'
    this.code = code
  }
}

/** Where in the policy a call stands; rows and columns count from one. */
export interface CallLocation {
  readonly file: string
  readonly row: number
  readonly col: number
}

export interface BuiltinContext {
  /** Nanoseconds since 1970, the same for the whole query. */
  nowNs(): bigint
  /** A number from 0 up to, not including, 1. */
  random(): number
  /** Lives as long as the query: for values that must not change within it. */
  readonly cache: Map<string, unknown>
  /** Lives as long as the policy: compiled expressions, key sets, schemas. The user bounds it. */
  readonly interQueryCache: Map<string, unknown>
  /** Sends a request the configuration allows; absent when requests are switched off. */
  readonly httpSend?: ((request: Value) => Value) | undefined
  /** Looks up addresses of a name; absent when look-ups are switched off. */
  readonly lookupIp?: ((name: string) => readonly string[]) | undefined
  /** What `opa.runtime()` returns. */
  readonly runtime: Value
  /** True when a failed call ends the query. */
  readonly strict: boolean
  /** Parses a module to its tree as a value, for `rego.parse_module`; throws `BuiltinError`. */
  readonly parseModule: (file: string, text: string) => Value
  readonly location: CallLocation
  /** Counts work against the decision's budget; throws when it is spent. */
  spend(steps: number): void
}

export interface Builtin {
  readonly name: string
  readonly args: readonly ArgType[]
  /** The result, or undefined when the call has none. Throws `BuiltinError`. */
  run(context: BuiltinContext, ...operands: Value[]): Value | undefined
}
