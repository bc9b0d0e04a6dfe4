/**
 * Go's `fmt.Sprintf` over Rego values, for `sprintf`: verbs, flags, width, precision, argument indexes, and the
 * `%!verb(type=value)` texts that stand for a wrong use.
 *
 * An integer is Go's int or *big.Int, a number with a fraction a float64, a string a string; every other value is
 * its Rego text, a string too.
 */
import { isNumber, numberToText, toBigInt, toDouble, type RegoNumber } from '../../numbers.ts'
import { toTerm } from '../../value-text.ts'
import type { Value } from '../../values.ts'
import { bytesOf } from './bytes.ts'
import { formatFloat } from './float.ts'
import { isPrintable, quoteGo } from './quote.ts'

type Argument =
  | { readonly kind: 'int' | 'big'; readonly value: bigint }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }

interface Spec {
  minus: boolean
  plus: boolean
  sharp: boolean
  space: boolean
  zero: boolean
  width: number | undefined
  precision: number | undefined
}

const widthLimit = 1_000_000
const int64Min = -(2n ** 63n)
const int64Max = 2n ** 63n - 1n

/** The formatted text, or undefined when it would be longer than `limit`. */
export function sprintf(
  format: string,
  values: readonly Value[],
  limit: number,
): string | undefined {
  return new Printer(format, values.map(toArgument), limit).print()
}

function toArgument(value: Value): Argument {
  if (typeof value === 'string') return { kind: 'string', value }
  return isNumber(value) ? numberArgument(value) : { kind: 'string', value: toTerm(value) }
}

function numberArgument(number: RegoNumber): Argument {
  const integer = toBigInt(number)
  if (integer === undefined) {
    const double = toDouble(number)
    return Number.isFinite(double)
      ? { kind: 'float', value: double }
      : { kind: 'string', value: numberToText(number) }
  }
  if (integer >= int64Min && integer <= int64Max) return { kind: 'int', value: integer }
  const short = beyondFloat(integer)
  return short === undefined ? { kind: 'big', value: integer } : { kind: 'string', value: short }
}

/** An integer too large for a float that was most likely written with an exponent keeps that form. */
function beyondFloat(integer: bigint): string | undefined {
  if (Number.isFinite(Number(integer))) return undefined
  const match = /^(-?\d)(\d{0,40}?)(0*)$/.exec(integer.toString())
  if (match === null) return undefined
  const fraction = match[2] === '' ? '' : `.${match[2]}`
  return `${match[1]}${fraction}e${match[2]!.length + match[3]!.length}`
}

class Printer {
  readonly #format: string
  readonly #arguments: readonly Argument[]
  readonly #limit: number
  #at = 0
  #next = 0
  #reordered = false
  #goodIndex = true
  #afterIndex = false

  constructor(format: string, values: readonly Argument[], limit: number) {
    this.#format = format
    this.#arguments = values
    this.#limit = limit
  }

