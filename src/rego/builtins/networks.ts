/** Functions over IP addresses and CIDR blocks. Names are looked up only through the context. */
import { isArray, isObject, objectEntries, RegoSet, type Value } from '../values.ts'
import type { BuiltinContext } from './builtin.ts'
import {
  AddressError,
  bitsOf,
  containsCidr,
  containsIp,
  ipText,
  parseCidr,
  parseIp,
  type Cidr,
  type Ip,
} from './net/address.ts'
import { mergeCidrs } from './net/merge.ts'
import { elementsOf, fail, stringOperand, type FunctionTable } from './operand.ts'

/** A /12 of IPv4; larger blocks are not listed. */
const expandLimit = 1n << 20n

function cidrOf(text: string): Cidr {
  try {
    return parseCidr(text)
  } catch (error) {
    if (error instanceof AddressError) fail(error.message)
    throw error
  }
}

function cidrOperand(value: Value): Cidr {
  return cidrOf(stringOperand(value, 1))
}

/** An address, or else a block. */
function ipOrCidr(value: Value): Ip | Cidr {
  const text = stringOperand(value, 1)
  const ip = parseIp(text)
  if (ip !== undefined) return ip
  try {
    return parseCidr(text)
  } catch {
    return fail(`not a valid textual representation of an IP address or CIDR: ${text}`)
  }
}

function covers(outer: Cidr, inner: Ip | Cidr): boolean {
  return 'prefix' in inner ? containsCidr(outer, inner) : containsIp(outer, inner)
}

function contains(outer: Value, inner: Value): boolean {
  const block = cidrOperand(outer)
  return covers(block, ipOrCidr(inner))
}

/** The blocks or addresses of an operand, each with the index, key or member that names it. */
function namedElements(position: number, value: Value): readonly (readonly [Value, Value])[] {
  const of = (element: Value): Value => elementOf(position, element)
  if (typeof value === 'string') return [[value, value]]
  if (isArray(value)) return value.map((element, index) => [of(element), index])
  if (value instanceof RegoSet) return value.sorted().map((element) => [of(element), element])
  if (!isObject(value)) return []
  return objectEntries(value).map((entry) => [of(entry.value), entry.key])
}

function elementOf(position: number, element: Value): Value {
  if (typeof element === 'string') return element
  if (isArray(element) && element.length > 0) return element[0]!
  return fail(`operand ${position}: element must be string or non-empty array`)
}

function containsMatches(context: BuiltinContext, left: Value, right: Value): RegoSet {
  const result = new RegoSet()
  const outers = namedElements(1, left)
  if (outers.length === 0) return result
  const inners = namedElements(2, right)
  const blocks = outers.map(([text, name]) => [cidrOperand(text), name] as const)
  const parts = inners.map(([text, name]) => [ipOrCidr(text), name] as const)
  for (const [block, outerName] of blocks) {
    context.spend(1 + parts.length)
    for (const [part, innerName] of parts) {
      if (covers(block, part)) result.add([outerName, innerName])
    }
  }
  return result
}

function intersects(left: Value, right: Value): boolean {
  const a = cidrOperand(left)
  const b = cidrOperand(right)
  return (
    containsIp(a, { version: b.version, value: b.first }) ||
    containsIp(b, { version: a.version, value: a.first })
  )
}

function expand(context: BuiltinContext, value: Value): RegoSet {
  const { version, first, prefix } = cidrOperand(value)
  const count = 1n << BigInt(bitsOf(version) - prefix)
  if (count > expandLimit) fail(`block has more than ${expandLimit} addresses`)
  context.spend(Number(count))
  const result = new RegoSet()
  for (let offset = 0n; offset < count; offset++)
    result.add(ipText({ version, value: first + offset }))
  return result
}

function isValid(value: Value): boolean {
  if (typeof value !== 'string') return false
  try {
    parseCidr(value)
    return true
  } catch {
    return false
  }
}

/** A plain IPv4 address counts as its classful network, as OPA has it. */
function mergeOperand(element: Value): Cidr {
  if (typeof element !== 'string') fail('element must be string')
  const ip = parseIp(element)
  if (ip === undefined) return cidrOf(element)
  if (ip.version === 6) fail('IPv6 invalid: needs prefix length')
  const lead = Number(ip.value >> 24n)
  const prefix = lead < 128 ? 8 : lead < 192 ? 16 : 24
  const host = BigInt(32 - prefix)
  return { version: 4, first: (ip.value >> host) << host, written: ip.value, prefix }
}

function merge(value: Value): RegoSet {
  const elements = elementsOf(value) ?? fail('operand must be an array')
  return new RegoSet(mergeCidrs(elements.map(mergeOperand)))
}

const loopback = ['127.0.0.1', '::1']

function lookUp(context: BuiltinContext, name: string): RegoSet {
  const ip = parseIp(name)
  if (ip !== undefined) return new RegoSet([ipText(ip)])
  if (name.toLowerCase() === 'localhost') return new RegoSet(loopback)
  if (context.lookupIp === undefined) fail(`looking up ${name} is not allowed here`)
  return new RegoSet(context.lookupIp(name))
}

export const networkFunctions: FunctionTable = {
  'net.cidr_contains': (_, outer, inner) => contains(outer, inner),
  'net.cidr_overlap': (_, outer, inner) => contains(outer, inner),
  'net.cidr_contains_matches': (context, left, right) => containsMatches(context, left, right),
  'net.cidr_expand': (context, block) => expand(context, block),
  'net.cidr_intersects': (_, left, right) => intersects(left, right),
  'net.cidr_is_valid': (_, block) => isValid(block),
  'net.cidr_merge': (_, blocks) => merge(blocks),
  'net.lookup_ip_addr': (context, name) => lookUp(context, stringOperand(name, 1)),
}
