/**
 * Rego numbers: exact integers of any size, and decimals computed as OPA does (a 64-bit mantissa,
 * rounded to nearest even, written back as the shortest decimal that reads the same).
 *
 * A number is held in one canonical form: a JavaScript number when it is a safe integer or when the
 * shortest text of the double is the value; a bigint for other integers; a Decimal for the rest.
 * Input documents are read in place, so large doubles that stand for integers are accepted too.
 * Division by zero is not checked here: the built-in that divides says so.
 */

import { roundToMantissa, shortestDecimal } from './soft-float.ts'

export type RegoNumber = number | bigint | Decimal

/** A non-integer value `mantissa × 10^exponent` that no double's shortest text can say. */
export class Decimal {
  readonly mantissa: bigint
  readonly exponent: number

  constructor(mantissa: bigint, exponent: number) {
    this.mantissa = mantissa
    this.exponent = exponent
  }

  toString(): string {
    return decimalText(this.mantissa, this.exponent)
  }

  /** JSON has no wider number; a reader that needs all digits uses `numberToText`. */
  toJSON(): number {
    return Number(this.toString())
  }
}

/** The pair `mantissa × 10^exponent`, exactly. */
export interface Scaled {
  readonly mantissa: bigint
  readonly exponent: number
}

const numberPattern = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/
const maxExponent = 100_000

/** Reads JSON number text; undefined when the text is no number or its exponent is out of range. */
export function parseNumber(text: string): RegoNumber | undefined {
  if (text.length <= 15 && /^(?:0|-?[1-9]\d*)$/.test(text)) return Number(text)
  const match = numberPattern.exec(text)
  if (match === null) return undefined
  const [, sign, whole, fraction = '', power = '0'] = match
  const exponent = Number(power)
  if (Math.abs(exponent) > maxExponent) return undefined
  const mantissa = BigInt(`${whole}${fraction}`)
  return fromScaled(sign === '-' ? -mantissa : mantissa, exponent - fraction.length)
}

/** The canonical form of `mantissa × 10^exponent`. */
export function fromScaled(mantissa: bigint, exponent: number): RegoNumber {
  if (mantissa === 0n) return 0
  if (exponent >= 0) return fromBigInt(mantissa * 10n ** BigInt(exponent))
  let digits = mantissa
  let power = exponent
  while (power < 0 && digits % 10n === 0n) {
    digits /= 10n
    power += 1
  }
  if (power === 0) return fromBigInt(digits)
  const text = `${digits}e${power}`
  const double = Number(text)
  if (Number.isFinite(double) && double !== 0) {
    const back = scaled(double)
    if (back.mantissa === digits && back.exponent === power) return double
  }
  return new Decimal(digits, power)
}

/** The canonical form of an integer. */
export function fromBigInt(value: bigint): number | bigint {
  return value >= -9007199254740991n && value <= 9007199254740991n ? Number(value) : value
}

/** The canonical form of a double as Go would read its shortest text. */
export function fromDouble(value: number): RegoNumber {
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) return BigInt(value)
  return value === 0 ? 0 : value
}

/** Any number as mantissa and power of ten, without trailing zeros in a fraction. */
export function scaled(value: RegoNumber): Scaled {
  if (typeof value === 'bigint') return { mantissa: value, exponent: 0 }
  if (value instanceof Decimal) return value
  if (Number.isInteger(value)) return { mantissa: BigInt(value), exponent: 0 }
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(value))
  if (match === null) return { mantissa: 0n, exponent: 0 }
  const [, sign, whole, fraction = '', power = '0'] = match
  const mantissa = BigInt(`${sign}${whole}${fraction}`)
  return { mantissa, exponent: Number(power) - fraction.length }
}

export function isNumber(value: unknown): value is RegoNumber {
  return typeof value === 'number' || typeof value === 'bigint' || value instanceof Decimal
}

export function isInteger(value: RegoNumber): boolean {
  return typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value))
}

/** The integer as a bigint; undefined for a number with a fraction. */
export function toBigInt(value: RegoNumber): bigint | undefined {
  if (typeof value === 'bigint') return value
  return typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : undefined
}

/** The nearest double. */
export function toDouble(value: RegoNumber): number {
  return typeof value === 'number' ? value : Number(value.toString())
}

/** Negative, zero or positive as a is below, equal to or above b. */
export function compareNumbers(a: RegoNumber, b: RegoNumber): number {
  if (!(a instanceof Decimal) && !(b instanceof Decimal)) return a < b ? -1 : a > b ? 1 : 0
  const left = scaled(a)
  const right = scaled(b)
  const power = Math.min(left.exponent, right.exponent)
  const x = left.mantissa * 10n ** BigInt(left.exponent - power)
  const y = right.mantissa * 10n ** BigInt(right.exponent - power)
  return x < y ? -1 : x > y ? 1 : 0
}

/** Number text: integers in full, decimals shortest. */
export function numberToText(value: RegoNumber): string {
  if (typeof value !== 'number') return value.toString()
  if (Number.isInteger(value))
    return Number.isSafeInteger(value) ? String(value) : BigInt(value).toString()
  const text = String(value)
  const at = text.indexOf('e')
  if (at < 0) return text
  const power = text.slice(at + 2)
  return `${text.slice(0, at + 2)}${power.length < 2 ? `0${power}` : power}`
}

export function add(a: RegoNumber, b: RegoNumber): RegoNumber {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b
    if (Number.isSafeInteger(sum) && Number.isInteger(a) && Number.isInteger(b)) return sum
  }
  const x = toBigInt(a)
  const y = toBigInt(b)
  if (x !== undefined && y !== undefined) return fromBigInt(x + y)
  return rounded(a, b, (left, right) => exactSum(left, right))
}

