/**
 * JSON text as Go's encoding/json reads and writes it, without losing digits of numbers.
 *
 * Reading gives plain objects and arrays with Rego numbers; a repeated key keeps the last value. Writing sorts keys
 * and escapes `<`, `>` and `&`. Errors are worded like Go's.
 */
import { numberToText, parseNumber, type RegoNumber } from '../../numbers.ts'
import { toJson } from '../../value-text.ts'
import { isArray, isObject, objectEntries, type Value } from '../../values.ts'
import { quoteGo } from '../go/quote.ts'

/** Text that is not JSON, in Go's words. */
export class JsonError extends Error {}

const depthLimit = 10_000
/** Numbers that JSON.parse would round or that have another canonical form. */
const delicateNumber = /[0-9.]{16,}|[0-9][eE]|-0/

/** The document in `text`. @throws JsonError */
export function parseJson(text: string): Value {
  if (!delicateNumber.test(text)) {
    try {
      return JSON.parse(text) as Value
    } catch {
      return new Reader(text).document()
    }
  }
  return new Reader(text).document()
}

/** Whether `text` is one JSON document. */
export function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  document(): Value {
    const value = this.#value(0)
    this.#space()
    if (this.#at < this.#text.length) throw this.#unexpected('after top-level value')
    return value
  }

  #space(): void {
    while (' \t\n\r'.includes(this.#text[this.#at] ?? 'x')) this.#at++
  }

  #unexpected(where: string): JsonError {
    if (this.#at >= this.#text.length) return new JsonError('unexpected end of JSON input')
    const character = String.fromCodePoint(this.#text.codePointAt(this.#at)!)
    return new JsonError(`invalid character ${quoteGo(character, "'")} ${where}`)
  }

  #value(depth: number): Value {
    if (depth > depthLimit) throw new JsonError('exceeded max depth')
    this.#space()
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(depth)
      case '[':
        return this.#array(depth)
      case '"':
        return this.#string()
      case 't':
        return this.#word('true', true)
      case 'f':
        return this.#word('false', false)
      case 'n':
        return this.#word('null', null)
      default:
        return this.#number()
    }
  }

  #word(word: string, value: boolean | null): boolean | null {
    for (const letter of word) {
      if (this.#text[this.#at] !== letter) {
        throw this.#unexpected(`in literal ${word} (expecting ${quoteGo(letter, "'")})`)
      }
      this.#at++
    }
    return value
  }

  #number(): Value {
    const pattern = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.#text)
    if (match === null) {
      if (this.#text[this.#at] === '-') {
        this.#at++
        throw this.#unexpected('in numeric literal')
      }
      throw this.#unexpected('looking for beginning of value')
    }
    this.#at = pattern.lastIndex
    const number = parseNumber(match[0])
    if (number === undefined) throw new JsonError('number too big')
    return number
  }

  #string(): string {
    const start = this.#at
    for (this.#at++; this.#at < this.#text.length; this.#at++) {
      const character = this.#text[this.#at]!
      if (character === '"') {
        this.#at++
        return this.#unescaped(start)
      }
      if (character === '\\') this.#at++
      else if (character < ' ') throw this.#unexpected('in string literal')
    }
    throw this.#unexpected('')
  }

  #unescaped(start: number): string {
    try {
      return JSON.parse(this.#text.slice(start, this.#at)) as string
    } catch {
      throw new JsonError('invalid character in string escape code')
    }
  }

  #array(depth: number): Value {
    const elements: Value[] = []
    this.#at++
    this.#space()
    if (this.#text[this.#at] === ']') {
      this.#at++
      return elements
    }
    for (;;) {
      elements.push(this.#value(depth + 1))
      this.#space()
      const next = this.#text[this.#at]
      if (next !== ',' && next !== ']') throw this.#unexpected('after array element')
      this.#at++
      if (next === ']') return elements
    }
  }

  #object(depth: number): Value {
    const members: Record<string, Value> = {}
    this.#at++
    this.#space()
    if (this.#text[this.#at] === '}') {
      this.#at++
      return members
    }
    for (;;) {
      this.#space()
      if (this.#text[this.#at] !== '"') {
        throw this.#unexpected('looking for beginning of object key string')
      }
      const key = this.#string()
      this.#space()
      if (this.#text[this.#at] !== ':') throw this.#unexpected('after object key')
      this.#at++
      const value = this.#value(depth + 1)
      Object.defineProperty(members, key, {
        value,
        enumerable: true,
        configurable: true,
        writable: true,
      })
      this.#space()
      const next = this.#text[this.#at]
      if (next !== ',' && next !== '}') throw this.#unexpected('after object key:value pair')
      this.#at++
      if (next === '}') return members
    }
  }
}

/** How {@link writeJson} lays out what it writes. */
export interface Layout {
  /** Put before every line after the first. */
  readonly prefix: string
  /** Put once per level of nesting. */
  readonly indent: string
}

/** The value as JSON text: compact, or on many lines when a layout is given. */
export function writeJson(value: Value, layout?: Layout): string {
  return write(toJson(value), layout, layout === undefined ? '' : `\n${layout.prefix}`)
}

function write(value: Value, layout: Layout | undefined, newLine: string): string {
  if (typeof value === 'string') return jsonString(value)
  if (value === null || typeof value === 'boolean') return String(value)
  const inner = layout === undefined ? '' : newLine + layout.indent
  if (isArray(value)) {
    return enclose(
      '[',
      value.map((element) => write(element, layout, inner)),
      ']',
      newLine,
      inner,
    )
  }
  if (!isObject(value)) return numberToText(value as RegoNumber)
  const colon = layout === undefined ? ':' : ': '
  const members = objectEntries(value).map(
    (entry) => jsonString(entry.key as string) + colon + write(entry.value, layout, inner),
  )
  return enclose('{', members, '}', newLine, inner)
}

function enclose(
  open: string,
  parts: readonly string[],
  close: string,
  outer: string,
  inner: string,
): string {
  if (parts.length === 0) return open + close
  return open + inner + parts.join(`,${inner}`) + outer + close
}

const escapes: Readonly<Record<string, string>> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
}

function jsonString(text: string): string {
  return JSON.stringify(text.toWellFormed()).replace(
    /[<>&\u2028\u2029]/g,
    (character) => escapes[character]!,
  )
}
