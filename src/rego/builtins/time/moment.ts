/** An instant in a zone, split into calendar and clock; and the arithmetic of dates. */
import type { Zone } from './zone.ts'

export interface Moment {
  readonly year: number
  /** 1 to 12. */
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
  readonly nanosecond: number
  /** 0 is Sunday. */
  readonly weekday: number
  readonly yearDay: number
  readonly offset: number
  readonly zoneName: string
}

const billion = 1_000_000_000n
const daySeconds = 86_400

/** Whole seconds and nanoseconds since 1970, the nanoseconds never negative. */
export function splitNs(ns: bigint): { seconds: number; nanosecond: number } {
  let nanosecond = ns % billion
  if (nanosecond < 0n) nanosecond += billion
  return { seconds: Number((ns - nanosecond) / billion), nanosecond: Number(nanosecond) }
}

export function momentOf(ns: bigint, zone: Zone): Moment {
  const { seconds, nanosecond } = splitNs(ns)
  const { seconds: offset, name } = zone.at(seconds)
  const clock = seconds + offset
  const days = Math.floor(clock / daySeconds)
  const rest = clock - days * daySeconds
  const date = new Date(days * daySeconds * 1000)
  const year = date.getUTCFullYear()
  return {
    year,
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: Math.floor(rest / 3600),
    minute: Math.floor((rest % 3600) / 60),
    second: rest % 60,
    nanosecond,
    weekday: (((days + 4) % 7) + 7) % 7,
    yearDay: days - daysSince1970(year, 1, 1) + 1,
    offset,
    zoneName: name,
  }
}

/** Days from 1970-01-01 to a date of the Gregorian calendar; months and days may be out of range. */
export function daysSince1970(year: number, month: number, day: number): number {
  const shiftedMonth = month - 3
  const years = year + Math.floor(shiftedMonth / 12)
  const monthOfYear = ((shiftedMonth % 12) + 12) % 12
  const era = Math.floor(years / 400)
  const yearOfEra = years - era * 400
  const dayOfYear = Math.floor((153 * monthOfYear + 2) / 5) + day - 1
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * 146_097 + dayOfEra - 719_468
}

/** Seconds from 1970 to a clock time, as if it were UTC. */
export function clockSeconds(
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number,
): number {
  return daysSince1970(year, month, day) * daySeconds + hour * 3600 + minute * 60 + second
}

export function daysIn(year: number, month: number): number {
  return daysSince1970(year, month + 1, 1) - daysSince1970(year, month, 1)
}
