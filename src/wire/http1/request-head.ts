/**
 * Reads the head of an HTTP/1.1 request into the one canonical form that policy, forwarding and audit share.
 *
 * Anything that another parser could read differently throws a WireError. It sees the head only: the length of the
 * head is bounded by the connection, the body is checked as it arrives.
 */
import { HeaderList } from '../headers.ts'
import type { Framing, RequestHead } from '../message.ts'
import { readTarget, type TargetRules } from '../target.ts'
import { WireError } from '../wire-error.ts'
import {
  checkHeadBytes,
  checkTransferEncoding,
  isToken,
  readContentLength,
  readFields,
  type Fields,
  type FieldRules,
} from './fields.ts'

export interface RequestRules {
  readonly target: TargetRules
  readonly fields: FieldRules
  readonly maxTarget: number
  readonly maxHead: number
  /** A server of one service refuses CONNECT; a forward proxy takes it. */
  readonly mode: 'server' | 'forward-proxy'
}

/** A request head, and what it says about the connection. */
export interface ReadRequest {
  readonly head: RequestHead
  readonly keepAlive: boolean
}

const methods = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'CONNECT',
  'TRACE',
])

const none: Framing = { kind: 'none' }
const chunked: Framing = { kind: 'chunked' }

interface RequestLine {
  readonly method: string
  readonly target: string
  readonly version: '1.0' | '1.1'
}

/** Reads `method SP target SP version` (RFC 9112 §3). It is called by itself as soon as the line is there. */
export const readRequestLine = (line: string, rules: RequestRules): RequestLine => {
  const first = line.indexOf(' ')
  const last = line.lastIndexOf(' ')
  const method = first === -1 ? line : line.slice(0, first)
  if (!isToken(method))
    throw new WireError('malformed', 'the request line does not begin with a method')
  if (first === -1 || first === last) {
    if (!/HTTP\/[0-9]/.test(line.slice(first + 1)))
      throw new WireError(
        'version',
        'the request line names no version; HTTP/0.9 is not spoken here',
      )
    throw new WireError('malformed', 'the request line is not method, target, version')
  }
  const target = line.slice(first + 1, last)
  if (target.length > rules.maxTarget)
    throw new WireError(
      'target-too-long',
      `the request target is longer than ${rules.maxTarget} bytes`,
    )
  const version = line.slice(last + 1)
  if (version !== 'HTTP/1.1' && version !== 'HTTP/1.0') {
    if (/^HTTP\/[0-9](?:\.[0-9])?$/.test(version))
      throw new WireError('version', 'only HTTP/1.1 and HTTP/1.0 are spoken here')
    throw new WireError('malformed', 'the request line does not end with a version')
  }
  if (target === '' || target.includes(' ') || target.includes('\t'))
    throw new WireError('malformed', 'the request line is not method, target, version')
  if (!methods.has(method))
    throw new WireError(
      'method-unknown',
      'the method is not one that is known here; methods are upper case',
    )
  if (method === 'TRACE' || (method === 'CONNECT' && rules.mode === 'server'))
    throw new WireError('method-refused', `${method} is not allowed here`)
  return { method, target, version: version === 'HTTP/1.1' ? '1.1' : '1.0' }
}

/** Reads a head that ends with its empty line. Throws a WireError of the client's faults. */
export const readRequestHead = (text: string, rules: RequestRules): ReadRequest => {
  checkHeadBytes(text)
  const lineEnd = text.indexOf('\r\n')
  const line = readRequestLine(text.slice(0, lineEnd), rules)
  if (text.length > rules.maxHead)
    throw new WireError('headers-too-large', `the head is longer than ${rules.maxHead} bytes`)
  const fields = readFields(text.slice(0, -2), lineEnd + 2, rules.fields)
  const target = readTarget(line.method, line.target, fields.host, rules.target)
  const framing = readFraming(fields, line)
  return {
    head: {
      method: line.method,
      target,
      headers: new HeaderList(fields.list),
      framing,
      version: line.version,
      expectContinue: readExpect(fields, line, framing),
      upgrade: readUpgrade(fields, line, framing),
    },
    keepAlive: !fields.close && (line.version === '1.1' || fields.keepAlive),
  }
}

/** RFC 9112 §6.3, with every case that it leaves to the recipient refused (security: H1). */
const readFraming = (fields: Fields, line: RequestLine): Framing => {
  if (fields.transferEncoding !== undefined) {
    if (fields.contentLength !== undefined)
      throw new WireError(
        'ambiguous-length',
        'both content-length and transfer-encoding are present',
      )
    if (line.version === '1.0')
      throw new WireError('ambiguous-length', 'HTTP/1.0 has no transfer-encoding')
    checkTransferEncoding(fields.transferEncoding)
    if (line.method === 'CONNECT') throw new WireError('malformed', 'CONNECT has no body')
    return chunked
  }
  if (fields.contentLength === undefined) return none
  const length = readContentLength(fields.contentLength)
  if (line.method === 'CONNECT' && length > 0)
    throw new WireError('malformed', 'CONNECT has no body')
  return line.method === 'CONNECT' ? none : { kind: 'length', length }
}

const readExpect = (fields: Fields, line: RequestLine, framing: Framing): boolean => {
  if (fields.expect === undefined) return false
  if (fields.expect.toLowerCase() !== '100-continue')
    throw new WireError('expectation', 'the only expectation that is met here is 100-continue')
  const hasBody = framing.kind === 'chunked' || (framing.kind === 'length' && framing.length > 0)
  return line.version === '1.1' && hasBody
}

/** Only WebSocket is offered onward; h2c and all else are left out, which RFC 9110 §7.8 allows (security: H6). */
const readUpgrade = (
  fields: Fields,
  line: RequestLine,
  framing: Framing,
): 'websocket' | undefined => {
  if (fields.upgrade === undefined || !fields.connectionUpgrade) return undefined
  if (line.method !== 'GET' || line.version !== '1.1' || framing.kind !== 'none') return undefined
  return fields.upgrade.toLowerCase() === 'websocket' ? 'websocket' : undefined
}
