/**
 * Virtual documents: what rules make. A complete document has one value that all its rules must agree
 * on; a set or an object collects what its rules give; a function is asked with operands. Values are
 * kept for the rest of the query, and for the life of the policy when they cannot depend on input.
 */

import { EvalError, type Location } from '../errors.ts'
import { equals, keyOf, RegoObject, RegoSet, type Key, type Value } from '../values.ts'
import type { Runtime } from './runtime.ts'

/** Slots of a rule's variables; slot 0 is where the rule leaves its result. */
export type Frame = (Value | undefined)[]
/** Does its part and goes on to the next; true means that nobody needs further solutions. */
export type Step = (frame: Frame) => boolean

/** Where a rule stands, and its name. */
export interface RulePlace extends Location {
  readonly path: string
}

/** A rule ready to run, and the `else` to try when it has no result. */
export class RuleCode {
  readonly location: RulePlace
  readonly otherwise: RuleCode | undefined
  readonly #size: number
  readonly #step: Step
  #spare: Frame | undefined

  constructor(size: number, step: Step, location: RulePlace, otherwise: RuleCode | undefined) {
    this.#size = size
    this.#step = step
    this.location = location
    this.otherwise = otherwise
  }

  /** Runs with slot 0 set to `seed` and operands from slot 1 on; the result is slot 0 afterwards. */
  run(seed: Value | undefined, operands: readonly Value[] | undefined): Value | undefined {
    const frame = this.#spare ?? new Array<Value | undefined>(this.#size).fill(undefined)
    this.#spare = undefined
    frame[0] = seed
    if (operands !== undefined)
      for (let at = 0; at < operands.length; at += 1) frame[at + 1] = operands[at]
    this.#step(frame)
    const result = frame[0]
    this.#spare = frame
    return result
  }
}

export interface Document {
  readonly kind: 'complete' | 'set' | 'object' | 'function'
  /** The value, or undefined. Functions have none. */
  evaluate(): Value | undefined
}

/** A document whose value is kept. */
export abstract class Cached implements Document {
  abstract readonly kind: Document['kind']
  protected readonly runtime: Runtime
  /** True when the value depends on nothing but the policy and its data. */
  stable = false
  #epoch = 0
  #value: Value | undefined
  #settled = false
  #decided: RulePlace | undefined

  constructor(runtime: Runtime) {
    this.runtime = runtime
  }

  evaluate(): Value | undefined {
    const { runtime } = this
    const { epoch } = runtime
    if (this.#epoch === epoch) return this.#known()
    if (this.stable && runtime.pristine) {
      if (!this.#settled) {
        this.#value = this.#computed()
        this.#settled = true
        this.#epoch = 0
      }
      return this.#known()
    }
    const value = this.#computed()
    if (this.#settled) return value
    this.#value = value
    this.#epoch = epoch
    return value
  }

  #known(): Value | undefined {
    this.runtime.decided = this.#decided
    return this.#value
  }

  #computed(): Value | undefined {
    const value = this.compute()
    if (this.kind !== 'complete') this.runtime.decided = undefined
    this.#decided = this.runtime.decided
    return value
  }

  protected abstract compute(): Value | undefined
}

/** Gives the rules to try, in order. */
export type Candidates = () => readonly RuleCode[]

export class CompleteDocument extends Cached {
  readonly kind = 'complete'
  readonly #candidates: Candidates
  readonly #fallback: () => RuleCode | undefined
  /** True when all rules have the same constant value, so that the first that holds decides. */
  readonly #agreed: boolean

  constructor(
    runtime: Runtime,
    candidates: Candidates,
    fallback: () => RuleCode | undefined,
    agreed: boolean,
  ) {
    super(runtime)
    this.#candidates = candidates
    this.#fallback = fallback
    this.#agreed = agreed
  }

  protected override compute(): Value | undefined {
    const result = firstOrConflict(
      this.runtime,
      this.#candidates(),
      undefined,
      this.#agreed,
      'complete rules must not produce multiple outputs',
    )
    return result === undefined ? fallBack(this.runtime, this.#fallback(), undefined) : result
  }
}

function firstOrConflict(
  runtime: Runtime,
  rules: readonly RuleCode[],
  operands: readonly Value[] | undefined,
  agreed: boolean,
  complaint: string,
): Value | undefined {
  let result: Value | undefined
  for (let at = 0; at < rules.length; at += 1) {
    let rule: RuleCode | undefined = rules[at]
    for (; rule !== undefined; rule = rule.otherwise) {
      runtime.current = rule.location
      runtime.tick()
      const value = rule.run(undefined, operands)
      if (value === undefined) continue
      if (agreed) {
        runtime.decided = rule.location
        return value
      }
      if (result !== undefined && !equals(result, value)) {
        throw new EvalError('eval_conflict_error', complaint, rule.location)
      }
      result = value
      runtime.decided = rule.location
      break
    }
  }
  return result
}

export class FunctionDocument implements Document {
  readonly kind = 'function'
  readonly arity: number
  readonly #runtime: Runtime
  readonly #candidates: (operands: readonly Value[]) => readonly RuleCode[]
  readonly #fallback: () => RuleCode | undefined
  readonly #results = new Map<Key, Value | undefined>()
  #epoch = 0

