/**
 * Time functions. An instant is nanoseconds since 1970 that fit 64 bits, alone or in an array with a zone name and,
 * for `time.format`, a layout.
 */
import { fromBigInt, isNumber, toBigInt } from '../numbers.ts'
import { isArray, type Value } from '../values.ts'
import {
  fail,
  failType,
  integerOperand,
  numberOperand,
  stringOperand,
  type FunctionTable,
} from './operand.ts'
import { DurationError, parseDuration } from './time/duration.ts'
import { formatMoment } from './time/format.ts'
import { namedLayouts, weekdays } from './time/layout.ts'
import { clockSeconds, daysIn, momentOf, splitNs, type Moment } from './time/moment.ts'
import { parseTime, TimeError } from './time/parse.ts'
import { instantOf, loadZone, utc, ZoneError, type Zone } from './time/zone.ts'

interface ZonedTime {
  readonly ns: bigint
  readonly zone: Zone
  readonly layout: string
}

const smallest = -(2n ** 63n)
const largest = 2n ** 63n - 1n
const instantTypes = 'either number (ns) or [number (ns), string (tz)]'

function timeOperand(value: Value): ZonedTime {
  if (isNumber(value)) return { ns: nsOf(value), zone: utc, layout: '' }
  if (!isArray(value) || value.length === 0) failType(1, value, instantTypes)
  const [instant, zone, layout] = value
  const number = numberOperand(instant!, 1)
  const name = zone === undefined ? '' : stringOperand(zone, 1)
  const loaded = said(() => loadZone(name))
  const text = layout === undefined ? '' : stringOperand(layout, 1)
  return { ns: nsOf(number), zone: loaded, layout: text }
}

function nsOf(value: Value): bigint {
  const ns = isNumber(value) ? toBigInt(value) : undefined
  if (ns === undefined || ns < smallest || ns > largest) fail('timestamp too big')
  return ns
}

function said<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (
      error instanceof ZoneError ||
      error instanceof TimeError ||
      error instanceof DurationError
    ) {
      fail(error.message)
    }
    throw error
  }
}

function inRange(ns: bigint): Value {
  if (ns < smallest || ns > largest) fail('time outside of valid range')
  return fromBigInt(ns)
}

function momentOperand(value: Value): Moment {
  const { ns, zone } = timeOperand(value)
  return momentOf(ns, zone)
}

function format(value: Value): string {
  const { ns, zone, layout } = timeOperand(value)
  const named = namedLayouts.get(layout === '' ? 'RFC3339Nano' : layout)
  return formatMoment(momentOf(ns, zone), named ?? layout)
}

function parse(layout: string, value: string): Value {
  return inRange(said(() => parseTime(namedLayouts.get(layout) ?? layout, value)))
}

const yearsLimit = 1_000_000

function addDate(value: Value, years: number, months: number, days: number): Value {
  const { ns, zone } = timeOperand(value)
  const from = momentOf(ns, zone)
  if (Math.max(Math.abs(years), Math.abs(months) / 12, Math.abs(days) / 365) > yearsLimit) {
    fail('time outside of valid range')
  }
  const clock = clockSeconds(
    from.year + years,
    from.month + months,
    from.day + days,
    from.hour,
    from.minute,
    from.second,
  )
  if (Math.abs(clock) > 1e12) fail('time outside of valid range')
  return inRange(BigInt(instantOf(zone, clock)) * 1_000_000_000n + BigInt(splitNs(ns).nanosecond))
}

/** Difference in years, months, days, hours, minutes and seconds, as a calendar shows it. */
function difference(first: Value, second: Value): readonly number[] {
  const a = timeOperand(first)
  const b = timeOperand(second)
  const [early, late] = a.ns <= b.ns ? [a.ns, b.ns] : [b.ns, a.ns]
  const from = momentOf(early, a.zone)
  const to = momentOf(late, a.zone)
  let year = to.year - from.year
  let month = to.month - from.month
  let day = to.day - from.day
  let hour = to.hour - from.hour
  let minute = to.minute - from.minute
  let second_ = to.second - from.second
  if (second_ < 0) {
    second_ += 60
    minute--
  }
  if (minute < 0) {
    minute += 60
    hour--
  }
  if (hour < 0) {
    hour += 24
    day--
  }
  if (day < 0) {
    day += daysIn(from.year, from.month)
    month--
  }
  if (month < 0) {
    month += 12
    year--
  }
  return [year, month, day, hour, minute, second_]
}

export const timeFunctions: FunctionTable = {
  'time.now_ns': (context) => fromBigInt(context.nowNs()),
  'time.parse_ns': (_, layout, value) => parse(stringOperand(layout, 1), stringOperand(value, 2)),
  'time.parse_rfc3339_ns': (_, value) => parse('RFC3339', stringOperand(value, 1)),
  'time.parse_duration_ns': (_, text) => {
    const duration = stringOperand(text, 1)
    return fromBigInt(said(() => parseDuration(duration)))
  },
  'time.format': (_, value) => format(value),
  'time.date': (_, value) => {
    const { year, month, day } = momentOperand(value)
    return [year, month, day]
  },
  'time.clock': (_, value) => {
    const { hour, minute, second } = momentOperand(value)
    return [hour, minute, second]
  },
  'time.weekday': (_, value) => weekdays[momentOperand(value).weekday]!,
  'time.add_date': (_, value, years, months, days) =>
    addDate(value, integerOperand(years, 2), integerOperand(months, 3), integerOperand(days, 4)),
  'time.diff': (_, first, second) => difference(first, second),
}
