/**
 * Reads the head of an HTTP/1.1 answer from an origin that is not trusted (security: H13).
 *
 * Whatever is outside the grammar throws `bad-upstream-response`; nothing of it reaches a client.
 */
import { HeaderList } from '../../headers.ts'
import type { Framing, ResponseHead } from '../../message.ts'
import { WireError } from '../../wire-error.ts'
import {
  checkHeadBytes,
  checkTransferEncoding,
  readContentLength,
  readFields,
  type Fields,
  type FieldRules,
} from '../fields.ts'

export interface ReadResponse {
  readonly head: ResponseHead
  readonly framing: Framing
  /** Whether the origin lets the connection be used again. */
  readonly keepAlive: boolean
  /** Whether it agreed to leave HTTP: 101 with `Upgrade: websocket`. */
  readonly upgraded: boolean
}

const statusLine = /^HTTP\/1\.([01]) ([1-5][0-9]{2})(?: (.*))?$/

const bad = (why: string): WireError =>
  new WireError('bad-upstream-response', `the origin's answer ${why}`)

const none: Framing = { kind: 'none' }
const chunked: Framing = { kind: 'chunked' }
const untilClose: Framing = { kind: 'close' }

/** Reads a head that ends with its empty line; `method` is that of the request it answers. */
export const readResponseHead = (text: string, method: string, rules: FieldRules): ReadResponse => {
  try {
    checkHeadBytes(text)
    const lineEnd = text.indexOf('\r\n')
    const line = text.slice(0, lineEnd)
    const match = statusLine.exec(line)
    if (match === null) throw bad('does not begin with a status line of HTTP/1.1')
    const status = Number(match[2])
    const fields = readFields(text.slice(0, -2), lineEnd + 2, rules)
    const isOld = match[1] === '0'
    const bodiless = method === 'HEAD' || status === 204 || status === 304 || status < 200
    const framing = readFraming(fields, bodiless, isOld)
    if ((status === 204 || status < 200) && framing !== none)
      throw bad('has a body that its status forbids')
    if (status < 200 && fields.close) throw bad('closes before its final head')
    const declaredLength =
      bodiless && framing.kind === 'length' && status !== 204 ? framing.length : undefined
    return {
      head: { status, reason: match[3], headers: new HeaderList(fields.list), declaredLength },
      framing: bodiless || (method === 'CONNECT' && status < 300) ? none : framing,
      keepAlive: !fields.close && (!isOld || fields.keepAlive),
      upgraded:
        status === 101 && fields.connectionUpgrade && fields.upgrade?.toLowerCase() === 'websocket',
    }
  } catch (error) {
    if (error instanceof WireError && error.code !== 'bad-upstream-response')
      throw new WireError(
        'bad-upstream-response',
        `the origin's answer is refused: ${error.message}`,
      )
    throw error
  }
}

const readFraming = (fields: Fields, bodiless: boolean, isOld: boolean): Framing => {
  if (fields.transferEncoding !== undefined) {
    if (fields.contentLength !== undefined)
      throw bad('has both content-length and transfer-encoding')
    if (isOld) throw bad('has a transfer-encoding in HTTP/1.0')
    checkTransferEncoding(fields.transferEncoding)
    return chunked
  }
  if (fields.contentLength === undefined) return bodiless ? none : untilClose
  const length = readContentLength(fields.contentLength)
  return length === 0 && bodiless ? none : { kind: 'length', length }
}
