/**
 * The public smuggling cases, rendered into bytes, and seeds of our own.
 */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { vectors } from './vectors.ts'

interface LlhttpCase {
  readonly file: string
  readonly name: string
  readonly raw_b64: string
  readonly llhttp_error: number | null
}

interface Gadget {
  readonly name: string
  readonly header_b64: string
}

export const llhttpFile = vectors('vectors/http-smuggling/llhttp-requests.json')
export const gadgetFile = vectors('vectors/http-smuggling/defparam-smuggler-gadgets.json.gz')

/** The request cases of llhttp's own tests. */
export const llhttpCases = (): Buffer[] =>
  (JSON.parse(readFileSync(llhttpFile!, 'utf8')) as { cases: LlhttpCase[] }).cases.map((each) =>
    Buffer.from(each.raw_b64, 'base64'),
  )

/** Each gadget with the bodies of its rule: CL.TE with two lengths, TE.CL with two. */
export const gadgetRequests = (): Buffer[] => {
  const { cases } = JSON.parse(gunzipSync(readFileSync(gadgetFile!)).toString()) as {
    cases: Gadget[]
  }
  return cases.flatMap(({ header_b64: header }) =>
    [
      ['1\r\nZ\r\n0\r\n\r\n', 4],
      ['1\r\nZ\r\n0\r\n\r\n', 11],
      ['0\r\n\r\nX', 6],
      ['0\r\n\r\nX', 5],
    ].map(([body, length]) =>
      Buffer.from(
        Buffer.from(header, 'base64')
          .toString('latin1')
          .replaceAll('__METHOD__', 'POST')
          .replaceAll('__ENDPOINT__', '/x')
          .replaceAll('__RANDOM__', '1')
          .replaceAll('__HOST__', 'example.com')
          .replaceAll('__REPLACE_CL__', String(length)) + `\r\n${body}`,
        'latin1',
      ),
    ),
  )
}

/** Headers as a browser or a client library sends them, so that a mutation does not always hit what is short. */
const usual =
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)\r\n' +
  'Accept: text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8\r\n' +
  'Accept-Language: en-GB,en;q=0.7,de;q=0.3\r\nAccept-Encoding: gzip, deflate, br\r\n' +
  'Cookie: session=0123456789abcdef; theme=dark\r\nX-Request-Id: 5f2b1c4e-9a3d-4b7e\r\n'

/** Small requests of every form that is accepted: seeds for mutation. */
export const ownCases = [
  'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET /a%20b?c=d&e=%00 HTTP/1.1\r\nHost: a:80\r\nAccept: */*\r\nCookie: a=b; c=d\r\n\r\n',
  'GET http://A.b:80/x HTTP/1.1\r\nHost: a.B\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n',
  'CONNECT a.b:443 HTTP/1.1\r\nHost: a.b:443\r\n\r\nxyz',
  'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /y HTTP/1.1\r\nHost: a\r\n\r\n',
  'POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b;c="d"\r\nhello\r\n0\r\nX-T: 1\r\n\r\nGET /y HTTP/1.1\r\nHost: a\r\n\r\n',
  'PUT /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx',
  'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\n\r\n',
  'GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\nHost: a\r\n\r\n',
  '\r\nDELETE /x HTTP/1.1\r\nHost: [::1]:8080\r\nContent-Length: 0\r\n\r\n',
  `GET /orders/42/items?page=2&sort=price HTTP/1.1\r\nHost: orders.example.com\r\n${usual}\r\n`,
  `POST /orders HTTP/1.1\r\nHost: orders.example.com\r\n${usual}Content-Type: application/json\r\nContent-Length: 46\r\n\r\n{"item":"a book","count":3,"gift":true,"to":1}GET /after HTTP/1.1\r\nHost: a\r\n${usual}\r\n`,
  `POST /orders HTTP/1.1\r\nHost: orders.example.com\r\n${usual}Transfer-Encoding: chunked\r\n\r\n1e\r\n{"item":"a book","count":3,"gi\r\n0\r\n\r\nDELETE /after HTTP/1.1\r\nHost: a\r\n${usual}\r\n`,
].map((text) => Buffer.from(text, 'latin1'))
