/** IP addresses and CIDR blocks as Go's net package reads and prints them. */

/** Text that is no CIDR block, in Go's words. */
export class AddressError extends Error {}

export interface Ip {
  readonly version: 4 | 6
  readonly value: bigint
}

/** A block: its first address, the address as written, and the length of its prefix. */
export interface Cidr {
  readonly version: 4 | 6
  readonly first: bigint
  readonly written: bigint
  readonly prefix: number
}

const mappedPrefix = 0xffffn << 32n

export function bitsOf(version: 4 | 6): number {
  return version === 4 ? 32 : 128
}

/** An address; one in ::ffff:0:0/96 counts as IPv4. Zones, leading zeros and short forms of IPv4 are refused. */
export function parseIp(text: string): Ip | undefined {
  const v4 = parseV4(text)
  if (v4 !== undefined) return { version: 4, value: v4 }
  const v6 = parseV6(text)
  if (v6 === undefined) return undefined
  return v6 >> 32n === 0xffffn ? { version: 4, value: v6 & 0xffffffffn } : { version: 6, value: v6 }
}

function parseV4(text: string): bigint | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)
  if (match === null) return undefined
  let value = 0n
  for (const part of match.slice(1)) {
    const octet = Number(part)
    if (octet > 255 || (part.length > 1 && part.startsWith('0'))) return undefined
    value = (value << 8n) | BigInt(octet)
  }
  return value
}

function parseV6(text: string): bigint | undefined {
  if (text.length > 45 || !/^[0-9a-fA-F:.]+$/.test(text)) return undefined
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const head = groupsOf(halves[0]!, halves.length === 1)
  const tail = halves.length === 2 ? groupsOf(halves[1]!, true) : []
  if (head === undefined || tail === undefined) return undefined
  const missing = 8 - head.length - tail.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  const groups = [...head, ...Array<number>(missing).fill(0), ...tail]
  return groups.reduce((value, group) => (value << 16n) | BigInt(group), 0n)
}

/** The 16-bit groups of one side of `::`; only the last side may end in an IPv4 address. */
function groupsOf(text: string, mayEndInV4: boolean): number[] | undefined {
  if (text === '') return []
  const parts = text.split(':')
  const groups: number[] = []
  for (const [index, part] of parts.entries()) {
    if (part.includes('.')) {
      const v4 = mayEndInV4 && index === parts.length - 1 ? parseV4(part) : undefined
      if (v4 === undefined) return undefined
      groups.push(Number(v4 >> 16n), Number(v4 & 0xffffn))
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined
      groups.push(Number.parseInt(part, 16))
    }
  }
  return groups
}

/** @throws AddressError */
export function parseCidr(text: string): Cidr {
  const slash = text.indexOf('/')
  const address = text.slice(0, Math.max(slash, 0))
  const prefix = /^\d{1,3}$/.test(text.slice(slash + 1)) ? Number(text.slice(slash + 1)) : -1
  const v4 = parseV4(address)
  const v6 = v4 === undefined ? parseV6(address) : undefined
  const value = v4 ?? v6
  const version = v4 === undefined ? 6 : 4
  if (slash < 0 || value === undefined || prefix < 0 || prefix > bitsOf(version)) {
    throw new AddressError(`invalid CIDR address: ${text}`)
  }
  const cidr = { version, first: masked(value, prefix, version), written: value, prefix } as const
  return version === 6 && prefix >= 96 && cidr.first >> 32n === 0xffffn ? unmapped(cidr) : cidr
}

function unmapped(cidr: Cidr): Cidr {
  return {
    version: 4,
    first: cidr.first & 0xffffffffn,
    written: cidr.written & 0xffffffffn,
    prefix: cidr.prefix - 96,
  }
}

/** `value` with the bits after the prefix cleared. */
export function masked(value: bigint, prefix: number, version: 4 | 6): bigint {
  const host = BigInt(bitsOf(version) - prefix)
  return (value >> host) << host
}

export function lastOf(cidr: Cidr): bigint {
  return cidr.first + (1n << BigInt(bitsOf(cidr.version) - cidr.prefix)) - 1n
}

export function containsIp(cidr: Cidr, ip: Ip): boolean {
  return cidr.version === ip.version && masked(ip.value, cidr.prefix, ip.version) === cidr.first
}

export function containsCidr(outer: Cidr, inner: Cidr): boolean {
  return (
    containsIp(outer, { version: inner.version, value: inner.first }) &&
    containsIp(outer, { version: inner.version, value: lastOf(inner) })
  )
}

/** The address as a 128-bit number, IPv4 in ::ffff:0:0/96. */
export function as128(version: 4 | 6, value: bigint): bigint {
  return version === 4 ? mappedPrefix | value : value
}

export function ipText({ version, value }: Ip): string {
  if (version === 4) return v4Text(value)
  return value >> 32n === 0xffffn ? v4Text(value & 0xffffffffn) : v6Text(value)
}

function v4Text(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join('.')
}

/** RFC 5952: lower case, the longest run of two zero groups or more as `::`. */
function v6Text(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, index) =>
    Number((value >> BigInt(112 - 16 * index)) & 0xffffn),
  )
  let start = -1
  let length = 1
  for (let index = 0; index < 8; index++) {
    let run = 0
    while (groups[index + run] === 0) run++
    if (run > length) [start, length] = [index, run]
  }
  const hex = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':')
  return start < 0
    ? hex(groups)
    : `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`
}
