/**
 * Reads the fields of an HTTP/2 request into the canonical head that HTTP/1.1 gives as well.
 *
 * The fields are written out as an HTTP/1.1 head and read by that reader, so that a method, path, host, length or field
 * that is refused there is refused here for the same reason. What HTTP/2 forbids by itself is checked first. It sees the
 * head only; that the body has the declared length is checked as it arrives.
 */
import { randomBytes } from 'node:crypto'
import type { Framing, RequestHead } from '../message.ts'
import { readRequestHead, type RequestRules } from '../http1/request-head.ts'
import { isToken } from '../http1/fields.ts'
import { readAuthority } from '../target.ts'
import { WireError } from '../wire-error.ts'

/** Fields of one connection: RFC 9113 §8.2.2 makes a message that has one malformed. */
const connectionFields = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
])

/** A byte that a field value may not hold: in HTTP/1.1 it could end the line or the head (security: H2). */
const forbiddenInValue = /[\0-\x08\x0a-\x1f\x7f]/

const malformed = (why: string): WireError => new WireError('malformed', `the request ${why}`)

interface Pseudo {
  method: string | undefined
  scheme: string | undefined
  authority: string | undefined
  path: string | undefined
  protocol: string | undefined
}

/** Whether the head is the whole request (END_STREAM), or a body follows. */
export type RequestEnd = 'with-head' | 'with-body'

/**
 * Reads name, value, name, value, … as they came, pseudo fields first. Throws a WireError of the client's faults.
 * An extended CONNECT for a WebSocket (RFC 8441) becomes the GET with an upgrade that it stands for.
 */
export const readHttp2RequestHead = (
  raw: readonly string[],
  end: RequestEnd,
  rules: RequestRules,
): RequestHead => {
  const pseudo: Pseudo = {
    method: undefined,
    scheme: undefined,
    authority: undefined,
    path: undefined,
    protocol: undefined,
  }
  let lines = ''
  let host: string | undefined
  let cookie: string | undefined
  let size = 0
  let webSocketKey = false
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!
    const value = raw[i + 1]!
    size += name.length + value.length + 32
    if (forbiddenInValue.test(value)) throw malformed('holds a control byte in a field value')
    if (name.charCodeAt(0) === 0x3a) {
      readPseudo(pseudo, name, value)
      continue
    }
    checkName(name)
    if (connectionFields.has(name)) throw malformed(`holds ${name}, which HTTP/2 does not have`)
    switch (name) {
      case 'te':
        if (value.toLowerCase() !== 'trailers') throw malformed('holds a te other than trailers')
        break
      case 'host':
        if (host !== undefined)
          throw new WireError('duplicate-header', 'header host stands more than once; send it once')
        host = value
        break
      case 'cookie':
        // RFC 9113 §8.2.3: crumbs are one field again before anybody else reads them.
        cookie = cookie === undefined ? value : `${cookie}; ${value}`
        break
      default:
        if (name === 'sec-websocket-key') webSocketKey = true
        lines += `${name}: ${value}\r\n`
    }
  }
  if (size > rules.maxHead)
    throw new WireError('headers-too-large', `the head is longer than ${rules.maxHead} bytes`)
  if (cookie !== undefined) lines += `cookie: ${cookie}\r\n`
  const isWebSocket = readProtocol(pseudo)
  if (isWebSocket) {
    lines += 'connection: upgrade\r\nupgrade: websocket\r\n'
    if (!webSocketKey) lines += `sec-websocket-key: ${randomBytes(16).toString('base64')}\r\n`
  }
  const text = `${requestLine(pseudo, isWebSocket, rules)}host: ${authorityOf(pseudo, host, rules)}\r\n${lines}\r\n`
  const { head } = readRequestHead(text, { ...rules, maxHead: text.length })
  if (isWebSocket && head.upgrade === undefined)
    throw malformed('opens a websocket and declares a body')
  return { ...head, version: '2', framing: isWebSocket ? none : framingOf(head.framing, end) }
}

const none: Framing = { kind: 'none' }
const unknownLength: Framing = { kind: 'chunked' }

const readPseudo = (pseudo: Pseudo, name: string, value: string): void => {
  const key = name.slice(1)
  if (!Object.hasOwn(pseudo, key)) throw malformed('holds an unknown pseudo field')
  const known = key as keyof Pseudo
  if (pseudo[known] !== undefined) throw malformed(`holds ${name} twice`)
  pseudo[known] = value
}

const checkName = (name: string): void => {
  if (!isToken(name)) throw malformed('holds a field name that is not a token')
  if (name !== name.toLowerCase()) throw malformed('holds a field name with capitals')
}

const readProtocol = ({ method, protocol }: Pseudo): boolean => {
  if (protocol === undefined) return false
  if (method !== 'CONNECT') throw malformed('holds :protocol and is no CONNECT')
  if (protocol !== 'websocket')
    throw new WireError('method-unknown', 'the only protocol to connect with is websocket')
  return true
}

const requestLine = (pseudo: Pseudo, isWebSocket: boolean, rules: RequestRules): string => {
  const { method, path, scheme } = pseudo
  if (method === undefined) throw malformed('has no :method')
  if (method === 'CONNECT' && !isWebSocket)
    throw new WireError('method-refused', 'CONNECT is not allowed here over HTTP/2')
  if (scheme !== rules.target.scheme)
    throw malformed(`has a :scheme other than ${rules.target.scheme}`)
  if (path === undefined || (path.charCodeAt(0) !== 0x2f && path !== '*'))
    throw new WireError('path', 'the path does not begin with /')
  return `${isWebSocket ? 'GET' : method} ${path} HTTP/1.1\r\n`
}

/** One authority whichever of the two fields named it (security: H2, M11). */
const authorityOf = (pseudo: Pseudo, host: string | undefined, rules: RequestRules): string => {
  const { authority } = pseudo
  if (authority === undefined || host === undefined) {
    const only = authority ?? host
    if (only === undefined)
      throw new WireError('host', 'neither :authority nor host is there; every request names one')
    return only
  }
  const { scheme } = rules.target
  if (readAuthority(authority, scheme).text !== readAuthority(host, scheme).text)
    throw new WireError('authority-mismatch', ':authority and host name different places')
  return authority
}

const framingOf = (declared: Framing, end: RequestEnd): Framing => {
  const length = declared.kind === 'length' ? declared.length : undefined
  if (end === 'with-body') return length === undefined ? unknownLength : declared
  if (length !== undefined && length > 0)
    throw new WireError('ambiguous-length', 'content-length promises a body, and none follows')
  return none
}
