/** How long and how much: the limits that keep one slow or greedy client from costing the others. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { HeaderList } from '../../src/wire/headers.ts'
import type { BodySink } from '../../src/wire/body.ts'
import type { ResponseOutcome, ServerRequest } from '../../src/wire/message.ts'
import {
  sectionWith,
  startPlainForwarder,
  type PlainForwarder,
  type PlainForwarderOptions,
} from '../support/plain-forwarder.ts'
import { rawClient } from '../support/raw-client.ts'
import { startRecordingOrigin, type RecordingOrigin } from '../support/recording-origin.ts'

let origin: RecordingOrigin
const open: PlainForwarder[] = []

const start = async (section: object = {}, more: Partial<PlainForwarderOptions> = {}) => {
  const proxy = await startPlainForwarder({
    originPort: origin.port,
    section: sectionWith(section),
    ...more,
  })
  open.push(proxy)
  return proxy
}

beforeEach(async () => {
  origin = await startRecordingOrigin()
})
afterEach(async () => {
  for (const proxy of open.splice(0)) {
    expect(proxy.bugs).toEqual([])
    await proxy.close()
  }
  await origin.close()
})

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const until = async (condition: () => boolean): Promise<void> => {
  for (let i = 0; i < 500 && !condition(); i++) await pause(5)
  expect(condition()).toBe(true)
}
const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const empty = () => new HeaderList()

describe('time limits', () => {
  it('answers 408 to a head that comes too slowly', async () => {
    const proxy = await start({ timeouts: { headers: '60ms' } })
    const client = await rawClient(proxy.port)
    client.send('GET / HTTP/1.1\r\n')
    const drip = setInterval(() => client.send('X: a\r\n'), 20)
    expect((await client.ended()).toString()).toMatch(/^HTTP\/1\.1 408 /)
    clearInterval(drip)
    expect(proxy.refused[0]!.code).toBe('header-timeout')
  })

  it('closes a connection that sends nothing, and one that is idle after a request', async () => {
    const proxy = await start({ timeouts: { headers: '60ms', keep_alive: '60ms' } })
    const silent = await rawClient(proxy.port)
    expect((await silent.ended()).length).toBe(0)
    const idle = await rawClient(proxy.port)
    idle.send(get)
    await idle.answers(1)
    await idle.ended()
  })

  it('fails a body that comes too slowly, and gives up the origin', async () => {
    const proxy = await start({ timeouts: { request: '80ms' } })
    const client = await rawClient(proxy.port)
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n')
    const drip = setInterval(() => client.send('x'), 20)
    expect((await client.ended()).toString()).toMatch(/^HTTP\/1\.1 408 /)
    clearInterval(drip)
    expect(origin.requests).toHaveLength(0)
    await until(() => origin.connections.every((connection) => connection.closed))
  })

  it('lets a slow body through where the route streams', async () => {
    const proxy = await start({ timeouts: { request: '60ms' } })
    proxy.handle = (request) => {
      request.allowStreaming()
      request.body.start({
        data: () => true,
        end: () => request.respond({ status: 200, headers: empty() }),
        fail: () => request.respond({ status: 408, headers: empty() }),
      })
    }
    const client = await rawClient(proxy.port)
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n')
    for (let i = 0; i < 8; i++) {
      await pause(20)
      client.send('x')
    }
    expect((await client.answers(1))[0]!.status).toBe(200)
    client.destroy()
  })

  it('ends a client that does not read its answer', async () => {
    const proxy = await start({ timeouts: { stream_idle: '100ms' } })
    let outcome: ResponseOutcome | undefined
    proxy.handle = (request) => {
      const chunk = Buffer.alloc(256 * 1024)
      let sink: BodySink | undefined
      const fill = (): void => {
        while (sink?.data(chunk) === true);
      }
      request.respond(
        { status: 200, headers: empty() },
        {
          length: undefined,
          start: (to) => {
            sink = to
            fill()
          },
          pause: () => undefined,
          resume: fill,
          cancel: () => {
            sink = undefined
          },
        },
        (result) => {
          outcome = result
        },
      )
    }
    const client = await rawClient(proxy.port)
    client.socket.pause()
    client.send(get)
    await until(() => outcome !== undefined)
    expect(outcome!.error?.code).toBe('client-stalled')
    client.destroy()
  })
})

describe('back-pressure', () => {
  it('holds an origin back while the client does not read', async () => {
    const proxy = await start()
    const size = 64 * 1024 * 1024
    let written = 0
    origin.answer = (_request, { socket }) => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n`)
      const chunk = Buffer.alloc(1024 * 1024)
      const fill = (): void => {
        while (written < size) {
          written += chunk.length
          if (!socket.write(chunk)) return void socket.once('drain', fill)
        }
      }
      fill()
      return undefined
    }
    const client = await rawClient(proxy.port)
    client.socket.pause()
    client.send(get)
    await pause(150)
    const held = written
    expect(held).toBeLessThan(size / 2)
    let received = 0
    client.socket.removeAllListeners('data')
    client.socket.on('data', (chunk: Buffer) => (received += chunk.length))
    client.socket.resume()
    await until(() => received > size)
    client.destroy()
  })

  it('holds a client back while nobody takes its body', async () => {
    const proxy = await start()
    const held: ServerRequest[] = []
    proxy.handle = (request) => held.push(request)
    const client = await rawClient(proxy.port)
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n')
    for (let i = 0; i < 400; i++) client.send(Buffer.alloc(64 * 1024))
    await pause(100)
    expect(held[0]!.connection.socket.bytesRead).toBeLessThan(1024 * 1024)
    client.destroy()
  })

  it('holds a client back that sends requests without reading answers', async () => {
    const proxy = await start()
    let count = 0
    proxy.handle = (request) => {
      count++
      request.respond({ status: 200, headers: empty() }, Buffer.alloc(64 * 1024))
    }
    const client = await rawClient(proxy.port)
    client.socket.pause()
    for (let i = 0; i < 20; i++) client.send(get.repeat(500))
    await pause(150)
    expect(count).toBeLessThan(1_000)
    client.destroy()
  })

  it('moves a large body both ways unchanged', async () => {
    const proxy = await start()
    const payload = Buffer.alloc(8 * 1024 * 1024, 'abcdefghijk')
    origin.answer = ({ body }) =>
      Buffer.concat([
        Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n`),
        body,
      ])
    const client = await rawClient(proxy.port)
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${payload.length}\r\n\r\n`)
    client.send(payload)
    const [answer] = await client.answers(1)
    expect(answer!.body.equals(payload)).toBe(true)
    client.destroy()
  })
})

describe('limits of bodies', () => {
  it('refuses a declared body beyond the limit before reading it, and a chunked one while reading', async () => {
    const proxy = await start({ limits: { body_size: '10B' } })
    const declared = await rawClient(proxy.port)
    declared.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n')
    expect((await declared.ended()).toString()).toMatch(/^HTTP\/1\.1 413 /)
    const chunked = await rawClient(proxy.port)
    chunked.send(
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n',
    )
    expect((await chunked.ended()).toString()).toMatch(/^HTTP\/1\.1 413 /)
    const fits = await rawClient(proxy.port)
    fits.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789')
    expect((await fits.answers(1))[0]!.status).toBe(200)
    fits.destroy()
  })
})
