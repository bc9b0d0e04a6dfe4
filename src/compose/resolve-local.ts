/** The address of a host that the operator named, in the file or in the mesh: no guard, it is theirs to say. */
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'

/** One address of the host, or undefined when it has none. */
export const resolveLocal = async (host: string): Promise<string | undefined> => {
  if (isIP(host) !== 0) return host
  try {
    return (await lookup(host)).address
  } catch {
    return undefined
  }
}

/** All addresses of the host. Rejects when the name does not resolve. */
export const resolveAll = async (host: string): Promise<readonly string[]> =>
  isIP(host) !== 0 ? [host] : (await lookup(host, { all: true })).map(({ address }) => address)
