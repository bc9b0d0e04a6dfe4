/** A reader of DER (X.690), as much of it as certificates, requests and keys need. Lengths and depth are bounded. */

/** Bytes that are not the DER that was expected. */
export class DerError extends Error {}

export interface DerNode {
  /** Identifier octet: class, constructed bit and number. */
  readonly tag: number
  readonly content: Buffer
  /** The node with its header. */
  readonly raw: Buffer
}

export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const

/** The node at the start of `bytes`. @throws DerError */
export function readDer(bytes: Buffer): DerNode {
  const tag = bytes[0]
  const first = bytes[1]
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f)
    throw new DerError('bad tag')
  let header = 2
  let length = first
  if (first >= 0x80) {
    const count = first & 0x7f
    if (count === 0 || count > 4 || bytes.length < 2 + count) throw new DerError('bad length')
    length = bytes.readUIntBE(2, count)
    header += count
  }
  if (header + length > bytes.length) throw new DerError('bytes are missing')
  return {
    tag,
    content: bytes.subarray(header, header + length),
    raw: bytes.subarray(0, header + length),
  }
}

/** The nodes that fill `bytes`. @throws DerError */
export function readAll(bytes: Buffer): DerNode[] {
  const nodes: DerNode[] = []
  let rest = bytes
  while (rest.length > 0) {
    const node = readDer(rest)
    nodes.push(node)
    rest = rest.subarray(node.raw.length)
  }
  return nodes
}

export function childrenOf(node: DerNode, tag: number = tags.sequence): DerNode[] {
  if (node.tag !== tag) throw new DerError('unexpected tag')
  return readAll(node.content)
}

/** A node that must be there and, when given, of this tag. */
export function need(node: DerNode | undefined, tag?: number): DerNode {
  if (node === undefined || (tag !== undefined && node.tag !== tag))
    throw new DerError('unexpected tag')
  return node
}

export function integerOf(node: DerNode): bigint {
  const { content } = need(node, tags.integer)
  if (content.length === 0) throw new DerError('empty integer')
  const value = BigInt(`0x${content.toString('hex')}`)
  return content[0]! >= 0x80 ? value - (1n << BigInt(8 * content.length)) : value
}

/** The arcs of an object identifier. */
export function oidOf(node: DerNode): readonly number[] {
  const { content } = need(node, tags.oid)
  const arcs: number[] = []
  let value = 0
  for (const byte of content) {
    value = value * 128 + (byte & 0x7f)
    if (value > Number.MAX_SAFE_INTEGER / 128) throw new DerError('identifier too large')
    if (byte >= 0x80) continue
    if (arcs.length === 0) {
      const top = Math.min(2, Math.floor(value / 40))
      arcs.push(top, value - 40 * top)
    } else arcs.push(value)
    value = 0
  }
  return arcs
}

/** The bytes of a bit string; unused bits at the end are left as they are. */
export function bitsOf(node: DerNode): Buffer {
  return need(node, tags.bitString).content.subarray(1)
}

/** Milliseconds since 1970 of a UTCTime or GeneralizedTime. */
export function timeOf(node: DerNode): number {
  const text = node.content.toString('latin1')
  const match = /^(\d{2}|\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(text)
  if (match === null || (node.tag !== tags.utcTime && node.tag !== tags.generalizedTime)) {
    throw new DerError('bad time')
  }
  const [year = 0, ...rest] = match.slice(1).map(Number)
  const century = node.tag === tags.generalizedTime ? 0 : year >= 50 ? 1900 : 2000
  const [month = 1, day = 1, hour = 0, minute = 0, second = 0] = rest
  const date = new Date(Date.UTC(2000, month - 1, day, hour, minute, second))
  date.setUTCFullYear(century + year)
  return date.getTime()
}

/** Text of a string type; undefined for any other. */
export function textOfNode(node: DerNode): string | undefined {
  switch (node.tag) {
    case 0x0c:
      return node.content.toString('utf8')
    case 0x12:
    case 0x13:
    case 0x14:
    case 0x16:
    case 0x1a:
      return node.content.toString('latin1')
    case 0x1e:
      return Buffer.from(node.content).swap16().toString('utf16le')
    default:
      return undefined
  }
}
