/**
 * The rules of request heads as pairs: what is refused with which code, and its nearest neighbour that is allowed. The
 * row names are those of the threat table.
 */
export const get = (lines: string, line = 'GET / HTTP/1.1') => `${line}\r\n${lines}\r\n`
export const host = 'Host: a\r\n'

export type Pair = readonly [name: string, refused: string, code: string, allowed: string]

export const many = (count: number, line: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => line(i)).join('')

export const pairs: readonly Pair[] = [
  [
    'H1 both lengths',
    get(`${host}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n`) + '0\r\n\r\n',
    '400 ambiguous-length',
    get(`${host}Transfer-Encoding: chunked\r\n`) + '0\r\n\r\n',
  ],
  [
    'H1 two Content-Length that agree',
    get(`${host}Content-Length: 1\r\nContent-Length: 1\r\n`) + 'x',
    '400 ambiguous-length',
    get(`${host}Content-Length: 1\r\n`) + 'x',
  ],
  [
    'H1 a list in Content-Length',
    get(`${host}Content-Length: 1, 1\r\n`) + 'x',
    '400 ambiguous-length',
    get(`${host}Content-Length: 01\r\n`) + 'x',
  ],
  [
    'H1 a signed Content-Length',
    get(`${host}Content-Length: +1\r\n`) + 'x',
    '400 ambiguous-length',
    get(`${host}Content-Length:\t1 \r\n`) + 'x',
  ],
  [
    'H1 a tab behind Content-Length',
    get(`${host}Content-Length: 1\t\r\n`) + 'x',
    '400 ambiguous-length',
    get(`${host}Content-Length: 1 \r\n`) + 'x',
  ],
  [
    'H1 a tab behind chunked',
    get(`${host}Transfer-Encoding: chunked\t\r\n`) + '0\r\n\r\n',
    '400 ambiguous-length',
    get(`${host}Transfer-Encoding: chunked \r\n`) + '0\r\n\r\n',
  ],
  [
    'H1 a negative Content-Length',
    get(`${host}Content-Length: -1\r\n`),
    '400 ambiguous-length',
    get(`${host}Content-Length: 0\r\n`),
  ],
  [
    'H1 an empty Content-Length',
    get(`${host}Content-Length:\r\n`),
    '400 ambiguous-length',
    get(`${host}X-Empty:\r\n`),
  ],
  [
    'H1 a hexadecimal Content-Length',
    get(`${host}Content-Length: 0x1\r\n`),
    '400 ambiguous-length',
    get(`${host}Content-Length: 0\r\n`),
  ],
  [
    'H1 a second coding',
    get(`${host}Transfer-Encoding: gzip, chunked\r\n`),
    '400 ambiguous-length',
    get(`${host}Transfer-Encoding: Chunked\r\n`) + '0\r\n\r\n',
  ],
  [
    'H1 identity coding',
    get(`${host}Transfer-Encoding: identity\r\n`),
    '400 ambiguous-length',
    get(host),
  ],
  [
    'H1 two Transfer-Encoding',
    get(`${host}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n`),
    '400 ambiguous-length',
    get(`${host}Transfer-Encoding: chunked\r\n`) + '0\r\n\r\n',
  ],
  [
    'H1 Transfer-Encoding in HTTP/1.0',
    get(`${host}Transfer-Encoding: chunked\r\n`, 'POST / HTTP/1.0'),
    '400 ambiguous-length',
    get(`${host}Content-Length: 0\r\n`, 'POST / HTTP/1.0'),
  ],
  ['H1 obs-fold', get(`${host}X: a\r\n b\r\n`), '400 malformed', get(`${host}X: a b\r\n`)],
  [
    'H1 obs-fold with a tab',
    get(`${host}X: a\r\n\tb\r\n`),
    '400 malformed',
    get(`${host}X: a\tb\r\n`),
  ],
  ['H1 a folded first line', get(` Host: a\r\n`), '400 malformed', get(host)],
  ['H1 a bare LF after a field', `GET / HTTP/1.1\r\nHost: a\n\r\n`, '400 malformed', get(host)],
  [
    'H1 a bare LF after the request line',
    `GET / HTTP/1.1\nHost: a\r\n\r\n`,
    '400 malformed',
    get(host),
  ],
  ['H1 LF only', `GET / HTTP/1.1\nHost: a\n\n`, '400 malformed', get(host)],
  ['H1 a bare CR in a value', get(`${host}X: a\rb\r\n`), '400 malformed', get(`${host}X: ab\r\n`)],
  [
    'H1 CR before the end of a line',
    get(`${host}X: a\r\r\n`),
    '400 malformed',
    get(`${host}X: a\r\n`),
  ],
  [
    'H1 a lookalike end of head (CVE-2025-23167)',
    `GET / HTTP/1.1\r\nHost: a\r\n\rX: b\r\n\r\n`,
    '400 malformed',
    get(`${host}X: b\r\n`),
  ],
  ['H1 NUL in a value', get(`${host}X: a\0b\r\n`), '400 malformed', get(`${host}X: a\xffb\r\n`)],
  ['H1 DEL in a value', get(`${host}X: a\x7fb\r\n`), '400 malformed', get(`${host}X: a~b\r\n`)],
  ['H1 a space before the colon', get(`${host}X : a\r\n`), '400 malformed', get(`${host}X: a\r\n`)],
  ['H1 a space in a name', get(`${host}X Y: a\r\n`), '400 malformed', get(`${host}X-Y: a\r\n`)],
  ['H1 an empty name', get(`${host}: a\r\n`), '400 malformed', get(`${host}X: a\r\n`)],
  ['H1 a line without a colon', get(`${host}Xa\r\n`), '400 malformed', get(`${host}X:a\r\n`)],
  [
    'H1 a name outside ASCII',
    get(`${host}X\xe9: a\r\n`),
    '400 malformed',
    get(`${host}Xe: \xe9\r\n`),
  ],
  [
    'H1 two spaces in the request line',
    get(host, 'GET  / HTTP/1.1'),
    '400 malformed',
    get(host, 'GET / HTTP/1.1'),
  ],
  [
    'H1 a tab in the request line',
    get(host, 'GET\t/ HTTP/1.1'),
    '400 malformed',
    get(host, 'GET / HTTP/1.1'),
  ],
  [
    'H1 a space behind the version',
    get(host, 'GET / HTTP/1.1 '),
    '400 malformed',
    get(host, 'GET / HTTP/1.1'),
  ],
  ['H1 two empty lines in front', `\r\n\r\n${get(host)}`, '400 malformed', `\r\n${get(host)}`],
  [
    'H5 Connection names Authorization',
    get(`${host}Connection: authorization\r\nAuthorization: b\r\n`),
    '400 connection-header',
    get(`${host}Connection: keep-alive\r\nAuthorization: b\r\n`),
  ],
  [
    'H5 Connection names an identity header',
    get(`${host}Connection: close, X-Spiffe-Id\r\n`),
    '400 connection-header',
    get(`${host}Connection: close, TE\r\n`),
  ],
  [
    'H5 Connection names Host',
    get(`${host}Connection: host\r\n`),
    '400 connection-header',
    get(`${host}Connection: close\r\n`),
  ],
  [
    'H5 Connection names Content-Length',
    get(`${host}Connection: Content-Length\r\n`),
    '400 connection-header',
    get(`${host}Connection: x-unheard-of\r\n`),
  ],
  [
    'H5 Connection names Cookie',
    get(`${host}Connection: cookie\r\n`),
    '400 connection-header',
    get(`${host}Connection: keep-alive\r\nCookie: a\r\n`),
  ],
  [
    'H6 TRACE',
    get(host, 'TRACE / HTTP/1.1'),
    '405 method-refused',
    get(host, 'OPTIONS / HTTP/1.1'),
  ],
  [
    'H9 a long target',
    get(host, `GET /${'a'.repeat(8_192)} HTTP/1.1`),
    '414 target-too-long',
    get(host, `GET /${'a'.repeat(8_191)} HTTP/1.1`),
  ],
  [
    'H9 a long head',
    get(`${host}X: ${'a'.repeat(16_384)}\r\n`),
    '431 headers-too-large',
    get(`${host}X: ${'a'.repeat(16_000)}\r\n`),
  ],
  [
    'H9 many headers',
    get(host + many(100, (i) => `X${i}: a\r\n`)),
    '431 headers-too-large',
    get(host + many(99, (i) => `X${i}: a\r\n`)),
  ],
  ['H9 HTTP/0.9', 'GET /\r\n', '505 version', get(host, 'GET / HTTP/1.0')],
  ['H9 HTTP/1.2', get(host, 'GET / HTTP/1.2'), '505 version', get(host, 'GET / HTTP/1.1')],
  ['H9 HTTP/2 without ALPN', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '505 version', get(host)],
  [
    'H9 a lower-case version',
    get(host, 'GET / http/1.1'),
    '400 malformed',
    get(host, 'GET / HTTP/1.1'),
  ],
  [
    'H10 an underscore',
    get(`${host}X_Y: a\r\n`),
    '400 underscore-header',
    get(`${host}X-Y: a_b\r\n`),
  ],
  ['H10 two Host', get(`${host}${host}`), '400 duplicate-header', get(host)],
  [
    'H10 two Authorization',
    get(`${host}Authorization: a\r\nAuthorization: a\r\n`),
    '400 duplicate-header',
    get(`${host}Authorization: a\r\n`),
  ],
  [
    'H10 two Authorization in different case',
    get(`${host}AUTHORIZATION: a\r\nauthorization: b\r\n`),
    '400 duplicate-header',
    get(`${host}AUTHORIZATION: a\r\n`),
  ],
  [
    'H10 two Content-Type',
    get(`${host}Content-Type: a\r\nContent-Type: b\r\n`),
    '400 duplicate-header',
    get(`${host}Accept: a\r\nAccept: b\r\n`),
  ],
  [
    'H10 two of any Content-*',
    get(`${host}Content-Anything: a\r\nContent-Anything: b\r\n`),
    '400 duplicate-header',
    get(`${host}X-Any: a\r\nX-Any: b\r\n`),
  ],
  [
    'H10 two identity headers',
    get(`${host}X-Forwarded-Client-Cert: a\r\nX-Forwarded-Client-Cert: b\r\n`),
    '400 duplicate-header',
    get(`${host}X-Forwarded-Client-Cert: a\r\n`),
  ],
  [
    'H10 two X-Sallyport-*',
    get(`${host}X-Sallyport-Hop: a\r\nX-Sallyport-Hop: b\r\n`),
    '400 duplicate-header',
    get(`${host}X-Sallyport-Hop: a\r\n`),
  ],
  [
    'H17 a lower-case method',
    get(host, 'get / HTTP/1.1'),
    '501 method-unknown',
    get(host, 'GET / HTTP/1.1'),
  ],
  [
    'H17 an unknown method',
    get(host, 'BREW / HTTP/1.1'),
    '501 method-unknown',
    get(host, 'PATCH / HTTP/1.1'),
  ],
  [
    'an unknown expectation',
    get(`${host}Expect: the-unexpected\r\n`),
    '417 expectation',
    get(`${host}Expect: 100-Continue\r\n`),
  ],
]
