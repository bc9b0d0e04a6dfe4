/** URLs and query strings as Go's net/url reads and writes them, with its errors. */
import { bytesOf, textOf } from './bytes.ts'
import { quoteGo } from './quote.ts'
import { parseIp } from '../net/address.ts'

/** Text that is no URL or no query, in Go's words. */
export class UrlError extends Error {}

type Component = 'path' | 'query' | 'host' | 'zone' | 'user' | 'fragment'

export interface GoUrl {
  readonly scheme: string
  /** With port and brackets. */
  readonly host: string
  readonly hostname: string
  readonly port: string
  readonly path: string
  /** As it was written, or empty when writing `path` gives the same. */
  readonly rawPath: string
  readonly rawQuery: string
  readonly fragment: string
}

const unreserved = /^[A-Za-z0-9\-_.~]$/
const keptInHost = new Set('!$&\'()*+,;=:[]<>"')
const kept: Readonly<Record<Component, ReadonlySet<string>>> = {
  path: new Set('$&+,/:;=@'),
  query: new Set(),
  host: keptInHost,
  zone: keptInHost,
  user: new Set('$&+,;='),
  fragment: new Set("$&+,/:;=?@!()*'"),
}

function mustEscape(character: string, component: Component): boolean {
  return !unreserved.test(character) && !kept[component].has(character)
}

/** Text as it stands in a component: each byte that may not stand there as `%XX`; space in a query as `+`. */
export function escapeUrl(text: string, component: Component): string {
  let out = ''
  for (const byte of bytesOf(text)) {
    const character = String.fromCharCode(byte)
    if (component === 'query' && character === ' ') out += '+'
    else if (byte < 0x80 && !mustEscape(character, component)) out += character
    else out += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return out
}

/** @throws UrlError */
export function unescapeUrl(text: string, component: Component): string {
  checkEscapes(text, component)
  if (!/[%+]/.test(text)) return text
  const plain = component === 'query' ? text.replaceAll('+', ' ') : text
  const parts: Buffer[] = []
  let from = 0
  for (const match of plain.matchAll(/%([0-9A-Fa-f]{2})/g)) {
    parts.push(bytesOf(plain.slice(from, match.index)), Buffer.from(match[1]!, 'hex'))
    from = match.index + 3
  }
  parts.push(bytesOf(plain.slice(from)))
  return textOf(Buffer.concat(parts))
}

function checkEscapes(text: string, component: Component): void {
  const inHost = component === 'host' || component === 'zone'
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!
    if (character === '%') {
      const escape = text.slice(at, at + 3)
      const valid = /^%[0-9A-Fa-f]{2}$/.test(escape)
      const asciiInHost =
        component === 'host' && valid && /^%[0-7]/.test(escape) && escape !== '%25'
      if (!valid || asciiInHost) throw new UrlError(`invalid URL escape ${quoteGo(escape)}`)
      at += 2
    } else if (inHost && character < '\x80' && mustEscape(character, component)) {
      throw new UrlError(`invalid character ${quoteGo(character)} in host name`)
    }
  }
}

/** @throws UrlError */
export function parseUrl(raw: string): GoUrl {
  const hash = raw.indexOf('#')
  const text = hash < 0 ? raw : raw.slice(0, hash)
  const url = named(text, () => parseWithoutFragment(text))
  if (hash < 0) return url
  return { ...url, fragment: named(raw, () => unescapeUrl(raw.slice(hash + 1), 'fragment')) }
}

function named<T>(text: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof UrlError) throw new UrlError(`parse ${quoteGo(text)}: ${error.message}`)
    throw error
  }
}

