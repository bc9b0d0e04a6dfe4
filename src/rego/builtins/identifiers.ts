/** UUIDs and random numbers: the same for the same arguments within one query. */
import { fromBigInt } from '../numbers.ts'
import { RegoObject, type Value } from '../values.ts'
import type { BuiltinContext } from './builtin.ts'
import { fail, int64Operand, stringOperand, type FunctionTable } from './operand.ts'

/** What `make` gives the first time in this query. */
function once<T extends Value>(context: BuiltinContext, key: string, make: () => T): T {
  const known = context.cache.get(key)
  if (known !== undefined) return known as T
  const made = make()
  context.cache.set(key, made)
  return made
}

/** A number from 0 up to, not including, `bound`, whose 64 bits are drawn in two parts. */
function randomBelow(context: BuiltinContext, bound: bigint): Value {
  const high = BigInt(Math.floor(context.random() * 2 ** 32))
  const low = BigInt(Math.floor(context.random() * 2 ** 32))
  return fromBigInt((((high << 32n) | low) * bound) >> 64n)
}

function randomInteger(context: BuiltinContext, key: string, bound: bigint): Value {
  const size = bound < 0n ? -bound : bound
  if (size === 0n) return 0
  return once(context, `rand.intn\0${size}\0${key}`, () => randomBelow(context, size))
}

function newUuid(context: BuiltinContext): string {
  const bytes = Buffer.from(Array.from({ length: 16 }, () => Math.floor(context.random() * 256)))
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return dashed(bytes.toString('hex'))
}

function dashed(hex: string): string {
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

const grouped = /^([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})$/i

/** Accepts the plain form, `urn:uuid:` before it, any one character around it, and 32 digits alone. */
function uuidBytes(text: string): Buffer | undefined {
  if (/^[0-9a-f]{32}$/i.test(text)) return Buffer.from(text, 'hex')
  let plain = text
  if (text.length === 45 && /^urn:uuid:/i.test(text)) plain = text.slice(9)
  else if (Buffer.byteLength(text) === 38) plain = text.slice(1, 37)
  const match = grouped.exec(plain)
  return match === null ? undefined : Buffer.from(match.slice(1).join(''), 'hex')
}

function variantOf(byte: number): string {
  if ((byte & 0xc0) === 0x80) return 'RFC4122'
  if ((byte & 0xe0) === 0xc0) return 'Microsoft'
  return (byte & 0xe0) === 0xe0 ? 'Future' : 'Reserved'
}

const domains = ['Person', 'Group', 'Org']

function macVariables(lead: number): string {
  return `${(lead & 2) === 0 ? 'global' : 'local'}:${(lead & 1) === 0 ? 'unicast' : 'multicast'}`
}

/** 100-nanosecond steps between 1582-10-15 and 1970-01-01. */
const gregorianOffset = 0x01b21dd213814000n

function parseUuid(text: string): Value {
  const bytes = uuidBytes(text) ?? fail('invalid UUID format')
  const version = bytes[6]! >> 4
  const result = new RegoObject([
    ['version', version],
    ['variant', variantOf(bytes[8]!)],
  ])
  if (version !== 1 && version !== 2) return result
  const low = BigInt(bytes.readUInt32BE(0))
  const middle = BigInt(bytes.readUInt16BE(4))
  const high = BigInt(bytes.readUInt16BE(6) & 0x0fff)
  const steps = ((high << 48n) | (middle << 32n) | low) - gregorianOffset
  const node = [...bytes.subarray(10)].map((byte) => byte.toString(16).padStart(2, '0'))
  result
    .set('time', fromBigInt(steps * 100n))
    .set('nodeid', node.join('-'))
    .set('macvariables', macVariables(bytes[10]!))
    .set('clocksequence', bytes.readUInt16BE(8) & 0x3fff)
  if (version === 1) return result
  const domain = bytes[9]!
  return result.set('id', bytes.readUInt32BE(0)).set('domain', domains[domain] ?? `Domain${domain}`)
}

export const identifierFunctions: FunctionTable = {
  'rand.intn': (context, key, bound) =>
    randomInteger(context, stringOperand(key, 1), int64Operand(bound, 2)),
  'uuid.rfc4122': (context, key) =>
    once(context, `uuid.rfc4122\0${stringOperand(key, 1)}`, () => newUuid(context)),
  'uuid.parse': (_, text) => parseUuid(stringOperand(text, 1)),
}
