import { writeFileSync } from 'node:fs'
import {
  connect as connectHttp2,
  type ClientHttp2Session,
  type ClientHttp2Stream,
} from 'node:http2'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { webSocketAccept } from '../../src/wire/http2/websocket-key.ts'
import { startTwoSidecars, type TwoSidecars } from '../support/two-sidecars.ts'
import {
  clientFrame,
  readFrames,
  startWebSocketEcho,
  type Frame,
  type WebSocketEcho,
} from '../support/websocket-echo.ts'

const routes = `    - {name: chat, methods: [GET], path: /chat, upgrade: [websocket]}
    - {name: plain, methods: [GET], path: /plain}`
const key = 'dGhlIHNhbXBsZSBub25jZQ=='

/** The first answer head of a socket; bytes behind it are put back. */
const headOf = (socket: Duplex): Promise<string> =>
  new Promise((resolve) => {
    let bytes = Buffer.alloc(0)
    const onData = (chunk: Buffer): void => {
      bytes = Buffer.concat([bytes, chunk])
      const end = bytes.indexOf('\r\n\r\n')
      if (end === -1) return
      socket.removeListener('data', onData)
      socket.pause()
      if (bytes.length > end + 4) socket.unshift(bytes.subarray(end + 4))
      resolve(bytes.toString('latin1', 0, end))
    }
    socket.on('data', onData)
    socket.on('close', () => resolve(bytes.toString('latin1')))
  })

const framesOf = (socket: Duplex) => {
  const frames: Frame[] = []
  const waiting: (() => void)[] = []
  readFrames(socket, (frame) => {
    frames.push(frame)
    for (const tell of waiting.splice(0)) tell()
  })
  socket.resume()
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  return {
    closed,
    next: async (): Promise<Frame> => {
      while (frames.length === 0) await new Promise<void>((tell) => waiting.push(tell))
      return frames.shift()!
    },
  }
}

describe.each(['http1', 'http2'] as const)(
  'a WebSocket over %s between the sidecars',
  (between) => {
    let echo: WebSocketEcho
    let mesh: TwoSidecars

    beforeAll(async () => {
      echo = await startWebSocketEcho()
      mesh = await startTwoSidecars({
        routes,
        between,
        policy: 'default allow := false\n\nallow if input.claims.sub != "banned"',
        application: { port: echo.port, protocol: 'http1' },
      })
    })
    afterAll(async () => {
      await mesh.stop()
      echo.stop()
    })

    const open = async (path: string, token: string): Promise<{ socket: Socket; head: string }> => {
      const socket = connect(mesh.port, '127.0.0.1')
      socket.on('error', () => undefined)
      socket.write(
        `GET ${path} HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\nAuthorization: Bearer ${token}\r\n\r\n`,
      )
      return { socket, head: await headOf(socket) }
    }
    const closeCode = async (frames: ReturnType<typeof framesOf>): Promise<number> => {
      const frame = await frames.next()
      expect(frame.opcode).toBe(8)
      return frame.payload.readUInt16BE(0)
    }

    it('passes where route, token and policy allow it', async () => {
      const { socket, head } = await open('/chat', mesh.callee.userToken())
      expect(head).toMatch(/^HTTP\/1\.1 101 /)
      expect(head.toLowerCase()).toContain(
        `sec-websocket-accept: ${webSocketAccept(key)}`.toLowerCase(),
      )
      const frames = framesOf(socket)
      for (const size of [5, 200, 60_000]) {
        socket.write(clientFrame(2, Buffer.alloc(size, size % 251)))
        const { opcode, payload } = await frames.next()
        expect([opcode, payload.equals(Buffer.alloc(size, size % 251))]).toEqual([2, true])
      }
      const seen = echo.requests.at(-1)!.headers
      expect(seen['x-forwarded-client-cert']).toContain('URI=spiffe://test.mesh/web')
      socket.destroy()
    })

    it('is refused where route, token or policy do not', async () => {
      const before = echo.requests.length
      expect((await open('/plain', mesh.callee.userToken())).head).not.toMatch(/ 101 /)
      expect((await open('/chat', 'none')).head).toMatch(/ 401 /)
      const banned = await open('/chat', mesh.callee.userToken({ sub: 'banned' }))
      expect(banned.head).toMatch(/ 403 /)
      expect(echo.requests.length).toBe(before)
    })

    it('ends with 1008 at both ends when the token of the user expires', async () => {
      const before = echo.closes.length
      const exp = Math.floor(Date.now() / 1_000) + 2
      const { socket, head } = await open('/chat', mesh.callee.userToken({ exp }))
      expect(head).toMatch(/ 101 /)
      const frames = framesOf(socket)
      socket.write(clientFrame(1, Buffer.from('hello')))
      expect((await frames.next()).payload.toString()).toBe('hello')
      expect(await closeCode(frames)).toBe(1008)
      await frames.closed
      expect(echo.closes.slice(before)).toEqual([1008])
    })

    it('ends with 1008 when a new policy does not permit it any more', async () => {
      const { socket } = await open('/chat', mesh.callee.userToken())
      const frames = framesOf(socket)
      const file = join(mesh.callee.folder, 'policies', 'inbound.rego')
      writeFileSync(file, 'package sallyport.inbound\n\nallow := false\n')
      await mesh.callee.sidecar.reload.reload()
      expect(await closeCode(frames)).toBe(1008)
      await frames.closed
      writeFileSync(file, 'package sallyport.inbound\n\nallow := true\n')
      await mesh.callee.sidecar.reload.reload()
    })

    it('leaves nothing to watch when it is over', async () => {
      const { socket } = await open('/chat', mesh.callee.userToken())
      const { upgrades } = mesh.callee.sidecar.core
      expect(upgrades.size).toBeGreaterThan(0)
      socket.destroy()
      for (let i = 0; i < 100 && upgrades.size > 0; i++) await new Promise((f) => setTimeout(f, 20))
      expect(upgrades.size).toBe(0)
    })
  },
)

