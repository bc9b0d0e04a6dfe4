/**
 * Arithmetic, bits, rounding, ranges and the comparison operators.
 *
 * Bounds: a shift, a range or a product that would make more than a few million bits or elements ends as an error.
 */
import {
  abs,
  add,
  ceil,
  div,
  floor,
  fromBigInt,
  isInteger,
  isNumber,
  mul,
  rem,
  round,
  sub,
  type RegoNumber,
} from '../numbers.ts'
import { compare, equals, RegoSet, type Value } from '../values.ts'
import type { BuiltinContext } from './builtin.ts'
import {
  bigIntOperand,
  boundedNumber,
  fail,
  failOperand,
  failType,
  numberOperand,
  resultLimit,
  type FunctionTable,
  type Implementation,
} from './operand.ts'
import { difference } from './sets.ts'

const shiftLimit = 1_000_000n
/** How many steps of a range one `spend` pays for. */
const rangeChunk = 1024

type Binary = (left: RegoNumber, right: RegoNumber) => RegoNumber

function arithmetic(operation: Binary): Implementation {
  return (_, left, right) => operation(numberOperand(left, 1), numberOperand(right, 2))
}

function unary(operation: (value: RegoNumber) => RegoNumber): Implementation {
  return (_, value) => operation(numberOperand(value, 1))
}

function divide(left: RegoNumber, right: RegoNumber): RegoNumber {
  if (right === 0) fail('divide by zero')
  return div(left, right)
}

function remainder(left: RegoNumber, right: RegoNumber): RegoNumber {
  if (!isInteger(left) || !isInteger(right)) fail('modulo on floating-point number')
  if (right === 0) fail('modulo by zero')
  return rem(left, right)!
}

function minus(left: Value, right: Value): Value {
  const leftIsNumber = isNumber(left)
  const rightIsNumber = isNumber(right)
  if (leftIsNumber && rightIsNumber) return sub(left, right)
  if (left instanceof RegoSet && right instanceof RegoSet) return difference(left, right)
  if (!leftIsNumber && !(left instanceof RegoSet)) failType(1, left, 'number', 'set')
  return failType(2, right, rightIsNumber ? 'set' : 'number')
}

function bits(operation: (left: bigint, right: bigint) => bigint): Implementation {
  return (_, left, right) => fromBigInt(operation(bigIntOperand(left, 1), bigIntOperand(right, 2)))
}

function shift(direction: 'left' | 'right'): Implementation {
  return (_, value, count) => {
    const bitsOf = bigIntOperand(value, 1)
    const by = bigIntOperand(count, 2)
    if (by < 0n) failOperand(2, 'must be an unsigned integer number but got a negative integer')
    if (direction === 'right')
      return fromBigInt(by > 2n ** 32n ? (bitsOf < 0n ? -1n : 0n) : bitsOf >> by)
    if (by > shiftLimit) fail(`shift count is larger than ${shiftLimit}`)
    return fromBigInt(bitsOf << by)
  }
}

function range(context: BuiltinContext, from: bigint, to: bigint, step: bigint): readonly Value[] {
  const distance = from <= to ? to - from : from - to
  const count = distance / step + 1n
  if (count > BigInt(resultLimit)) fail(`range has more than ${resultLimit} numbers`)
  const by = from <= to ? step : -step
  const out: Value[] = []
  const small = isSafe(from) && isSafe(to) && isSafe(from + by * count)
  let current = from
  let currentNumber = Number(from)
  const byNumber = Number(by)
  for (let index = 0; index < Number(count); index++) {
    if (index % rangeChunk === 0) context.spend(Math.min(rangeChunk, Number(count) - index))
    if (small) {
      out.push(currentNumber)
      currentNumber += byNumber
    } else {
      out.push(fromBigInt(current))
      current += by
    }
  }
  return out
}

function isSafe(value: bigint): boolean {
  return value >= -9007199254740991n && value <= 9007199254740991n
}

function rangeStep(context: BuiltinContext, from: Value, to: Value, step: Value): readonly Value[] {
  const start = bigIntOperand(from, 1)
  const stop = bigIntOperand(to, 2)
  const by = bigIntOperand(step, 3)
  if (by <= 0n) fail('step must be a positive integer')
  return range(context, start, stop, by)
}

function comparison(holds: (order: number) => boolean): Implementation {
  return (_, left, right) => holds(compare(left, right))
}

const isEqual: Implementation = (_, left, right) => equals(left, right)

export const numberFunctions: FunctionTable = {
  abs: unary(abs),
  ceil: unary(ceil),
  floor: unary(floor),
  round: unary(round),
  plus: arithmetic(add),
  mul: arithmetic((left, right) => boundedNumber(mul(left, right))),
  div: arithmetic(divide),
  rem: arithmetic(remainder),
  minus: (_, left, right) => minus(left, right),
  'bits.and': bits((left, right) => left & right),
  'bits.or': bits((left, right) => left | right),
  'bits.xor': bits((left, right) => left ^ right),
  'bits.negate': (_, value) => fromBigInt(~bigIntOperand(value, 1)),
  'bits.lsh': shift('left'),
  'bits.rsh': shift('right'),
  'numbers.range': (context, from, to) =>
    range(context, bigIntOperand(from, 1), bigIntOperand(to, 2), 1n),
  'numbers.range_step': (context, from, to, step) => rangeStep(context, from, to, step),
  eq: isEqual,
  assign: isEqual,
  equal: isEqual,
  neq: (_, left, right) => !equals(left, right),
  lt: comparison((order) => order < 0),
  lte: comparison((order) => order <= 0),
  gt: comparison((order) => order > 0),
  gte: comparison((order) => order >= 0),
}
