/**
 * Rego values: what they are, how they compare, and how sets and objects are read and built.
 *
 * null, booleans, strings, arrays and plain objects are JavaScript's own, so that an input document
 * is read in place; sets, and objects the engine makes, are the two classes below. `undefined` is
 * never a value. Text forms are in `value-text.ts`. Nothing here copies or freezes a document: a
 * caller that changes one while it is being read gets what it asked for.
 */

import { compareNumbers, Decimal, numberToText, type RegoNumber } from './numbers.ts'

export type Scalar = null | boolean | string | RegoNumber
export type PlainObject = { readonly [key: string]: Value }
export type Value = Scalar | readonly Value[] | PlainObject | RegoObject | RegoSet
export type ObjectValue = PlainObject | RegoObject
export type TypeName = 'null' | 'boolean' | 'number' | 'string' | 'array' | 'object' | 'set'

/** What a Map may use to tell Rego values apart; see `keyOf`. */
export type Key = null | boolean | string | number | bigint

export interface Entry {
  readonly key: Value
  readonly value: Value
}

/** A set of values; iteration is in Rego's order. `add` is for the one who builds it. */
export class RegoSet {
  readonly #members = new Map<Key, Value>()
  #sorted: readonly Value[] | undefined
  #text: string | undefined

  constructor(members?: Iterable<Value>) {
    if (members !== undefined) for (const member of members) this.add(member)
  }

  get size(): number {
    return this.#members.size
  }

  /** Adds a member; true when it was not there yet. */
  add(member: Value): boolean {
    const key = keyOf(member)
    if (this.#members.has(key)) return false
    this.#members.set(key, member)
    this.#sorted = undefined
    this.#text = undefined
    return true
  }

  has(member: Value): boolean {
    return this.#members.has(keyOf(member))
  }

  /** The members in Rego's order; the array is shared and must not be changed. */
  sorted(): readonly Value[] {
    this.#sorted ??= [...this.#members.values()].sort(compare)
    return this.#sorted
  }

  /** The members in the order they were added, where order does not matter. */
  members(): Iterable<Value> {
    return this.#members.values()
  }

  /** A text that equal sets share and different sets do not. */
  canonical(): string {
    this.#text ??= `<${this.sorted().map(canonicalText).join(',')}>`
    return this.#text
  }

  [Symbol.iterator](): Iterator<Value> {
    return this.sorted()[Symbol.iterator]()
  }
}

/** An object with any values as keys; iteration is in Rego's order of keys. */
export class RegoObject {
  readonly #entries = new Map<Key, Entry>()
  #sorted: readonly Entry[] | undefined
  #text: string | undefined

  constructor(entries?: Iterable<readonly [Value, Value]>) {
    if (entries !== undefined) for (const [key, value] of entries) this.set(key, value)
  }

  get size(): number {
    return this.#entries.size
  }

  /** Sets a key while building; an earlier value of the key is replaced. */
  set(key: Value, value: Value): this {
    this.#entries.set(keyOf(key), { key, value })
    this.#sorted = undefined
    this.#text = undefined
    return this
  }

  get(key: Value): Value | undefined {
    return this.#entries.get(keyOf(key))?.value
  }

  has(key: Value): boolean {
    return this.#entries.has(keyOf(key))
  }

  /** The entries in Rego's order of keys; the array is shared and must not be changed. */
  sorted(): readonly Entry[] {
    this.#sorted ??= [...this.#entries.values()].sort((a, b) => compare(a.key, b.key))
    return this.#sorted
  }

  /** A text that equal objects share and different objects do not. */
  canonical(): string {
    this.#text ??= `{${this.sorted().map(canonicalEntry).join(',')}}`
    return this.#text
  }
}

/** The Map key that stands for a value: scalars for themselves, composites by canonical text. */
export function keyOf(value: Value): Key {
  if (typeof value === 'string') return value.charCodeAt(0) === 0 ? `\0s${value}` : value
  if (value === null || typeof value !== 'object') return value
  return `\0${canonicalText(value)}`
}

function canonicalText(value: Value): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value !== 'object' || value instanceof Decimal) return numberToText(value)
  if (value instanceof RegoSet || value instanceof RegoObject) return value.canonical()
  if (isArray(value)) return `[${value.map(canonicalText).join(',')}]`
  return `{${objectEntries(value).map(canonicalEntry).join(',')}}`
}

function canonicalEntry(entry: Entry): string {
  return `${canonicalText(entry.key)}:${canonicalText(entry.value)}`
}

export function isArray(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value)
}

/** True for both kinds of object; false for arrays, sets, null and numbers. */
export function isObject(value: Value | undefined): value is ObjectValue {
  if (typeof value !== 'object' || value === null) return false
  return !(Array.isArray(value) || value instanceof RegoSet || value instanceof Decimal)
}