describe('a WebSocket of a client that speaks HTTP/2 (RFC 8441)', () => {
  let echo: WebSocketEcho
  let mesh: TwoSidecars
  let session: ClientHttp2Session

  beforeAll(async () => {
    echo = await startWebSocketEcho()
    mesh = await startTwoSidecars({
      routes,
      application: { port: echo.port, protocol: 'http1' },
    })
    session = connectHttp2(`http://127.0.0.1:${mesh.port}`)
    session.on('error', () => undefined)
    await new Promise((resolve) => session.once('remoteSettings', resolve))
  })
  afterAll(async () => {
    session.destroy()
    await mesh.stop()
    echo.stop()
  })

  const open = (path: string, more: Record<string, string> = {}): ClientHttp2Stream => {
    const stream = session.request(
      {
        ':method': 'CONNECT',
        ':protocol': 'websocket',
        ':scheme': 'http',
        ':authority': 'app',
        ':path': path,
        'sec-websocket-version': '13',
        authorization: `Bearer ${mesh.callee.userToken()}`,
        ...more,
      },
      { endStream: false },
    )
    stream.on('error', () => undefined)
    return stream
  }
  const statusOf = (stream: ClientHttp2Stream): Promise<number> =>
    new Promise((resolve) => stream.once('response', (head) => resolve(Number(head[':status']))))

  it('is told that it may, and gets its frames through to an application with HTTP/1.1', async () => {
    expect(session.remoteSettings.enableConnectProtocol).toBe(true)
    const stream = open('/chat')
    expect(await statusOf(stream)).toBe(200)
    const frames = framesOf(stream)
    stream.write(clientFrame(1, Buffer.from('over h2')))
    expect((await frames.next()).payload.toString()).toBe('over h2')
    expect(echo.requests.at(-1)!.headers['sec-websocket-key']).toMatch(/^[A-Za-z0-9+/]{22}==$/)
    stream.close()
  })

  it('is refused on a route without upgrades, and for another protocol', async () => {
    const plain = await statusOf(open('/plain'))
    const other = await statusOf(open('/chat', { ':protocol': 'connect-udp' }))
    expect([plain, other]).toEqual([400, 501])
  })

  it('is told 1001 when the sidecar stops', async () => {
    const stream = open('/chat')
    expect(await statusOf(stream)).toBe(200)
    const frames = framesOf(stream)
    stream.write(clientFrame(1, Buffer.from('x')))
    await frames.next()
    const stopped = mesh.caller.stop()
    const { opcode, payload } = await frames.next()
    expect([opcode, payload.readUInt16BE(0)]).toEqual([8, 1001])
    await stopped
  })
})
