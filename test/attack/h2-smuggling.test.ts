/** What HTTP/2 can carry and HTTP/1.1 reads in another way: nothing of it reaches an application that speaks HTTP/1.1. */
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startInboundSidecar, type InboundSidecar } from '../support/inbound-sidecar.ts'
import {
  data,
  endHeaders,
  endStream,
  headers,
  rawHttp2,
  reset,
  type RawHttp2,
} from '../support/raw-http2.ts'

type Fields = readonly (readonly [string, string])[]

const usual: Fields = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':authority', 'app'],
  [':path', '/a'],
]
const replaced = (name: string, value: string): Fields =>
  usual.map(([each, old]) => [each, each === name ? value : old])
const post = replaced(':method', 'POST')

describe('a request over HTTP/2 to an application with HTTP/1.1', () => {
  let mesh: InboundSidecar

  beforeAll(async () => {
    mesh = await startInboundSidecar({
      routes: '    - {name: any, path: "/{rest*}", tokens: {user: off, caller: off}}',
    })
  })
  afterAll(() => mesh.stop())
  afterEach(() => mesh.app.clear())

  const open = async (): Promise<RawHttp2> => {
    const socket = mesh.connectAs('web', ['h2'])
    await new Promise((resolve) => socket.once('secureConnect', resolve))
    expect(socket.alpnProtocol).toBe('h2')
    return rawHttp2(socket)
  }
  /** `passed`, or how the stream was refused. */
  const ask = async (fields: Fields, body?: string): Promise<'passed' | 'refused'> => {
    const raw = await open()
    if (body === undefined) raw.write(headers(1, fields))
    else raw.write(headers(1, fields, endHeaders), data(1, body, endStream))
    const over = () => raw.answered(1) !== undefined || raw.resetCode(1) !== undefined || raw.closed
    expect(await raw.until(over)).toBe(true)
    raw.socket.destroy()
    return mesh.app.requests.length > 0 ? 'passed' : 'refused'
  }

  it('is passed with one host, one framing and nothing of the connection', async () => {
    expect(await ask([...usual, ['x-a', '1'], ['cookie', 'a=1'], ['cookie', 'b=2']])).toBe('passed')
    const seen = mesh.app.requests.at(-1)!
    const values = (name: string) =>
      seen.headers.filter(([each]) => each === name).map(([, value]) => value)
    expect([seen.method, seen.target]).toEqual(['GET', '/a'])
    expect(values('host')).toEqual(['app'])
    expect(values('cookie')).toEqual(['a=1; b=2'])
    expect(values('transfer-encoding')).toEqual([])
  })

  it('carries a body with its length, and one without as chunks', async () => {
    expect(await ask([...post, ['content-length', '5']], 'hello')).toBe('passed')
    expect(mesh.app.requests.at(-1)!.body.toString()).toBe('hello')
    expect(await ask(post, 'world')).toBe('passed')
    expect(mesh.app.requests.at(-1)!.body.toString()).toBe('world')
  })

  it.each<[string, Fields]>([
    ['capitals in a name', [...usual, ['X-A', '1']]],
    ['CRLF in :path', replaced(':path', '/a HTTP/1.1\r\nhost: evil\r\n\r\nGET /admin')],
    ['a space in :path', replaced(':path', '/a HTTP/1.1')],
    ['an absolute :path', replaced(':path', 'https://evil/a')],
    ['an empty :path', replaced(':path', '')],
    ['a dot segment', replaced(':path', '/a/../admin')],
    ['an encoded slash', replaced(':path', '/a%2fadmin')],
    ['a fragment', replaced(':path', '/a#b')],
    ['CRLF in :method', replaced(':method', 'GET /admin HTTP/1.1\r\nx: y')],
    ['a method in lower case', replaced(':method', 'get')],
    ['an unknown method', replaced(':method', 'FROB')],
    [
      'CONNECT',
      [
        [':method', 'CONNECT'],
        [':authority', 'app:80'],
      ],
    ],
    ['TRACE', replaced(':method', 'TRACE')],
    ['CRLF in :authority', replaced(':authority', 'app\r\nx-admin: true')],
    ['user info in :authority', replaced(':authority', 'app@evil')],
    ['another :scheme', replaced(':scheme', 'http')],
    ['CRLF in :scheme', replaced(':scheme', 'https\r\nx: y')],
    ['no :authority and no host', usual.filter(([name]) => name !== ':authority')],
    ['no :path', usual.filter(([name]) => name !== ':path')],
    ['no :method', usual.filter(([name]) => name !== ':method')],
    ['two :path', [...usual, [':path', '/admin']]],
    ['a pseudo field behind a field', [['x-a', '1'], ...usual]],
    ['an unknown pseudo field', [...usual, [':admin', 'true']]],
    [':status', [...usual, [':status', '200']]],
    ['host other than :authority', [...usual, ['host', 'evil']]],
    ['two hosts', [...usual, ['host', 'app'], ['host', 'app']]],
    ['transfer-encoding', [...usual, ['transfer-encoding', 'chunked']]],
    ['connection', [...usual, ['connection', 'authorization']]],
    ['keep-alive', [...usual, ['keep-alive', 'timeout=5']]],
    ['proxy-connection', [...usual, ['proxy-connection', 'close']]],
    ['upgrade', [...usual, ['upgrade', 'h2c']]],
    ['te other than trailers', [...usual, ['te', 'trailers, deflate']]],
    ['a length without a body', [...usual, ['content-length', '5']]],
    ['two lengths', [...usual, ['content-length', '0'], ['content-length', '0']]],
    ['a length that is no number', [...usual, ['content-length', '+0']]],
    ['an underscore in a name', [...usual, ['content_length', '0']]],
    ['two authorization fields', [...usual, ['authorization', 'a'], ['authorization', 'b']]],
    [':protocol other than websocket', [...replaced(':method', 'CONNECT'), [':protocol', 'tcp']]],
    [':protocol without CONNECT', [...usual, [':protocol', 'websocket']]],
  ])('is refused with %s', async (_, fields) => {
    expect(await ask(fields)).toBe('refused')
    expect(mesh.app.connections.every(({ rest }) => rest.length === 0)).toBe(true)
  })

  // The session of the runtime drops such a field before anybody sees it, and gives no sign of it.
  it.each<[string, Fields]>([
    ['CRLF in a value', [['x-admin', '1\r\nx-admin: true']]],
    ['LF in a value', [['x-admin', '1\nx-admin: true']]],
    ['CR in a value', [['x-admin', '1\rx']]],
    ['NUL in a value', [['x-admin', '1\0']]],
    ['CRLF in a name', [['x-a: 1\r\nx-admin', 'true']]],
    ['a colon in a name', [['x-admin:b', '1']]],
    ['a space in a name', [['x-admin a', '1']]],
    ['an empty name', [['', 'x-admin']]],
  ])('loses a field with %s', async (_, fields) => {
    expect(await ask([...usual, ...fields])).toBe('passed')
    for (const { bytes } of mesh.app.connections)
      expect(bytes.toString('latin1')).not.toContain('x-admin')
  })

  it('never lets a body that is longer than declared reach the application whole', async () => {
    await ask([...post, ['content-length', '2']], 'hello')
    expect(mesh.app.requests.filter(({ body }) => body.length !== 2)).toEqual([])
    for (const { rest } of mesh.app.connections) expect(rest.toString()).not.toContain('llo')
  })

  it('ends the connection to the application when the body stays short', async () => {
    for (const cut of [data(1, '', endStream), reset(1)]) {
      const raw = await open()
      raw.write(headers(1, [...post, ['content-length', '10']], endHeaders), data(1, 'hello'))
      const arrived = () => mesh.app.connections.at(-1)?.rest.toString().endsWith('hello') === true
      expect(await raw.until(arrived)).toBe(true)
      const connection = mesh.app.connections.at(-1)!
      raw.write(cut)
      expect(await raw.until(() => connection.closed)).toBe(true)
      raw.socket.destroy()
      mesh.app.clear()
    }
  })

  it('does not pass trailers on', async () => {
    const raw = await open()
    raw.write(
      headers(1, post, endHeaders),
      data(1, 'hello'),
      headers(1, [
        ['authorization', 'Bearer x'],
        ['x-late', '1'],
      ]),
    )
    expect(await raw.until(() => mesh.app.requests.length > 0)).toBe(true)
    const connection = mesh.app.connections.at(-1)!
    expect(connection.bytes.toString('latin1')).not.toMatch(/x-late|bearer x/i)
    raw.socket.destroy()
  })

  it('fails alone: other streams of the connection go on', async () => {
    const raw = await open()
    raw.write(
      headers(1, [...usual, ['connection', 'close']]),
      headers(3, [...usual, ['host', 'evil']]),
      headers(5, usual),
    )
    expect(await raw.until(() => raw.answered(5) !== undefined)).toBe(true)
    expect(raw.closed).toBe(false)
    raw.socket.destroy()
  })
})

