/** Functions over whole collections: count, sum, product, extremes, order, and membership. */
import { add, isNumber, mul, type RegoNumber } from '../numbers.ts'
import {
  compare,
  equals,
  isArray,
  isObject,
  objectEntries,
  objectGet,
  objectSize,
  RegoSet,
  type Value,
} from '../values.ts'
import { boundedNumber, elementsOf, failElement, failType, type FunctionTable } from './operand.ts'

function count(value: Value): number {
  if (typeof value === 'string') return value.length === 0 ? 0 : codePoints(value)
  if (isArray(value)) return value.length
  if (value instanceof RegoSet) return value.size
  if (isObject(value)) return objectSize(value)
  return failType(1, value, 'array', 'object', 'set', 'string')
}

function codePoints(text: string): number {
  let size = 0
  for (let index = 0; index < text.length; index++) {
    if (text.codePointAt(index)! > 0xffff) index++
    size++
  }
  return size
}

function fold(
  value: Value,
  start: RegoNumber,
  step: (total: RegoNumber, next: RegoNumber) => RegoNumber,
): RegoNumber {
  let total = start
  for (const element of collection(value)) {
    if (!isNumber(element)) failElement(1, value, element, 'number')
    total = boundedNumber(step(total, element))
  }
  return total
}

function collection(value: Value): readonly Value[] {
  return elementsOf(value) ?? failType(1, value, 'set', 'array')
}

/** The element that every other one compares to with a sign other than `sign`. */
function extreme(value: Value, sign: 1 | -1): Value | undefined {
  let best: Value | undefined
  for (const element of collection(value)) {
    if (best === undefined || compare(element, best) * sign >= 0) best = element
  }
  return best
}

function elementsOfAny(value: Value): readonly Value[] {
  return elementsOf(value) ?? failType(1, value, 'array', 'set')
}

/** Whether `member` is one of the elements, or values, of a collection. */
export function isMember(member: Value, value: Value): boolean {
  if (value instanceof RegoSet) return value.has(member)
  if (isArray(value)) return value.some((element) => equals(element, member))
  return isObject(value) && objectEntries(value).some((entry) => equals(entry.value, member))
}

/** Whether `member` stands at `key` of a collection. */
export function isMemberAt(key: Value, member: Value, value: Value): boolean {
  if (value instanceof RegoSet) return equals(key, member) && value.has(key)
  const found = isArray(value)
    ? typeof key === 'number' && Object.hasOwn(value, key)
      ? value[key]
      : undefined
    : isObject(value)
      ? objectGet(value, key)
      : undefined
  return found !== undefined && equals(found, member)
}

export const aggregateFunctions: FunctionTable = {
  all: (_, value) => elementsOfAny(value).every((element) => element === true),
  any: (_, value) => elementsOfAny(value).some((element) => element === true),
  count: (_, value) => count(value),
  max: (_, value) => extreme(value, 1),
  min: (_, value) => extreme(value, -1),
  product: (_, value) => fold(value, 1, mul),
  sort: (_, value) => [...collection(value)].sort(compare),
  sum: (_, value) => fold(value, 0, add),
  'internal.member_2': (_, member, value) => isMember(member, value),
  'internal.member_3': (_, key, member, value) => isMemberAt(key, member, value),
}
