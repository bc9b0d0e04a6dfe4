/** IP addresses as certificates hold them: 4 or 16 bytes. The text must already be an address by `node:net`. */
import { isIP } from 'node:net'

/** The bytes of an IPv4 or IPv6 address. @throws TypeError when the text is neither */
export const ipBytes = (address: string): Buffer => {
  const version = isIP(address)
  if (version === 0) throw new TypeError(`${address} is not an ip address`)
  if (version === 4) return Buffer.from(address.split('.').map(Number))
  const bare = address.replace(/%.*$/, '')
  const lastColon = bare.lastIndexOf(':')
  const dotted = bare.slice(lastColon + 1)
  const text = dotted.includes('.')
    ? `${bare.slice(0, lastColon + 1)}${ipBytes(dotted)
        .toString('hex')
        .replace(/(.{4})/, '$1:')}`
    : bare
  const [head = '', tail] = text.split('::')
  const groups = (part: string) => (part === '' ? [] : part.split(':'))
  const before = groups(head)
  const after = groups(tail ?? '')
  const zeros = Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0')
  const bytes = Buffer.alloc(16)
  for (const [index, group] of [...before, ...zeros, ...after].entries())
    bytes.writeUInt16BE(Number.parseInt(group, 16), index * 2)
  return bytes
}
