/**
 * Go's time layouts: a text shows how the reference time (Mon Jan 2 15:04:05 MST 2006) would be written. This file
 * splits a layout into its elements; `format.ts` writes by them and `parse.ts` reads by them.
 */

/** One element of a layout: fixed text, or a field named by how the reference time writes it. */
export type Element =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'field'; readonly field: string }
  | {
      readonly kind: 'fraction'
      readonly separator: '.' | ','
      readonly digits: number
      readonly fixed: boolean
    }

/** Layouts that policies may name. */
export const namedLayouts: ReadonlyMap<string, string> = new Map([
  ['ANSIC', 'Mon Jan _2 15:04:05 2006'],
  ['UnixDate', 'Mon Jan _2 15:04:05 MST 2006'],
  ['RubyDate', 'Mon Jan 02 15:04:05 -0700 2006'],
  ['RFC822', '02 Jan 06 15:04 MST'],
  ['RFC822Z', '02 Jan 06 15:04 -0700'],
  ['RFC850', 'Monday, 02-Jan-06 15:04:05 MST'],
  ['RFC1123', 'Mon, 02 Jan 2006 15:04:05 MST'],
  ['RFC1123Z', 'Mon, 02 Jan 2006 15:04:05 -0700'],
  ['RFC3339', '2006-01-02T15:04:05Z07:00'],
  ['RFC3339Nano', '2006-01-02T15:04:05.999999999Z07:00'],
])

/** Fields by the text that stands for them, longest first where one starts another. */
const fields = [
  'January',
  'Jan',
  'Monday',
  'Mon',
  'MST',
  '2006',
  '01',
  '02',
  '03',
  '04',
  '05',
  '06',
  '002',
  '15',
  '-07:00:00',
  '-07:00',
  '-070000',
  '-0700',
  '-07',
  'Z07:00:00',
  'Z07:00',
  'Z070000',
  'Z0700',
  'Z07',
  '__2',
  '_2',
  'PM',
  'pm',
  '1',
  '2',
  '3',
  '4',
  '5',
]
const ordered = [...fields].sort((a, b) => b.length - a.length)

const cache = new Map<string, readonly Element[]>()
const layoutsKept = 200

export function parseLayout(layout: string): readonly Element[] {
  const known = cache.get(layout)
  if (known !== undefined) return known
  const elements = split(layout)
  if (cache.size >= layoutsKept) cache.delete(cache.keys().next().value!)
  cache.set(layout, elements)
  return elements
}

function split(layout: string): readonly Element[] {
  const elements: Element[] = []
  let text = ''
  let at = 0
  while (at < layout.length) {
    const fraction = fractionAt(layout, at)
    const field = fraction === undefined ? fieldAt(layout, at) : undefined
    if (fraction === undefined && field === undefined) {
      text += layout[at]
      at++
      continue
    }
    if (text !== '') elements.push({ kind: 'text', text })
    text = ''
    if (fraction !== undefined) elements.push(fraction)
    else elements.push({ kind: 'field', field: field! })
    at += field?.length ?? (fraction as { digits: number }).digits + 1
  }
  if (text !== '') elements.push({ kind: 'text', text })
  return elements
}

function fieldAt(layout: string, at: number): string | undefined {
  const field = ordered.find((candidate) => layout.startsWith(candidate, at))
  // `_2006` is an underscore and a year, and a lower-case letter after `Jan` or `Mon` makes it a word.
  if (field === '_2' && layout.startsWith('_2006', at)) return undefined
  if ((field === 'Jan' || field === 'Mon') && /^[a-z]/.test(layout.slice(at + 3))) return undefined
  return field
}

/** A point or comma before zeros or nines that no digit follows: fractions of a second. */
function fractionAt(layout: string, at: number): Element | undefined {
  const match = /^([.,])(0+|9+)(?![0-9])/.exec(layout.slice(at, at + 64))
  if (match === null) return undefined
  return {
    kind: 'fraction',
    separator: match[1] as '.' | ',',
    digits: match[2]!.length,
    fixed: match[2]!.startsWith('0'),
  }
}

export const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]
export const weekdays = [
  'Sunday',
  'Monday',
  'Tuesday',
  'Wednesday',
  'Thursday',
  'Friday',
  'Saturday',
]
