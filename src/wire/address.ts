/**
 * The address guard: which addresses a name may lead to, decided on every address before one of them is dialled.
 *
 * Node's `lookup` hook is no guard: it is not called for literals, and resolvers read `0x7f.1` as loopback. Here a
 * host is parsed, resolved once, every address is classified, and the caller dials a checked address. Which hosts may
 * be called at all is not decided here.
 */
import { lookup } from 'node:dns/promises'
import { isIP, isIPv4, isIPv6 } from 'node:net'
import ipaddr from 'ipaddr.js'
import { WireError } from './wire-error.ts'

/** What an address is, as far as a guard cares. Only `public` is allowed without being listed. */
export type AddressClass =
  | 'public'
  | 'loopback'
  | 'private'
  | 'link-local'
  | 'metadata'
  | 'carrier-grade-nat'
  | 'multicast'
  | 'broadcast'
  | 'unspecified'
  | 'reserved'
  | 'embedded-ipv4'
  | 'own-listener'

export interface AddressRules {
  /** Ranges that may be dialled although they are not public. */
  readonly allowCidrs: readonly string[]
  /** Ranges that may never be dialled, whatever is allowed. */
  readonly denyCidrs: readonly string[]
  /** Where this process listens; a call to itself would loop. The address `0.0.0.0` or `::` stands for every one. */
  readonly ownListeners: readonly { readonly address: string; readonly port: number }[]
}

export interface AddressVerdict {
  readonly allowed: boolean
  readonly address: string
  readonly class: AddressClass
  /** One sentence for the audit record. */
  readonly reason: string
}

export type Host =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'address'; readonly address: string }

type Parsed = ipaddr.IPv4 | ipaddr.IPv6

/** Metadata services of the clouds that are outside link-local. */
const metadataAddresses = new Set([
  '169.254.169.254',
  '169.254.170.2',
  '169.254.169.253',
  '100.100.100.200',
  '168.63.129.16',
  '192.0.0.192',
  'fd00:ec2::254',
  'fd20:ce::254',
])

const classByRange: Readonly<Record<string, AddressClass>> = {
  unicast: 'public',
  loopback: 'loopback',
  private: 'private',
  uniqueLocal: 'private',
  linkLocal: 'link-local',
  carrierGradeNat: 'carrier-grade-nat',
  multicast: 'multicast',
  broadcast: 'broadcast',
  unspecified: 'unspecified',
  rfc6145: 'embedded-ipv4',
  rfc6052: 'embedded-ipv4',
  '6to4': 'embedded-ipv4',
  teredo: 'embedded-ipv4',
  ipv4Mapped: 'embedded-ipv4',
}

/** Forms of IPv6 that carry an IPv4 address or leave the public internet, and that ipaddr.js calls unicast. */
const extraRanges: readonly (readonly [string, AddressClass])[] = [
  ['::/96', 'embedded-ipv4'],
  ['64:ff9b:1::/48', 'embedded-ipv4'],
  ['fec0::/10', 'private'],
  ['5f00::/16', 'reserved'],
  ['3fff::/20', 'reserved'],
  ['100::/64', 'reserved'],
]
const extraCidrs = extraRanges.map(([cidr, kind]) => [ipaddr.parseCIDR(cidr), kind] as const)

/** ISATAP puts an IPv4 address into the last half of any prefix. */
const isIsatap = (address: ipaddr.IPv6): boolean =>
  (address.parts[4] === 0 || address.parts[4] === 0x0200) && address.parts[5] === 0x5efe

/** Classifies an address literal. An IPv4-mapped one is what it maps to, unless that is public. Throws `host`. */
export const classifyAddress = (text: string): AddressClass => classify(parse(text))

const classify = (address: Parsed): AddressClass => {
  if (metadataAddresses.has(address.toString())) return 'metadata'
  if (isVersion4(address)) {
    const [first] = address.octets
    if (first === 0) return 'unspecified'
    return classByRange[address.range()] ?? 'reserved'
  }
  if (address.isIPv4MappedAddress()) {
    const inner = classify(address.toIPv4Address())
    return inner === 'public' ? 'embedded-ipv4' : inner
  }
  const range = address.range()
  if (range === 'unspecified' || range === 'loopback') return range
  if (isIsatap(address)) return 'embedded-ipv4'
  for (const [cidr, kind] of extraCidrs) if (contains(cidr, address)) return kind
  if (range !== 'unicast') return classByRange[range] ?? 'reserved'
  // Only 2000::/3 is given out to the public (RFC 4291 §2.4).
  return (address.parts[0]! & 0xe000) === 0x2000 ? 'public' : 'reserved'
}

const isVersion4 = (address: Parsed): address is ipaddr.IPv4 => address.kind() === 'ipv4'

const contains = ([base, bits]: readonly [Parsed, number], address: Parsed): boolean =>
  base.kind() === address.kind() && address.match([base, bits] as [ipaddr.IPv4, number])

const parse = (text: string): Parsed => {
  if (isIP(text) === 0 || text.includes('%'))
    throw new WireError('host', 'not an address in plain notation')
  return ipaddr.parse(text)
}

