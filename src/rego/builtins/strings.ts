/**
 * String functions: search, case, trimming, splitting and joining, counted in code points as OPA counts.
 */
import { isArray, objectEntries, RegoSet, type Value } from '../values.ts'
import type { BuiltinContext } from './builtin.ts'
import { Replacer } from './go/replacer.ts'
import { sprintf } from './go/sprintf.ts'
import { trimCharacters, trimSpace } from './go/trim.ts'
import {
  arrayOperand,
  checkLength,
  elementsOf,
  fail,
  failElement,
  failOperand,
  failType,
  integerOperand,
  numberOperand,
  objectOperand,
  resultLimit,
  stringOperand,
  stringsOperand,
  type FunctionTable,
} from './operand.ts'
import { toBigInt, floor, ceil, compareNumbers } from '../numbers.ts'

// eslint-disable-next-line no-control-regex
const ascii = /^[\x00-\x7f]*$/

function isAscii(text: string): boolean {
  return ascii.test(text)
}

function stringOrStrings(value: Value, position: number): readonly string[] {
  if (typeof value === 'string') return [value]
  if (!isArray(value) && !(value instanceof RegoSet)) {
    failType(position, value, 'string', 'set', 'array')
  }
  return stringsOperand(value, position)
}

function indexOf(base: string, search: string): number {
  if (search === '') fail('empty search character')
  const at = base.indexOf(search)
  return at <= 0 ? at : Array.from(base.slice(0, at)).length
}

function allIndexes(base: string, search: string): number[] {
  if (search === '') fail('empty search character')
  const found: number[] = []
  let position = 0
  let unit = 0
  for (const character of base) {
    if (base.startsWith(search, unit)) found.push(position)
    position++
    unit += character.length
  }
  return found
}

function substring(base: string, offset: number, length: number): string {
  if (offset < 0) fail('negative offset')
  const characters = isAscii(base) ? base : Array.from(base)
  const end = length < 0 ? characters.length : Math.min(characters.length, offset + length)
  const part = characters.slice(offset, Math.max(offset, end))
  return typeof part === 'string' ? part : part.join('')
}

function join(separator: string, value: Value): string {
  const parts = elementsOf(value) ?? failType(2, value, 'set', 'array')
  let length = separator.length * parts.length
  for (const part of parts) {
    if (typeof part !== 'string') failElement(2, value, part, 'string')
    length += part.length
  }
  checkLength(length)
  return (parts as readonly string[]).join(separator)
}

function split(text: string, separator: string): string[] {
  return separator === '' ? Array.from(text) : text.split(separator)
}

/** The first parts, or with a negative limit the last. */
function splitN(text: string, separator: string, limit: number): string[] {
  const parts = split(text, separator)
  if (limit >= 0) return parts.slice(0, limit)
  return parts.slice(limit)
}

function count(text: string, search: string): number {
  if (search === '') return Array.from(text).length + 1
  return text.split(search).length - 1
}

function formatInteger(value: Value, base: Value): string {
  const number = numberOperand(value, 1)
  const radix = numberOperand(base, 2)
  if (radix !== 2 && radix !== 8 && radix !== 10 && radix !== 16) {
    failOperand(2, 'must be one of {2, 8, 10, 16}')
  }
  const whole = compareNumbers(number, 0) < 0 ? ceil(number) : floor(number)
  return toBigInt(whole)!.toString(radix)
}

function replaceMany(context: BuiltinContext, patterns: Value, text: Value): string {
  const pairs: (readonly [string, string])[] = []
  const entries = objectEntries(objectOperand(patterns, 1))
  const source = stringOperand(text, 2)
  for (const { key, value } of entries) {
    if (typeof key !== 'string') failOperand(1, 'non-string key found in pattern object')
    if (typeof value !== 'string') failOperand(1, 'non-string value found in pattern object')
    pairs.push([key, value])
  }
  context.spend(1 + Math.floor((source.length * pairs.length) / comparisonsPerStep))
  return new Replacer(pairs, resultLimit).replace(source) ?? tooLong()
}

/** Comparisons of one character with one pattern that a step of the budget pays for. */
const comparisonsPerStep = 256

function replace(text: string, from: string, to: string): string {
  return new Replacer([[from, to]], resultLimit).replace(text) ?? tooLong()
}

function tooLong(): never {
  return fail(`result is larger than ${resultLimit} characters`)
}

