/**
 * Writes heads. Framing and the connection's own fields come from here and from nowhere else.
 */
import type { Framing, ResponseHead } from '../message.ts'
import type { OutgoingRequest } from '../origin.ts'
import { WireError } from '../wire-error.ts'

const phrases: Readonly<Record<number, string>> = {
  100: 'Continue',
  101: 'Switching Protocols',
  103: 'Early Hints',
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  204: 'No Content',
  206: 'Partial Content',
  301: 'Moved Permanently',
  302: 'Found',
  303: 'See Other',
  304: 'Not Modified',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  411: 'Length Required',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  417: 'Expectation Failed',
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
}

const phraseGrammar = /^[\t\x20-\x7e\x80-\xff]*$/
const targetGrammar = /^[\x21-\x7e]+$/
const methodGrammar = /^[A-Z]{1,32}$/

/** `HTTP/1.1 200 OK` and CRLF. Throws `malformed` for a status or phrase that cannot stand in a status line. */
export const statusLine = (status: number, reason: string | undefined): string => {
  if (!Number.isInteger(status) || status < 100 || status > 599)
    throw new WireError('malformed', 'a status is a number from 100 to 599')
  if (reason === undefined) return `HTTP/1.1 ${status} ${phrases[status] ?? ''}\r\n`
  if (!phraseGrammar.test(reason))
    throw new WireError('malformed', 'the reason phrase holds a control')
  return `HTTP/1.1 ${status} ${reason}\r\n`
}

const framingLine = (framing: Framing): string => {
  if (framing.kind === 'length') return `content-length: ${framing.length}\r\n`
  return framing.kind === 'chunked' ? 'transfer-encoding: chunked\r\n' : ''
}

/** What the answer says of the connection: nothing for HTTP/1.1 that stays open. */
export type ConnectionLine = '' | 'connection: close\r\n' | 'connection: keep-alive\r\n'

export const writeResponseHead = (
  head: ResponseHead,
  framing: Framing,
  connection: ConnectionLine,
): string =>
  statusLine(head.status, head.reason) +
  head.headers.toLines() +
  framingLine(framing) +
  connection +
  '\r\n'

export const writeRequestHead = (request: OutgoingRequest, framing: Framing): string => {
  if (!methodGrammar.test(request.method) || !targetGrammar.test(request.target))
    throw new WireError(
      'malformed',
      'the outgoing request line holds a space, control or non-ASCII character',
    )
  if (!targetGrammar.test(request.authority))
    throw new WireError('malformed', 'the outgoing host is empty or holds a space or control')
  return (
    `${request.method} ${request.target} HTTP/1.1\r\nhost: ${request.authority}\r\n` +
    request.headers.toLines() +
    framingLine(framing) +
    (request.upgrade === undefined
      ? '\r\n'
      : `connection: upgrade\r\nupgrade: ${request.upgrade}\r\n\r\n`)
  )
}