/** Whether two literals are the same address; IPv4-mapped IPv6 counts as the IPv4 address that it maps. */
export const sameAddress = (one: string, other: string): boolean => {
  if (one === other) return true
  if (isIP(one) === 0 || isIP(other) === 0) return false
  return ipaddr.process(one).toString() === ipaddr.process(other).toString()
}

/**
 * Reads a host as a client wrote it, in every spelling of an address that any resolver knows: `127.1`, `0x7f000001`,
 * `017700000001`, `[::1]`, full-width digits are refused. Throws `host` for what is neither a name nor an address.
 */
export const readHost = (text: string): Host => {
  const inside = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text
  if (inside.includes('%') || /[^\x21-\x7e]/.test(inside) || /[@/\\?#[\]]/.test(inside))
    throw new WireError('host', 'the host holds a character that no host has')
  if (isIPv6(inside)) return { kind: 'address', address: ipaddr.parse(inside).toString() }
  if (inside !== text || inside.includes(':')) throw new WireError('host', 'not an IPv6 address')
  const name = (inside.endsWith('.') ? inside.slice(0, -1) : inside).toLowerCase()
  if (isIPv4(name)) return { kind: 'address', address: name }
  if (/(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$/.test(name)) return oddAddress(name)
  const labels = name.split('.')
  if (name.length > 253 || !labels.every((label) => /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/.test(label)))
    throw new WireError('host', 'the host is not a name of letters, digits and dashes')
  return { kind: 'name', name }
}

/** Shortened, octal and hexadecimal IPv4, as inet_aton reads it. */
const oddAddress = (text: string): Host => {
  if (!ipaddr.IPv4.isValid(text))
    throw new WireError('host', 'the host looks like an address and is none')
  return { kind: 'address', address: ipaddr.IPv4.parse(text).toString() }
}

const inside = (cidrs: readonly string[], address: Parsed): boolean =>
  cidrs.some((cidr) => contains(ipaddr.parseCIDR(cidr), address))

/** Judges one address. Deny beats allow, and what is neither listed nor public is refused. */
export const checkAddress = (text: string, port: number, rules: AddressRules): AddressVerdict => {
  const given = parse(text)
  const address = isVersion4(given) || !given.isIPv4MappedAddress() ? given : given.toIPv4Address()
  const name = address.toString()
  const kind = given === address ? classify(address) : classify(given)
  const verdict = (allowed: boolean, what: AddressClass, reason: string): AddressVerdict => ({
    allowed,
    address: name,
    class: what,
    reason,
  })
  if (isOwn(name, kind, port, rules))
    return verdict(false, 'own-listener', 'the address is one that this sidecar listens on')
  if (inside(rules.denyCidrs, address))
    return verdict(false, kind, 'the address is in a denied range')
  if (kind === 'public') return verdict(true, kind, 'the address is public')
  if (inside(rules.allowCidrs, address))
    return verdict(true, kind, 'the address is in an allowed range')
  return verdict(
    false,
    kind,
    `the address is ${kind}; list its range in allow_cidrs if the call is meant`,
  )
}

const isOwn = (address: string, kind: AddressClass, port: number, rules: AddressRules): boolean =>
  rules.ownListeners.some(
    (own) =>
      own.port === port &&
      (sameAddress(own.address, address) ||
        ((own.address === '0.0.0.0' || own.address === '::') &&
          (kind === 'loopback' || kind === 'unspecified'))),
  )

/** Resolves a name to every address of both families. Rejects when there is none. */
export type Resolver = (name: string) => Promise<readonly string[]>

/**
 * Every address of the host that may be dialled, in the resolver's order. One bad address among good ones is left
 * out; when none is left this throws `address-denied` with the first verdict's reason (security: E2–E4).
 */
export const resolveChecked = async (
  hostText: string,
  port: number,
  rules: AddressRules,
  resolution: { readonly resolver: Resolver; readonly timeoutMs: number },
): Promise<readonly string[]> => {
  const host = readHost(hostText)
  const found =
    host.kind === 'address' ? [host.address] : await resolveInTime(host.name, resolution)
  const verdicts = found.map((address) => checkAddress(address, port, rules))
  const allowed = verdicts.filter((verdict) => verdict.allowed)
  if (allowed.length === 0)
    throw new WireError('address-denied', verdicts[0]?.reason ?? 'the name has no address', 'never')
  return [...new Set(allowed.map((verdict) => verdict.address))]
}

const resolveInTime = async (
  name: string,
  { resolver, timeoutMs }: { readonly resolver: Resolver; readonly timeoutMs: number },
): Promise<readonly string[]> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new WireError('dns-timeout', 'the name was not resolved in time', 'safe')),
      timeoutMs,
    )
  })
  try {
    const addresses = await Promise.race([resolver(name), late])
    if (addresses.length === 0) throw new WireError('dns-failed', 'the name has no address', 'safe')
    return addresses
  } catch (error) {
    if (error instanceof WireError) throw error
    throw new WireError('dns-failed', 'the name could not be resolved', 'safe', error)
  } finally {
    clearTimeout(timer)
  }
}

/** The system's resolver: hosts file and DNS, both families. */
export const systemResolver: Resolver = async (name) => {
  const found = await lookup(name, { all: true, order: 'verbatim' })
  return found.map((entry) => entry.address)
}
