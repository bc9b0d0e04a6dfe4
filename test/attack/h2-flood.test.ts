/**
 * The floods of the HTTP/2 scenario list, sent by an authenticated peer, while another peer goes on as usual: the
 * attacker is cut off, the other one hardly notices, memory stays bounded and nothing crashes.
 */
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2'
import { connect as connectTcp } from 'node:net'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startInboundSidecar, type InboundSidecar } from '../support/inbound-sidecar.ts'
import {
  data,
  endHeaders,
  endStream,
  frame,
  frameTypes,
  headerBlock,
  headers,
  indexedLiteral,
  preface,
  rawHttp2,
  reset,
  setting,
  tableEntry,
  windowUpdate,
  type RawHttp2,
} from '../support/raw-http2.ts'
import { vectorsRoot } from '../support/vectors.ts'

type Fields = readonly (readonly [string, string])[]

const usual: Fields = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':authority', 'app'],
  [':path', '/a'],
]
const post: Fields = [[':method', 'POST'], ...usual.slice(1)]
const rssLimit = 64 * 1024 * 1024

interface Scenario {
  /** Sends the attack; false from `more` means that the connection is gone. */
  readonly attack: (raw: RawHttp2, more: () => Promise<boolean>) => Promise<void> | void
  /** `closed`: the connection must end; `survives`: it is ignored or answered stream by stream. */
  readonly expect: 'closed' | 'survives'
}

const repeat = async (
  raw: RawHttp2,
  more: () => Promise<boolean>,
  times: number,
  make: (index: number) => Buffer,
): Promise<void> => {
  for (let i = 0; i < times; i += 100) {
    raw.write(...Array.from({ length: Math.min(100, times - i) }, (_, j) => make(i + j)))
    if (i % 1_000 === 0 && !(await more())) return
  }
}
const odd = (index: number): number => 2 * index + 1

const scenarios: Readonly<Record<string, Scenario>> = {
  'rapid-reset': {
    attack: (raw, more) =>
      repeat(raw, more, 20_000, (i) => Buffer.concat([headers(odd(i), usual), reset(odd(i))])),
    expect: 'closed',
  },
  'rapid-reset-server-side': {
    attack: (raw, more) =>
      repeat(raw, more, 10_000, (i) => headers(odd(i), [...usual, ['content-length', '5']])),
    expect: 'closed',
  },
  'made-you-reset': {
    attack: (raw, more) =>
      repeat(raw, more, 10_000, (i) =>
        Buffer.concat([headers(odd(i), post, endHeaders), windowUpdate(odd(i), 0)]),
      ),
    expect: 'closed',
  },
  'continuation-flood': {
    attack: async (raw, more) => {
      raw.write(headers(1, usual, endStream))
      const piece = headerBlock([['x-a', 'a'.repeat(1_000)]])
      await repeat(raw, more, 20_000, () => frame(frameTypes.continuation, 0, 1, piece))
    },
    expect: 'closed',
  },
  'hpack-bomb': {
    attack: (raw) => {
      const block = Buffer.concat([
        headerBlock(usual),
        indexedLiteral('x-bomb', 'a'.repeat(4_000)),
        Buffer.alloc(10_000, tableEntry),
      ])
      raw.write(frame(frameTypes.headers, endStream | endHeaders, 1, block))
    },
    expect: 'survives',
  },
  'hpack-invalid-oversize': {
    attack: (raw) => {
      raw.write(frame(frameTypes.headers, endHeaders, 1, Buffer.alloc(16_000, 0xff)), reset(1))
    },
    expect: 'closed',
  },
  'settings-flood': {
    attack: (raw, more) => repeat(raw, more, 50_000, () => setting(4, 65_535)),
    expect: 'closed',
  },
  'ping-flood': {
    attack: (raw, more) =>
      repeat(raw, more, 50_000, () => frame(frameTypes.ping, 0, 0, Buffer.alloc(8))),
    expect: 'closed',
  },
  'empty-frames': {
    attack: async (raw, more) => {
      raw.write(headers(1, post, endHeaders))
      await repeat(raw, more, 20_000, () => data(1, ''))
    },
    expect: 'closed',
  },
  'priority-flood': {
    attack: (raw, more) =>
      repeat(raw, more, 20_000, (i) =>
        frame(frameTypes.priority, 0, odd(i % 100), Buffer.from([0, 0, 0, 0, 1])),
      ),
    expect: 'survives',
  },
  'window-update-stream0-overflow': {
    attack: (raw) => raw.write(windowUpdate(0, 0x7fff_ffff), windowUpdate(0, 0x7fff_ffff)),
    expect: 'closed',
  },
  'goaway-then-data': {
    attack: async (raw, more) => {
      raw.write(frame(frameTypes.push, 4, 1, Buffer.alloc(8)))
      await repeat(raw, more, 5_000, () => data(1, 'after the error'))
    },
    expect: 'closed',
  },
  'reentrant-reset': {
    attack: (raw, more) =>
      repeat(raw, more, 20_000, (i) =>
        Buffer.concat([
          headers(odd(i), usual),
          ...(i % 3 === 0 ? [reset(odd(i))] : []),
          ...(i % 7 === 0 ? [setting(4, i)] : []),
        ]),
      ),
    expect: 'closed',
  },
  'retained-headers': {
    attack: (raw, more) =>
      repeat(raw, more, 400, (i) =>
        headers(odd(i), [...post, ['x-large', 'a'.repeat(12_000)]], endHeaders),
      ),
    expect: 'survives',
  },
}

