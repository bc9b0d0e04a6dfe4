/**
 * Texts of a 64-bit float as Go's strconv writes them: shortest, or of a given precision, rounded half to even on the
 * exact binary value (JavaScript's own `toFixed` rounds halves up).
 */

/** Decimal digits without sign; `point` is where the decimal point stands, counted from the first digit. */
interface Digits {
  readonly digits: string
  readonly point: number
}

/** No double has more digits after the point; more are zeros. */
const exactDigits = 1100

/** `precision` is -1 for the shortest text that reads back. */
export function formatFloat(value: number, format: 'e' | 'f' | 'g', precision: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  const sign = value < 0 || Object.is(value, -0) ? '-' : ''
  const size = Math.abs(value)
  if (format === 'e') return sign + exponentText(digitsOf(size, precision + 1), precision)
  if (format === 'f') return sign + fixedText(size, precision)
  return sign + generalText(size, precision)
}

function generalText(size: number, precision: number): string {
  const wanted = precision === 0 ? 1 : precision
  const parts = trimmed(digitsOf(size, wanted))
  const count = parts.digits.length
  let limit = wanted
  if (limit > count && count >= parts.point) limit = count
  if (wanted < 0) limit = 6
  const exponent = parts.point - 1
  if (size !== 0 && (exponent < -4 || exponent >= limit)) return exponentText(parts, count - 1)
  return plainText(parts, Math.max(0, count - parts.point))
}

function fixedText(size: number, precision: number): string {
  if (precision < 0) {
    const parts = trimmed(digitsOf(size, -1))
    return plainText(parts, Math.max(0, parts.digits.length - parts.point))
  }
  const places = Math.min(precision, exactDigits)
  const text = scaledInteger(size, places).toString()
  return plainText({ digits: text, point: text.length - places }, precision)
}

function exponentText(parts: Digits, precision: number): string {
  const { digits } = parts
  const exponent = /^0*$/.test(digits) ? 0 : parts.point - 1
  const places = precision < 0 ? digits.length - 1 : precision
  const fraction = digits.slice(1, places + 1).padEnd(places, '0')
  const power = String(Math.abs(exponent)).padStart(2, '0')
  return `${digits[0]}${places > 0 ? `.${fraction}` : ''}e${exponent < 0 ? '-' : '+'}${power}`
}

function plainText({ digits, point }: Digits, places: number): string {
  const whole = point <= 0 ? '0' : digits.slice(0, point).padEnd(point, '0')
  if (places === 0) return whole
  const fraction = point <= 0 ? '0'.repeat(-point) + digits : digits.slice(point)
  return `${whole}.${fraction.slice(0, places).padEnd(places, '0')}`
}

function trimmed({ digits, point }: Digits): Digits {
  const rest = digits.replace(/0+$/, '')
  return rest === '' ? { digits: '0', point: 1 } : { digits: rest, point }
}

/** The first `count` digits, correctly rounded; the shortest that read back when `count` is not positive. */
function digitsOf(size: number, count: number): Digits {
  if (size === 0) return { digits: '0'.repeat(Math.max(1, Math.min(count, exactDigits))), point: 1 }
  const text = size.toExponential()
  const exponent = Number(text.slice(text.indexOf('e') + 1))
  if (count <= 0)
    return { digits: text.slice(0, text.indexOf('e')).replace('.', ''), point: exponent + 1 }
  const wanted = Math.min(count, exactDigits)
  const digits = scaledInteger(size, wanted - 1 - exponent).toString()
  const point = exponent + 1 + (digits.length - wanted)
  return { digits: digits.slice(0, wanted), point }
}

/** The integer nearest to `size × 10^places`, ties to even. */
function scaledInteger(size: number, places: number): bigint {
  const { mantissa, power } = binary(size)
  let top = mantissa
  let bottom = 1n
  if (places >= 0) top *= 10n ** BigInt(places)
  else bottom *= 10n ** BigInt(-places)
  if (power >= 0) top <<= BigInt(power)
  else bottom <<= BigInt(-power)
  const whole = top / bottom
  const twice = 2n * (top % bottom)
  const up = twice > bottom || (twice === bottom && whole % 2n === 1n)
  return up ? whole + 1n : whole
}

/** The float as an integer times a power of two. */
function binary(size: number): { mantissa: bigint; power: number } {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, size)
  const bits = view.getBigUint64(0)
  const biased = Number((bits >> 52n) & 0x7ffn)
  const fraction = bits & 0xfffffffffffffn
  if (biased === 0) return { mantissa: fraction, power: -1074 }
  return { mantissa: fraction | 0x10000000000000n, power: biased - 1075 }
}
