/**
 * The rules of request heads and chunked bodies, each as a pair of what is refused and what is allowed, over real
 * sockets.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startPlainForwarder, type PlainForwarder } from '../support/plain-forwarder.ts'
import { get, host, many, pairs } from './head-pairs.ts'
import { targetPairs } from './target-pairs.ts'
import { rawClient } from '../support/raw-client.ts'
import { startRecordingOrigin, type RecordingOrigin } from '../support/recording-origin.ts'

let origin: RecordingOrigin
let server: PlainForwarder
let forwardProxy: PlainForwarder

beforeAll(async () => {
  origin = await startRecordingOrigin()
  server = await startPlainForwarder({ originPort: origin.port })
  forwardProxy = await startPlainForwarder({
    originPort: origin.port,
    server: { mode: 'forward-proxy' },
  })
})
afterAll(async () => {
  await server.close()
  await forwardProxy.close()
  await origin.close()
})
beforeEach(() => {
  origin.requests.length = 0
})

/** Sends bytes; gives status and code of the refusal, or the status of the answer. */
const exchange = async (bytes: string, proxy = server): Promise<string> => {
  const client = await rawClient(proxy.port)
  client.send(bytes)
  const answer = await client.until((received) => received.includes('\r\n\r\n'))
  const status = answer.toString().slice(9, 12)
  if (status === '200') {
    client.destroy()
    return status
  }
  const whole = (await client.ended()).toString()
  expect(whole).toContain('connection: close\r\n')
  return `${status} ${whole.slice(whole.indexOf('\r\n\r\n') + 4)}`
}

describe('request heads of a server', () => {
  it.each([...pairs, ...targetPairs])('%s', async (_name, refused, code, allowed) => {
    expect(await exchange(refused)).toBe(code)
    expect(origin.requests).toHaveLength(0)
    expect(await exchange(allowed)).toBe('200')
    expect(origin.requests).toHaveLength(1)
  })

  it('refuses a head beyond its limit although its end never comes', async () => {
    const client = await rawClient(server.port)
    client.send(`GET / HTTP/1.1\r\n${host}`)
    client.send(`X: ${'a'.repeat(17_000)}`)
    expect((await client.ended()).toString()).toMatch(/^HTTP\/1\.1 431 /)
  })

  it('refuses a TLS hello on a plain port at once', async () => {
    const client = await rawClient(server.port)
    client.send(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]))
    expect((await client.ended()).toString()).toMatch(/^HTTP\/1\.1 400 /)
  })
})

const connectTo = (target: string, hostField: string) =>
  `CONNECT ${target} HTTP/1.1\r\nHost: ${hostField}\r\n\r\n`

describe('request heads of a forward proxy', () => {
  it.each([
    ['names another host in Host', connectTo('a:443', 'b:443'), '421 authority-mismatch'],
    ['names another port in Host', connectTo('a:443', 'a:444'), '421 authority-mismatch'],
    ['has no port', connectTo('a', 'a'), '400 host'],
    ['has a path', connectTo('a:443/x', 'a:443'), '400 host'],
    ['has userinfo', connectTo('u@a:443', 'a:443'), '400 host'],
    [
      'has a body',
      `CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nContent-Length: 1\r\n\r\nx`,
      '400 malformed',
    ],
  ])('refuses a CONNECT that %s', async (_name, bytes, code) => {
    expect(await exchange(bytes, forwardProxy)).toBe(code)
  })

  it('hands a CONNECT on with its canonical authority', async () => {
    forwardProxy.seen.length = 0
    forwardProxy.handle = (request) => request.connection.destroy()
    const client = await rawClient(forwardProxy.port)
    client.send(connectTo('API.example.com:443', 'api.example.com'))
    await client.ended()
    expect(forwardProxy.seen[0]!.head.target).toMatchObject({
      form: 'authority',
      authority: 'api.example.com:443',
      host: 'api.example.com',
      port: 443,
    })
    forwardProxy.handle = undefined
  })

  it('rewrites absolute-form to origin-form', async () => {
    expect(
      await exchange(
        get('Host: API.example.com\r\n', 'GET http://api.example.com/x?y HTTP/1.1'),
        forwardProxy,
      ),
    ).toBe('200')
    expect(origin.requests[0]!.requestLine).toBe('GET /x?y HTTP/1.1')
    expect(origin.requests[0]!.headers[0]).toEqual(['host', 'api.example.com'])
  })
})

