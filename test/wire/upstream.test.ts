/** The client's end and the pool against origins that misbehave. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { HeaderList } from '../../src/wire/headers.ts'
import { Pool } from '../../src/wire/pool.ts'
import type { Origin, OutgoingRequest } from '../../src/wire/origin.ts'
import type { BodySource } from '../../src/wire/body.ts'
import { TimerWheel } from '../../src/wire/timers.ts'
import { WireError } from '../../src/wire/wire-error.ts'
import { loopbackOrigin, sectionWith } from '../support/plain-forwarder.ts'
import { startRecordingOrigin, type RecordingOrigin } from '../support/recording-origin.ts'

let origin: RecordingOrigin
let wheel: TimerWheel
let pool: Pool
let place: Origin

const newPool = (change: object = {}): Pool => new Pool({ ...sectionWith(change), wheel })

beforeEach(async () => {
  origin = await startRecordingOrigin()
  wheel = new TimerWheel({ now: () => performance.now(), tickMs: 10 })
  pool = newPool()
  place = loopbackOrigin(origin.port)
})
afterEach(async () => {
  pool.close()
  wheel.stop()
  await origin.close()
})

interface Result {
  readonly status: number
  readonly body: string
  readonly error: WireError | undefined
  readonly interims: number
}

const get: OutgoingRequest = {
  method: 'GET',
  target: '/',
  authority: 'a',
  headers: new HeaderList(),
}

/** Sends one request and waits for its end, good or bad. */
const ask = (
  request: Partial<OutgoingRequest> = {},
  more: {
    body?: Buffer | BodySource
    through?: Pool
    at?: Origin
    responseTimeoutMs?: number
    deadline?: number
    maxResponseBytes?: number
  } = {},
): Promise<Result> =>
  new Promise((resolve) => {
    let interims = 0
    ;(more.through ?? pool).request(
      more.at ?? place,
      { ...get, ...request },
      more.body,
      {
        onInterim: () => interims++,
        onHead: (head, body) => {
          const parts: Buffer[] = []
          const finish = (error: WireError | undefined): void =>
            resolve({ status: head.status, body: Buffer.concat(parts).toString(), error, interims })
          body.start({
            data: (chunk) => parts.push(chunk) > 0,
            end: () => finish(undefined),
            fail: (error) => finish(error),
          })
        },
        onFault: (error) => resolve({ status: 0, body: '', error, interims }),
      },
      {
        responseTimeoutMs: more.responseTimeoutMs ?? 2_000,
        deadline: more.deadline,
        maxResponseBytes: more.maxResponseBytes,
      },
    )
  })

const turn = () => new Promise((resolve) => setTimeout(resolve, 20))

