/** `units.parse` and `units.parse_bytes`: amounts with SI and binary suffixes, computed exactly. */
import { fromBigInt, fromScaled, type RegoNumber } from '../numbers.ts'
import { fail, stringOperand, type FunctionTable } from './operand.ts'

const exponentDigits = 6
const scaleLimit = 100_000

interface Amount {
  readonly number: string
  readonly unit: string
}

/** The number that a text starts with, and the rest; undefined when an exponent has too many digits. */
function splitAmount(text: string): Amount | undefined {
  let at = 0
  for (; at < text.length; at++) {
    const character = text[at]!
    if (character === 'e' || character === 'E') {
      if (!/[0-9+-]/.test(text[at + 1] ?? '')) break
      if (/[+-]/.test(text[at + 1]!)) at++
      const digits = /^[0-9]*/.exec(text.slice(at + 1))![0]
      if (digits.length > exponentDigits) return undefined
    } else if (!/[0-9.+-]/.test(character)) break
  }
  return { number: text.slice(0, at), unit: text.slice(at) }
}

interface Exact {
  readonly mantissa: bigint
  readonly exponent: number
}

const numberPattern = /^([+-]?)(?:(\d+)(?:\.(\d*))?|\.(\d+))(?:[eE]([+-]?\d+))?$/

function parseExact(text: string): Exact | undefined {
  const match = numberPattern.exec(text)
  if (match === null) return undefined
  const [, sign, whole = '', fraction, bareFraction, power = '0'] = match
  const places = fraction ?? bareFraction ?? ''
  const mantissa = BigInt(`${whole}${places}`)
  return { mantissa: sign === '-' ? -mantissa : mantissa, exponent: Number(power) - places.length }
}

const decimalSteps = ['k', 'm', 'g', 't', 'p', 'e']

/** The factor of `k`, `kb`, `ki`, `kib` and so on, lower case. */
function factorOf(unit: string, allowB: boolean): bigint | undefined {
  const step = decimalSteps.indexOf(unit[0] ?? '') + 1
  const rest = unit.slice(1)
  if (unit === '') return 1n
  if (step === 0) return undefined
  if (rest === '' || (allowB && rest === 'b')) return 1000n ** BigInt(step)
  if (rest === 'i' || (allowB && rest === 'ib')) return 1024n ** BigInt(step)
  return undefined
}

function readAmount(text: string, what: string): Amount {
  if (text.includes(' ')) fail('spaces not allowed in resource strings')
  const amount = splitAmount(text) ?? fail('exponent too large')
  if (amount.number === '') fail(`no ${what} provided`)
  return amount
}

function exactOf(amount: Amount, what: string): Exact {
  const exact = parseExact(amount.number) ?? fail(`could not parse ${what} to a number`)
  if (Math.abs(exact.exponent) > scaleLimit) fail('exponent too large')
  return exact
}

function parseBytes(text: string): RegoNumber {
  const amount = readAmount(text.toLowerCase().replaceAll('"', ''), 'byte amount')
  const factor = factorOf(amount.unit, true) ?? fail(`byte unit ${amount.unit} not recognized`)
  const { mantissa, exponent } = exactOf(amount, 'byte amount')
  const product = mantissa * factor
  if (exponent >= 0) return fromBigInt(product * 10n ** BigInt(exponent))
  return fromBigInt(product / 10n ** BigInt(-exponent))
}

function parseUnits(text: string): RegoNumber {
  const amount = readAmount(text.replaceAll('"', ''), 'amount')
  const { unit: written } = amount
  const unit = written.slice(0, 1) + written.slice(1).toLowerCase()
  const milli = unit === 'm'
  const known = /^[kKgGtTpPeE]i?$|^mi$|^Mi?$|^$/.test(unit)
  if (!milli && !known) fail(`unit ${unit} not recognized`)
  const factor = milli ? 1n : factorOf(unit.toLowerCase(), false)!
  const exact = exactOf(amount, 'amount')
  return toTenPlaces(exact.mantissa * factor, exact.exponent - (milli ? 3 : 0))
}

/** A fraction is given with at most ten places, rounded half away from zero. */
function toTenPlaces(mantissa: bigint, exponent: number): RegoNumber {
  const surplus = -exponent - 10
  if (surplus <= 0) return fromScaled(mantissa, exponent)
  const unit = 10n ** BigInt(surplus)
  const size = mantissa < 0n ? -mantissa : mantissa
  const rounded = (2n * size + unit) / (2n * unit)
  return fromScaled(mantissa < 0n ? -rounded : rounded, -10)
}

export const unitFunctions: FunctionTable = {
  'units.parse': (_, text) => parseUnits(stringOperand(text, 1)),
  'units.parse_bytes': (_, text) => parseBytes(stringOperand(text, 1)),
}
