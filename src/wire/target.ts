/**
 * What a request asks for, in one canonical form that routing, policy, forwarding and audit all read.
 *
 * The path is the exact text that is forwarded; nothing is decoded twice and nothing is silently repaired. What two
 * readers could understand differently is refused. Whether the authority may be talked to is not decided here.
 */

import { isIPv4, isIPv6 } from 'node:net'
import ipaddr from 'ipaddr.js'
import { WireError } from './wire-error.ts'

/** The four forms of RFC 9112 §3.2, after normalisation: absolute-form is kept only to know that it was used. */
export type TargetForm = 'origin' | 'absolute' | 'authority' | 'asterisk'

export interface Target {
  readonly form: TargetForm
  /** The scheme of an absolute-form target, else that of the listener. */
  readonly scheme: 'http' | 'https'
  /** `host` or `host:port`: lower case, no trailing dot, no default port of the scheme. Always with port for CONNECT. */
  readonly authority: string
  /** The authority's host: a lower-case name, dotted IPv4, or IPv6 without brackets. */
  readonly host: string
  /** The port, the scheme's default filled in. */
  readonly port: number
  /** The path as forwarded, percent-encoding untouched; `*` for asterisk-form, empty for authority-form. */
  readonly path: string
  /** What follows the first `?`, without it; empty when there is none. */
  readonly query: string
  /** Whether a `?` was there, so that `/a?` and `/a` are forwarded as they came. */
  readonly hasQuery: boolean
  /** The path split at `/` and percent-decoded once; `/a/b` gives `['a', 'b']`, `/` gives `['']`. */
  readonly segments: readonly string[]
}

/** A host and port in canonical form. */
export interface Authority {
  readonly host: string
  readonly port: number
  /** `host` or `host:port`, IPv6 in brackets, the default port left out. */
  readonly text: string
}

export interface TargetRules {
  /** The scheme of this listener, for targets that do not name one. */
  readonly scheme: 'http' | 'https'
  readonly maxSegments: number
  readonly slashes: 'merge' | 'keep'
}

const defaultPort = { http: 80, https: 443 } as const