describe('answers of an origin', () => {
  const good = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'
  it.each([
    ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n', good],
    [
      'a status above 599',
      'HTTP/1.1 600 No\r\n\r\n',
      'HTTP/1.1 599 No\r\ncontent-length: 0\r\n\r\n',
    ],
    ['another protocol', 'HTTP/2 200 OK\r\n\r\n', 'HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n'],
    ['no status line', 'hello\r\n\r\n', 'HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n'],
    [
      'both lengths',
      'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok', good],
    ['another coding', 'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n', good],
    ['a folded header', 'HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 0\r\n\r\n', good],
    ['a bare LF', 'HTTP/1.1 200 OK\nx: a\r\n\r\n', good],
    [
      'a bare CR in a value',
      'HTTP/1.1 200 OK\r\nx: a\rSet-Cookie: b\r\n\r\n',
      'HTTP/1.1 200 OK\r\nset-cookie: a\r\nset-cookie: b\r\ncontent-length: 0\r\n\r\n',
    ],
    [
      'a NUL in the reason',
      'HTTP/1.1 200 O\0K\r\n\r\n',
      'HTTP/1.1 200 O K\r\ncontent-length: 0\r\n\r\n',
    ],
    [
      'too many headers',
      `HTTP/1.1 200 OK\r\n${'x: a\r\n'.repeat(101)}\r\n`,
      `HTTP/1.1 200 OK\r\n${'x: a\r\n'.repeat(99)}content-length: 0\r\n\r\n`,
    ],
    ['a head without an end', `HTTP/1.1 200 OK\r\nx: ${'a'.repeat(20_000)}`, good],
    [
      '11 interim heads',
      'HTTP/1.1 103 Early\r\n\r\n'.repeat(11) + good,
      'HTTP/1.1 103 Early\r\n\r\n'.repeat(10) + good,
    ],
    [
      'a switch that nobody asked for',
      'HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
      good,
    ],
    ['a body for 204', 'HTTP/1.1 204 No\r\ncontent-length: 2\r\n\r\nok', 'HTTP/1.1 204 No\r\n\r\n'],
  ])('are a fault when they hold %s', async (_name, refused, allowed) => {
    origin.answer = () => refused
    const bad = await ask()
    expect(bad.error?.code).toBe('bad-upstream-response')
    expect(bad.error?.retry).toBe('never')
    origin.answer = () => allowed
    expect((await ask()).error).toBeUndefined()
    expect(pool.counts().idle).toBeLessThanOrEqual(1)
  })

  it('are a fault when a chunk is malformed', async () => {
    origin.answer = () => 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n'
    expect((await ask()).error?.code).toBe('bad-upstream-response')
  })

  it('are a fault when the body stops short, and the connection is not kept', async () => {
    origin.answer = (_request, { socket }) => {
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf')
      return undefined
    }
    const result = await ask()
    expect(result.error?.code).toBe('upstream-reset')
    expect(result.body).toBe('half')
    expect(pool.counts()).toMatchObject({ idle: 0, busy: 0 })
  })

  it('are a fault when they are longer than the caller allows', async () => {
    expect((await ask({}, { maxResponseBytes: 1 })).error?.code).toBe('response-too-large')
    origin.answer = () => 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n'
    expect((await ask({}, { maxResponseBytes: 4 })).error?.code).toBe('response-too-large')
    expect(pool.counts()).toMatchObject({ idle: 0, busy: 0 })
  })

  it('are late after the response timeout, and after the deadline', async () => {
    origin.answer = () => undefined
    expect((await ask({}, { responseTimeoutMs: 50 })).error?.code).toBe('response-timeout')
    expect((await ask({}, { deadline: wheel.now() + 50 })).error?.code).toBe('deadline')
    origin.answer = () => 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe'
    const stalled = await ask({}, { through: newPool({ timeouts: { stream_idle: '50ms' } }) })
    expect(stalled.error?.code).toBe('upstream-stalled')
  })
})

describe('reuse of connections', () => {
  it('keeps the connection after a clean answer, and gives out the one used last', async () => {
    await Promise.all([ask(), ask(), ask()])
    expect(origin.connections).toHaveLength(3)
    expect(pool.counts()).toMatchObject({ idle: 3, busy: 0, origins: 1 })
    const used = new Set<unknown>()
    origin.answer = (_request, connection) => {
      used.add(connection)
      return 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'
    }
    for (let i = 0; i < 5; i++) await ask()
    expect(used.size).toBe(1)
  })

  it.each([
    ['says close', 'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n'],
    ['is HTTP/1.0', 'HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n'],
    [
      'is followed by more bytes',
      'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n',
    ],
  ])('gives up the connection when the answer %s', async (_name, answer) => {
    origin.answer = () => answer
    expect((await ask()).error).toBeUndefined()
    expect(pool.counts()).toMatchObject({ idle: 0, busy: 0, origins: 0 })
  })

  it('destroys an idle connection that sends bytes, so that no answer reaches the wrong question', async () => {
    await ask()
    origin.connections[0]!.socket.write('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison')
    await turn()
    expect(pool.counts().idle).toBe(0)
    expect((await ask()).body).toBe('ok')
    expect(origin.connections).toHaveLength(2)
  })

  it('does not keep a connection whose answer came before the request was sent whole', async () => {
    const body: BodySource = {
      length: 100,
      start: (sink) => void sink.data(Buffer.from('half')),
      pause: () => undefined,
      resume: () => undefined,
      cancel: () => undefined,
    }
    const before = origin.connections.length
    const answered = ask({ method: 'POST' }, { body })
    await turn()
    origin.connections[before]!.socket.write('HTTP/1.1 413 No\r\ncontent-length: 0\r\n\r\n')
    expect((await answered).status).toBe(413)
    expect(pool.counts()).toMatchObject({ idle: 0, busy: 0 })
  })

  it('ends idle connections after their time', async () => {
    const short = newPool({ timeouts: { upstream_idle: '30ms' } })
    await ask({}, { through: short })
    expect(short.counts().idle).toBe(1)
    await new Promise((resolve) => setTimeout(resolve, 120))
    expect(short.counts()).toMatchObject({ idle: 0, origins: 0 })
  })

  it('does not share connections across identities, trust or hosts', async () => {
    await ask()
    await ask({}, { at: loopbackOrigin(origin.port, { key: 'another' }) })
    expect(origin.connections).toHaveLength(2)
  })

  it('drops idle connections of a key at once, and busy ones after their answer', async () => {
    await ask()
    pool.dropAll(place.key)
    expect(pool.counts().idle).toBe(0)
    origin.answer = () => undefined
    const busy = ask()
    await turn()
    pool.dropAll(place.key)
    origin.connections.at(-1)!.socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
    expect((await busy).status).toBe(200)
    expect(pool.counts()).toMatchObject({ idle: 0, busy: 0 })
  })
})

