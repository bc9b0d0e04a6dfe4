/** Reading one step into a value: by key, index or member. A step that leads nowhere is undefined. */

import { Decimal } from '../numbers.ts'
import { RegoObject, RegoSet, type PlainObject, type Value } from '../values.ts'

/** The value under a key: of an object, at an index of an array, or the member of a set itself. */
export function lookup(value: Value, key: Value): Value | undefined {
  if (typeof key === 'string') return lookupString(value, key)
  if (typeof value !== 'object' || value === null) return undefined
  if (Array.isArray(value)) return typeof key === 'number' ? (value as Value[])[key] : undefined
  if (value instanceof RegoObject) return value.get(key)
  return value instanceof RegoSet && value.has(key) ? key : undefined
}

/** The same for a key that is a string, which is what most steps are. */
export function lookupString(value: Value, key: string): Value | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  if (Object.hasOwn(value, key)) {
    if (Array.isArray(value) || value instanceof Decimal) return undefined
    return (value as PlainObject)[key]
  }
  if (value instanceof RegoObject) return value.get(key)
  return value instanceof RegoSet && value.has(key) ? key : undefined
}

/** A step into base data, where a number also finds the key that reads the same. */
export function lookupBase(value: Value, key: Value): Value | undefined {
  if (typeof key === 'number' && !Array.isArray(value))
    return lookup(value, key) ?? lookup(value, String(key))
  return lookup(value, key)
}

const inherited = [
  Object.prototype,
  Array.prototype,
  RegoObject.prototype,
  RegoSet.prototype,
  Decimal.prototype,
]

/** True for a name that no array, and no prototype, has: then a plain read is a safe read. */
export function isOrdinaryName(name: string): boolean {
  if (name === 'mantissa' || name === 'exponent' || /^\d+$/.test(name)) return false
  return inherited.every((prototype) => !(name in prototype))
}

/** `lookupString` for an ordinary name. */
export function lookupOrdinary(value: Value, name: string): Value | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const found = (value as PlainObject)[name]
  if (found !== undefined) return found
  if (value instanceof RegoObject) return value.get(name)
  return value instanceof RegoSet && value.has(name) ? name : undefined
}
