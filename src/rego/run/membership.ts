/**
 * `x in xs`, for arrays, sets and the values of objects. A large collection that is asked again, such
 * as a list in data, gets an index, so that the second question no longer depends on its size.
 */

import {
  equals,
  isArray,
  isObject,
  objectEntries,
  objectSize,
  RegoSet,
  type ObjectValue,
  type Value,
} from '../values.ts'

const largeEnough = 32

/** Large collections asked once, and the indexes of those asked again; they go with the collection. */
const indexes = new WeakMap<object, RegoSet | 'asked'>()

/** True when the collection holds the value; false for anything that is no collection. */
export function contains(collection: Value, wanted: Value): boolean {
  if (collection instanceof RegoSet) return collection.has(wanted)
  if (isArray(collection)) {
    if (collection.length < largeEnough) return scan(collection, wanted)
    return indexOf(collection, () => collection)?.has(wanted) ?? scan(collection, wanted)
  }
  if (!isObject(collection)) return false
  if (objectSize(collection) < largeEnough) return scan(valuesOf(collection), wanted)
  return (
    indexOf(collection, () => valuesOf(collection))?.has(wanted) ??
    scan(valuesOf(collection), wanted)
  )
}

function valuesOf(object: ObjectValue): readonly Value[] {
  return objectEntries(object).map((entry) => entry.value)
}

function scan(items: readonly Value[], wanted: Value): boolean {
  for (let at = 0; at < items.length; at += 1) if (equals(items[at] as Value, wanted)) return true
  return false
}

/** The index of a collection; undefined the first time it is asked for. */
function indexOf(collection: object, values: () => readonly Value[]): RegoSet | undefined {
  const known = indexes.get(collection)
  if (known === undefined) {
    indexes.set(collection, 'asked')
    return undefined
  }
  if (known !== 'asked') return known
  const index = new RegoSet(values())
  indexes.set(collection, index)
  return index
}