/** Whether any of `texts` starts (or ends) with any of `parts`; sorted texts make it one look-up per part. */
function anyAffix(
  texts: readonly string[],
  parts: readonly string[],
  end: 'start' | 'end',
): boolean {
  if (texts.length * parts.length <= 64) {
    return texts.some((text) =>
      parts.some((part) => (end === 'start' ? text.startsWith(part) : text.endsWith(part))),
    )
  }
  const turned = (text: string): string =>
    end === 'start' ? text : Array.from(text).reverse().join('')
  const sorted = texts.map(turned).sort(byUnits)
  return parts.map(turned).some((part) => {
    let low = 0
    let high = sorted.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (sorted[middle]! < part) low = middle + 1
      else high = middle
    }
    return low < sorted.length && sorted[low]!.startsWith(part)
  })
}

function byUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Go changes case code point by code point, so special casings (`ß`, final sigma) stay single. */
function changeCase(text: string, change: (character: string) => string): string {
  if (isAscii(text)) return change(text)
  let out = ''
  for (const character of text) {
    const changed = change(character)
    out += Array.from(changed).length === 1 ? changed : specialCase(character, changed)
  }
  return out
}

function specialCase(character: string, changed: string): string {
  if (character === 'İ') return 'i'
  return changed.normalize('NFC').length === 1 ? changed.normalize('NFC') : character
}

export const stringFunctions: FunctionTable = {
  concat: (_, separator, parts) => join(stringOperand(separator, 1), parts),
  contains: (_, text, search) => stringOperand(text, 1).includes(stringOperand(search, 2)),
  startswith: (_, text, search) => stringOperand(text, 1).startsWith(stringOperand(search, 2)),
  endswith: (_, text, search) => stringOperand(text, 1).endsWith(stringOperand(search, 2)),
  format_int: (_, value, base) => formatInteger(value, base),
  indexof: (_, base, search) => indexOf(stringOperand(base, 1), stringOperand(search, 2)),
  indexof_n: (_, base, search) => allIndexes(stringOperand(base, 1), stringOperand(search, 2)),
  lower: (_, text) => changeCase(stringOperand(text, 1), (part) => part.toLowerCase()),
  upper: (_, text) => changeCase(stringOperand(text, 1), (part) => part.toUpperCase()),
  replace: (_, text, from, to) =>
    replace(stringOperand(text, 1), stringOperand(from, 2), stringOperand(to, 3)),
  split: (_, text, separator) => split(stringOperand(text, 1), stringOperand(separator, 2)),
  sprintf: (_, format, values) => {
    const text = stringOperand(format, 1)
    return sprintf(text, arrayOperand(values, 2), resultLimit) ?? tooLong()
  },
  substring: (_, base, offset, length) =>
    substring(stringOperand(base, 1), integerOperand(offset, 2), integerOperand(length, 3)),
  trim: (_, text, characters) =>
    trimCharacters(stringOperand(text, 1), stringOperand(characters, 2), 'both'),
  trim_left: (_, text, characters) =>
    trimCharacters(stringOperand(text, 1), stringOperand(characters, 2), 'left'),
  trim_right: (_, text, characters) =>
    trimCharacters(stringOperand(text, 1), stringOperand(characters, 2), 'right'),
  trim_prefix: (_, text, prefix) => {
    const base = stringOperand(text, 1)
    const start = stringOperand(prefix, 2)
    return base.startsWith(start) ? base.slice(start.length) : base
  },
  trim_suffix: (_, text, suffix) => {
    const base = stringOperand(text, 1)
    const end = stringOperand(suffix, 2)
    return base.endsWith(end) ? base.slice(0, base.length - end.length) : base
  },
  trim_space: (_, text) => trimSpace(stringOperand(text, 1)),
  'strings.any_prefix_match': (_, texts, parts) =>
    anyAffix(stringOrStrings(texts, 1), stringOrStrings(parts, 2), 'start'),
  'strings.any_suffix_match': (_, texts, parts) =>
    anyAffix(stringOrStrings(texts, 1), stringOrStrings(parts, 2), 'end'),
  'strings.count': (_, text, search) => count(stringOperand(text, 1), stringOperand(search, 2)),
  'strings.replace_n': (context, patterns, text) => replaceMany(context, patterns, text),
  'strings.reverse': (_, text) => Array.from(stringOperand(text, 1)).reverse().join(''),
  'strings.split_n': (_, text, separator, limit) =>
    splitN(stringOperand(text, 1), stringOperand(separator, 2), integerOperand(limit, 3)),
}