describe('floods over HTTP/2', () => {
  let mesh: InboundSidecar
  let session: ClientHttp2Session

  beforeAll(async () => {
    mesh = await startInboundSidecar({
      routes: '    - {name: any, path: "/{rest*}", tokens: {user: off, caller: off}}',
      more: 'wire: {timeouts: {headers: 1s, stream_idle: 1s}}',
    })
    const socket = mesh.connectAs('other', ['h2'])
    session = connectHttp2('https://app', { createConnection: () => socket })
    session.on('error', () => undefined)
  })
  afterAll(async () => {
    session.destroy()
    await mesh.stop()
  })

  const open = async (first?: Buffer): Promise<RawHttp2> => {
    const socket = mesh.connectAs('web', ['h2'])
    await new Promise((resolve) => socket.once('secureConnect', resolve))
    const raw = rawHttp2(socket, first)
    // Our acknowledgement of their settings must not stand between the frames of a head.
    await raw.until(() => raw.frames.length > 0)
    return raw
  }
  const wellBehaved = (): Promise<boolean> =>
    new Promise((resolve) => {
      const stream = session.request({ ':path': '/well', ':authority': 'app' })
      let status = 0
      stream.on('response', (head) => (status = Number(head[':status'])))
      stream.on('error', () => undefined)
      stream.on('close', () => resolve(status === 200))
      stream.resume()
      stream.end()
    })
  /** Runs an attack beside a client that asks on and on; gives the share of its requests that were answered. */
  const beside = async (attack: () => Promise<void>): Promise<number> => {
    const until = { over: false }
    const results: boolean[] = []
    const asking = (async () => {
      while (!until.over || results.length < 20) {
        results.push(await wellBehaved())
        await new Promise((done) => setTimeout(done, 2))
      }
    })()
    await attack()
    until.over = true
    await asking
    return results.filter(Boolean).length / results.length
  }

  it('are all on the list that is kept for them', () => {
    const root = vectorsRoot()
    const file = root === undefined ? '' : join(root, 'vectors/h2-flood/h2-scenarios.json')
    if (!existsSync(file)) return
    const list = JSON.parse(readFileSync(file, 'utf8')) as { scenarios: { id: string }[] }
    const known = new Set(list.scenarios.map(({ id }) => id))
    for (const id of Object.keys(scenarios)) expect(known.has(id), id).toBe(true)
  })

  it.each(Object.entries(scenarios))('%s', { timeout: 30_000 }, async (_, scenario) => {
    const rss = process.memoryUsage.rss()
    let ended = false
    const success = await beside(async () => {
      const raw = await open()
      const more = async (): Promise<boolean> => {
        await new Promise((done) => setImmediate(done))
        return !raw.closed
      }
      await scenario.attack(raw, more)
      if (scenario.expect === 'closed') ended = await raw.until(() => raw.closed)
      else await raw.until(() => raw.closed || raw.frames.length > 3, 500)
      raw.socket.destroy()
    })
    expect(success).toBeGreaterThanOrEqual(0.99)
    expect(ended).toBe(scenario.expect === 'closed')
    expect(process.memoryUsage.rss() - rss).toBeLessThan(rssLimit)
    expect(await wellBehaved()).toBe(true)
  })

  it('are written down, with the peer that sent them', async () => {
    mesh.log.length = 0
    const raw = await open()
    const more = () => new Promise<boolean>((done) => setImmediate(() => done(!raw.closed)))
    await scenarios['ping-flood']!.attack(raw, more)
    expect(await raw.until(() => raw.closed)).toBe(true)
    const written = () =>
      mesh.log.some((line) => {
        const { code, peer } = JSON.parse(line) as Record<string, unknown>
        return code === 'request.malformed' && peer === 'spiffe://test.mesh/web'
      })
    expect(await raw.until(written)).toBe(true)
  })

  it('max-streams: what is open beyond 100 is refused', async () => {
    const raw = await open()
    const opened = Array.from({ length: 110 }, (_, i) => headers(odd(i), post, endHeaders))
    raw.write(...opened)
    expect(await raw.until(() => raw.resetCode(odd(109)) !== undefined || raw.closed)).toBe(true)
    if (!raw.closed) expect(raw.resetCode(odd(109))).toBe(7)
    raw.socket.destroy()
  })

  it('slow-headers: a head that does not end closes the connection', async () => {
    const raw = await open()
    const block = headerBlock(usual)
    raw.write(frame(frameTypes.headers, endStream, 1, block.subarray(0, 10)))
    const began = Date.now()
    while (!raw.closed && Date.now() - began < 8_000) {
      await new Promise((done) => setTimeout(done, 200))
      if (!raw.closed) raw.write(frame(frameTypes.continuation, 0, 1))
    }
    expect(raw.closed).toBe(true)
  })

  it('no preface at all: the connection is closed', async () => {
    const silent = await open(Buffer.alloc(0))
    expect(silent.closed).toBe(false)
    expect(await silent.until(() => silent.closed, 8_000)).toBe(true)
    const half = await open(preface.subarray(0, 10))
    expect(await half.until(() => half.closed, 8_000)).toBe(true)
  })

  it('slow-body: a body that does not go on ends its stream', async () => {
    const raw = await open()
    raw.write(headers(1, post, endHeaders), data(1, 'a'))
    const over = () => raw.answered(1) !== undefined || raw.resetCode(1) !== undefined || raw.closed
    expect(await raw.until(over, 8_000)).toBe(true)
    raw.socket.destroy()
  })

  it('window-0: answers that nobody reads do not pile up', async () => {
    const chunk = Buffer.alloc(1024 * 1024)
    mesh.app.answer = ({ target }) =>
      target === '/large'
        ? Buffer.concat([Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 1048576\r\n\r\n'), chunk])
        : 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'
    const raw = await open()
    raw.write(setting(4, 0))
    const large: Fields = [...usual.slice(0, 3), [':path', '/large']]
    raw.write(...Array.from({ length: 50 }, (_, i) => headers(odd(i), large)))
    const ended = () =>
      raw.closed || Array.from({ length: 50 }, (_, i) => raw.resetCode(odd(i))).every(Number)
    expect(await raw.until(ended, 10_000)).toBe(true)
    expect(await wellBehaved()).toBe(true)
    raw.socket.destroy()
  })

  it('goaway-abrupt and continuation-then-drop: peers that vanish leave nothing behind', async () => {
    for (let round = 0; round < 20; round++) {
      const raw = await open()
      raw.write(headers(1, usual, endStream), headers(3, post, endHeaders))
      raw.socket.destroy()
    }
    expect(await wellBehaved()).toBe(true)
  })

  it('half-handshake: connections that stop before TLS do not keep others out', async () => {
    const half = Array.from({ length: 100 }, () => connectTcp(mesh.port, '127.0.0.1'))
    for (const socket of half) socket.on('error', () => undefined)
    expect(await wellBehaved()).toBe(true)
    const raw = await open()
    raw.write(headers(1, usual))
    expect(await raw.until(() => raw.answered(1) !== undefined)).toBe(true)
    raw.socket.destroy()
    for (const socket of half) socket.destroy()
  })
})
