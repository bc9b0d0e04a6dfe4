/** Connections that leave HTTP behind: WebSocket through the pool, CONNECT to a socket, and their limits. */
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { HeaderList } from '../../src/wire/headers.ts'
import { tunnel, type TunnelOutcome } from '../../src/wire/tunnel.ts'
import { startPlainForwarder, type PlainForwarder } from '../support/plain-forwarder.ts'
import { rawClient } from '../support/raw-client.ts'
import { startRecordingOrigin, type RecordingOrigin } from '../support/recording-origin.ts'

let origin: RecordingOrigin
let proxy: PlainForwarder

beforeEach(async () => {
  origin = await startRecordingOrigin()
  proxy = await startPlainForwarder({ originPort: origin.port, server: { mode: 'forward-proxy' } })
})
afterEach(async () => {
  expect(proxy.bugs).toEqual([])
  await proxy.close()
  await origin.close()
})

const upgrade =
  'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: abc\r\n\r\n'
const agreed =
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: xyz\r\n\r\n'

describe('websocket', () => {
  it('passes the handshake and then bytes in both directions, early ones too', async () => {
    origin.answer = () => `${agreed}hello from the origin`
    const client = await rawClient(proxy.port)
    client.send(`${upgrade}early bytes`)
    await client.until((bytes) => bytes.includes('hello from the origin'))
    const text = client.bytes.toString()
    expect(text).toMatch(
      /^HTTP\/1\.1 101 .*sec-websocket-accept: xyz\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n/s,
    )
    expect(origin.requests[0]!.headers).toContainEqual(['upgrade', 'websocket'])
    client.send(' and later ones')
    const { socket } = origin.connections[0]!
    while (!origin.connections[0]!.rest.includes('early bytes and later ones'))
      await new Promise((resolve) => setTimeout(resolve, 5))
    socket.end('bye')
    expect((await client.ended()).toString().endsWith('hello from the originbye')).toBe(true)
  })

  it('passes a refusal on as an ordinary answer', async () => {
    origin.answer = () => 'HTTP/1.1 403 No\r\ncontent-length: 2\r\n\r\nno'
    const client = await rawClient(proxy.port)
    client.send(upgrade)
    expect((await client.answers(1))[0]!.status).toBe(403)
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(await client.answers(2)).toHaveLength(2)
    client.destroy()
  })

  it.each([
    ['h2c', 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: a\r\n'],
    ['an upgrade that Connection does not name', 'Upgrade: websocket\r\n'],
    ['two offers', 'Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n'],
    ['a list of offers', 'Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n'],
  ])('forwards %s as an ordinary request', async (_name, lines) => {
    const client = await rawClient(proxy.port)
    client.send(`GET / HTTP/1.1\r\nHost: a\r\n${lines}\r\n`)
    await client.answers(1)
    expect(proxy.seen.at(-1)!.head.upgrade).toBeUndefined()
    expect(origin.requests[0]!.headers.map(([name]) => name)).toEqual(['host'])
    client.destroy()
  })
})

const tunnelTo = (limits: { idleMs: number; maxDurationMs?: number; maxBytes?: number }) => {
  const outcomes: TunnelOutcome[] = []
  proxy.handle = (request) => {
    const socket: Socket = connect(origin.port, '127.0.0.1')
    socket.once('connect', () => {
      const taken = request.takeOver({ status: 200, headers: new HeaderList() })
      tunnel(
        taken,
        { socket, early: Buffer.alloc(0) },
        { wheel: proxy.wheel, ...limits },
        (outcome) => outcomes.push(outcome),
      )
    })
  }
  return outcomes
}

const connectRequest = 'CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n'
const settled = async (outcomes: TunnelOutcome[]): Promise<TunnelOutcome> => {
  while (outcomes.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  return outcomes[0]!
}

describe('CONNECT', () => {
  it('joins both ends and counts the bytes', async () => {
    const outcomes = tunnelTo({ idleMs: 5_000 })
    const client = await rawClient(proxy.port)
    client.send(`${connectRequest}GET /inside HTTP/1.1\r\n\r\n`)
    await client.until((bytes) => bytes.toString().endsWith('ok'))
    expect(client.bytes.toString()).toMatch(/^HTTP\/1\.1 200 OK\r\n\r\nHTTP\/1\.1 200 OK/)
    client.socket.end()
    origin.connections[0]!.socket.end()
    expect(await settled(outcomes)).toMatchObject({
      bytesToOrigin: 24,
      bytesToClient: 40,
      reason: 'closed',
    })
  })

  it('ends when nothing moves, when it lasts too long, and when too much moves', async () => {
    let outcomes = tunnelTo({ idleMs: 50 })
    ;(await rawClient(proxy.port)).send(connectRequest)
    expect((await settled(outcomes)).reason).toBe('idle')

    outcomes = tunnelTo({ idleMs: 5_000, maxDurationMs: 60 })
    const lasting = await rawClient(proxy.port)
    lasting.send(connectRequest)
    const drip = setInterval(() => lasting.send('x'), 10)
    expect((await settled(outcomes)).reason).toBe('too-long')
    clearInterval(drip)

    outcomes = tunnelTo({ idleMs: 5_000, maxBytes: 1_000 })
    const greedy = await rawClient(proxy.port)
    greedy.send(connectRequest)
    greedy.send(Buffer.alloc(2_000))
    expect((await settled(outcomes)).reason).toBe('too-large')
    await greedy.ended()
  })

  it('ends the other end when one breaks', async () => {
    const outcomes = tunnelTo({ idleMs: 5_000 })
    const client = await rawClient(proxy.port)
    client.send(connectRequest)
    await client.until((bytes) => bytes.includes('200'))
    origin.connections[0]!.socket.resetAndDestroy()
    await settled(outcomes)
    await client.ended()
  })

  it('moves much in both directions without holding it', async () => {
    const outcomes = tunnelTo({ idleMs: 5_000 })
    const client = await rawClient(proxy.port)
    client.send(connectRequest)
    await client.until((bytes) => bytes.includes('200'))
    const { socket } = origin.connections[0]!
    socket.removeAllListeners('data')
    socket.on('data', (chunk: Buffer) => void (socket.write(chunk) || socket.pause()))
    socket.on('drain', () => socket.resume())
    const payload = Buffer.alloc(8 * 1024 * 1024, 'tunnel')
    let received = 0
    client.socket.removeAllListeners('data')
    client.socket.on('data', (chunk: Buffer) => (received += chunk.length))
    client.send(payload)
    while (received < payload.length) await new Promise((resolve) => setTimeout(resolve, 5))
    client.destroy()
    expect((await settled(outcomes)).bytesToClient).toBe(payload.length)
  })
})

describe('taking over', () => {
  it('lets HTTP be spoken again inside a CONNECT', async () => {
    proxy.handle = (request) => {
      proxy.handle = undefined
      const { socket, early } = request.takeOver({ status: 200, headers: new HeaderList() })
      if (early.length > 0) socket.unshift(early)
      proxy.serve(socket as Socket)
    }
    const inside = 'GET /inside HTTP/1.1\r\nHost: a\r\n\r\n'
    const early = await rawClient(proxy.port)
    early.send(connectRequest + inside)
    await early.until((bytes) => bytes.toString().endsWith('ok'))
    early.send(inside)
    await early.until((bytes) => bytes.toString().split('\r\n\r\nok').length === 3)
    early.destroy()
    expect(origin.requests.map((request) => request.target)).toEqual(['/inside', '/inside'])
  })

  it('is refused for what is neither CONNECT nor an upgrade', async () => {
    let thrown: unknown
    proxy.handle = (request) => {
      try {
        request.takeOver({ status: 200, headers: new HeaderList() })
      } catch (error) {
        thrown = error
      }
      request.respond({ status: 204, headers: new HeaderList() })
    }
    const client = await rawClient(proxy.port)
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await client.answers(1)
    expect(thrown).toMatchObject({ code: 'malformed' })
    client.destroy()
  })
})
