/** Bounds of JSON Schema on sizes, lengths and numbers: which of them a value breaks. */
import { compareNumbers, isNumber, numberToText, scaled, type RegoNumber } from '../../numbers.ts'
import { objectGet, type ObjectValue } from '../../values.ts'

/** Type and description of a violation. */
export type BrokenLimit = readonly [type: string, description: string]

function number(schema: ObjectValue, key: string): RegoNumber | undefined {
  const value = objectGet(schema, key)
  return isNumber(value) ? value : undefined
}

export function sizeLimits(
  schema: ObjectValue,
  kind: 'Items' | 'Properties',
  size: number,
): readonly BrokenLimit[] {
  const low = number(schema, `min${kind}`)
  const high = number(schema, `max${kind}`)
  const subject = kind === 'Items' ? 'Array must have' : 'Must have'
  const name = kind.toLowerCase()
  const broken: BrokenLimit[] = []
  if (low !== undefined && compareNumbers(size, low) < 0) {
    broken.push([`array_min_${name}`, `${subject} at least ${numberToText(low)} ${name}`])
  }
  if (high !== undefined && compareNumbers(size, high) > 0) {
    broken.push([`array_max_${name}`, `${subject} at most ${numberToText(high)} ${name}`])
  }
  return broken
}

export function lengthLimits(schema: ObjectValue, value: string): readonly BrokenLimit[] {
  const low = number(schema, 'minLength')
  const high = number(schema, 'maxLength')
  if (low === undefined && high === undefined) return []
  const length = Array.from(value).length
  const broken: BrokenLimit[] = []
  if (low !== undefined && compareNumbers(length, low) < 0) {
    const bound = numberToText(low)
    broken.push(['string_gte', `String length must be greater than or equal to ${bound}`])
  }
  if (high !== undefined && compareNumbers(length, high) > 0) {
    const bound = numberToText(high)
    broken.push(['string_lte', `String length must be less than or equal to ${bound}`])
  }
  return broken
}

export function numberLimits(schema: ObjectValue, value: RegoNumber): readonly BrokenLimit[] {
  const broken: BrokenLimit[] = []
  const step = number(schema, 'multipleOf')
  if (step !== undefined && !isMultiple(value, step)) {
    broken.push(['multiple_of', `Must be a multiple of ${numberToText(step)}`])
  }
  const high = boundOf(schema, 'maximum', 'exclusiveMaximum')
  if (high.inclusive !== undefined && compareNumbers(value, high.inclusive) > 0) {
    broken.push(['number_lte', `Must be less than or equal to ${numberToText(high.inclusive)}`])
  }
  if (high.exclusive !== undefined && compareNumbers(value, high.exclusive) >= 0) {
    broken.push(['number_lt', `Must be less than ${numberToText(high.exclusive)}`])
  }
  const low = boundOf(schema, 'minimum', 'exclusiveMinimum')
  if (low.inclusive !== undefined && compareNumbers(value, low.inclusive) < 0) {
    broken.push(['number_gte', `Must be greater than or equal to ${numberToText(low.inclusive)}`])
  }
  if (low.exclusive !== undefined && compareNumbers(value, low.exclusive) <= 0) {
    broken.push(['number_gt', `Must be greater than ${numberToText(low.exclusive)}`])
  }
  return broken
}

interface Bound {
  readonly inclusive: RegoNumber | undefined
  readonly exclusive: RegoNumber | undefined
}

/** Draft 4 makes a bound exclusive by a boolean beside it; later drafts have a number of its own. */
function boundOf(schema: ObjectValue, key: string, exclusiveKey: string): Bound {
  const bound = number(schema, key)
  if (objectGet(schema, exclusiveKey) === true) return { inclusive: undefined, exclusive: bound }
  return { inclusive: bound, exclusive: number(schema, exclusiveKey) }
}

function isMultiple(value: RegoNumber, step: RegoNumber): boolean {
  const a = scaled(value)
  const b = scaled(step)
  const power = Math.min(a.exponent, b.exponent)
  const left = a.mantissa * 10n ** BigInt(a.exponent - power)
  return left % (b.mantissa * 10n ** BigInt(b.exponent - power)) === 0n
}