describe('options', () => {
  it('merges slashes only when told to', async () => {
    const merging = await startPlainForwarder({
      originPort: origin.port,
      server: { slashes: 'merge' },
    })
    await exchange(get(host, 'GET //a///b HTTP/1.1'), merging)
    await exchange(get(host, 'GET //a///b HTTP/1.1'))
    expect(origin.requests.map((request) => request.target)).toEqual(['/a/b', '//a///b'])
    await merging.close()
  })

  it('drops headers with underscores only when told to', async () => {
    const dropping = await startPlainForwarder({
      originPort: origin.port,
      server: { underscores: 'drop' },
    })
    await exchange(get(`${host}X_User: root\r\nX-Kept: 1\r\n`), dropping)
    expect(origin.requests[0]!.headers.map(([name]) => name)).toEqual(['host', 'x-kept'])
    await dropping.close()
  })
})

describe('chunked bodies', () => {
  const send = async (body: string): Promise<string> => {
    const client = await rawClient(server.port)
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${body}`)
    const bytes = await client.until((received) => received.includes('\r\n\r\n'))
    client.destroy()
    return bytes.toString().slice(9, 12)
  }

  it.each([
    ['a size with a prefix', '0x1\r\na\r\n0\r\n\r\n', '1\r\na\r\n0\r\n\r\n'],
    ['a size with a sign', '+1\r\na\r\n0\r\n\r\n', '01\r\na\r\n0\r\n\r\n'],
    ['a size with a space', '1 \r\na\r\n0\r\n\r\n', '1;x\r\na\r\n0\r\n\r\n'],
    ['an empty size', '\r\na\r\n0\r\n\r\n', 'A\r\n0123456789\r\n0\r\n\r\n'],
    ['a size beyond 32 bits', '100000000\r\na', '00000001\r\na\r\n0\r\n\r\n'],
    ['a bare LF after the size', '1\na\r\n0\r\n\r\n', '1\r\na\r\n0\r\n\r\n'],
    ['a bare LF after the data', '1\r\na\n0\r\n\r\n', '1\r\n\n\r\n0\r\n\r\n'],
    ['data longer than its size', '1\r\nab\r\n0\r\n\r\n', '2\r\nab\r\n0\r\n\r\n'],
    ['a LF in an extension', '1;a\nb\r\na\r\n0\r\n\r\n', '1;a=b\r\na\r\n0\r\n\r\n'],
    ['a broken extension', '1;a b\r\na\r\n0\r\n\r\n', '1;a="b c"\r\na\r\n0\r\n\r\n'],
    [
      'endless extensions',
      `1;${'a'.repeat(2_000)}\r\na\r\n0\r\n\r\n`,
      `1;${'a'.repeat(1_000)}\r\na\r\n0\r\n\r\n`,
    ],
    [
      'endless trailers',
      `0\r\n${many(200, (i) => `X${i}: aaa\r\n`)}\r\n`,
      `0\r\n${many(20, (i) => `X${i}: aaa\r\n`)}\r\n`,
    ],
    ['a length as a trailer', '0\r\nContent-Length: 1\r\n\r\n', '0\r\nX-Length: 1\r\n\r\n'],
    ['a malformed trailer', '0\r\nX : 1\r\n\r\n', '0\r\nX: 1\r\n\r\n'],
  ])('refuses %s', async (_name, refused, allowed) => {
    origin.requests.length = 0
    expect(await send(refused)).toBe('400')
    expect(origin.requests).toHaveLength(0)
    expect(await send(allowed)).toBe('200')
    expect(origin.requests).toHaveLength(1)
  })
})
