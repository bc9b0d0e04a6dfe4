import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startPlainForwarder, type PlainForwarder } from '../support/plain-forwarder.ts'
import { rawClient } from '../support/raw-client.ts'
import { startRecordingOrigin, type RecordingOrigin } from '../support/recording-origin.ts'

let origin: RecordingOrigin
let proxy: PlainForwarder

beforeAll(async () => {
  origin = await startRecordingOrigin()
  proxy = await startPlainForwarder({ originPort: origin.port })
})
afterAll(async () => {
  await proxy.close()
  await origin.close()
})
beforeEach(() => {
  origin.answer = () => 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'
  origin.requests.length = 0
  proxy.seen.length = 0
  proxy.faults.length = 0
  proxy.refused.length = 0
  expect(proxy.bugs).toEqual([])
})

const last = () => origin.requests.at(-1)!
const header = (name: string) =>
  last()
    .headers.filter(([key]) => key === name)
    .map(([, value]) => value)

describe('requests', () => {
  it('forwards a request without a body and gives back the answer', async () => {
    const client = await rawClient(proxy.port)
    client.send('GET /a/b?c=d HTTP/1.1\r\nHost: Example.COM\r\nX-One: 1\r\n\r\n')
    const [answer] = await client.answers(1)
    expect(answer!.status).toBe(200)
    expect(answer!.body.toString()).toBe('ok')
    expect(last().requestLine).toBe('GET /a/b?c=d HTTP/1.1')
    expect(header('host')).toEqual(['example.com'])
    expect(header('x-one')).toEqual(['1'])
    client.destroy()
  })

  it('keeps a connection for the next request and reuses the one to the origin', async () => {
    origin.clear()
    const client = await rawClient(proxy.port)
    for (let count = 1; count <= 3; count++) {
      client.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
      expect(await client.answers(count)).toHaveLength(count)
    }
    expect(origin.connections.length).toBeLessThanOrEqual(1)
    client.destroy()
  })

  it('answers pipelined requests in order', async () => {
    origin.answer = ({ target }) =>
      `HTTP/1.1 200 OK\r\ncontent-length: ${target.length}\r\n\r\n${target}`
    const client = await rawClient(proxy.port)
    client.send(
      Array.from({ length: 20 }, (_, i) => `GET /${i} HTTP/1.1\r\nHost: x\r\n\r\n`).join(''),
    )
    const answers = await client.answers(20)
    expect(answers.map((answer) => answer.body.toString())).toEqual(
      Array.from({ length: 20 }, (_, i) => `/${i}`),
    )
    client.destroy()
  })

  it.each(['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS'])(
    'keeps the body of %s, by length',
    async (method) => {
      const client = await rawClient(proxy.port)
      client.send(`${method} /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello`)
      await client.until((bytes) => bytes.includes('\r\n\r\n'))
      expect(last().body.toString()).toBe('hello')
      expect(header('content-length')).toEqual(['5'])
      expect(header('transfer-encoding')).toEqual([])
      client.destroy()
    },
  )

  it('keeps a chunked body chunked, and drops extensions and trailers', async () => {
    const client = await rawClient(proxy.port)
    client.send('DELETE /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n')
    client.send('5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nX-Trailer: 1\r\nAuthorization: x\r\n\r\n')
    await client.answers(1)
    expect(last().body.toString()).toBe('hello world')
    expect(header('transfer-encoding')).toEqual(['chunked'])
    expect(header('content-length')).toEqual([])
    expect(header('authorization')).toEqual([])
    client.destroy()
  })

  it('does not forward fields of one hop', async () => {
    const client = await rawClient(proxy.port)
    client.send(
      'GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, TE\r\nKeep-Alive: 5\r\nTE: trailers\r\n' +
        'Proxy-Connection: a\r\nProxy-Authorization: a\r\nUpgrade: h2c\r\nHTTP2-Settings: a\r\nTrailer: b\r\nX-Kept: 1\r\n\r\n',
    )
    await client.answers(1)
    expect(last().headers.map(([name]) => name)).toEqual(['host', 'x-kept'])
    client.destroy()
  })

  it('sends 100 Continue when the body is wanted', async () => {
    const client = await rawClient(proxy.port)
    client.send('POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n')
    await client.until((bytes) => bytes.toString().startsWith('HTTP/1.1 100 Continue\r\n\r\n'))
    client.send('abc')
    expect((await client.answers(1))[0]!.status).toBe(200)
    expect(header('expect')).toEqual([])
    expect(last().body.toString()).toBe('abc')
    client.destroy()
  })

  it('answers HTTP/1.0 with its own ways of ending', async () => {
    origin.answer = () =>
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'
    const client = await rawClient(proxy.port)
    client.send('GET / HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n')
    const bytes = (await client.ended()).toString()
    expect(bytes).toContain('connection: close\r\n')
    expect(bytes).not.toContain('transfer-encoding')
    expect(bytes.endsWith('\r\n\r\nok')).toBe(true)
  })

  it('closes when the client asks for it', async () => {
    const client = await rawClient(proxy.port)
    client.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    expect((await client.ended()).toString()).toContain('connection: close\r\n')
  })
})

describe('answers', () => {
  it.each([
    ['HEAD', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n', 'content-length: 10\r\n\r\n'],
    [
      'GET',
      'HTTP/1.1 304 Not Modified\r\ncontent-length: 10\r\netag: "a"\r\n\r\n',
      'content-length: 10\r\n\r\n',
    ],
    ['GET', 'HTTP/1.1 204 No Content\r\nx-a: b\r\n\r\n', 'x-a: b\r\n\r\n'],
  ])('takes the end of a bodiless answer to %s from the head', async (method, raw, end) => {
    origin.answer = () => raw
    const client = await rawClient(proxy.port)
    for (let i = 0; i < 2; i++) {
      client.send(`${method} / HTTP/1.1\r\nHost: x\r\n\r\n`)
      await client.until((bytes) => bytes.toString().split(end).length === i + 2)
    }
    expect(client.bytes.toString().endsWith(end)).toBe(true)
    expect(proxy.faults).toEqual([])
    client.destroy()
  })

  it('passes a close-delimited answer on as chunks', async () => {
    origin.answer = (_request, { socket }) => {
      socket.end('HTTP/1.1 200 OK\r\n\r\nall of it')
      return undefined
    }
    const client = await rawClient(proxy.port)
    client.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    const [answer] = await client.answers(1)
    expect(answer!.headers['transfer-encoding']).toBe('chunked')
    expect(answer!.body.toString()).toBe('all of it')
    client.destroy()
  })

  it('passes interim answers on', async () => {
    origin.answer = () =>
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'
    const client = await rawClient(proxy.port)
    client.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    await client.answers(1)
    expect(client.bytes.toString()).toMatch(
      /^HTTP\/1\.1 103 Early Hints\r\nlink: <\/a>\r\n\r\nHTTP\/1\.1 200/,
    )
    client.destroy()
  })
})
