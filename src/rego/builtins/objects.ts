/** Functions that read, merge and cut objects. */
import {
  compare,
  equals,
  isArray,
  isObject,
  objectEntries,
  objectGet,
  objectHas,
  objectKeys,
  objectSize,
  RegoObject,
  RegoSet,
  type ObjectValue,
  type Value,
} from '../values.ts'
import { BuiltinError, type BuiltinContext } from './builtin.ts'
import {
  arrayOperand,
  failElement,
  failType,
  objectOperand,
  type FunctionTable,
} from './operand.ts'

/** `right` over `left`: objects merge key by key, anything else is replaced. */
function merge(left: ObjectValue, right: ObjectValue): ObjectValue {
  const result = new RegoObject()
  for (const { key, value } of objectEntries(left)) result.set(key, value)
  for (const { key, value } of objectEntries(right)) {
    const old = result.get(key)
    result.set(key, isObject(old) && isObject(value) ? merge(old, value) : value)
  }
  return result
}

function mergeAll(array: readonly Value[]): Value {
  for (const element of array.toReversed()) {
    if (!isObject(element)) failElement(1, array, element, 'object')
  }
  let result: ObjectValue = new RegoObject()
  for (const element of array) result = merge(result, element as ObjectValue)
  return result
}

/** The keys that an array, set or object names. */
function keysOperand(value: Value): RegoSet {
  if (value instanceof RegoSet) return value
  if (isArray(value)) return new RegoSet(value)
  return isObject(value)
    ? new RegoSet(objectKeys(value))
    : failType(2, value, 'object', 'set', 'array')
}

function keep(object: ObjectValue, wanted: (key: Value) => boolean): RegoObject {
  const result = new RegoObject()
  for (const { key, value } of objectEntries(object)) if (wanted(key)) result.set(key, value)
  return result
}

function filter(object: ObjectValue, keys: RegoSet): RegoObject {
  if (keys.size >= objectSize(object)) return keep(object, (key) => keys.has(key))
  const result = new RegoObject()
  for (const key of keys.members()) {
    const value = objectGet(object, key)
    if (value !== undefined) result.set(key, value)
  }
  return result
}

function get(object: ObjectValue, path: Value): Value | undefined {
  if (!isArray(path)) return objectGet(object, path)
  let current: Value | undefined = object
  for (const key of path) {
    if (current === undefined) return undefined
    current = member(current, key)
  }
  return current
}

function member(value: Value, key: Value): Value | undefined {
  if (isArray(value)) return typeof key === 'number' ? value[key] : undefined
  if (value instanceof RegoSet) return value.has(key) ? key : undefined
  return isObject(value) ? objectGet(value, key) : undefined
}

function isSubset(context: BuiltinContext, whole: Value, part: Value): boolean {
  if (isObject(whole) && isObject(part)) return isObjectSubset(context, whole, part)
  if (whole instanceof RegoSet && part instanceof RegoSet) return isSetSubset(whole, part)
  if (isArray(whole) && isArray(part)) return isArraySubset(context, whole, part)
  if (isArray(whole) && part instanceof RegoSet) return isSetSubset(new RegoSet(whole), part)
  throw new BuiltinError(
    'eval_type_error',
    'both arguments object.subset must be of the same type or array and set',
  )
}

function isObjectSubset(context: BuiltinContext, whole: ObjectValue, part: ObjectValue): boolean {
  return objectEntries(part).every(({ key, value }) => {
    if (!objectHas(whole, key)) return false
    const found = objectGet(whole, key)!
    if (equals(found, value)) return true
    if (isObject(found) && isObject(value)) return isObjectSubset(context, found, value)
    if (found instanceof RegoSet && value instanceof RegoSet) return isSetSubset(found, value)
    return isArray(found) && isArray(value) && isArraySubset(context, found, value)
  })
}

function isSetSubset(whole: RegoSet, part: RegoSet): boolean {
  if (part.size > whole.size) return false
  for (const element of part.members()) if (!whole.has(element)) return false
  return true
}

/** Whether `part` stands somewhere in `whole`, all of it and in order (Knuth, Morris and Pratt). */
function isArraySubset(
  context: BuiltinContext,
  whole: readonly Value[],
  part: readonly Value[],
): boolean {
  if (part.length > whole.length) return false
  context.spend(Math.ceil((whole.length + part.length) / 16))
  const borders = [0]
  for (let index = 1, length = 0; index < part.length; index++) {
    while (length > 0 && compare(part[index]!, part[length]!) !== 0) length = borders[length - 1]!
    if (compare(part[index]!, part[length]!) === 0) length++
    borders.push(length)
  }
  let matched = 0
  if (part.length === 0) return true
  for (const element of whole) {
    while (matched > 0 && compare(element, part[matched]!) !== 0) matched = borders[matched - 1]!
    if (compare(element, part[matched]!) === 0) matched++
    if (matched === part.length) return true
  }
  return false
}

export const objectFunctions: FunctionTable = {
  'object.filter': (_, object, keys) => filter(objectOperand(object, 1), keysOperand(keys)),
  'object.get': (_, object, path, fallback) => {
    const value = get(objectOperand(object, 1), path)
    return value === undefined ? fallback : value
  },
  'object.keys': (_, object) => new RegoSet(objectKeys(objectOperand(object, 1))),
  'object.remove': (_, object, keys) => {
    const source = objectOperand(object, 1)
    const gone = keysOperand(keys)
    return keep(source, (key) => !gone.has(key))
  },
  'object.subset': (context, whole, part) => isSubset(context, whole, part),
  'object.union': (_, left, right) => merge(objectOperand(left, 1), objectOperand(right, 2)),
  'object.union_n': (_, objects) => mergeAll(arrayOperand(objects, 1)),
}
