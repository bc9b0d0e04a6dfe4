/**
 * Host names as this project compares them: lower case, punycode ASCII, no final dot, no user part, no surprises.
 *
 * For the catalog (what an entry declares) and for the egress line (what the app asked for), so that both read a name
 * in one way. It resolves nothing and does not judge addresses; that is the address guard's work.
 */
import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'

/** A host that can be compared with `===`. */
export interface CanonicalHost {
  readonly kind: 'name' | 'address'
  /** ASCII name, dotted IPv4, or IPv6 in its shortest form without brackets. */
  readonly host: string
}

/** Why a host text cannot be used. */
export interface HostFault {
  readonly kind: 'fault'
  readonly reason: 'host-malformed' | 'ip-spelling'
  readonly detail: string
}

const label = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/

const fault = (reason: HostFault['reason'], detail: string): HostFault => ({
  kind: 'fault',
  reason,
  detail,
})

/** Reads `Example.COM.`, `bücher.example`, `192.0.2.1` or `[2001:db8::1]`; anything else is a fault (E4). */
export const canonicalHost = (text: string): CanonicalHost | HostFault => {
  if (text.startsWith('[') || isIP(text) === 6) return canonicalIpv6(text)
  if (/[\p{Cc}\p{Z}@\\/%?#:[\]]/u.test(text)) {
    return fault(
      'host-malformed',
      `host ${JSON.stringify(text)} holds a character that no host name has`,
    )
  }
  const ascii = domainToASCII(text.endsWith('.') ? text.slice(0, -1) : text).toLowerCase()
  if (ascii === '' || ascii.length > 253 || ascii.endsWith('.')) {
    return fault('host-malformed', `${JSON.stringify(text)} is not a host name`)
  }
  if (isIP(ascii) === 4) {
    if (text.replace(/\.$/, '') === ascii) return { kind: 'address', host: ascii }
    return fault(
      'ip-spelling',
      `${JSON.stringify(text)} is another spelling of the address ${ascii}`,
    )
  }
  const labels = ascii.split('.')
  if (!labels.every((part) => label.test(part))) {
    return fault('host-malformed', `${JSON.stringify(text)} is not a host name`)
  }
  // A last label of digits or 0x… is read as an IPv4 address by many resolvers (inet_aton), whatever it looks like.
  if (/^(\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? '')) {
    return fault(
      'ip-spelling',
      `${JSON.stringify(text)} looks like an address in an unusual spelling`,
    )
  }
  return { kind: 'name', host: ascii }
}

const canonicalIpv6 = (text: string): CanonicalHost | HostFault => {
  const inner = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text
  if (isIP(inner) !== 6 || inner.includes('%')) {
    return fault('host-malformed', `${JSON.stringify(text)} is not an IPv6 address`)
  }
  return { kind: 'address', host: new URL(`http://[${inner}]/`).hostname.slice(1, -1) }
}

/** One declared destination. */
export interface DeclaredHost {
  /** As the author wrote it. */
  readonly text: string
  readonly kind: 'name' | 'wildcard' | 'address'
  /** Canonical; for a wildcard the part after `*.`. */
  readonly host: string
  readonly port: number
}

/** Reads `api.example.com`, `api.example.com:8443`, `*.example.com` or `[2001:db8::1]:443`. */
export const declaredHost = (text: string, defaultPort: number): DeclaredHost | HostFault => {
  const match = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(text)
  if (!match) return fault('host-malformed', `${JSON.stringify(text)} is not host or host:port`)
  const port = match[2] === undefined ? defaultPort : Number(match[2])
  if (port < 1 || port > 65_535)
    return fault('host-malformed', `port ${port} is not between 1 and 65535`)
  const name = match[1]!
  if (!name.includes('*')) {
    const canonical = canonicalHost(name)
    return canonical.kind === 'fault'
      ? canonical
      : { text, kind: canonical.kind, host: canonical.host, port }
  }
  const below = name.startsWith('*.') ? canonicalHost(name.slice(2)) : undefined
  if (below?.kind !== 'name' || !below.host.includes('.')) {
    return fault(
      'host-malformed',
      `${JSON.stringify(text)}: a wildcard is *. and a name of two labels or more, such as *.example.com`,
    )
  }
  return { text, kind: 'wildcard', host: below.host, port }
}

/** True when `declared` covers the canonical `host`; `*.example.com` covers every depth below and never the apex. */
export const coversHost = (declared: DeclaredHost, host: string): boolean =>
  declared.kind === 'wildcard' ? host.endsWith(`.${declared.host}`) : declared.host === host
