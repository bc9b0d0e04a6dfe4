/** Reads a time by a Go layout, with Go's rules and its words for what does not fit. */
import { quoteGo } from '../go/quote.ts'
import { months, parseLayout, weekdays, type Element } from './layout.ts'
import { clockSeconds, daysIn, daysSince1970 } from './moment.ts'

/** Text that the layout does not fit. */
export class TimeError extends Error {}

interface Fields {
  year: number | undefined
  month: number | undefined
  day: number | undefined
  yearDay: number | undefined
  hour: number
  minute: number
  second: number
  nanosecond: number
  afternoon: boolean | undefined
  offset: number | undefined
}

/** Nanoseconds since 1970, of any size; a zone that is only a name counts as UTC. @throws TimeError */
export function parseTime(layout: string, value: string): bigint {
  return new Parser(layout, value).parse()
}

class Parser {
  readonly #layout: string
  readonly #value: string
  #rest: string
  #outOfRange: string | undefined
  readonly #fields: Fields = {
    year: undefined,
    month: undefined,
    day: undefined,
    yearDay: undefined,
    hour: 0,
    minute: 0,
    second: 0,
    nanosecond: 0,
    afternoon: undefined,
    offset: undefined,
  }

  constructor(layout: string, value: string) {
    this.#layout = layout
    this.#value = value
    this.#rest = value
  }

  parse(): bigint {
    const elements = parseLayout(this.#layout)
    elements.forEach((element, index) => this.#element(element, elements[index + 1]))
    if (this.#rest !== '') throw this.#error(`: extra text: ${quoteGo(this.#rest)}`)
    if (this.#outOfRange !== undefined) throw this.#error(`: ${this.#outOfRange} out of range`)
    return this.#instant()
  }

  #error(message: string): TimeError {
    return new TimeError(`parsing time ${quoteGo(this.#value)}${message}`)
  }

  #mismatch(element: string): TimeError {
    return this.#error(
      ` as ${quoteGo(this.#layout)}: cannot parse ${quoteGo(this.#rest)} as ${quoteGo(element)}`,
    )
  }

  #element(element: Element, next: Element | undefined): void {
    if (element.kind === 'text') return this.#text(element.text)
    if (element.kind === 'fraction') return this.#fraction(element)
    this.#field(element.field)
    const isSecond = element.field === '05' || element.field === '5'
    if (isSecond && next?.kind !== 'fraction') this.#impliedFraction()
  }

  /** White space of the layout stands for any amount of it. */
  #text(text: string): void {
    for (const character of text) {
      if (character === ' ') {
        if (this.#rest !== '' && !this.#rest.startsWith(' ')) throw this.#mismatch(text)
        this.#rest = this.#rest.replace(/^ +/, '')
      } else {
        if (!this.#rest.startsWith(character)) throw this.#mismatch(text)
        this.#rest = this.#rest.slice(character.length)
      }
    }
  }

  #take(pattern: RegExp, element: string): string {
    const match = pattern.exec(this.#rest)
    if (match === null) throw this.#mismatch(element)
    this.#rest = this.#rest.slice(match[0].length)
    return match[0]
  }

  #fraction(element: Element & { readonly kind: 'fraction' }): void {
    if (element.fixed) {
      const text = this.#take(
        new RegExp(`^[.,][0-9]{${element.digits}}`),
        `.${'0'.repeat(element.digits)}`,
      )
      this.#fields.nanosecond = nanoseconds(text)
      return
    }
    this.#impliedFraction()
  }

  #impliedFraction(): void {
    const match = /^[.,]([0-9]+)/.exec(this.#rest)
    if (match === null) return
    this.#rest = this.#rest.slice(match[0].length)
    this.#fields.nanosecond = nanoseconds(match[0])
  }

  #field(field: string): void {
    const fields = this.#fields
    switch (field) {
      case '2006':
        fields.year = Number(this.#take(/^[0-9]{4}/, field))
        return
      case '06': {
        const year = Number(this.#take(/^[0-9]{2}/, field))
        fields.year = year >= 69 ? 1900 + year : 2000 + year
        return
      }
      case 'January':
      case 'Jan':
        fields.month = this.#name(months, field) + 1
        return
      case '01':
      case '1':
        fields.month = this.#number(field)
        if (fields.month < 1 || fields.month > 12) this.#outOfRange ??= 'month'
        return
      case 'Monday':
      case 'Mon':
        this.#name(weekdays, field)
        return
      case '_2':
      case '02':
      case '2':
        if (field === '_2' && this.#rest.startsWith(' ')) this.#rest = this.#rest.slice(1)
        fields.day = this.#number(field === '_2' ? '2' : field)
        return
      case '__2':
      case '002': {
        if (field === '__2') this.#rest = this.#rest.replace(/^ {1,2}/, '')
        fields.yearDay = Number(this.#take(field === '002' ? /^[0-9]{3}/ : /^[0-9]{1,3}/, field))
        return
      }
      case 'PM':
      case 'pm':
        fields.afternoon =
          this.#take(field === 'PM' ? /^[AP]M/ : /^[ap]m/, field).toUpperCase() === 'PM'
        return
      case 'MST':
        this.#zoneName()
        return
      default:
        if (/^[-Z]/.test(field)) fields.offset = this.#offset(field)
        else this.#clock(field)
    }
  }

  #clock(field: string): void {
    const fields = this.#fields
    const value = field === '15' ? Number(this.#take(/^[0-9]{1,2}/, field)) : this.#number(field)
    if (field === '15') {
      fields.hour = value
      if (value > 23) this.#outOfRange ??= 'hour'
    } else if (field === '03' || field === '3') {
      fields.hour = value
      if (value > 12) this.#outOfRange ??= 'hour'
    } else if (field === '04' || field === '4') {
      fields.minute = value
      if (value > 59) this.#outOfRange ??= 'minute'
    } else {
      fields.second = value
      if (value > 59) this.#outOfRange ??= 'second'
    }
  }

  /** Two digits for a field written with a leading zero, one or two for any other. */
  #number(field: string): number {
    return Number(this.#take(field.startsWith('0') ? /^[0-9]{2}/ : /^[0-9]{1,2}/, field))
  }

  #name(names: readonly string[], field: string): number {
    const lower = this.#rest.toLowerCase()
    const isLong = field === 'January' || field === 'Monday'
    const shown = names.map((name) => (isLong ? name : name.slice(0, 3)))
    const index = shown.findIndex((name) => lower.startsWith(name.toLowerCase()))
    if (index < 0) throw this.#mismatch(field)
    this.#rest = this.#rest.slice(shown[index]!.length)
    return index
  }

  #offset(field: string): number {
    if (field.startsWith('Z') && this.#rest.startsWith('Z')) {
      this.#rest = this.#rest.slice(1)
      return 0
    }
    const colon = field.includes(':') ? ':' : ''
    const parts = field.replace(/[^0-9]/g, '').length / 2
    const text = this.#take(
      new RegExp(`^[-+][0-9]{2}${`${colon}[0-9]{2}`.repeat(parts - 1)}`),
      field,
    )
    const [hours = 0, minutes = 0, seconds = 0] = text
      .slice(1)
      .match(/[0-9]{2}/g)!
      .map(Number)
    if (hours > 24) this.#outOfRange ??= 'time zone offset hour'
    if (minutes > 60) this.#outOfRange ??= 'time zone offset minute'
    if (seconds > 60) this.#outOfRange ??= 'time zone offset second'
    const size = hours * 3600 + minutes * 60 + seconds
    return text.startsWith('-') ? -size : size
  }

  #zoneName(): void {
    const match =
      /^(?:GMT(?:[-+][0-9]{1,2})?|UTC|ChST|MeST|[A-Z]{3,5}|[-+][0-9]{2}(?:[0-9]{2})?)/.exec(
        this.#rest,
      )
    if (match === null) throw this.#mismatch('MST')
    this.#rest = this.#rest.slice(match[0].length)
    const signed = /^GMT([-+][0-9]+)$/.exec(match[0])
    if (signed !== null) this.#fields.offset ??= Number(signed[1]) * 3600
  }

  #instant(): bigint {
    const { year = 0, yearDay, nanosecond } = this.#fields
    let { month, day, hour } = this.#fields
    const { afternoon, minute, second } = this.#fields
    if (afternoon === true && hour < 12) hour += 12
    else if (afternoon === false && hour === 12) hour = 0
    if (yearDay !== undefined) {
      const found = fromYearDay(year, yearDay)
      if (found === undefined) throw this.#error(': day-of-year out of range')
      month ??= found.month
      day ??= found.day
      if (month !== found.month) throw this.#error(': day-of-year does not match month')
      if (day !== found.day) throw this.#error(': day-of-year does not match day')
    }
    month ??= 1
    day ??= 1
    if (day < 1 || day > daysIn(year, month)) throw this.#error(': day out of range')
    const clock = clockSeconds(year, month, day, hour, minute, second)
    return BigInt(clock - (this.#fields.offset ?? 0)) * 1_000_000_000n + BigInt(nanosecond)
  }
}

function nanoseconds(text: string): number {
  return Number(text.slice(1, 10).padEnd(9, '0'))
}

function fromYearDay(year: number, yearDay: number): { month: number; day: number } | undefined {
  const length = daysSince1970(year + 1, 1, 1) - daysSince1970(year, 1, 1)
  if (yearDay < 1 || yearDay > length) return undefined
  let month = 1
  let day = yearDay
  while (day > daysIn(year, month)) day -= daysIn(year, month++)
  return { month, day }
}