describe('a well-behaved client over HTTP/2', () => {
  let mesh: InboundSidecar
  let session: ClientHttp2Session

  beforeAll(async () => {
    mesh = await startInboundSidecar({
      routes: '    - {name: any, path: "/{rest*}", tokens: {user: off, caller: off}}',
    })
    const socket = mesh.connectAs('web', ['h2'])
    session = connectHttp2('https://app', { createConnection: () => socket })
    session.on('error', () => undefined)
  })
  afterAll(async () => {
    session.destroy()
    await mesh.stop()
  })

  const get = (path: string, fields: Record<string, string> = {}) =>
    new Promise<{ status: number; head: Record<string, unknown>; body: string }>(
      (resolve, reject) => {
        const stream = session.request({ ':path': path, ':authority': 'app', ...fields })
        let head: Record<string, unknown> = {}
        let body = ''
        stream.on('response', (fieldsOfAnswer) => (head = fieldsOfAnswer))
        stream.on('data', (chunk: Buffer) => (body += chunk.toString()))
        stream.on('end', () => resolve({ status: Number(head[':status']), head, body }))
        stream.on('error', reject)
        stream.end()
      },
    )

  it('gets answers for a hundred requests at once', async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => get(`/n/${i}`)))
    expect(answers.every(({ status, body }) => status === 200 && body === 'ok')).toBe(true)
  })

  it('gets a refusal as problem+json on its stream', async () => {
    const { status, head, body } = await get('/a%2fb')
    expect([status, head['content-type']]).toEqual([400, 'application/problem+json'])
    expect(body).toContain('request.path')
  })

  it('gets a reset, and never a whole answer, when the application breaks off', async () => {
    mesh.app.answer = (_, connection) => {
      setTimeout(() => connection.socket.destroy(), 50)
      return 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n'
    }
    await expect(get('/broken')).rejects.toThrow('NGHTTP2_INTERNAL_ERROR')
    mesh.app.answer = () => 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'
    expect((await get('/whole')).body).toBe('ok')
  })
})
