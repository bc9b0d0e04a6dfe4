/** A departing message as texts to search, with its escapes undone: percent, JSON, form, and cut into pieces. */
import { squash } from './needles.ts'

/** What leaves. */
export interface Departure {
  /** Path and query as sent. */
  readonly target: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Plain body, as far as the guard looks; undefined when it is not held. */
  readonly body: Buffer | undefined
}

/** One text and where it comes from. */
export interface Haystack {
  readonly place: string
  readonly text: string
  /** True for text that lost its punctuation; it is compared with keys that lost theirs. */
  readonly squashed: boolean
}

/** Every reading of the message that a receiver could make. */
export const haystacksOf = (departure: Departure): readonly Haystack[] => {
  const places: (readonly [string, string])[] = [['url', departure.target]]
  for (const [name, value] of departure.headers)
    places.push([`header ${name.toLowerCase()}`, value], [`header ${name.toLowerCase()}`, name])
  if (departure.body) {
    places.push(['body', departure.body.toString('latin1')])
    if (departure.body.some((byte) => byte >= 0x80))
      places.push(['body', departure.body.toString('utf8')])
  }
  const read = places.flatMap(([place, text]) =>
    readings(text).map((one) => ({ place, text: one, squashed: false })),
  )
  const pieces: Haystack[] = [
    // A key dealt out over several headers is whole again once their values are put together.
    {
      place: 'headers',
      text: squash(departure.headers.map(([, value]) => value).join('')),
      squashed: true,
    },
    ...read
      .filter((one) => !one.place.startsWith('header '))
      .map((one) => ({ ...one, text: squash(one.text), squashed: true })),
    ...jsonTexts(departure.body).map((text) => ({ place: 'body', text, squashed: true })),
    { place: 'url', text: squash(queryValues(departure.target)), squashed: true },
  ]
  return [...read, ...pieces]
}

/** The text, and the text with percent and JSON escapes undone, twice over, since both may be nested. */
const readings = (text: string): readonly string[] => {
  const found = new Set([text])
  let at = text
  for (let depth = 0; depth < 3; depth++) {
    const next = undoJson(undoPercent(at))
    if (next === at) break
    found.add(next)
    at = next
  }
  const percentOnly = undoPercent(text)
  if (percentOnly !== text) found.add(percentOnly)
  if (text.includes('&#')) found.add(undoEntities(text))
  return [...found]
}

const undoPercent = (text: string): string =>
  text.includes('%')
    ? text.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
        String.fromCharCode(Number.parseInt(hex, 16)),
      )
    : text

const undoJson = (text: string): string =>
  text.includes('\\')
    ? text.replaceAll(
        /\\(?:u([0-9a-f]{4})|x([0-9a-f]{2})|(["\\/]))/gi,
        (_, four?: string, two?: string, plain?: string) =>
          plain ?? String.fromCharCode(Number.parseInt(four ?? two ?? '0', 16)),
      )
    : text

const undoEntities = (text: string): string =>
  text.replaceAll(
    /&#(?:x([0-9a-f]{1,6})|(\d{1,7}));/gi,
    (whole, hex?: string, decimal?: string) => {
      const point = hex ? Number.parseInt(hex, 16) : Number(decimal)
      return point <= 0x10ffff ? String.fromCodePoint(point) : whole
    },
  )

/** The text values of a JSON body one after the other, without the member names between them. */
const jsonTexts = (body: Buffer | undefined): readonly string[] => {
  if (!body || !/^\s*[[{]/.test(body.subarray(0, 64).toString('latin1'))) return []
  const text = undoJson(body.toString('latin1'))
  const values = [...text.matchAll(/"((?:[^"\\]|\\.)*)"(\s*:)?/g)]
    .filter((match) => match[2] === undefined)
    .map((match) => match[1]!)
  return [squash(values.join('')), squash(values.toReversed().join(''))]
}

const queryValues = (target: string): string => {
  const query = target.split('?', 2)[1] ?? ''
  return query
    .split('&')
    .map((pair) => undoPercent(pair.slice(pair.indexOf('=') + 1)))
    .join('')
}
