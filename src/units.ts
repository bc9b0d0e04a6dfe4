/**
 * Durations, sizes, rates and addresses as people write them in a file (`5s`, `16KiB`, `100/s`, `127.0.0.1:8080`).
 *
 * Used by every configuration section; gives milliseconds, bytes and plain records. Knows nothing of the fields it
 * is used for, and does not check that an address can be reached.
 */
import { z } from 'zod'

const durationUnits: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

const sizeUnits: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
}

/** Milliseconds of `250ms`, `5s`, `1m30s`, `2h` or `90d`, or undefined when the text is not a duration. */
export const parseDuration = (text: string): number | undefined => {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)]
  if (parts.length === 0 || parts.map((part) => part[0]).join('') !== text) return undefined
  return parts.reduce((total, part) => total + Number(part[1]) * durationUnits[part[2]!]!, 0)
}

/** Bytes of `512B`, `16KiB`, `10MiB` or `1GiB`, or undefined when the text is not a size. */
export const parseSize = (text: string): number | undefined => {
  const match = /^(\d+)(B|KiB|MiB|GiB)$/.exec(text)
  return match ? Number(match[1]) * sizeUnits[match[2]!]! : undefined
}

/** What a duration looks like in a file. */
export const durationPattern = /^(\d+(\.\d+)?(ms|s|m|h|d))+$/
/** What a size looks like in a file. */
export const sizePattern = /^\d+(B|KiB|MiB|GiB)$/

/** A configuration field that holds a duration; its value is in milliseconds. */
export const duration = (): z.ZodPipe<z.ZodString, z.ZodTransform<number, string>> =>
  z
    .string()
    .regex(durationPattern, { error: 'expected a duration such as 250ms, 5s, 1m30s or 2h' })
    .transform((text) => parseDuration(text) ?? 0)

/** A configuration field that holds a size; its value is in bytes. */
export const size = (): z.ZodPipe<z.ZodString, z.ZodTransform<number, string>> =>
  z
    .string()
    .regex(sizePattern, { error: 'expected a size such as 512B, 16KiB or 10MiB' })
    .transform((text) => parseSize(text) ?? 0)

/** A host (name or IP literal, IPv6 without brackets) and a port, `127.0.0.1:8080` or `[::1]:8080` in a file. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** The parts of `host:port` or `[v6]:port`, or undefined when the text is neither or the port is above 65535. */
export const parseAddress = (text: string): Address | undefined => {
  const match = addressPattern.exec(text)
  const port = Number(match?.[3])
  return match && port <= 65_535 ? { host: match[1] ?? match[2]!.toLowerCase(), port } : undefined
}

/** An {@link Address} as it is written in a file and in a message. */
export const formatAddress = (address: Address): string =>
  address.host.includes(':')
    ? `[${address.host}]:${address.port}`
    : `${address.host}:${address.port}`

/** What an address looks like in a file. */
export const addressPattern = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/

/** A configuration field that holds `host:port`. Port 0 is accepted, so that a listener can take any free port. */
export const address = (): z.ZodPipe<z.ZodString, z.ZodTransform<Address, string>> =>
  z
    .string()
    .regex(addressPattern, { error: 'expected host:port such as 127.0.0.1:8080 or [::1]:8080' })
    .transform((text, context): Address => {
      const parsed = parseAddress(text)
      if (parsed) return parsed
      context.issues.push({
        code: 'custom',
        message: 'expected a port from 0 to 65535',
        input: text,
      })
      return z.NEVER
    })

/** So many events in a period: `100/s` is `{ count: 100, perMs: 1000 }`. */
export interface Rate {
  readonly count: number
  readonly perMs: number
}

/** What a rate looks like in a file. */
export const ratePattern = /^([1-9]\d{0,8})\/(s|m|h)$/

/** A configuration field that holds a rate. */
export const rate = (): z.ZodPipe<z.ZodString, z.ZodTransform<Rate, string>> =>
  z
    .string()
    .regex(ratePattern, { error: 'expected a rate such as 100/s, 600/m or 1000/h' })
    .transform((text) => {
      const [count, period] = text.split('/')
      return { count: Number(count), perMs: durationUnits[period!]! }
    })
