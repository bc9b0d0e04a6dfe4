/**
 * Time zones by name, from the runtime's own zone data: the offset and the abbreviation at an instant, and the instant
 * of a clock time in a zone.
 */

/** A name that is no zone, in Go's words. */
export class ZoneError extends Error {}

/** Seconds east of UTC, and the zone's short name then. */
export interface Offset {
  readonly seconds: number
  readonly name: string
}

export interface Zone {
  readonly name: string
  /** `seconds` since 1970. */
  at(seconds: number): Offset
}

export const utc: Zone = { name: 'UTC', at: () => ({ seconds: 0, name: 'UTC' }) }

/** A zone with the same offset always. */
export function fixedZone(name: string, seconds: number): Zone {
  const offset = { seconds, name }
  return { name, at: () => offset }
}

const zones = new Map<string, Zone>()
const zonesKept = 600
const zoneName = /^[A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+)*$/

/** @throws ZoneError */
export function loadZone(name: string): Zone {
  if (name === '' || name === 'UTC' || name === 'Local') return utc
  const known = zones.get(name)
  if (known !== undefined) return known
  if (!zoneName.test(name)) throw new ZoneError(`unknown time zone ${name}`)
  const zone = new NamedZone(name)
  if (zones.size >= zonesKept) zones.delete(zones.keys().next().value!)
  zones.set(name, zone)
  return zone
}

class NamedZone implements Zone {
  readonly name: string
  readonly #format: Intl.DateTimeFormat
  readonly #short: Intl.DateTimeFormat
  #known: { readonly seconds: number; readonly offset: Offset } | undefined

  constructor(name: string) {
    this.name = name
    try {
      this.#format = new Intl.DateTimeFormat('en-US', {
        timeZone: name,
        hourCycle: 'h23',
        era: 'short',
        year: 'numeric',
        month: 'numeric',
        day: 'numeric',
        hour: 'numeric',
        minute: 'numeric',
        second: 'numeric',
      })
      this.#short = new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'short' })
    } catch {
      throw new ZoneError(`unknown time zone ${name}`)
    }
  }

  /** Remembers the last second asked for: one decision asks again and again for now. */
  at(seconds: number): Offset {
    if (this.#known?.seconds !== seconds) this.#known = { seconds, offset: this.#compute(seconds) }
    return this.#known.offset
  }

  #compute(seconds: number): Offset {
    const date = new Date(seconds * 1000)
    const parts = new Map(this.#format.formatToParts(date).map((part) => [part.type, part.value]))
    const number = (type: Intl.DateTimeFormatPartTypes): number => Number(parts.get(type))
    const year = parts.get('era') === 'BC' ? 1 - number('year') : number('year')
    const clock = Date.UTC(
      2000,
      number('month') - 1,
      number('day'),
      number('hour'),
      number('minute'),
      number('second'),
    )
    const local = new Date(clock)
    local.setUTCFullYear(year, number('month') - 1, number('day'))
    const offset = Math.round((local.getTime() - seconds * 1000) / 1000)
    return { seconds: offset, name: this.#shortName(date, offset) }
  }

  #shortName(date: Date, offset: number): string {
    const part = this.#short.formatToParts(date).find(({ type }) => type === 'timeZoneName')
    const name = part?.value ?? ''
    return /^[A-Z]{3,5}$/.test(name) ? name : numericName(offset)
  }
}

/** What zone data gives a zone without an abbreviation: `+0530`, `-03`. */
function numericName(offset: number): string {
  const size = Math.abs(offset)
  const hours = String(Math.floor(size / 3600)).padStart(2, '0')
  const minutes = Math.floor((size % 3600) / 60)
  return `${offset < 0 ? '-' : '+'}${hours}${minutes === 0 ? '' : String(minutes).padStart(2, '0')}`
}

/**
 * Seconds since 1970 of a clock time that stands in `zone`, given as if it were UTC. A time that the zone skips or has
 * twice is taken with the offset that Go would take: first that of the instant, then that of the other side.
 */
export function instantOf(zone: Zone, clockSeconds: number): number {
  const guess = clockSeconds - zone.at(clockSeconds).seconds
  const offset = zone.at(guess).seconds
  const second = clockSeconds - offset
  return zone.at(second).seconds === offset ? second : guess
}
