import {
  createServer as createHttp2,
  connect as connectHttp2,
  type ClientHttp2Session,
  type Http2Server,
  type ServerHttp2Session,
} from 'node:http2'
import { createServer as createHttp1, request as requestHttp1, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { issueIdentity } from '../../src/identity/sources/authority-folder.ts'
import { startTwoSidecars, type TwoSidecars } from '../support/two-sidecars.ts'

const routes = `    - {name: any, path: "/{rest*}", timeout: 5s, tokens: {user: off}}`
const mebibyte = Buffer.alloc(1024 * 1024, 7)

const listening = async (server: Server | Http2Server): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** How far the application came with its last download. */
const progress = { mebibytesSent: 0 }

/** What both applications do: count what comes, and send what the path asks for. */
const serve = (
  path: string,
  body: AsyncIterable<Buffer>,
  answer: {
    head: (status: number, fields: Record<string, string>) => void
    write: (bytes: Buffer) => boolean
    drained: () => Promise<void>
    end: (text?: string) => void
  },
): void => {
  const run = async (): Promise<void> => {
    if (path === '/upload') {
      let total = 0
      for await (const chunk of body) total += chunk.length
      answer.head(200, { 'content-type': 'text/plain' })
      answer.end(String(total))
    } else if (path === '/events') {
      answer.head(200, { 'content-type': 'text/event-stream' })
      for (let i = 0; i < 3; i++) {
        answer.write(Buffer.from(`data: ${i}\n\n`))
        await new Promise((done) => setTimeout(done, 100))
      }
      answer.end()
    } else if (path.startsWith('/download/')) {
      answer.head(200, { 'content-type': 'application/octet-stream' })
      for (let left = Number(path.slice(10)); left > 0; left--) {
        progress.mebibytesSent += 1
        if (!answer.write(mebibyte)) await answer.drained()
      }
      answer.end()
    } else if (path === '/empty') {
      answer.head(204, {})
      answer.end()
    } else {
      answer.head(200, { 'content-type': 'text/plain', 'set-cookie': 'a=1' })
      answer.end('ok')
    }
  }
  run().catch(() => undefined)
}

const startApplication = async (protocol: 'http1' | 'http2') => {
  const sessions = new Set<ServerHttp2Session>()
  if (protocol === 'http1') {
    const server = createHttp1((request, response) =>
      serve(request.url!, request, {
        head: (status, fields) => response.writeHead(status, fields),
        write: (bytes) => response.write(bytes),
        drained: () => new Promise((resolve) => response.once('drain', resolve)),
        end: (text) => response.end(text),
      }),
    )
    const port = await listening(server)
    return { port, sessions, stop: () => server.closeAllConnections() }
  }
  const server = createHttp2()
  server.on('session', (session) => sessions.add(session))
  server.on('stream', (stream, head) => {
    stream.on('error', () => undefined)
    serve(String(head[':path']), stream, {
      head: (status, fields) => stream.respond({ ':status': status, ...fields }),
      write: (bytes) => stream.write(bytes),
      drained: () => new Promise((resolve) => stream.once('drain', resolve)),
      end: (text) => stream.end(text),
    })
  })
  const port = await listening(server)
  return {
    port,
    sessions,
    stop: () => {
      for (const session of sessions) session.destroy()
      server.close()
    },
  }
}

interface Answer {
  readonly status: number
  readonly body: string
  readonly bytes: number
  readonly head: Readonly<Record<string, unknown>>
  /** The body as it came, while it is short. */
  readonly pieces: readonly string[]
}

/** One client for both protocols: asks the loopback port of the service. */
const asker = (protocol: 'http1' | 'http2', port: number) => {
  let session: ClientHttp2Session | undefined
  const ask = (path: string, mebibytes = 0): Promise<Answer> =>
    new Promise((resolve, reject) => {
      let bytes = 0
      const pieces: string[] = []
      const take = (chunk: Buffer): void => {
        bytes += chunk.length
        if (bytes < 4_096) pieces.push(chunk.toString())
      }
      const done = (status: number, head: Readonly<Record<string, unknown>>): void =>
        resolve({ status, head, bytes, body: pieces.join(''), pieces })
      const method = mebibytes > 0 ? 'POST' : 'GET'
      const send = (stream: NodeJS.WritableStream): void => {
        const run = async (): Promise<void> => {
          for (let left = mebibytes; left > 0; left--)
            if (!stream.write(mebibyte)) await new Promise((next) => stream.once('drain', next))
          stream.end()
        }
        run().catch(reject)
      }
      if (protocol === 'http1') {
        const request = requestHttp1({ port, host: '127.0.0.1', path, method }, (response) => {
          response.on('data', take)
          response.on('error', reject)
          response.on('end', () => done(response.statusCode!, response.headers))
        })
        request.on('error', reject)
        send(request)
        return
      }
      if (session === undefined || session.closed || session.destroyed) {
        session = connectHttp2(`http://127.0.0.1:${port}`)
        session.on('error', () => undefined)
      }
      const stream = session.request({ ':path': path, ':method': method, ':authority': 'app' })
      let head: Readonly<Record<string, unknown>> = {}
      stream.on('response', (fields) => (head = fields))
      stream.on('data', take)
      stream.on('error', reject)
      stream.on('end', () => done(Number(head[':status']), head))
      send(stream)
    })
  /** Asks, and never reads the answer; gives the way to end that. */
  const stall = (path: string): (() => void) => {
    if (protocol === 'http1') {
      const request = requestHttp1({ port, host: '127.0.0.1', path }, (response) => {
        response.pause()
        response.on('error', () => undefined)
      })
      request.on('error', () => undefined)
      request.end()
      return () => request.destroy()
    }
    const stream = session!.request({ ':path': path, ':authority': 'app' })
    stream.on('error', () => undefined)
    stream.pause()
    return () => stream.close(8)
  }
  return { ask, stall, close: () => session?.destroy() }
}

describe.each([
  ['http1', 'http1', 'http2'],
  ['http1', 'http2', 'http1'],
  ['http2', 'http1', 'http1'],
  ['http2', 'http2', 'http2'],
] as const)('%s to the sidecar, %s between, %s to the application', (front, between, back) => {
  let application: Awaited<ReturnType<typeof startApplication>>
  let mesh: TwoSidecars
  let client: ReturnType<typeof asker>

  beforeAll(async () => {
    application = await startApplication(back)
    mesh = await startTwoSidecars({
      routes,
      between,
      application: { port: application.port, protocol: back },
    })
    client = asker(front, mesh.port)
  })
  afterAll(async () => {
    client.close()
    await mesh.stop()
    application.stop()
  })

  it('passes answers with and without a body', async () => {
    const full = await client.ask('/a?b=c')
    expect([full.status, full.body]).toEqual([200, 'ok'])
    expect(full.head['set-cookie']).toEqual(['a=1'])
    expect((await client.ask('/empty')).status).toBe(204)
  })

  it('answers fifty at once', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => client.ask(`/n/${i}`)))
    expect(answers.every(({ status }) => status === 200)).toBe(true)
  })

  it('refuses in the same words', async () => {
    const { status, head, body } = await client.ask('/a%2fb')
    expect([status, head['content-type']]).toEqual([400, 'application/problem+json'])
    expect(body).toContain('request.path')
  })

  it('passes events as they come', async () => {
    const { status, pieces } = await client.ask('/events')
    expect([status, pieces]).toEqual([200, ['data: 0\n\n', 'data: 1\n\n', 'data: 2\n\n']])
  })

  it('streams large bodies both ways', { timeout: 30_000 }, async () => {
    expect((await client.ask('/upload', 64)).body).toBe(String(64 * mebibyte.length))
    expect((await client.ask('/download/64')).bytes).toBe(64 * mebibyte.length)
  })

  it('holds back an application whose answer nobody reads, and nobody else', async () => {
    progress.mebibytesSent = 0
    const stop = client.stall('/download/256')
    let before = -1
    while (before !== progress.mebibytesSent || before === 0) {
      before = progress.mebibytesSent
      await new Promise((done) => setTimeout(done, 200))
      expect((await client.ask('/meanwhile')).body).toBe('ok')
    }
    // Mostly what the sockets of three hops hold in the kernel.
    expect(before).toBeLessThan(64)
    stop()
  })
})

