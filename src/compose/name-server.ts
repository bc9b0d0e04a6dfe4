/** Asks the name servers that the configuration lists, instead of the resolver of the system. */
import { Resolver as DnsResolver } from 'node:dns/promises'
import { systemResolver, type Resolver } from '../wire/address.ts'

/** A resolver over `servers` (`address` or `address:port`); that of the system when there is none. */
export const resolverOf = (servers: readonly string[], timeoutMs: number): Resolver => {
  if (servers.length === 0) return systemResolver
  const dns = new DnsResolver({ timeout: timeoutMs, tries: 1 })
  dns.setServers(servers)
  return async (name) => {
    const [four, six] = await Promise.allSettled([dns.resolve4(name), dns.resolve6(name)])
    const found = [four, six].flatMap((answer) =>
      answer.status === 'fulfilled' ? answer.value : [],
    )
    if (found.length > 0 || four.status === 'fulfilled') return found
    throw four.reason
  }
}
