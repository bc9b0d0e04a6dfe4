/**
 * What every built-in does first: check an operand's type and say, in OPA's words, what is wrong with it.
 *
 * Messages leave here without the name of the function; the registry puts it in front.
 */
import { BuiltinError, type BuiltinContext } from './builtin.ts'
import { isInteger, isNumber, toBigInt, type RegoNumber } from '../numbers.ts'
import { isArray, isObject, RegoSet, typeName, type ObjectValue, type Value } from '../values.ts'

/** The code of one built-in; operands are defined but of any type. */
export type Implementation = (context: BuiltinContext, ...operands: Value[]) => Value | undefined

/** Built-ins of one category, by name. */
export type FunctionTable = Readonly<Record<string, Implementation>>

/** Ends the call with `eval_builtin_error`. */
export function fail(message: string): never {
  throw new BuiltinError('eval_builtin_error', message)
}

/** Ends the call with `eval_type_error` about the operand at `position`, counted from one. */
export function failOperand(position: number, message: string): never {
  throw new BuiltinError('eval_type_error', `operand ${position} ${message}`)
}

/** Ends the call because an operand has none of the `expected` types. */
export function failType(position: number, got: Value, ...expected: string[]): never {
  const wanted = expected.length === 1 ? expected[0] : `one of {${expected.join(', ')}}`
  failOperand(position, `must be ${wanted} but got ${typeName(got)}`)
}

/** Ends the call because a collection holds an element that is none of the `expected` types. */
export function failElement(
  position: number,
  composite: Value,
  got: Value,
  ...expected: string[]
): never {
  const type = typeName(composite)
  const wanted = expected.length === 1 ? `${expected[0]}s` : `(any of) {${expected.join(', ')}}`
  failOperand(position, `must be ${type} of ${wanted} but got ${type} containing ${typeName(got)}`)
}

export function stringOperand(value: Value, position: number): string {
  return typeof value === 'string' ? value : failType(position, value, 'string')
}

export function numberOperand(value: Value, position: number): RegoNumber {
  return isNumber(value) ? value : failType(position, value, 'number')
}

export function objectOperand(value: Value, position: number): ObjectValue {
  return isObject(value) ? value : failType(position, value, 'object')
}

export function arrayOperand(value: Value, position: number): readonly Value[] {
  return isArray(value) ? value : failType(position, value, 'array')
}

export function setOperand(value: Value, position: number): RegoSet {
  return value instanceof RegoSet ? value : failType(position, value, 'set')
}

const int64Min = -(2n ** 63n)
const int64Max = 2n ** 63n - 1n
const notAnInteger = 'must be integer number but got floating-point number'

/** An integer that fits 64 bits, as a double: exact in the safe range, which is all that sizes and indexes need. */
export function integerOperand(value: Value, position: number): number {
  return Number(int64Operand(value, position))
}

/** An integer that fits 64 bits, exactly. */
export function int64Operand(value: Value, position: number): bigint {
  const integer = toBigInt(numberOperand(value, position))
  if (integer === undefined || integer < int64Min || integer > int64Max) {
    failOperand(position, notAnInteger)
  }
  return integer
}

/** An integer of any size. */
export function bigIntOperand(value: Value, position: number): bigint {
  if (!isNumber(value)) failType(position, value, 'integer')
  if (!isInteger(value)) failOperand(position, notAnInteger)
  return toBigInt(value)!
}

/** The elements of an array, or of a set in order; undefined for anything else. */
export function elementsOf(value: Value): readonly Value[] | undefined {
  if (isArray(value)) return value
  return value instanceof RegoSet ? value.sorted() : undefined
}

/** The strings of an array or set. */
export function stringsOperand(value: Value, position: number): readonly string[] {
  const elements = elementsOf(value) ?? failType(position, value, 'array', 'set')
  for (const element of elements) {
    if (typeof element !== 'string') failElement(position, value, element, 'string')
  }
  return elements as readonly string[]
}

/** No result of a built-in is longer, in characters or elements. */
export const resultLimit = 10_000_000

/** Ends the call when it would make a text of more than {@link resultLimit} characters. */
export function checkLength(length: number): void {
  if (length > resultLimit) fail(`result is larger than ${resultLimit} characters`)
}

/** Arithmetic on integers beyond this size costs time that no policy has. */
const integerBits = 1_000_000

/** The number, unless it is an integer of more than a million bits. */
export function boundedNumber(number: RegoNumber): RegoNumber {
  if (typeof number === 'bigint' && BigInt.asIntN(integerBits, number) !== number) {
    fail(`result has more than ${integerBits} bits`)
  }
  return number
}
