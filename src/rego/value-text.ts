/**
 * Values as text and as JSON: the way OPA prints a term (`toTerm`), and the way a result leaves the
 * engine (`toJson`, `toJsonText`). Reading JSON back is `fromJson`. No cycle detection: a Rego value
 * cannot hold itself.
 */

import { Decimal, fromDouble, numberToText } from './numbers.ts'
import {
  isArray,
  objectEntries,
  RegoObject,
  RegoSet,
  type ObjectValue,
  type PlainObject,
  type Value,
} from './values.ts'

/** The value as Rego text: sets in braces, strings quoted as Go quotes them. */
export function toTerm(value: Value): string {
  if (typeof value === 'string') return quote(value)
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value !== 'object' || value instanceof Decimal) return numberToText(value)
  if (isArray(value)) return `[${value.map(toTerm).join(', ')}]`
  if (value instanceof RegoSet) {
    return value.size === 0 ? 'set()' : `{${value.sorted().map(toTerm).join(', ')}}`
  }
  const entries = objectEntries(value)
  return `{${entries.map((entry) => `${toTerm(entry.key)}: ${toTerm(entry.value)}`).join(', ')}}`
}

const shortEscapes: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
}

/** A string in double quotes, as Go's strconv.Quote writes it. */
export function quote(text: string): string {
  const escaped = text.replace(
    /[\\"]|[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu,
    (character) => shortEscapes[character] ?? escapeCodePoint(character.codePointAt(0) ?? 0),
  )
  return `"${escaped}"`
}

function escapeCodePoint(point: number): string {
  if (point < 0x80) return `\\x${point.toString(16).padStart(2, '0')}`
  if (point < 0x10000) return `\\u${point.toString(16).padStart(4, '0')}`
  return `\\U${point.toString(16).padStart(8, '0')}`
}

/**
 * The value as a JSON document: sets become arrays in order, and keys that are not strings become
 * their JSON text. Integers beyond the safe range stay bigint and wide decimals stay `Decimal`.
 */
export function toJson(value: Value): Value {
  if (typeof value !== 'object' || value === null || value instanceof Decimal) return value
  if (isArray(value)) return value.map(toJson)
  if (value instanceof RegoSet) return value.sorted().map(toJson)
  const result: Record<string, Value> = {}
  for (const { key, value: member } of objectEntries(value)) {
    setOwn(result, typeof key === 'string' ? key : toJsonText(key), toJson(member))
  }
  return result
}

/** JSON text without spaces, object keys in Rego's order, numbers with all their digits. */
export function toJsonText(value: Value): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value !== 'object' || value instanceof Decimal) return numberToText(value)
  if (isArray(value)) return `[${value.map(toJsonText).join(',')}]`
  if (value instanceof RegoSet) return `[${value.sorted().map(toJsonText).join(',')}]`
  const members = objectEntries(toJson(value) as ObjectValue)
  return `{${members.map((entry) => `${JSON.stringify(entry.key)}:${toJsonText(entry.value)}`).join(',')}}`
}

/** A document from JSON.parse (or a YAML reader) as a Rego value; large doubles become exact. */
export function fromJson(document: unknown): Value {
  if (document === null || document === undefined) return null
  if (typeof document === 'number') return fromDouble(document)
  if (typeof document !== 'object' || document instanceof Decimal) return document as Value
  if (document instanceof RegoSet || document instanceof RegoObject) return document
  if (Array.isArray(document)) return document.map(fromJson)
  const result: Record<string, Value> = {}
  for (const [key, value] of Object.entries(document)) setOwn(result, key, fromJson(value))
  return result
}

/** Assigns a key as the object's own, `__proto__` included. */
function setOwn(target: Record<string, Value>, key: string, value: Value): PlainObject {
  if (key !== '__proto__') target[key] = value
  else
    Object.defineProperty(target, key, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    })
  return target
}