describe('retry advice', () => {
  it('is idempotent when a reused connection died before any answer', async () => {
    await ask()
    origin.answer = (_request, { socket }) => {
      socket.destroy()
      return undefined
    }
    const { error } = await ask()
    expect(error?.code).toBe('upstream-reset')
    expect(error?.retry).toBe('idempotent')
  })

  it('is never when a fresh connection died, or a part of the answer came', async () => {
    origin.answer = (_request, { socket }) => {
      socket.destroy()
      return undefined
    }
    expect((await ask()).error?.retry).toBe('never')
    origin.answer = () => 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'
    await ask()
    origin.answer = (_request, { socket }) => {
      socket.end('HTTP/1.1 200')
      return undefined
    }
    expect((await ask()).error?.retry).toBe('never')
  })

  it('is safe when nothing was sent', async () => {
    const closed = loopbackOrigin(1)
    const { error } = await ask({}, { at: closed })
    expect(error?.code).toBe('dial-refused')
    expect(error?.retry).toBe('safe')
    expect(pool.counts().origins).toBe(0)
  })
})

describe('limits of an origin', () => {
  it('queues beyond its connections, in order, and refuses beyond its queue', async () => {
    const small = newPool({ pool: { connections_per_origin: 1, queue_per_origin: 2 } })
    const results = await Promise.all(
      [1, 2, 3, 4].map((i) => ask({ target: `/${i}` }, { through: small })),
    )
    expect(results.map((result) => result.error?.code ?? result.status)).toEqual([
      200,
      200,
      200,
      'queue-full',
    ])
    expect(results[3]!.error?.retry).toBe('safe')
    expect(origin.connections).toHaveLength(1)
    expect(origin.requests.map((request) => request.target)).toEqual(['/1', '/2', '/3'])
  })

  it('gives up waiting after the queue timeout', async () => {
    origin.answer = () => undefined
    const small = newPool({ pool: { connections_per_origin: 1, queue_timeout: '30ms' } })
    void ask({}, { through: small, responseTimeoutMs: 300 })
    const { error } = await ask({}, { through: small })
    expect(error?.code).toBe('queue-timeout')
  })

  it('refuses new requests when it is closed', async () => {
    pool.close()
    expect((await ask()).error?.code).toBe('closing')
  })

  it('survives a handler that throws, and says so', async () => {
    const bugs: unknown[] = []
    const guarded = new Pool({ ...sectionWith(), wheel, onBug: (error) => bugs.push(error) })
    const fault = await new Promise<WireError>((resolve) => {
      guarded.request(
        place,
        get,
        undefined,
        {
          onHead: () => {
            throw new Error('a mistake')
          },
          onFault: resolve,
        },
        { responseTimeoutMs: 1_000 },
      )
    })
    expect(fault.code).toBe('bug')
    expect(bugs).toHaveLength(1)
    expect(guarded.counts()).toMatchObject({ idle: 0, busy: 0 })
  })
})

describe('outgoing heads', () => {
  it.each([
    ['a space in the target', { target: '/a b' }],
    ['a line end in the target', { target: '/a\r\nX: y' }],
    ['a line end in the host', { authority: 'a\r\nX: y' }],
    ['an empty host', { authority: '' }],
    ['a method with a space', { method: 'GET /x HTTP/1.1\r\n\r\nGET' }],
  ])('never hold %s', async (_name, change) => {
    expect((await ask(change)).error?.code).toBe('malformed')
    expect(origin.requests).toHaveLength(0)
  })

  it.each(['Content-Length', 'transfer-encoding', 'Host', 'connection', 'Upgrade'])(
    'take no %s from a header list',
    (name) => {
      expect(() => new HeaderList().set(name, '1')).toThrow(WireError)
      expect(() => new HeaderList().add('x-ok', 'a\r\nb: c')).toThrow(WireError)
    },
  )
})
