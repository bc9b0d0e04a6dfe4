/**
 * Validates a document by a JSON Schema that `check.ts` has accepted, and says what is wrong in the words and the order
 * of OPA's validator. Of alternatives that all fail, the errors of the closest are shown.
 */
import { isInteger, isNumber, type RegoNumber } from '../../numbers.ts'
import {
  equals,
  isArray,
  isObject,
  objectEntries,
  objectGet,
  objectHas,
  objectSize,
  typeName,
  type ObjectValue,
  type Value,
} from '../../values.ts'
import { writeJson } from '../json/text.ts'
import { Regex } from '../text/regex.ts'
import { hasFormat } from './formats.ts'
import { lengthLimits, numberLimits, sizeLimits, type BrokenLimit } from './limits.ts'
import { resolvePointer } from './reference.ts'

export interface Violation {
  readonly type: string
  /** Path of the value, or `(root)`. */
  readonly field: string
  readonly description: string
}

const depthLimit = 1000
const errorLimit = 10_000

/** What one schema found: errors, and how well the value fits otherwise. */
class Outcome {
  readonly errors: Violation[] = []
  score = 0

  get valid(): boolean {
    return this.errors.length === 0
  }

  merge(other: Outcome): void {
    for (const error of other.errors) if (this.errors.length < errorLimit) this.errors.push(error)
    this.score += other.score
  }
}

/** A schema with the patterns it has been seen to use. */
export class Schema {
  readonly #root: Value
  readonly #patterns = new Map<string, Regex>()

  constructor(root: Value) {
    this.#root = root
  }

  validate(document: Value, spend: (steps: number) => void): readonly Violation[] {
    const visit = new Visit(this.#root, (pattern) => this.#regex(pattern), spend)
    return visit.run(this.#root, document, [], 0).errors
  }

  #regex(pattern: string): Regex {
    const known = this.#patterns.get(pattern)
    if (known !== undefined) return known
    const regex = new Regex(pattern)
    this.#patterns.set(pattern, regex)
    return regex
  }
}

type Path = readonly string[]

class Visit {
  readonly #root: Value
  readonly #regex: (pattern: string) => Regex
  readonly #spend: (steps: number) => void

  constructor(root: Value, regex: (pattern: string) => Regex, spend: (steps: number) => void) {
    this.#root = root
    this.#regex = regex
    this.#spend = spend
  }

  run(schema: Value, value: Value, path: Path, depth: number): Outcome {
    const outcome = new Outcome()
    this.#visit(schema, value, path, depth, outcome)
    return outcome
  }

  #fail(outcome: Outcome, path: Path, type: string, description: string): void {
    const field = path.length === 0 ? '(root)' : path.join('.')
    if (outcome.errors.length < errorLimit) outcome.errors.push({ type, field, description })
    outcome.score -= 2
  }

  #visit(schema: Value, value: Value, path: Path, depth: number, outcome: Outcome): void {
    this.#spend(1)
    if (depth > depthLimit) throw new RangeError('schema nests too deeply')
    if (schema === false) this.#fail(outcome, path, 'false', 'False always fails validation')
    if (!isObject(schema)) return
    const reference = objectGet(schema, '$ref')
    if (typeof reference === 'string') {
      this.#visit(resolvePointer(this.#root, reference)!, value, path, depth + 1, outcome)
      return
    }
    if (!this.#hasType(schema, value, path, outcome)) return
    this.#combinations(schema, value, path, depth, outcome)
    if (isArray(value)) this.#array(schema, value, path, depth, outcome)
    else if (isObject(value)) this.#object(schema, value, path, depth, outcome)
    else if (isNumber(value)) this.#number(schema, value, path, outcome)
    this.#common(schema, value, path, outcome)
    if (typeof value === 'string') this.#string(schema, value, path, outcome)
    if (isObject(value)) {
      for (const { key, value: child } of entriesOf(schema, 'properties')) {
        const member = objectGet(value, key)
        if (member !== undefined)
          this.#visit(child, member, [...path, key as string], depth + 1, outcome)
      }
    }
    outcome.score++
  }

