/**
 * Binary floating point with a 64-bit mantissa, as Go's big.Float computes with by default: rounding
 * an exact fraction to the nearest such float (ties to even), and the shortest decimal that names it.
 * Only `numbers.ts` uses it. The exponent is unbounded: there is no overflow and no infinity.
 */

/** `mantissa × 2^power`; the mantissa has exactly 64 significant bits, with a sign. */
export interface SoftFloat {
  readonly mantissa: bigint
  readonly power: number
}

const mantissaBits = 64

/** The nearest 64-bit float to a fraction; undefined for zero. The denominator is not zero. */
export function roundToMantissa(numerator: bigint, denominator: bigint): SoftFloat | undefined {
  if (numerator === 0n) return undefined
  const negative = numerator < 0n !== denominator < 0n
  const top = numerator < 0n ? -numerator : numerator
  const bottom = denominator < 0n ? -denominator : denominator
  let shift = mantissaBits - (bitLength(top) - bitLength(bottom))
  let quotient = scaledQuotient(top, bottom, shift)
  if (quotient.whole >> BigInt(mantissaBits) !== 0n) {
    shift -= 1
    quotient = scaledQuotient(top, bottom, shift)
  }
  const twice = 2n * quotient.remainder
  const odd = (quotient.whole & 1n) === 1n
  const up = twice > quotient.divisor || (twice === quotient.divisor && odd)
  const whole = up ? quotient.whole + 1n : quotient.whole
  const carried = whole >> BigInt(mantissaBits) !== 0n
  const mantissa = carried ? whole >> 1n : whole
  return { mantissa: negative ? -mantissa : mantissa, power: carried ? 1 - shift : -shift }
}

/** The shortest decimal `mantissa × 10^exponent` that rounds back to the same float. */
export function shortestDecimal(float: SoftFloat): { mantissa: bigint; exponent: number } {
  const negative = float.mantissa < 0n
  const size = negative ? -float.mantissa : float.mantissa
  const scale = Math.max(0, 1 - float.power)
  const lift = 2n ** BigInt(Math.max(0, float.power - 1)) * 5n ** BigInt(scale)
  const exact = (2n * size * lift).toString()
  const lower = ((2n * size - 1n) * lift).toString().padStart(exact.length, '0')
  const upper = ((2n * size + 1n) * lift).toString()
  const exponent = -scale
  if (upper.length > exact.length) return signed(BigInt(exact), exponent, negative)
  const inclusive = size % 2n === 0n
  const cut = shortestPrefix(exact, lower, upper, inclusive)
  return signed(cut.digits, exponent + cut.dropped, negative)
}

function signed(digits: bigint, exponent: number, negative: boolean) {
  return { mantissa: negative ? -digits : digits, exponent }
}

/** Walks the digits of the three bounds until a rounding of the prefix falls between them. */
function shortestPrefix(exact: string, lower: string, upper: string, inclusive: boolean) {
  const lowerLength = lower.replace(/0+$/, '').length
  const upperLength = upper.replace(/0+$/, '').length
  const exactLength = exact.replace(/0+$/, '').length
  for (let index = 0; index < exactLength; index += 1) {
    const digit = exact.charCodeAt(index)
    const top = upper.charCodeAt(index)
    const mayGoDown = lower.charCodeAt(index) !== digit || (inclusive && index + 1 === lowerLength)
    const mayGoUp = digit !== top && (inclusive || digit + 1 < top || index + 1 < upperLength)
    if (!mayGoDown && !mayGoUp) continue
    const kept = BigInt(exact.slice(0, index + 1))
    const dropped = exact.length - index - 1
    if (mayGoDown && mayGoUp)
      return { digits: kept + (roundsUp(exact, index + 1) ? 1n : 0n), dropped }
    return { digits: mayGoDown ? kept : kept + 1n, dropped }
  }
  return { digits: BigInt(exact), dropped: 0 }
}

function roundsUp(digits: string, at: number): boolean {
  const next = digits.charCodeAt(at)
  if (Number.isNaN(next)) return false
  if (next !== 53 || /[1-9]/.test(digits.slice(at + 1))) return next >= 53
  return (digits.charCodeAt(at - 1) - 48) % 2 === 1
}

function scaledQuotient(top: bigint, bottom: bigint, shift: number) {
  const dividend = shift > 0 ? top << BigInt(shift) : top
  const divisor = shift < 0 ? bottom << BigInt(-shift) : bottom
  return { whole: dividend / divisor, remainder: dividend % divisor, divisor }
}

function bitLength(value: bigint): number {
  const hexadecimal = value.toString(16)
  return (
    (hexadecimal.length - 1) * 4 + (32 - Math.clz32(Number.parseInt(hexadecimal.charAt(0), 16)))
  )
}