export function sub(a: RegoNumber, b: RegoNumber): RegoNumber {
  return add(a, negate(b))
}

export function mul(a: RegoNumber, b: RegoNumber): RegoNumber {
  if (typeof a === 'number' && typeof b === 'number') {
    const product = a * b
    if (Number.isSafeInteger(product) && Number.isInteger(a) && Number.isInteger(b))
      return product === 0 ? 0 : product
  }
  const x = toBigInt(a)
  const y = toBigInt(b)
  if (x !== undefined && y !== undefined) return fromBigInt(x * y)
  return rounded(a, b, (left, right) => ({
    numerator: left.numerator * right.numerator,
    denominator: left.denominator * right.denominator,
  }))
}

/** Quotient with a 64-bit mantissa; the caller has checked that b is not zero. */
export function div(a: RegoNumber, b: RegoNumber): RegoNumber {
  if (
    typeof a === 'number' &&
    typeof b === 'number' &&
    Number.isInteger(a) &&
    Number.isInteger(b)
  ) {
    if (a % b === 0) return a / b === 0 ? 0 : a / b
    if (isShort(a) && powersOfTen.has(b)) return a / b
  }
  if (typeof a === 'bigint' && typeof b === 'number' && b % 1e6 === 0 && a % 1000000n === 0n) {
    return div(fromBigInt(a / 1000000n), b / 1e6)
  }
  return rounded(a, b, (left, right) => ({
    numerator: left.numerator * right.denominator,
    denominator: left.denominator * right.numerator,
  }))
}

/** Up to fifteen digits, which every double keeps: a quotient by a power of ten is exact then. */
function isShort(value: number): boolean {
  return Math.abs(value) < 1e15
}

const powersOfTen: ReadonlySet<number> = new Set(
  Array.from({ length: 16 }, (_, power) => 10 ** power),
)

/** Remainder with the sign of the dividend; undefined unless both are integers. */
export function rem(a: RegoNumber, b: RegoNumber): RegoNumber | undefined {
  const x = toBigInt(a)
  const y = toBigInt(b)
  return x === undefined || y === undefined ? undefined : fromBigInt(x % y)
}

export function negate(value: RegoNumber): RegoNumber {
  if (typeof value === 'number') return value === 0 ? 0 : -value
  return typeof value === 'bigint'
    ? fromBigInt(-value)
    : new Decimal(-value.mantissa, value.exponent)
}

export function abs(value: RegoNumber): RegoNumber {
  return compareNumbers(value, 0) < 0 ? negate(value) : value
}

/** Nearest integer, halves away from zero. */
export function round(value: RegoNumber): RegoNumber {
  const { mantissa, exponent } = scaled(value)
  if (exponent >= 0) return value
  const unit = 10n ** BigInt(-exponent)
  const size = mantissa < 0n ? -mantissa : mantissa
  const whole = (2n * size + unit) / (2n * unit)
  return fromBigInt(mantissa < 0n ? -whole : whole)
}

export function floor(value: RegoNumber): RegoNumber {
  const { mantissa, exponent } = scaled(value)
  if (exponent >= 0) return value
  const unit = 10n ** BigInt(-exponent)
  const whole = mantissa / unit
  return fromBigInt(mantissa < 0n && mantissa % unit !== 0n ? whole - 1n : whole)
}

export function ceil(value: RegoNumber): RegoNumber {
  return negate(floor(negate(value)))
}

interface Fraction {
  readonly numerator: bigint
  readonly denominator: bigint
}

/** Applies an exact operation to operands read at 64 bits, and rounds its result to 64 bits. */
function rounded(
  a: RegoNumber,
  b: RegoNumber,
  exact: (x: Fraction, y: Fraction) => Fraction,
): RegoNumber {
  const { numerator, denominator } = exact(operand(a), operand(b))
  const float = roundToMantissa(numerator, denominator)
  if (float === undefined) return 0
  const decimal = shortestDecimal(float)
  return fromScaled(decimal.mantissa, decimal.exponent)
}

/** An operand as OPA parses it: rounded to the 64-bit mantissa before the operation. */
function operand(value: RegoNumber): Fraction {
  const { mantissa, exponent } = scaled(value)
  const unit = 10n ** BigInt(Math.abs(exponent))
  const float =
    exponent < 0 ? roundToMantissa(mantissa, unit) : roundToMantissa(mantissa * unit, 1n)
  if (float === undefined) return { numerator: 0n, denominator: 1n }
  const power = 2n ** BigInt(Math.abs(float.power))
  return float.power < 0
    ? { numerator: float.mantissa, denominator: power }
    : { numerator: float.mantissa * power, denominator: 1n }
}

function exactSum(x: Fraction, y: Fraction): Fraction {
  return {
    numerator: x.numerator * y.denominator + y.numerator * x.denominator,
    denominator: x.denominator * y.denominator,
  }
}

/** Text of a decimal in Go's %g: plain from 1e-4 up to 21 digits, exponent form elsewhere. */
function decimalText(mantissa: bigint, exponent: number): string {
  const sign = mantissa < 0n ? '-' : ''
  const digits = (mantissa < 0n ? -mantissa : mantissa).toString()
  const point = digits.length + exponent
  if (point > 21 || point < -3) {
    const power = point - 1
    const fraction = digits.length > 1 ? `.${digits.slice(1)}` : ''
    const size = String(Math.abs(power)).padStart(2, '0')
    return `${sign}${digits[0]}${fraction}e${power < 0 ? '-' : '+'}${size}`
  }
  if (exponent >= 0) return `${sign}${digits}${'0'.repeat(exponent)}`
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`
}