export function isSet(value: Value | undefined): value is RegoSet {
  return value instanceof RegoSet
}

export function typeName(value: Value): TypeName {
  if (value === null) return 'null'
  switch (typeof value) {
    case 'string':
      return 'string'
    case 'boolean':
      return 'boolean'
    case 'number':
    case 'bigint':
      return 'number'
    default:
      if (Array.isArray(value)) return 'array'
      if (value instanceof RegoSet) return 'set'
      return value instanceof Decimal ? 'number' : 'object'
  }
}

const typeOrder: Readonly<Record<TypeName, number>> = {
  null: 0,
  boolean: 1,
  number: 2,
  string: 3,
  array: 4,
  object: 5,
  set: 6,
}

/** Rego's total order over all values: negative, zero or positive. */
export function compare(a: Value, b: Value): number {
  if (a === b) return 0
  const type = typeName(a)
  const byType = typeOrder[type] - typeOrder[typeName(b)]
  if (byType !== 0) return byType
  switch (type) {
    case 'null':
      return 0
    case 'boolean':
      return a === false ? -1 : 1
    case 'number':
      return compareNumbers(a as RegoNumber, b as RegoNumber)
    case 'string':
      return compareStrings(a as string, b as string)
    case 'array':
      return compareLists(a as readonly Value[], b as readonly Value[])
    case 'set':
      return compareLists((a as RegoSet).sorted(), (b as RegoSet).sorted())
    case 'object':
      return compareObjects(a as ObjectValue, b as ObjectValue)
  }
}

/** Order by code point, which is the order of UTF-8 bytes and not that of UTF-16 units. */
export function compareStrings(a: string, b: string): number {
  if (a === b) return 0
  const length = Math.min(a.length, b.length)
  for (let index = 0; index < length; index += 1) {
    const left = a.charCodeAt(index)
    const right = b.charCodeAt(index)
    if (left === right) continue
    return unitRank(left) - unitRank(right)
  }
  return a.length - b.length
}

/** Surrogates stand for code points above every other unit. */
function unitRank(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x10000 : unit
}

function compareLists(a: readonly Value[], b: readonly Value[]): number {
  const length = Math.min(a.length, b.length)
  for (let index = 0; index < length; index += 1) {
    const order = compare(a[index] as Value, b[index] as Value)
    if (order !== 0) return order
  }
  return a.length - b.length
}

function compareObjects(a: ObjectValue, b: ObjectValue): number {
  const left = objectEntries(a)
  const right = objectEntries(b)
  const length = Math.min(left.length, right.length)
  for (let index = 0; index < length; index += 1) {
    const x = left[index] as Entry
    const y = right[index] as Entry
    const order = compare(x.key, y.key) || compare(x.value, y.value)
    if (order !== 0) return order
  }
  return left.length - right.length
}

/** True when two values are the same Rego value; cheaper than `compare` for unlike values. */
export function equals(a: Value, b: Value): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false
    for (let index = 0; index < a.length; index += 1) if (!equals(a[index], b[index])) return false
    return true
  }
  if (a instanceof RegoSet) {
    return b instanceof RegoSet && a.size === b.size && a.canonical() === b.canonical()
  }
  return compare(a, b) === 0
}

/** The value at a key, or undefined; never reads what an object inherits. */
export function objectGet(object: ObjectValue, key: Value): Value | undefined {
  if (object instanceof RegoObject) return object.get(key)
  return typeof key === 'string' && Object.hasOwn(object, key) ? object[key] : undefined
}

export function objectHas(object: ObjectValue, key: Value): boolean {
  if (object instanceof RegoObject) return object.has(key)
  return typeof key === 'string' && Object.hasOwn(object, key)
}

export function objectSize(object: ObjectValue): number {
  return object instanceof RegoObject ? object.size : Object.keys(object).length
}

/** The keys in Rego's order. */
export function objectKeys(object: ObjectValue): readonly Value[] {
  return object instanceof RegoObject
    ? object.sorted().map((entry) => entry.key)
    : sortedKeys(object)
}

/** The entries in Rego's order of keys. */
export function objectEntries(object: ObjectValue): readonly Entry[] {
  if (object instanceof RegoObject) return object.sorted()
  return sortedKeys(object).map((key) => ({ key, value: object[key] as Value }))
}

function sortedKeys(object: PlainObject): string[] {
  const keys = Object.keys(object)
  for (let index = 1; index < keys.length; index += 1) {
    if (compareStrings(keys[index - 1] as string, keys[index] as string) > 0) {
      return keys.sort(compareStrings)
    }
  }
  return keys
}

/** An object from key and value pairs; a later pair replaces an earlier one of the same key. */
export function makeObject(entries: Iterable<readonly [Value, Value]>): RegoObject {
  return new RegoObject(entries)
}