const labelGrammar = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/
const lastLabelIsNumeric = /(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$/

const badHost = (): WireError =>
  new WireError('host', 'the host is not a plain name or address with an optional port')

const canonicalHost = (text: string): string => {
  if (text.startsWith('[')) {
    const inside = text.slice(1, -1)
    // A zone id selects an interface of this machine, which is not the client's to choose.
    if (!text.endsWith(']') || !isIPv6(inside) || inside.includes('%')) throw badHost()
    return ipaddr.parse(inside).toString()
  }
  const name = (text.endsWith('.') ? text.slice(0, -1) : text).toLowerCase()
  if (name.length === 0 || name.length > 253) throw badHost()
  // Shortened, octal and hexadecimal addresses are read by some resolvers and not by others (WHATWG "ends in a number").
  if (lastLabelIsNumeric.test(name)) {
    if (!isIPv4(name)) throw badHost()
    return name
  }
  for (const label of name.split('.')) if (!labelGrammar.test(label)) throw badHost()
  return name
}

const parseAuthority = (text: string, scheme: 'http' | 'https'): Authority => {
  const colon = text.lastIndexOf(':')
  const hasPort = colon !== -1 && !text.endsWith(']')
  const host = canonicalHost(hasPort ? text.slice(0, colon) : text)
  const portText = hasPort ? text.slice(colon + 1) : ''
  if (hasPort && !/^[1-9][0-9]{0,4}$/.test(portText)) throw badHost()
  const port = hasPort ? Number(portText) : defaultPort[scheme]
  if (port > 65_535) throw badHost()
  const bracketed = host.includes(':') ? `[${host}]` : host
  return { host, port, text: port === defaultPort[scheme] ? bracketed : `${bracketed}:${port}` }
}

/** The hosts that were read last: nearly every request of a listener names the same few. */
const remembered = { http: new Map<string, Authority>(), https: new Map<string, Authority>() }
const rememberedCount = 256

/** Reads a Host field or the authority of a URL. Throws `host`. */
export const readAuthority = (text: string, scheme: 'http' | 'https'): Authority => {
  const memory = remembered[scheme]
  const found = memory.get(text)
  if (found !== undefined) return found
  const authority = parseAuthority(text, scheme)
  if (text.length <= 255) {
    if (memory.size >= rememberedCount) memory.clear()
    // Copied, because a slice would keep the whole head that it was cut from.
    memory.set(Buffer.from(text, 'latin1').toString('latin1'), authority)
  }
  return authority
}

const pathGrammar = /^\/[A-Za-z0-9\-._~!$&'()*+,;=:@/%]*$/
const queryGrammar = /^[\x21-\x22\x24-\x7e]*$/
const badEscape = /%(?![0-9A-Fa-f]{2})/
/** Decodes to a control byte, a slash or a backslash. */
const hiddenByte = /%(?:[01][0-9a-f]|7f|2f|5c)/i
/** Decodes to an escape that decodes again to a control byte, dot, slash, backslash or percent. */
const hiddenTwice = /%25(?:[01][0-9a-f]|7f|2[ef5]|5c)/i
/** `.` and `..`, also with path parameters, which some servers cut off before they resolve dots. */
const dotSegment = /^\.{1,2}(?:;|$)/

const badPath = (why: string): WireError => new WireError('path', `the path ${why}`)

/** The decoded segments of a path that two readers cannot understand differently (security: H7). Throws `path`. */
export const readSegments = (path: string, maxSegments: number): string[] => {
  if (!pathGrammar.test(path))
    throw badPath('holds a character that must be percent-encoded, or does not begin with /')
  const segments = path.slice(1).split('/')
  if (segments.length > maxSegments) throw badPath(`has more than ${maxSegments} segments`)
  const escaped = path.includes('%')
  if (!escaped && !path.includes('/.')) return segments
  if (escaped && badEscape.test(path)) throw badPath('holds a percent sign without two hex digits')
  if (escaped && hiddenByte.test(path))
    throw badPath('hides a slash, backslash or control byte behind percent-encoding')
  if (escaped && hiddenTwice.test(path)) throw badPath('is percent-encoded twice')
  for (let i = 0; i < segments.length; i++) {
    const segment = decodeSegment(segments[i]!)
    if (dotSegment.test(segment)) throw badPath('holds a dot segment')
    segments[i] = segment
  }
  return segments
}

const decodeSegment = (segment: string): string => {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw badPath('is not UTF-8 after percent-decoding')
  }
}

const readPathAndQuery = (
  text: string,
  form: TargetForm,
  scheme: 'http' | 'https',
  authority: Authority,
  rules: TargetRules,
): Target => {
  const mark = text.indexOf('?')
  const query = mark === -1 ? '' : text.slice(mark + 1)
  let path = mark === -1 ? text : text.slice(0, mark)
  if (mark !== -1 && !queryGrammar.test(query))
    throw badPath('is followed by a query with a fragment, a space or a byte outside ASCII')
  if (rules.slashes === 'merge' && path.includes('//')) path = path.replaceAll(/\/{2,}/g, '/')
  return {
    form,
    scheme,
    authority: authority.text,
    host: authority.host,
    port: authority.port,
    path,
    query,
    hasQuery: mark !== -1,
    segments: readSegments(path, rules.maxSegments),
  }
}

const absoluteForm = /^(https?):\/\/([^/?#]*)(.*)$/i

const mismatch = (): WireError =>
  new WireError('authority-mismatch', 'the request target and the host field name different places')

/**
 * Reads the target of a request together with its Host field. Throws `path`, `host`, or `authority-mismatch` when the
 * two disagree (security: H8).
 */
export const readTarget = (
  method: string,
  text: string,
  hostField: string | undefined,
  rules: TargetRules,
): Target => {
  if (hostField === undefined)
    throw new WireError('host', 'the host field is missing; every request must carry one')
  if (method === 'CONNECT') return readConnectTarget(text, hostField)
  if (text.charCodeAt(0) === 0x2f) {
    const authority = readAuthority(hostField, rules.scheme)
    return readPathAndQuery(text, 'origin', rules.scheme, authority, rules)
  }
  if (text === '*' && method === 'OPTIONS') {
    const authority = readAuthority(hostField, rules.scheme)
    return {
      form: 'asterisk',
      scheme: rules.scheme,
      authority: authority.text,
      host: authority.host,
      port: authority.port,
      path: '*',
      query: '',
      hasQuery: false,
      segments: [],
    }
  }
  const match = absoluteForm.exec(text)
  if (match === null) throw badPath('is neither /path nor http://host/path')
  const scheme = match[1]!.toLowerCase() === 'https' ? 'https' : 'http'
  const authority = readAuthority(match[2]!, scheme)
  if (readAuthority(hostField, scheme).text !== authority.text) throw mismatch()
  const rest = match[3]!
  const path = rest.startsWith('/') ? rest : `/${rest}`
  return readPathAndQuery(path, 'absolute', scheme, authority, rules)
}

const readConnectTarget = (text: string, hostField: string): Target => {
  if (!/:[0-9]+$/.test(text)) throw new WireError('host', 'CONNECT needs host:port')
  const plain = readAuthority(text, 'http')
  const named = readAuthority(hostField, 'https')
  const hostHasPort = /:[0-9]+$/.test(hostField)
  if (named.host !== plain.host || (hostHasPort && named.port !== plain.port)) throw mismatch()
  const host = plain.host.includes(':') ? `[${plain.host}]` : plain.host
  return {
    form: 'authority',
    scheme: 'https',
    authority: `${host}:${plain.port}`,
    host: plain.host,
    port: plain.port,
    path: '',
    query: '',
    hasQuery: false,
    segments: [],
  }
}

/** The origin-form target that is sent onward: path, and the query when there was one. */
export const forwardedTarget = (target: Target): string =>
  target.hasQuery ? `${target.path}?${target.query}` : target.path
