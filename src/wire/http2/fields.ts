/**
 * Header lists in the shape that the HTTP/2 sessions of the runtime take, and answers and trailers as they give them.
 *
 * What an origin sends is judged by the same field rules as over HTTP/1.1.
 */
import { sensitiveHeaders, type Http2Stream, type OutgoingHttpHeaders } from 'node:http2'
import { checkHeadBytes, isToken, readContentLength, readFields } from '../http1/fields.ts'
import { fieldName, plain } from '../http1/field-names.ts'
import { HeaderList } from '../headers.ts'
import type { ResponseHead } from '../message.ts'
import { WireError } from '../wire-error.ts'

/** Never put into the table that compresses later heads, where its length could be measured. */
const secretNames = ['authorization', 'cookie', 'set-cookie', 'x-sallyport-hop']

/** The fields, behind the pseudo fields given; repeated names become lists. */
export const toOutgoing = (
  pseudo: Readonly<Record<string, string | number>>,
  headers: HeaderList,
): OutgoingHttpHeaders => {
  // Without a prototype, so that a header named __proto__ is a key like any other (CVE-2026-21710).
  const fields = Object.create(null) as Record<string, string | number | string[]>
  Object.assign(fields, pseudo)
  const secret: string[] = []
  for (const [name, value] of headers) {
    const before = fields[name]
    if (before === undefined) {
      fields[name] = value
      if (secretNames.includes(name)) secret.push(name)
    } else if (Array.isArray(before)) before.push(value)
    else fields[name] = [String(before), value]
  }
  if (secret.length > 0) Object.assign(fields, { [sensitiveHeaders]: secret })
  return fields
}

/** An answer's head, and the length that it declares. */
export interface ReadHttp2Response {
  readonly head: ResponseHead
  readonly length: number | undefined
}

const bad = (why: string): WireError =>
  new WireError('bad-upstream-response', `the origin's answer ${why}`)

/** Reads name, value, … of an answer. Throws `bad-upstream-response` for whatever HTTP/1.1 would not carry. */
export const readHttp2ResponseHead = (
  raw: readonly string[],
  method: string,
  maxCount: number,
): ReadHttp2Response => {
  let status = 0
  let lines = ''
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!
    const value = raw[i + 1]!
    if (name === ':status') status = /^[1-5][0-9]{2}$/.test(value) ? Number(value) : 0
    else if (!isToken(name) || /[\r\n\0]/.test(value))
      throw bad('holds a field outside the grammar')
    else lines += `${name}: ${value}\r\n`
  }
  if (status === 0) throw bad('has no status')
  try {
    checkHeadBytes(lines)
    const rules = { maxCount, underscores: 'unsafe-allow', repeats: 'allow' } as const
    const fields = readFields(lines, 0, rules)
    if (fields.transferEncoding !== undefined || fields.upgrade !== undefined)
      throw bad('holds a field that HTTP/2 does not have')
    const declared =
      fields.contentLength === undefined ? undefined : readContentLength(fields.contentLength)
    const bodiless = method === 'HEAD' || status === 204 || status === 304 || status < 200
    return {
      head: {
        status,
        headers: new HeaderList(fields.list),
        declaredLength: bodiless && status !== 204 ? declared : undefined,
      },
      length: bodiless ? 0 : declared,
    }
  } catch (error) {
    if (error instanceof WireError && error.code !== 'bad-upstream-response')
      throw bad(`is refused: ${error.message}`)
    throw error
  }
}

/** True for gRPC, whose answers end in trailers. */
export const isGrpc = (headers: HeaderList): boolean =>
  headers.get('content-type')?.startsWith('application/grpc') === true

/**
 * What of a trailer section may pass: fields that mean nothing to framing, routing or identity. The rest is dropped,
 * never merged into the head (security: H4).
 */
export const readTrailers = (raw: readonly string[], maxCount: number): HeaderList => {
  const trailers = new HeaderList()
  for (let i = 0; i < raw.length && i < 2 * maxCount; i += 2) {
    const { name, meaning } = fieldName(raw[i]!)
    const value = raw[i + 1]!
    if (meaning !== plain || !isToken(name) || /[\0-\x08\x0a-\x1f\x7f]/.test(value)) continue
    if (name !== 'set-cookie' && name !== 'cookie') trailers.add(name, value)
  }
  return trailers
}

/** No `date` of our own, which the types of the runtime do not know as an option of a stream. */
export const withoutDate: object = { sendDate: false }

/**
 * Ends a stream so that what was sent cannot pass for the whole. `close` would send END_STREAM before its reset while
 * the message is unfinished; `destroy` with an error sends the reset alone.
 */
export const breakStream = (stream: Http2Stream, code: number): void => {
  if (stream.writableEnded) stream.close(code)
  else stream.destroy(new Error('the message was broken off'))
}
