/**
 * Reads the kernel's tables of TCP sockets (`/proc/net/tcp` and `/proc/net/tcp6`): which connections leave this network
 * namespace, whoever made them. Parses text only; it opens nothing.
 */

/** One row that matters here. */
export interface SocketRow {
  readonly state: 'established' | 'opening' | 'listening'
  readonly local: { readonly address: string; readonly port: number }
  readonly remote: { readonly address: string; readonly port: number }
  /** Names the socket among the descriptors of its process. */
  readonly inode: string
}

const states: Readonly<Record<string, SocketRow['state']>> = {
  '01': 'established',
  '02': 'opening',
  '0A': 'listening',
}

/** The rows of one table; states that carry nothing outward, and lines that are no rows, are left out. */
export const readSocketTable = (text: string): readonly SocketRow[] =>
  text.split('\n').flatMap((line) => {
    const fields = line.trim().split(/\s+/)
    const state = states[fields[3] ?? '']
    const local = readEnd(fields[1])
    const remote = readEnd(fields[2])
    const inode = fields[9]
    return state && local && remote && inode !== undefined ? [{ state, local, remote, inode }] : []
  })

const readEnd = (text: string | undefined): SocketRow['local'] | undefined => {
  const match = /^([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})$/.exec(text ?? '')
  if (!match) return undefined
  const bytes = Buffer.from(match[1]!, 'hex')
  // Each word of 32 bits stands in the byte order of the machine, which is little-endian wherever Node runs.
  for (let at = 0; at < bytes.length; at += 4) bytes.subarray(at, at + 4).reverse()
  return { address: addressText(bytes), port: Number.parseInt(match[2]!, 16) }
}

const mappedPrefix = Buffer.from('00000000000000000000ffff', 'hex')

const addressText = (bytes: Buffer): string => {
  if (bytes.length === 4) return bytes.join('.')
  if (bytes.subarray(0, 12).equals(mappedPrefix)) return bytes.subarray(12).join('.')
  const words = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(at * 2).toString(16))
  return new URL(`http://[${words.join(':')}]`).hostname.slice(1, -1)
}

/** True for what never leaves the machine. */
export const isLoopback = (address: string): boolean =>
  address.startsWith('127.') || address === '::1' || address === '0.0.0.0' || address === '::'
