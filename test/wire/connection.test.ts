/** The life of a client connection: early answers, going away, draining, handlers. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { HeaderList } from '../../src/wire/headers.ts'
import type { ResponseOutcome, ServerRequest } from '../../src/wire/message.ts'
import { WireError } from '../../src/wire/wire-error.ts'
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

describe('early answers', () => {
  const post = 'POST / HTTP/1.1\r\nHost: a\r\n'
  const refuseAll = (request: ServerRequest): void =>
    request.respond({ status: 403, headers: empty() }, Buffer.from('no'))

  it('keep the connection when the rest of the body is small', async () => {
    const proxy = await start()
    proxy.handle = refuseAll
    const client = await rawClient(proxy.port)
    client.send(`${post}Content-Length: 5\r\n\r\nhel`)
    await client.answers(1)
    client.send(`lo${post}Content-Length: 0\r\n\r\n`)
    expect((await client.answers(2)).map((answer) => answer.status)).toEqual([403, 403])
    expect(proxy.seen).toHaveLength(2)
    client.destroy()
  })

  it('close it when the rest is large, chunked, or waits for 100 Continue', async () => {
    const proxy = await start()
    proxy.handle = refuseAll
    for (const framing of [
      'Content-Length: 9999999',
      'Transfer-Encoding: chunked',
      'Expect: 100-continue\r\nContent-Length: 5',
    ]) {
      const client = await rawClient(proxy.port)
      client.send(`${post}${framing}\r\n\r\n`)
      const text = (await client.ended()).toString()
      expect(text).toMatch(/^HTTP\/1\.1 403 .*connection: close/s)
      expect(text).not.toContain('100 Continue')
    }
  })

  it('reach a client that is still sending', async () => {
    const proxy = await start()
    proxy.handle = refuseAll
    const client = await rawClient(proxy.port)
    client.send(`${post}Content-Length: 500000\r\n\r\n`)
    client.send(Buffer.alloc(500_000))
    expect((await client.ended()).toString()).toMatch(/^HTTP\/1\.1 403 /)
  })

  it('of the origin are passed on, and the rest of the body does not become a request', async () => {
    const proxy = await start()
    const client = await rawClient(proxy.port)
    client.send(`${post}Content-Length: 100\r\n\r\nGET /inner HTTP/1.1\r\nHost: a\r\n\r\n`)
    await until(() => origin.connections.length === 1 && origin.connections[0]!.bytes.length > 50)
    origin.connections[0]!.socket.write('HTTP/1.1 413 No\r\ncontent-length: 0\r\n\r\n')
    expect((await client.ended()).toString()).toMatch(/^HTTP\/1\.1 413 .*connection: close/s)
    expect(proxy.seen).toHaveLength(1)
  })
})

describe('a client that goes away', () => {
  it('ends the work of the origin', async () => {
    const proxy = await start()
    origin.answer = () => undefined
    const client = await rawClient(proxy.port)
    client.send(get)
    await until(() => origin.requests.length === 1)
    client.destroy()
    await until(() => origin.connections[0]!.closed)
    expect(proxy.pool.counts()).toMatchObject({ busy: 0, idle: 0 })
  })

  it('in the middle of its body never leaves a whole request at the origin', async () => {
    const proxy = await start()
    const client = await rawClient(proxy.port)
    client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n')
    await until(() => origin.connections[0]?.bytes.includes('hello') === true)
    client.destroy()
    await until(() => origin.connections[0]!.closed)
    expect(origin.requests).toHaveLength(0)
  })

  it('is told to the handler once', async () => {
    const proxy = await start()
    const reasons: string[] = []
    const outcomes: ResponseOutcome[] = []
    proxy.handle = (request) => {
      request.whenGone((reason) => {
        reasons.push(reason.code)
        request.respond({ status: 200, headers: empty() }, undefined, (outcome) =>
          outcomes.push(outcome),
        )
      })
    }
    const client = await rawClient(proxy.port)
    client.send(get)
    await until(() => proxy.seen.length === 1)
    client.destroy()
    await until(() => reasons.length > 0)
    expect(reasons).toEqual(['client-gone'])
    expect(outcomes.map((outcome) => outcome.error?.code)).toEqual(['client-gone'])
  })
})

describe('an answer that breaks off', () => {
  it('is never passed on as whole', async () => {
    const proxy = await start()
    for (const head of ['content-length: 10', 'transfer-encoding: chunked']) {
      origin.answer = (_request, { socket }) => {
        socket.write(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n5\r\nhe`)
        setTimeout(() => socket.destroy(), 20)
        return undefined
      }
      const client = await rawClient(proxy.port)
      client.send(get)
      const text = (await client.ended()).toString()
      expect(text).toMatch(/^HTTP\/1\.1 200 /)
      expect(text.endsWith('0\r\n\r\n')).toBe(false)
    }
  })
})

describe('draining', () => {
  it('finishes the request in hand, says close, and closes', async () => {
    const proxy = await start()
    let release: (() => void) | undefined
    proxy.handle = (request) => {
      release = () => request.respond({ status: 200, headers: empty() })
    }
    const client = await rawClient(proxy.port)
    client.send(get)
    await until(() => release !== undefined)
    for (const connection of proxy.connections) connection.drain()
    release!()
    expect((await client.ended()).toString()).toContain('connection: close\r\n')
  })

  it('closes an idle connection at once', async () => {
    const proxy = await start()
    const client = await rawClient(proxy.port)
    client.send(get)
    await client.answers(1)
    for (const connection of proxy.connections) connection.drain()
    await client.ended()
  })

  it('asks for a new connection after the configured number of requests', async () => {
    const proxy = await start({ limits: { requests_per_connection: 2 } })
    const client = await rawClient(proxy.port)
    client.send(get.repeat(3))
    const text = (await client.ended()).toString()
    expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(2)
    expect(text).toContain('connection: close\r\n')
  })
})

describe('a handler', () => {
  it('that throws ends its connection and nothing else', async () => {
    const proxy = await start()
    proxy.handle = () => {
      throw new Error('a mistake')
    }
    const client = await rawClient(proxy.port)
    client.send(get)
    await client.ended()
    expect(proxy.bugs.splice(0)).toHaveLength(1)
    proxy.handle = undefined
    const other = await rawClient(proxy.port)
    other.send(get)
    expect((await other.answers(1))[0]!.status).toBe(200)
    other.destroy()
  })

  it('cannot answer twice, nor another request by a late call', async () => {
    const proxy = await start()
    const requests: ServerRequest[] = []
    proxy.handle = (request) => requests.push(request)
    const client = await rawClient(proxy.port)
    client.send(get.repeat(2))
    await until(() => requests.length === 1)
    requests[0]!.respond({ status: 200, headers: empty() }, Buffer.from('one'))
    await until(() => requests.length === 2)
    expect(() => requests[0]!.respond({ status: 500, headers: empty() })).toThrow(WireError)
    requests[1]!.respond({ status: 201, headers: empty() }, Buffer.from('two'))
    const answers = await client.answers(2)
    expect(answers.map(({ status, body }) => `${status} ${body.toString()}`)).toEqual([
      '200 one',
      '201 two',
    ])
    client.destroy()
  })

  it('cannot split an answer by a reason or a header', async () => {
    const proxy = await start()
    const errors: unknown[] = []
    proxy.handle = (request) => {
      try {
        request.respond({ status: 200, reason: 'OK\r\nX: y', headers: empty() })
      } catch (error) {
        errors.push(error)
      }
      request.respond({ status: 500, headers: empty() })
    }
    const client = await rawClient(proxy.port)
    client.send(get)
    expect((await client.answers(1))[0]!.status).toBe(500)
    expect(errors).toHaveLength(1)
    client.destroy()
  })
})