function parseWithoutFragment(text: string): GoUrl {
  // eslint-disable-next-line no-control-regex
  if (/[\x00-\x1f\x7f]/.test(text)) throw new UrlError('net/url: invalid control character in URL')
  const [scheme, afterScheme] = splitScheme(text)
  const question = afterScheme.indexOf('?')
  const rawQuery = question < 0 ? '' : afterScheme.slice(question + 1)
  let rest = question < 0 ? afterScheme : afterScheme.slice(0, question)
  const empty = { host: '', hostname: '', port: '', path: '', rawPath: '', fragment: '' }
  if (!rest.startsWith('/')) {
    if (scheme !== '') return { ...empty, scheme, rawQuery }
    if (rest.split('/')[0]!.includes(':')) {
      throw new UrlError('first path segment in URL cannot contain colon')
    }
  }
  let authority = ''
  if (rest.startsWith('//') && (scheme !== '' || !rest.startsWith('///'))) {
    const slash = rest.indexOf('/', 2)
    authority = rest.slice(2, slash < 0 ? undefined : slash)
    rest = slash < 0 ? '' : rest.slice(slash)
  }
  const path = unescapeUrl(rest, 'path')
  const rawPath = escapeUrl(path, 'path') === rest ? '' : rest
  return { ...empty, ...parseAuthority(authority), scheme, path, rawPath, rawQuery }
}

function splitScheme(text: string): readonly [string, string] {
  const match = /^[A-Za-z][A-Za-z0-9+.-]*:/.exec(text)
  if (match !== null) return [match[0].slice(0, -1).toLowerCase(), text.slice(match[0].length)]
  if (text.startsWith(':')) throw new UrlError('missing protocol scheme')
  return ['', text]
}

function parseAuthority(authority: string): Pick<GoUrl, 'host' | 'hostname' | 'port'> {
  const at = authority.lastIndexOf('@')
  const host = parseHost(authority.slice(at + 1))
  if (at >= 0) {
    const user = authority.slice(0, at)
    if (!/^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/.test(user)) {
      throw new UrlError('net/url: invalid userinfo')
    }
    unescapeUrl(user, 'user')
  }
  return { host, ...splitHost(host) }
}

const optionalPort = /^(?::[0-9]*)?$/

function parseHost(host: string): string {
  if (!host.startsWith('[')) {
    const colon = host.lastIndexOf(':')
    if (colon >= 0) checkPort(host.slice(colon))
    return unescapeUrl(host, 'host')
  }
  const close = host.lastIndexOf(']')
  if (close < 0) throw new UrlError("missing ']' in host")
  checkPort(host.slice(close + 1))
  const literal = host.slice(1, close)
  const zone = literal.indexOf('%25')
  const address = zone < 0 ? literal : literal.slice(0, zone)
  if (parseIp(address)?.version !== 6) throw new UrlError('invalid IP-literal')
  const zoneText = zone < 0 ? '' : unescapeUrl(literal.slice(zone), 'zone')
  return `[${unescapeUrl(address, 'host')}${zoneText}]${host.slice(close + 1)}`
}

function checkPort(text: string): void {
  if (!optionalPort.test(text)) throw new UrlError(`invalid port ${quoteGo(text)} after host`)
}

function splitHost(host: string): { hostname: string; port: string } {
  const colon = host.lastIndexOf(':')
  const hasPort = colon >= 0 && optionalPort.test(host.slice(colon))
  const name = hasPort ? host.slice(0, colon) : host
  const bare = name.startsWith('[') && name.endsWith(']') ? name.slice(1, -1) : name
  return { hostname: bare, port: hasPort ? host.slice(colon + 1) : '' }
}

/** Names and values of a query string, in order. @throws UrlError */
export function parseQuery(query: string): (readonly [string, string])[] {
  const pairs: (readonly [string, string])[] = []
  for (const part of query.split('&')) {
    if (part.includes(';')) throw new UrlError('invalid semicolon separator in query')
    if (part === '') continue
    const equal = part.indexOf('=')
    const name = equal < 0 ? part : part.slice(0, equal)
    const value = equal < 0 ? '' : part.slice(equal + 1)
    pairs.push([unescapeUrl(name, 'query'), unescapeUrl(value, 'query')])
  }
  return pairs
}
