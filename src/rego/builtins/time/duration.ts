/** Go's durations (`1h30m`, `-1.5s`) with OPA's days, weeks and years, in nanoseconds. */
import { quoteGo } from '../go/quote.ts'

/** Text that is no duration, in Go's words. */
export class DurationError extends Error {}

const units: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
  d: 86_400_000_000_000n,
  w: 604_800_000_000_000n,
  y: 31_536_000_000_000_000n,
}

const largest = 2n ** 63n - 1n
const segment = /(\d*)(?:\.(\d*))?([^\d.]*)/y

/** @throws DurationError */
export function parseDuration(text: string): bigint {
  const negative = text.startsWith('-')
  const body = text.replace(/^[-+]/, '')
  if (body === '0') return 0n
  if (body === '') throw invalid(text)
  let total = 0n
  segment.lastIndex = 0
  while (segment.lastIndex < body.length) {
    total += readSegment(segment.exec(body)!, text)
    if (total > largest + (negative ? 1n : 0n)) throw invalid(text)
  }
  return negative ? -total : total
}

function readSegment(match: RegExpExecArray, text: string): bigint {
  const [, whole = '', fraction = '', unit = ''] = match
  if (whole === '' && fraction === '') throw invalid(text)
  if (unit === '') throw new DurationError(`time: missing unit in duration ${quoteGo(text)}`)
  const size = Object.hasOwn(units, unit) ? units[unit] : undefined
  if (size === undefined) {
    throw new DurationError(`time: unknown unit ${quoteGo(unit)} in duration ${quoteGo(text)}`)
  }
  if (whole.length > 19) throw invalid(text)
  const places = fraction.slice(0, 18)
  const part = places === '' ? 0n : (BigInt(places) * size) / 10n ** BigInt(places.length)
  return BigInt(whole === '' ? '0' : whole) * size + part
}

function invalid(text: string): DurationError {
  return new DurationError(`time: invalid duration ${quoteGo(text)}`)
}
