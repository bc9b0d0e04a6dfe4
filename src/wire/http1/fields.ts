/**
 * Reads the field lines of an HTTP/1.1 head (RFC 9112 §5): strict grammar, framing and hop-by-hop fields set apart.
 *
 * It judges each line by itself. What the fields mean together (two lengths, a missing Host) is for the readers of
 * request and response heads.
 */
import { WireError } from '../wire-error.ts'
import * as names from './field-names.ts'

/** What the field lines said, before it is judged. */
export interface Fields {
  /** Name, value, name, value, …: what is forwarded. */
  readonly list: string[]
  host: string | undefined
  contentLength: string | undefined
  transferEncoding: string | undefined
  upgrade: string | undefined
  expect: string | undefined
  close: boolean
  keepAlive: boolean
  connectionUpgrade: boolean
}

export interface FieldRules {
  readonly maxCount: number
  readonly underscores: 'refuse' | 'drop' | 'unsafe-allow'
  /** Requests refuse repeated fields that decisions rest on; an answer may repeat them as it likes. */
  readonly repeats: 'refuse' | 'allow'
}

/** 1 for each code that may stand in a token (RFC 9110 §5.6.2). */
const tokenCodes = new Uint8Array(256)
for (const char of "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
  tokenCodes[char.charCodeAt(0)] = 1

export const isToken = (text: string): boolean => {
  for (let i = 0; i < text.length; i++) if (tokenCodes[text.charCodeAt(i)] !== 1) return false
  return text.length > 0
}

/**
 * A control byte, or a CR or LF that is not half of a CRLF: nothing in a head may hold one. One class first and the
 * exceptions after it, because every byte of every head is looked at.
 */
const forbiddenInHead = /[\0-\x08\n-\x1f\x7f](?<!\r(?=\n))(?<!\r\n)/

/** Throws `malformed` when a whole head holds a byte that two readers could take for different things. */
export const checkHeadBytes = (head: string): void => {
  if (forbiddenInHead.test(head))
    throw new WireError('malformed', 'the head holds a control byte, or a bare CR or LF')
}

const space = 0x20
const tab = 0x09
const colon = 0x3a

const duplicate = (name: string): WireError =>
  new WireError('duplicate-header', `header ${name} stands more than once; send it once`)

/** Reads the lines of `head` from `from` to its end, each of them ended by CRLF. `checkHeadBytes` comes first. */
export const readFields = (head: string, from: number, rules: FieldRules): Fields => {
  const list: string[] = []
  const fields: Fields = {
    list,
    host: undefined,
    contentLength: undefined,
    transferEncoding: undefined,
    upgrade: undefined,
    expect: undefined,
    close: false,
    keepAlive: false,
    connectionUpgrade: false,
  }
  const end = head.length
  let count = 0
  let at = from
  while (at < end) {
    const lineEnd = head.indexOf('\r\n', at)
    if (++count > rules.maxCount)
      throw new WireError('headers-too-large', `more than ${rules.maxCount} header fields`)
    let nameEnd = at
    while (tokenCodes[head.charCodeAt(nameEnd)] === 1) nameEnd++
    // An empty name, obs-fold, a space before the colon and a line without a colon all stop here.
    if (nameEnd === at || head.charCodeAt(nameEnd) !== colon)
      throw new WireError('malformed', 'a header line is not name, colon, value')
    let valueStart = nameEnd + 1
    let valueEnd = lineEnd
    let code = head.charCodeAt(valueStart)
    while (valueStart < valueEnd && (code === space || code === tab))
      code = head.charCodeAt(++valueStart)
    code = head.charCodeAt(valueEnd - 1)
    while (valueEnd > valueStart && (code === space || code === tab))
      code = head.charCodeAt(--valueEnd - 1)

    const { name, meaning } = names.fieldName(head.slice(at, nameEnd))
    const value = head.slice(valueStart, valueEnd)
    at = lineEnd + 2
    switch (meaning) {
      case names.plain:
        list.push(name, value)
        break
      case names.single:
        if (rules.repeats === 'refuse' && holds(list, name)) throw duplicate(name)
        list.push(name, value)
        break
      case names.host:
        if (fields.host !== undefined) throw duplicate(name)
        fields.host = value
        break
      case names.contentLength:
        if (fields.contentLength !== undefined)
          throw new WireError('ambiguous-length', 'content-length stands more than once')
        fields.contentLength = head.slice(valueStart, lineEnd)
        break
      case names.transferEncoding:
        if (fields.transferEncoding !== undefined)
          throw new WireError('ambiguous-length', 'transfer-encoding stands more than once')
        fields.transferEncoding = head.slice(valueStart, lineEnd)
        break
      case names.connection:
        readConnection(value, fields)
        break
      case names.upgrade:
        // Several offers cannot all be taken; none is then.
        fields.upgrade = fields.upgrade === undefined ? value : ''
        break
      case names.expect:
        if (fields.expect !== undefined && rules.repeats === 'refuse') throw duplicate(name)
        fields.expect = value
        break
      case names.underscored:
        if (rules.underscores === 'refuse')
          throw new WireError(
            'underscore-header',
            'a header name holds an underscore, which some servers read as a dash',
          )
        if (rules.underscores === 'unsafe-allow') list.push(name, value)
        break
      default:
        break
    }
  }
  return fields
}

const holds = (list: readonly string[], name: string): boolean => {
  for (let i = 0; i < list.length; i += 2) if (list[i] === name) return true
  return false
}

const maxConnectionTokens = 32

const readConnection = (value: string, fields: Fields): void => {
  if (value === 'keep-alive') {
    fields.keepAlive = true
    return
  }
  const parts = value.split(',')
  if (parts.length > maxConnectionTokens)
    throw new WireError('malformed', `connection names more than ${maxConnectionTokens} options`)
  for (const part of parts) {
    const token = part.replace(/^[ \t]+|[ \t]+$/g, '').toLowerCase()
    if (token === '') continue
    if (!isToken(token)) throw new WireError('malformed', 'connection holds what is not a token')
    if (token === 'close') fields.close = true
    if (token === 'keep-alive') fields.keepAlive = true
    if (token === 'upgrade') fields.connectionUpgrade = true
    if (names.isConnectionOption(token)) continue
    if (names.isEndToEnd(token))
      throw new WireError(
        'connection-header',
        `connection names ${token}, which no hop may drop; leave it out`,
      )
  }
}

// Spaces behind a framing value are let through, tabs are not: that is where parsers stop to agree.

/** The number of a Content-Length, which is digits and nothing else (RFC 9110 §8.6). */
export const readContentLength = (value: string): number => {
  if (!/^[0-9]{1,15} *$/.test(value))
    throw new WireError('ambiguous-length', 'content-length is not a plain number of bytes')
  return Number(value)
}

/** Throws unless the one coding is `chunked`: any other would be read differently by different servers. */
export const checkTransferEncoding = (value: string): void => {
  if (!/^chunked *$/i.test(value))
    throw new WireError('ambiguous-length', 'transfer-encoding is not exactly chunked')
}
