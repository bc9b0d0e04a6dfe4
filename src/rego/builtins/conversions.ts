/** Type tests, `type_name`, `to_number` and the deprecated casts. */
import { Decimal, isNumber, parseNumber } from '../numbers.ts'
import { isArray, isObject, RegoSet, typeName, type Value } from '../values.ts'
import {
  elementsOf,
  fail,
  failOperand,
  failType,
  type FunctionTable,
  type Implementation,
} from './operand.ts'
import { quoteGo } from './go/quote.ts'

function toNumber(value: Value): Value {
  if (value === null || value === false) return 0
  if (value === true) return 1
  if (isNumber(value)) return value
  if (typeof value === 'string') return numberFromText(value)
  return failType(1, value, 'null', 'boolean', 'number', 'string')
}

const special = /^[+-]*(?:inf|infinity|nan)$/i
const decimal = /^([+-]?)(\d+(?:\.\d*)?|\.\d+)(?:e([+-]?\d+))?$/i

/** What Go's ParseFloat accepts: JSON numbers, and also a plus sign, leading zeros and a bare point. */
function numberFromText(text: string): Value {
  if (special.test(text)) failOperand(1, 'must be valid number string but got string')
  const number = parseNumber(plainText(text) ?? syntaxError(text))
  if (number === undefined || !isFiniteDouble(number)) {
    return fail(`strconv.ParseFloat: parsing ${quoteGo(text)}: value out of range`)
  }
  return number
}

function plainText(text: string): string | undefined {
  const match = decimal.exec(text)
  if (match === null) return undefined
  const [, sign, digits = '', exponent] = match
  const [whole = '', fraction = ''] = digits.split('.')
  const power = exponent === undefined ? '' : `e${exponent}`
  const point = fraction === '' ? '' : `.${fraction}`
  return `${sign === '-' ? '-' : ''}${whole === '' ? '0' : whole}${point}${power}`
}

function isFiniteDouble(number: number | bigint | Decimal): boolean {
  return Number.isFinite(Number(number.toString()))
}

function syntaxError(text: string): never {
  return fail(`strconv.ParseFloat: parsing ${quoteGo(text)}: invalid syntax`)
}

/** A cast that gives back a value of its own type and refuses every other. */
function identity(type: string): Implementation {
  return (_, value) => (typeName(value) === type ? value : failType(1, value, type))
}

/** A test of the type; false where the value has another, never an error. */
function is(type: string): Implementation {
  return (_, value) => typeName(value) === type
}

function toArray(value: Value): readonly Value[] {
  return elementsOf(value) ?? failType(1, value, 'array', 'set')
}

function toSet(value: Value): RegoSet {
  if (value instanceof RegoSet) return value
  return isArray(value) ? new RegoSet(value) : failType(1, value, 'array', 'set')
}

export const conversionFunctions: FunctionTable = {
  is_array: is('array'),
  is_boolean: is('boolean'),
  is_null: is('null'),
  is_number: is('number'),
  is_object: (_, value) => isObject(value),
  is_set: is('set'),
  is_string: is('string'),
  type_name: (_, value) => typeName(value),
  to_number: (_, value) => toNumber(value),
  cast_array: (_, value) => toArray(value),
  cast_boolean: identity('boolean'),
  cast_null: identity('null'),
  cast_object: identity('object'),
  cast_set: (_, value) => toSet(value),
  cast_string: identity('string'),
}
