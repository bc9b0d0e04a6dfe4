/**
 * Calls of built-ins and of the policy's functions. A call looks for a replacement by `with` first; a
 * built-in's error makes the call undefined, or ends the query under strict errors.
 */

import { BuiltinError, type Builtin } from '../builtins/builtin.ts'
import { signatures } from '../builtins/signatures.ts'
import { EvalError, type Location } from '../errors.ts'
import type { Frame, FunctionDocument } from '../run/documents.ts'
import { contains } from '../run/membership.ts'
import type { Mock, Runtime } from '../run/runtime.ts'
import { RegoSet, isArray, isObject, objectEntries, type Value } from '../values.ts'
import { equals } from '../values.ts'
import type { ValueOf } from './coder.ts'

export type Print = (line: string, location: Location) => void

export class CallMaker {
  readonly #runtime: Runtime
  readonly #builtins: ReadonlyMap<string, Builtin>
  readonly #functions: ReadonlyMap<string, FunctionDocument>
  readonly #mocked: ReadonlySet<string>
  readonly print: Print

  /** `mocked` holds the names that some `with` of the policy replaces. */
  constructor(
    runtime: Runtime,
    builtins: ReadonlyMap<string, Builtin>,
    functions: ReadonlyMap<string, FunctionDocument>,
    mocked: ReadonlySet<string>,
    print: Print,
  ) {
    this.#runtime = runtime
    this.#builtins = builtins
    this.#functions = functions
    this.#mocked = mocked
    this.print = print
  }

  /** True when a `with` somewhere may replace the function. */
  mockable(name: string): boolean {
    return this.#mocked.has(name)
  }

  /** The value of a call. */
  code(name: string, inputs: readonly ValueOf[], location: Location): ValueOf {
    const direct = this.#direct(name, inputs, location)
    if (!this.mockable(name)) return direct
    const runtime = this.#runtime
    return (frame) => {
      const mock = runtime.mocks?.get(name)
      if (mock === undefined) return direct(frame)
      const operands = operandsOf(inputs, frame)
      return operands === undefined ? undefined : callMock(runtime, mock, operands, location)
    }
  }

  /** A function by name with its operands given, for replacements; undefined for an unknown name. */
  byName(
    name: string,
  ): ((operands: readonly Value[], location: Location) => Value | undefined) | undefined {
    const document = this.#functions.get(name)
    if (document !== undefined) return (operands) => document.call(operands)
    const builtin = this.#builtins.get(name)
    if (builtin === undefined) return declared.has(name) ? unsupported(name) : undefined
    return (operands, location) => this.#run(builtin, operands, location)
  }

  #direct(name: string, inputs: readonly ValueOf[], location: Location): ValueOf {
    const document = this.#functions.get(name)
    if (document !== undefined) {
      return (frame) => {
        const operands = operandsOf(inputs, frame)
        return operands === undefined ? undefined : document.call(operands)
      }
    }
    if (name === 'internal.member_2') return member(inputs)
    if (name === 'internal.member_3') return memberWithKey(inputs)
    const builtin = this.#builtins.get(name)
    if (builtin === undefined) {
      const missing = unsupported(name)
      return () => missing([], location)
    }
    const runtime = this.#runtime
    return (frame) => {
      const operands = operandsOf(inputs, frame)
      if (operands === undefined) return undefined
      runtime.tick()
      return this.#run(builtin, operands, location)
    }
  }

  #run(builtin: Builtin, operands: readonly Value[], location: Location): Value | undefined {
    const { context, strict } = this.#runtime
    try {
      ;(context as { location: Location }).location = location
      return builtin.run(context, ...operands)
    } catch (error) {
      if (!(error instanceof BuiltinError)) throw error
      if (!strict) return undefined
      throw new EvalError(error.code, error.message, location)
    }
  }
}

const declared = new Set(signatures.map(([name]) => name))

/** A built-in that OPA declares and this engine was not given. */
function unsupported(name: string) {
  return (_operands: readonly Value[], location: Location): never => {
    throw new EvalError('eval_internal_error', `unsupported built-in ${name}`, location)
  }
}

function operandsOf(inputs: readonly ValueOf[], frame: Frame): Value[] | undefined {
  const operands = new Array<Value>(inputs.length)
  for (let at = 0; at < inputs.length; at += 1) {
    const value = (inputs[at] as ValueOf)(frame)
    if (value === undefined) return undefined
    operands[at] = value
  }
  return operands
}

/** The replacement's result; while it runs nothing is replaced, so that it may call the original. */
function callMock(
  runtime: Runtime,
  mock: Mock,
  operands: readonly Value[],
  location: Location,
): Value | undefined {
  if (mock.kind === 'value') return mock.value
  const { mocks, epoch } = runtime
  runtime.mocks = undefined
  runtime.newEpoch()
  try {
    return mock.call(operands, location)
  } finally {
    runtime.mocks = mocks
    runtime.epoch = epoch
  }
}

function member(inputs: readonly ValueOf[]): ValueOf {
  const [item, collection] = inputs as readonly [ValueOf, ValueOf]
  return (frame) => {
    const wanted = item(frame)
    if (wanted === undefined) return undefined
    const values = collection(frame)
    return values === undefined ? undefined : contains(values, wanted)
  }
}

function memberWithKey(inputs: readonly ValueOf[]): ValueOf {
  const [keyOf, item, collection] = inputs as readonly [ValueOf, ValueOf, ValueOf]
  return (frame) => {
    const key = keyOf(frame)
    const wanted = item(frame)
    const values = collection(frame)
    if (key === undefined || wanted === undefined || values === undefined) return undefined
    if (isArray(values)) {
      const value = typeof key === 'number' ? values[key] : undefined
      return value !== undefined && equals(value, wanted)
    }
    if (values instanceof RegoSet) return equals(key, wanted) && values.has(wanted)
    if (!isObject(values)) return false
    return objectEntries(values).some(
      (entry) => equals(entry.key, key) && equals(entry.value, wanted),
    )
  }
}
