/**
 * Durations and sizes as people write them in a file (`5s`, `16KiB`), read once into numbers.
 *
 * Used by every configuration section; gives milliseconds and bytes. Knows nothing of the fields it is used for.
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

const durationPattern = /^(\d+(\.\d+)?(ms|s|m|h|d))+$/
const sizePattern = /^\d+(B|KiB|MiB|GiB)$/

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
