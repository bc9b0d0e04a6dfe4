/** The functions that Go's templates have: comparison, logic, lengths, indexes, printing and quoting. */
import { isNumber } from '../../numbers.ts'
import {
  compare,
  equals,
  isArray,
  isObject,
  objectGet,
  objectSize,
  typeName,
  type Value,
} from '../../values.ts'
import { escapeUrl } from '../go/url.ts'
import { sprintf } from '../go/sprintf.ts'
import { resultLimit } from '../operand.ts'
import { printed } from './render.ts'
import { TemplateError } from './tree.ts'

type Lazy = () => Value | undefined

/** Go's truth of a value: not zero and not empty. */
export function isTruthy(value: Value | undefined): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === '')
    return false
  if (isArray(value)) return value.length > 0
  return !isObject(value) || objectSize(value) > 0
}

/** @throws TemplateError */
export function callFunction(name: string, operands: readonly Lazy[]): Value | undefined {
  if (name === 'and' || name === 'or') return logic(name, operands)
  const implementation = functions.get(name)
  if (implementation === undefined)
    throw new TemplateError(`template: template:1: function "${name}" not defined`)
  return implementation(operands.map((operand) => operand()))
}

/** `and` and `or` give back the operand that decides, and look no further. */
function logic(name: 'and' | 'or', operands: readonly Lazy[]): Value | undefined {
  let value: Value | undefined
  for (const operand of operands) {
    value = operand()
    if (isTruthy(value) === (name === 'or')) return value
  }
  return value
}

type Implementation = (operands: readonly (Value | undefined)[]) => Value | undefined

function ordered(holds: (order: number) => boolean): Implementation {
  return ([left, right]) => {
    if (left === undefined || right === undefined || typeName(left) !== typeName(right)) {
      throw new TemplateError('template: incompatible types for comparison')
    }
    return holds(compare(left, right))
  }
}

function isEqual(left: Value | undefined, right: Value | undefined): boolean {
  return left === undefined || right === undefined ? left === right : equals(left, right)
}

function length([value]: readonly (Value | undefined)[]): Value {
  if (typeof value === 'string') return Buffer.byteLength(value)
  if (isArray(value)) return value.length
  if (isObject(value)) return objectSize(value)
  throw new TemplateError('template: error calling len: len of wrong type')
}

function index([value, ...keys]: readonly (Value | undefined)[]): Value | undefined {
  let current = value
  for (const key of keys) {
    if (isObject(current) && key !== undefined) current = objectGet(current, key)
    else if (isArray(current) && typeof key === 'number' && key in current) current = current[key]
    else throw new TemplateError('template: error calling index: index out of range')
  }
  return current
}

function slice([value, from = 0, to]: readonly (Value | undefined)[]): Value {
  if ((typeof value !== 'string' && !isArray(value)) || typeof from !== 'number') {
    throw new TemplateError('template: error calling slice: cannot slice')
  }
  const end = typeof to === 'number' ? to : value.length
  if (from < 0 || end > value.length || from > end) {
    throw new TemplateError('template: error calling slice: index out of range')
  }
  return value.slice(from, end)
}

function print(operands: readonly (Value | undefined)[], separator: string): string {
  return operands.map((operand) => printed(operand)).join(separator)
}

function format([layout, ...values]: readonly (Value | undefined)[]): string {
  if (typeof layout !== 'string')
    throw new TemplateError('template: error calling printf: format is no string')
  const text = sprintf(
    layout,
    values.map((value) => (isScalar(value) ? value! : printed(value))),
    resultLimit,
  )
  if (text === undefined) throw new TemplateError('template: the text is too long')
  return text
}

function isScalar(value: Value | undefined): boolean {
  return typeof value === 'string' || isNumber(value)
}

const htmlEscapes: Readonly<Record<string, string>> = {
  '"': '&#34;',
  "'": '&#39;',
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '\0': '\ufffd',
}

function escapeJs(text: string): string {
  return text.replace(/[\\'"<>&=\x00-\x1f]/g, (character) => {
    if (character === '\\' || character === "'" || character === '"') return `\\${character}`
    return `\\u${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`
  })
}

const functions = new Map<string, Implementation>([
  ['not', ([value]) => !isTruthy(value)],
  ['eq', ([first, ...rest]) => rest.some((value) => isEqual(first, value))],
  ['ne', ([left, right]) => !isEqual(left, right)],
  ['lt', ordered((order) => order < 0)],
  ['le', ordered((order) => order <= 0)],
  ['gt', ordered((order) => order > 0)],
  ['ge', ordered((order) => order >= 0)],
  ['len', length],
  ['index', index],
  ['slice', slice],
  ['print', (operands) => print(operands, '')],
  ['println', (operands) => `${print(operands, ' ')}\n`],
  ['printf', format],
  [
    'html',
    (operands) => print(operands, '').replace(/["'&<>\0]/g, (character) => htmlEscapes[character]!),
  ],
  ['js', (operands) => escapeJs(print(operands, ''))],
  ['urlquery', (operands) => escapeUrl(print(operands, ''), 'query')],
])