describe('connections over HTTP/2', () => {
  let application: Awaited<ReturnType<typeof startApplication>>
  let mesh: TwoSidecars

  beforeAll(async () => {
    application = await startApplication('http2')
    mesh = await startTwoSidecars({
      routes,
      application: { port: application.port, protocol: 'http2' },
    })
  })
  afterAll(async () => {
    await mesh.stop()
    application.stop()
  })

  it('are shared by calls, outlive a change of our certificate, and fail no call then', async () => {
    const client = asker('http2', mesh.port)
    await Promise.all(Array.from({ length: 20 }, () => client.ask('/a')))
    expect(application.sessions.size).toBe(1)
    const { folder, sidecar } = mesh.callee
    const serial = () => sidecar.core.identity.identity.current.thumbprint
    const before = serial()
    for (const name of ['app', 'web']) {
      const into = join(folder, name)
      const spiffeId = `spiffe://test.mesh/${name}`
      issueIdentity(join(folder, 'certs'), { spiffeId, now: Date.now(), into })
    }
    const statuses: number[] = []
    for (let i = 0; i < 300 && (serial() === before || i < 20); i++) {
      statuses.push((await client.ask('/a')).status)
      await new Promise((done) => setTimeout(done, 10))
    }
    expect(serial()).not.toBe(before)
    expect(new Set(statuses)).toEqual(new Set([200]))
    client.close()
  })

  it('are told goodbye when the sidecar stops, and what is in flight finishes', async () => {
    const session = connectHttp2(`http://127.0.0.1:${mesh.port}`)
    session.on('error', () => undefined)
    const goodbye = new Promise<number>((resolve) => session.on('goaway', resolve))
    const stream = session.request({ ':path': '/events', ':authority': 'app' })
    let text = ''
    let stopped: Promise<void> | undefined
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      stopped ??= mesh.caller.stop()
    })
    const code = await new Promise<number>((resolve) =>
      stream.on('close', () => resolve(stream.rstCode)),
    )
    expect([code, await goodbye]).toEqual([0, 0])
    expect(text).toBe('data: 0\n\ndata: 1\n\ndata: 2\n\n')
    await stopped
  })
})