  constructor(
    runtime: Runtime,
    arity: number,
    candidates: (operands: readonly Value[]) => readonly RuleCode[],
    fallback: () => RuleCode | undefined,
  ) {
    this.#runtime = runtime
    this.arity = arity
    this.#candidates = candidates
    this.#fallback = fallback
  }

  evaluate(): undefined {
    return undefined
  }

  /** The result for operands; results for one scalar operand are kept for the rest of the query. */
  call(operands: readonly Value[]): Value | undefined {
    const { epoch } = this.#runtime
    if (this.#epoch !== epoch) {
      if (this.#results.size > 0) this.#results.clear()
      this.#epoch = epoch
    }
    const key = cacheKey(operands)
    if (key === undefined) return this.#compute(operands)
    const known = this.#results.get(key)
    if (known !== undefined || this.#results.has(key)) return known
    const result = this.#compute(operands)
    if (this.#epoch === epoch) this.#results.set(key, result)
    return result
  }

  #compute(operands: readonly Value[]): Value | undefined {
    const complaint = 'functions must not produce multiple outputs for same inputs'
    const result = firstOrConflict(
      this.#runtime,
      this.#candidates(operands),
      operands,
      false,
      complaint,
    )
    return result === undefined ? fallBack(this.#runtime, this.#fallback(), operands) : result
  }
}

/** The value of a default. */
function fallBack(
  runtime: Runtime,
  rule: RuleCode | undefined,
  operands: readonly Value[] | undefined,
): Value | undefined {
  if (rule === undefined) return undefined
  runtime.decided = rule.location
  return rule.run(undefined, operands)
}

function cacheKey(operands: readonly Value[]): Key | undefined {
  if (operands.length === 0) return ''
  if (operands.length === 1) {
    const [operand] = operands as [Value]
    return typeof operand === 'object' && operand !== null ? undefined : keyOf(operand)
  }
  let key = ''
  for (const operand of operands) {
    if (typeof operand === 'object' && operand !== null) return undefined
    key +=
      typeof operand === 'string'
        ? `${operand.length}:${operand}`
        : `${typeof operand}${String(operand)};`
  }
  return `\0k${key}`
}

export class SetDocument extends Cached {
  readonly kind = 'set'
  readonly #candidates: Candidates

  constructor(runtime: Runtime, candidates: Candidates) {
    super(runtime)
    this.#candidates = candidates
  }

  protected override compute(): Value {
    const members = new RegoSet()
    for (const rule of this.#candidates()) {
      this.runtime.current = rule.location
      this.runtime.tick()
      rule.run(members, undefined)
    }
    return members
  }
}

export class ObjectDocument extends Cached {
  readonly kind = 'object'
  readonly #candidates: Candidates

  constructor(runtime: Runtime, candidates: Candidates) {
    super(runtime)
    this.#candidates = candidates
  }

  protected override compute(): Value {
    const entries = new Growing()
    for (const rule of this.#candidates()) {
      this.runtime.current = rule.location
      this.runtime.tick()
      rule.run(entries, undefined)
    }
    return entries
  }
}

/** An object that rules are still adding to; objects inside it that rules gave are closed. */
export class Growing extends RegoObject {}
class GrowingSet extends RegoSet {}

/** Adds what a rule of an object document gives: a value at a path, or a member of the set there. */
export function insert(
  into: RegoObject,
  path: readonly Value[],
  value: Value,
  kind: 'value' | 'member',
  location: Location,
): void {
  const conflict = () =>
    new EvalError('eval_conflict_error', 'object keys must be unique', location)
  let object = into

  for (let at = 0; at < path.length - 1; at += 1) {
    const key = path[at] as Value
    let inner = object.get(key)
    if (inner === undefined) object.set(key, (inner = new Growing()))
    if (!(inner instanceof Growing)) throw conflict()
    object = inner
  }
  const key = path[path.length - 1] as Value
  const present = object.get(key)
  if (kind === 'member') {
    if (present === undefined) object.set(key, new GrowingSet([value]))
    else if (present instanceof GrowingSet) present.add(value)
    else throw conflict()
    return
  }
  if (present === undefined) object.set(key, value)
  else if (!equals(present, value)) throw conflict()
}
