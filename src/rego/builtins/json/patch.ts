/**
 * JSON Patch (RFC 6902) over Rego values: arrays and objects, and sets, whose members are named by value.
 *
 * Values are never changed in place: each operation copies what lies on its path. A patch that cannot be applied
 * throws {@link PatchError}; the caller makes that an undefined result.
 */
import { toBigInt, parseNumber } from '../../numbers.ts'
import {
  equals,
  isArray,
  isObject,
  objectEntries,
  objectGet,
  objectHas,
  objectSize,
  RegoObject,
  RegoSet,
  type Value,
} from '../../values.ts'
import { pathSegments } from './paths.ts'

/** Why a patch does not apply. Never shown. */
export class PatchError extends Error {}

const operations = ['add', 'remove', 'replace', 'move', 'copy', 'test']

/** `document` with the operations of `patch` made in order; undefined when nothing is left. */
export function applyPatch(
  document: Value,
  patch: readonly Value[],
  spend: (steps: number) => void,
): Value | undefined {
  let current: Value | undefined = document
  for (const operation of patch) current = new Edit(operation, spend).apply(current)
  return current
}

class Edit {
  readonly #operation: string
  readonly #fields: (name: string) => Value
  readonly #spend: (steps: number) => void

  constructor(operation: Value, spend: (steps: number) => void) {
    if (!isObject(operation)) throw new PatchError('operation is not an object')
    this.#spend = spend
    this.#fields = (name) => {
      const value = objectGet(operation, name)
      if (value === undefined) throw new PatchError(`missing '${name}' attribute`)
      return value
    }
    const name = this.#fields('op')
    if (typeof name !== 'string' || !operations.includes(name)) {
      throw new PatchError('unrecognized op')
    }
    this.#operation = name
  }

  apply(document: Value | undefined): Value | undefined {
    const path = pathSegments(this.#fields('path'))
    switch (this.#operation) {
      case 'add':
        return this.#insert(document, path, this.#fields('value'))
      case 'remove':
        return this.#remove(document, path)
      case 'replace': {
        const value = this.#fields('value')
        return this.#insert(this.#remove(document, path), path, value)
      }
      case 'test':
        if (!equals(read(document, path), this.#fields('value')))
          throw new PatchError('test failed')
        return document
      default:
        return this.#copy(document, path)
    }
  }

  #copy(document: Value | undefined, path: readonly Value[]): Value | undefined {
    const from = pathSegments(this.#fields('from'))
    const value = read(document, from)
    const rest = this.#operation === 'move' ? this.#remove(document, from) : document
    return this.#insert(rest, path, value)
  }

  #insert(document: Value | undefined, path: readonly Value[], value: Value): Value {
    if (path.length === 0) return value
    const last = path.at(-1)!
    return this.#change(document, path.slice(0, -1), (parent) => insertChild(parent, last, value))
  }

  #remove(document: Value | undefined, path: readonly Value[]): Value | undefined {
    if (document === undefined) throw new PatchError('nothing to remove')
    if (path.length === 0) return undefined
    const last = path.at(-1)!
    return this.#change(document, path.slice(0, -1), (parent) => removeChild(parent, last))
  }

  /** Replaces what stands at `path`, copying everything on the way there. */
  #change(
    document: Value | undefined,
    path: readonly Value[],
    edit: (value: Value) => Value,
  ): Value {
    if (document === undefined) throw new PatchError('nothing to edit')
    this.#spend(1 + (sizeOf(document) >> 4))
    const [key, ...rest] = path
    if (key === undefined) return edit(document)
    const child = this.#change(childOf(document, key), rest, edit)
    return replaceChild(document, key, child)
  }
}

function sizeOf(value: Value): number {
  if (isArray(value)) return value.length
  if (value instanceof RegoSet) return value.size
  return isObject(value) ? objectSize(value) : 0
}

function read(document: Value | undefined, path: readonly Value[]): Value {
  let current = document
  for (const key of path) current = childOf(current, key)
  if (current === undefined) throw new PatchError('path does not exist')
  return current
}

function childOf(value: Value | undefined, key: Value): Value {
  if (value === undefined) throw new PatchError('path does not exist')
  if (isArray(value)) return value[indexIn(value, key, value.length - 1)]!
  if (value instanceof RegoSet && value.has(key)) return key
  const child = isObject(value) ? objectGet(value, key) : undefined
  if (child === undefined) throw new PatchError('path does not exist')
  return child
}

/** The array index that a path segment names, from 0 to `last`. */
function indexIn(array: readonly Value[], key: Value, last: number): number {
  const index = key === '-' ? BigInt(array.length) : toBigInt(indexNumber(key))
  if (index === undefined || index < 0n || index > BigInt(last)) {
    throw new PatchError('index out of range')
  }
  return Number(index)
}

function indexNumber(key: Value): number | bigint {
  if (typeof key === 'number' || typeof key === 'bigint') return key
  if (typeof key === 'string' && /^(?:0|[1-9]\d*)$/.test(key)) return parseNumber(key) as number
  throw new PatchError('invalid type for indexing')
}

function insertChild(parent: Value, key: Value, value: Value): Value {
  if (isArray(parent)) return parent.toSpliced(indexIn(parent, key, parent.length), 0, value)
  if (parent instanceof RegoSet) {
    if (!equals(key, value)) throw new PatchError('set key does not equal the value')
    const set = new RegoSet(parent.members())
    set.add(value)
    return set
  }
  if (!isObject(parent)) throw new PatchError('expected composite type')
  return withEntry(parent, key, value)
}

function withEntry(object: Value, key: Value, value: Value): RegoObject {
  const copy = new RegoObject()
  for (const entry of objectEntries(object as RegoObject)) copy.set(entry.key, entry.value)
  return copy.set(key, value)
}

function removeChild(parent: Value, key: Value): Value {
  if (isArray(parent)) return parent.toSpliced(indexIn(parent, key, parent.length - 1), 1)
  if (parent instanceof RegoSet && parent.has(key)) return without(parent, key)
  if (!isObject(parent) || !objectHas(parent, key)) throw new PatchError('path does not exist')
  const copy = new RegoObject()
  for (const entry of objectEntries(parent)) {
    if (!equals(entry.key, key)) copy.set(entry.key, entry.value)
  }
  return copy
}

function without(set: RegoSet, member: Value): RegoSet {
  const copy = new RegoSet()
  for (const element of set.members()) if (!equals(element, member)) copy.add(element)
  return copy
}

function replaceChild(parent: Value, key: Value, child: Value): Value {
  if (isArray(parent)) return parent.with(indexIn(parent, key, parent.length - 1), child)
  if (parent instanceof RegoSet) {
    const set = without(parent, key)
    set.add(child)
    return set
  }
  return withEntry(parent, key, child)
}