  print(): string | undefined {
    let out = ''
    while (this.#at < this.#format.length) {
      const percent = this.#format.indexOf('%', this.#at)
      const end = percent < 0 ? this.#format.length : percent
      out += this.#format.slice(this.#at, end)
      this.#at = end + 1
      if (percent >= 0) out += this.#directive()
      if (out.length > this.#limit) return undefined
    }
    out += this.#extra()
    return out.length > this.#limit ? undefined : out
  }

  #directive(): string {
    const spec = noFlags()
    this.#goodIndex = true
    this.#afterIndex = false
    this.#flags(spec)
    this.#index()
    let out = this.#width(spec)
    out += this.#precision(spec)
    if (!this.#afterIndex) this.#index()
    if (this.#at >= this.#format.length) return `${out}%!(NOVERB)`
    const verb = String.fromCodePoint(this.#format.codePointAt(this.#at)!)
    this.#at += verb.length
    if (verb === '%') return `${out}%`
    if (!this.#goodIndex) return `${out}%!${verb}(BADINDEX)`
    const argument = this.#arguments[this.#next]
    if (argument === undefined) return `${out}%!${verb}(MISSING)`
    this.#next++
    return out + formatArgument(argument, verb, spec)
  }

  #flags(spec: Spec): void {
    for (; this.#at < this.#format.length; this.#at++) {
      const flag = this.#format[this.#at]
      if (flag === '#') spec.sharp = true
      else if (flag === '0') spec.zero = true
      else if (flag === '+') spec.plus = true
      else if (flag === '-') spec.minus = true
      else if (flag === ' ') spec.space = true
      else return
    }
  }

  /** Reads `[n]`, which names the next argument. */
  #index(): void {
    if (this.#format[this.#at] !== '[') return
    this.#reordered = true
    const close = this.#format.indexOf(']', this.#at)
    if (close < 0) {
      this.#goodIndex = false
      this.#at++
      return
    }
    const text = this.#format.slice(this.#at + 1, close)
    this.#at = close + 1
    const index = /^\d{1,7}$/.test(text) ? Number(text) - 1 : -1
    if (index < 0 || index >= this.#arguments.length) {
      this.#goodIndex = false
      return
    }
    this.#next = index
    this.#afterIndex = true
  }

  #width(spec: Spec): string {
    if (this.#format[this.#at] === '*') {
      this.#at++
      const value = this.#star()
      if (value === undefined) return '%!(BADWIDTH)'
      spec.minus ||= value < 0
      spec.width = Math.abs(value)
      this.#afterIndex = false
      return ''
    }
    spec.width = this.#digits()
    if (this.#afterIndex && spec.width !== undefined) this.#goodIndex = false
    return ''
  }

  #precision(spec: Spec): string {
    if (this.#format[this.#at] !== '.') return ''
    this.#at++
    if (this.#afterIndex) this.#goodIndex = false
    this.#index()
    if (this.#format[this.#at] === '*') {
      this.#at++
      const value = this.#star()
      this.#afterIndex = false
      if (value === undefined) return '%!(BADPREC)'
      if (value >= 0) spec.precision = value
      return value < 0 ? '%!(BADPREC)' : ''
    }
    spec.precision = this.#digits() ?? 0
    return ''
  }

  /** The next argument as a width or precision. */
  #star(): number | undefined {
    const argument = this.#arguments[this.#next]
    if (argument === undefined) return undefined
    this.#next++
    if (argument.kind !== 'int') return undefined
    const value = Number(argument.value)
    return Math.abs(value) <= widthLimit ? value : undefined
  }

  #digits(): number | undefined {
    const start = this.#at
    while (this.#at < this.#format.length && /[0-9]/.test(this.#format[this.#at]!)) this.#at++
    if (this.#at === start) return undefined
    const value = Number(this.#format.slice(start, this.#at))
    if (value <= widthLimit) return value
    this.#at = this.#format.length
    return undefined
  }

  #extra(): string {
    if (this.#reordered || this.#next >= this.#arguments.length) return ''
    const rest = this.#arguments.slice(this.#next)
    return `%!(EXTRA ${rest.map((argument) => `${typeOf(argument)}=${plain(argument)}`).join(', ')})`
  }
}

function noFlags(): Spec {
  return {
    minus: false,
    plus: false,
    sharp: false,
    space: false,
    zero: false,
    width: undefined,
    precision: undefined,
  }
}

function typeOf(argument: Argument): string {
  const names = { int: 'int', big: '*big.Int', float: 'float64', string: 'string' } as const
  return names[argument.kind]
}

function plain(argument: Argument): string {
  return formatArgument(argument, 'v', noFlags())
}

function badVerb(argument: Argument, verb: string, spec: Spec): string {
  const type = argument.kind === 'big' ? 'big.Int' : typeOf(argument)
  return `%!${verb}(${type}=${formatArgument(argument, 'v', { ...spec, precision: undefined })})`
}

function formatArgument(argument: Argument, verb: string, spec: Spec): string {
  if (verb === 'T') return pad(typeOf(argument), spec)
  if (verb === 'p') return `%!p(${typeOf(argument)}=${plain(argument)})`
  switch (argument.kind) {
    case 'int':
      return formatInteger(argument, verb, spec)
    case 'big':
      return formatInteger(argument, verb === 's' ? 'd' : verb, spec)
    case 'float':
      return formatFloatArgument(argument, verb, spec)
    case 'string':
      return formatString(argument, verb, spec)
  }
}

const radixes: Readonly<Record<string, number>> = { v: 10, d: 10, b: 2, o: 8, O: 8, x: 16, X: 16 }
const prefixes: Readonly<Record<string, string>> = { b: '0b', o: '0', x: '0x', X: '0X' }

function formatInteger(
  argument: Argument & { readonly value: bigint },
  verb: string,
  spec: Spec,
): string {
  const { value } = argument
  const radix = radixes[verb]
  if (radix === undefined) return formatRune(argument, verb, spec)
  const negative = value < 0n
  let digits = (negative ? -value : value).toString(radix)
  if (verb === 'X') digits = digits.toUpperCase()
  if (spec.precision !== undefined) {
    digits = spec.precision === 0 && value === 0n ? '' : digits.padStart(spec.precision, '0')
    if (digits === '') return ' '.repeat(spec.width ?? 0)
  }
  const prefix = verb === 'O' ? '0o' : spec.sharp ? (prefixes[verb] ?? '') : ''
  return padNumber(sign(negative, spec), prefix, digits, spec, spec.precision === undefined)
}

function sign(negative: boolean, spec: Spec): string {
  if (negative) return '-'
  if (spec.plus) return '+'
  return spec.space ? ' ' : ''
}

function formatRune(
  argument: Argument & { readonly value: bigint },
  verb: string,
  spec: Spec,
): string {
  if (argument.kind === 'big' || !'cqU'.includes(verb)) return badVerb(argument, verb, spec)
  const { value } = argument
  const valid = value >= 0n && value <= 0x10ffffn && !(value >= 0xd800n && value <= 0xdfffn)
  const character = valid ? String.fromCodePoint(Number(value)) : '\ufffd'
  if (verb === 'c') return pad(character, spec)
  if (verb === 'q') return pad(quoteGo(character, "'", spec.plus ? 'ascii' : 'unicode'), spec)
  const code = BigInt.asUintN(64, value).toString(16).toUpperCase().padStart(4, '0')
  const name = `U+${code}`
  return pad(spec.sharp && valid && isPrintable(character) ? `${name} '${character}'` : name, spec)
}

function formatFloatArgument(
  argument: Argument & { readonly value: number },
  verb: string,
  spec: Spec,
): string {
  const { value } = argument
  const lower = verb.toLowerCase()
  if (verb === 'v' || lower === 'g') return number(formatFloat(value, 'g', spec.precision ?? -1))
  if (lower === 'f') return number(formatFloat(value, 'f', spec.precision ?? 6))
  if (lower === 'e') return number(formatFloat(value, 'e', spec.precision ?? 6))
  return badVerb(argument, verb, spec)

  function number(text: string): string {
    const negative = text.startsWith('-')
    const digits = text.replace(/^[-+]/, '')
    const cased = verb === 'E' || verb === 'G' ? digits.toUpperCase() : digits
    return padNumber(sign(negative, spec), '', cased, spec, true)
  }
}

function formatString(
  argument: Argument & { readonly value: string },
  verb: string,
  spec: Spec,
): string {
  const text = cut(argument.value, spec.precision)
  if (verb === 'v' && spec.sharp) return pad(quoteGo(text), spec)
  if (verb === 's' || verb === 'v') return pad(text, spec)
  if (verb === 'q') {
    if (spec.sharp && !/[`\n\r\t]/.test(text)) return pad(`\`${text}\``, spec)
    return pad(quoteGo(text, '"', spec.plus ? 'ascii' : 'unicode'), spec)
  }
  if (verb === 'x' || verb === 'X') return pad(hexOf(argument.value, verb, spec), spec)
  return badVerb(argument, verb, spec)
}

function cut(text: string, precision: number | undefined): string {
  return precision === undefined || text.length <= precision
    ? text
    : Array.from(text).slice(0, precision).join('')
}

function hexOf(text: string, verb: string, spec: Spec): string {
  const bytes = bytesOf(text).subarray(0, spec.precision)
  const pairs = [...bytes].map((byte) => byte.toString(16).padStart(2, '0'))
  const prefix = spec.sharp && pairs.length > 0 ? '0x' : ''
  const joined = spec.space ? pairs.map((pair) => prefix + pair).join(' ') : prefix + pairs.join('')
  return verb === 'X' ? joined.toUpperCase() : joined
}

function pad(text: string, spec: Spec): string {
  const missing = (spec.width ?? 0) - Array.from(text).length
  if (missing <= 0) return text
  if (spec.minus) return text + ' '.repeat(missing)
  return (spec.zero ? '0' : ' ').repeat(missing) + text
}

/** Zeros go between the sign and the digits, and only where no precision asked for digits already. */
function padNumber(
  sign: string,
  prefix: string,
  digits: string,
  spec: Spec,
  mayZeroPad: boolean,
): string {
  const length = sign.length + prefix.length + digits.length
  const missing = Math.max(0, (spec.width ?? 0) - length)
  if (spec.minus) return sign + prefix + digits + ' '.repeat(missing)
  const zeros = spec.zero && mayZeroPad && /^[0-9a-f]/i.test(digits) && digits !== 'Inf'
  if (zeros) return sign + prefix + '0'.repeat(missing) + digits
  return ' '.repeat(missing) + sign + prefix + digits
}