  #hasType(schema: ObjectValue, value: Value, path: Path, outcome: Outcome): boolean {
    const declared = objectGet(schema, 'type')
    if (declared === undefined) return true
    const names = (isArray(declared) ? declared : [declared]) as readonly string[]
    const given = isNumber(value) && isInteger(value) ? 'integer' : typeName(value)
    if (names.includes(given) || (given === 'integer' && names.includes('number'))) return true
    const expected = names.join(',')
    this.#fail(
      outcome,
      path,
      'invalid_type',
      `Invalid type. Expected: ${expected}, given: ${given}`,
    )
    return false
  }

  #combinations(
    schema: ObjectValue,
    value: Value,
    path: Path,
    depth: number,
    outcome: Outcome,
  ): void {
    const run = (child: Value): Outcome => this.run(child, value, path, depth + 1)
    this.#anyOf(schema, path, outcome, run)
    this.#oneOf(schema, path, outcome, run)
    const all = listOf(schema, 'allOf').map(run)
    for (const result of all) outcome.merge(result)
    if (all.some((result) => !result.valid)) {
      this.#fail(outcome, path, 'number_all_of', 'Must validate all the schemas (allOf)')
    }
    const not = objectGet(schema, 'not')
    if (not !== undefined && run(not).valid) {
      this.#fail(outcome, path, 'number_not', 'Must not validate the schema (not)')
    }
    if (isObject(value)) this.#dependencies(schema, value, path, depth, outcome)
    this.#condition(schema, path, outcome, run)
    outcome.score++
  }

  #anyOf(schema: ObjectValue, path: Path, outcome: Outcome, run: (child: Value) => Outcome): void {
    const schemas = listOf(schema, 'anyOf')
    if (schemas.length === 0) return
    let best: Outcome | undefined
    for (const child of schemas) {
      const result = run(child)
      if (result.valid) return
      if (best === undefined || result.score > best.score) best = result
    }
    this.#fail(outcome, path, 'number_any_of', 'Must validate at least one schema (anyOf)')
    if (best !== undefined) outcome.merge(best)
  }

  #oneOf(schema: ObjectValue, path: Path, outcome: Outcome, run: (child: Value) => Outcome): void {
    const schemas = listOf(schema, 'oneOf')
    if (schemas.length === 0) return
    let best: Outcome | undefined
    let valid = 0
    for (const child of schemas) {
      const result = run(child)
      if (result.valid) valid++
      else if (best === undefined || result.score > best.score) best = result
    }
    if (valid === 1) return
    this.#fail(outcome, path, 'number_one_of', 'Must validate one and only one schema (oneOf)')
    if (valid === 0 && best !== undefined) outcome.merge(best)
  }

  #dependencies(
    schema: ObjectValue,
    value: ObjectValue,
    path: Path,
    depth: number,
    outcome: Outcome,
  ): void {
    for (const { key, value: dependency } of entriesOf(schema, 'dependencies')) {
      if (!objectHas(value, key)) continue
      if (!isArray(dependency)) {
        this.#visit(dependency, value, path, depth + 1, outcome)
        continue
      }
      for (const name of dependency as readonly string[]) {
        if (objectHas(value, name)) continue
        this.#fail(outcome, path, 'missing_dependency', `Has a dependency on ${name}`)
      }
    }
  }

  #condition(
    schema: ObjectValue,
    path: Path,
    outcome: Outcome,
    run: (child: Value) => Outcome,
  ): void {
    const condition = objectGet(schema, 'if')
    if (condition === undefined) return
    const holds = run(condition).valid
    const consequence = objectGet(schema, holds ? 'then' : 'else')
    if (consequence === undefined) return
    const result = run(consequence)
    if (result.valid) return
    const description = holds
      ? 'Must validate "then" as "if" was valid'
      : 'Must validate "else" as "if" was not valid'
    this.#fail(outcome, path, holds ? 'condition_then' : 'condition_else', description)
    outcome.merge(result)
  }

  #common(schema: ObjectValue, value: Value, path: Path, outcome: Outcome): void {
    const field = path.length === 0 ? '(root)' : path.join('.')
    const constant = objectGet(schema, 'const')
    if (constant !== undefined && !equals(constant, value)) {
      this.#fail(outcome, path, 'const', `${field} does not match: ${writeJson(constant)}`)
    }
    const choices = objectGet(schema, 'enum')
    if (isArray(choices) && !choices.some((choice) => equals(choice, value))) {
      const allowed =
        choices.length === 0 ? '(none)' : choices.map((choice) => writeJson(choice)).join(', ')
      this.#fail(outcome, path, 'enum', `${field} must be one of the following: ${allowed}`)
    }
    const format = objectGet(schema, 'format')
    if (typeof format === 'string' && typeof value === 'string' && !hasFormat(format, value)) {
      this.#fail(outcome, path, 'format', `Does not match format '${format}'`)
    }
    outcome.score++
  }

  #array(
    schema: ObjectValue,
    value: readonly Value[],
    path: Path,
    depth: number,
    outcome: Outcome,
  ): void {
    const items = objectGet(schema, 'items')
    const rest = objectGet(schema, 'additionalItems')
    value.forEach((element, index) => {
      const child = isArray(items)
        ? (items[index] ?? (items.length > 0 && isObject(rest) ? rest : undefined))
        : items
      if (child !== undefined)
        outcome.merge(this.run(child, element, [...path, String(index)], depth + 1))
    })
    if (isArray(items) && items.length > 0 && items.length < value.length && rest === false) {
      this.#fail(outcome, path, 'array_no_additional_items', 'No additional items allowed on array')
    }
    this.#limits(sizeLimits(schema, 'Items', value.length), path, outcome)
    if (objectGet(schema, 'uniqueItems') === true) this.#unique(value, path, outcome)
    const contains = objectGet(schema, 'contains')
    if (
      contains !== undefined &&
      !value.some((element) => this.run(contains, element, path, depth + 1).valid)
    ) {
      this.#fail(outcome, path, 'contains', 'At least one of the items must match')
    }
    outcome.score++
  }

  #unique(value: readonly Value[], path: Path, outcome: Outcome): void {
    const seen = new Map<string, number>()
    value.forEach((element, index) => {
      const text = writeJson(element)
      const earlier = seen.get(text)
      if (earlier !== undefined)
        this.#fail(outcome, path, 'unique', `array items[${earlier},${index}] must be unique`)
      seen.set(text, index)
    })
  }

  #object(
    schema: ObjectValue,
    value: ObjectValue,
    path: Path,
    depth: number,
    outcome: Outcome,
  ): void {
    this.#limits(sizeLimits(schema, 'Properties', objectSize(value)), path, outcome)
    for (const name of listOf(schema, 'required') as readonly string[]) {
      if (objectHas(value, name)) outcome.score++
      else this.#fail(outcome, path, 'required', `${name} is required`)
    }
    const known = objectGet(schema, 'properties')
    const rest = objectGet(schema, 'additionalProperties')
    for (const { key, value: member } of objectEntries(value)) {
      const name = key as string
      const matched = this.#patternProperties(schema, name, member, path, depth, outcome)
      if (matched || (isObject(known) && objectHas(known, name))) continue
      if (rest === false) {
        const description = `Additional property ${name} is not allowed`
        this.#fail(outcome, path, 'additional_property_not_allowed', description)
      } else if (isObject(rest)) {
        outcome.merge(this.run(rest, member, [...path, name], depth + 1))
      }
    }
    const names = objectGet(schema, 'propertyNames')
    for (const { key } of names === undefined ? [] : objectEntries(value)) {
      const result = this.run(names!, key, path, depth + 1)
      if (result.valid) continue
      this.#fail(
        outcome,
        path,
        'invalid_property_name',
        `Property name of "${key as string}" does not match`,
      )
      outcome.merge(result)
    }
    outcome.score++
  }

  #patternProperties(
    schema: ObjectValue,
    name: string,
    member: Value,
    path: Path,
    depth: number,
    outcome: Outcome,
  ): boolean {
    let matched = false
    for (const { key, value: child } of entriesOf(schema, 'patternProperties')) {
      if (!this.#regex(key as string).test(name)) continue
      matched = true
      outcome.merge(this.run(child, member, [...path, name], depth + 1))
    }
    if (matched) outcome.score++
    return matched
  }

  #string(schema: ObjectValue, value: string, path: Path, outcome: Outcome): void {
    this.#limits(lengthLimits(schema, value), path, outcome)
    const pattern = objectGet(schema, 'pattern')
    if (typeof pattern === 'string' && !this.#regex(pattern).test(value)) {
      this.#fail(outcome, path, 'pattern', `Does not match pattern '${pattern}'`)
    }
    outcome.score++
  }

  #number(schema: ObjectValue, value: RegoNumber, path: Path, outcome: Outcome): void {
    this.#limits(numberLimits(schema, value), path, outcome)
    outcome.score++
  }

  #limits(broken: readonly BrokenLimit[], path: Path, outcome: Outcome): void {
    for (const [type, description] of broken) this.#fail(outcome, path, type, description)
  }
}

function listOf(schema: ObjectValue, key: string): readonly Value[] {
  const list = objectGet(schema, key)
  return isArray(list) ? list : []
}

function entriesOf(schema: ObjectValue, key: string) {
  const object = objectGet(schema, key)
  return isObject(object) ? objectEntries(object) : []
}
