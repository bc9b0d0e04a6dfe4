/** Writes a moment by a Go layout. */
import { months, parseLayout, weekdays, type Element } from './layout.ts'
import type { Moment } from './moment.ts'

export function formatMoment(moment: Moment, layout: string): string {
  return parseLayout(layout)
    .map((element) => writeElement(moment, element))
    .join('')
}

function writeElement(moment: Moment, element: Element): string {
  if (element.kind === 'text') return element.text
  if (element.kind === 'field') return writeField(moment, element.field)
  const digits = String(moment.nanosecond)
    .padStart(9, '0')
    .slice(0, element.digits)
    .padEnd(element.digits, '0')
  if (element.fixed) return element.separator + digits
  const trimmed = digits.replace(/0+$/, '')
  return trimmed === '' ? '' : element.separator + trimmed
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}

function hour12(hour: number): number {
  return hour % 12 === 0 ? 12 : hour % 12
}

function writeField(moment: Moment, field: string): string {
  switch (field) {
    case 'January':
      return months[moment.month - 1]!
    case 'Jan':
      return months[moment.month - 1]!.slice(0, 3)
    case 'Monday':
      return weekdays[moment.weekday]!
    case 'Mon':
      return weekdays[moment.weekday]!.slice(0, 3)
    case '2006':
      return moment.year < 0
        ? `-${String(-moment.year).padStart(4, '0')}`
        : String(moment.year).padStart(4, '0')
    case '06':
      return two(((moment.year % 100) + 100) % 100)
    case '01':
      return two(moment.month)
    case '1':
      return String(moment.month)
    case '02':
      return two(moment.day)
    case '_2':
      return String(moment.day).padStart(2, ' ')
    case '2':
      return String(moment.day)
    case '002':
      return String(moment.yearDay).padStart(3, '0')
    case '__2':
      return String(moment.yearDay).padStart(3, ' ')
    case '15':
      return two(moment.hour)
    case '03':
      return two(hour12(moment.hour))
    case '3':
      return String(hour12(moment.hour))
    case '04':
      return two(moment.minute)
    case '4':
      return String(moment.minute)
    case '05':
      return two(moment.second)
    case '5':
      return String(moment.second)
    case 'PM':
      return moment.hour >= 12 ? 'PM' : 'AM'
    case 'pm':
      return moment.hour >= 12 ? 'pm' : 'am'
    case 'MST':
      return moment.zoneName
    default:
      return writeOffset(moment.offset, field)
  }
}

function writeOffset(offset: number, field: string): string {
  if (field.startsWith('Z') && offset === 0) return 'Z'
  const size = Math.abs(offset)
  const colon = field.includes(':') ? ':' : ''
  const parts = [two(Math.floor(size / 3600))]
  if (/0700|07:00/.test(field)) parts.push(two(Math.floor((size % 3600) / 60)))
  if (/070000|07:00:00/.test(field)) parts.push(two(size % 60))
  return (offset < 0 ? '-' : '+') + parts.join(colon)
}
