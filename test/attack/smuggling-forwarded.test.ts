/**
 * Mutated requests through the whole forwarder, without a network: what reaches the origin is, in order and in meaning,
 * what was reported, and never a byte of anything else.
 */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { serveHttp1 } from '../../src/wire/http1/server.ts'
import type { ServerRequest } from '../../src/wire/message.ts'
import { Pool } from '../../src/wire/pool.ts'
import { wireSection } from '../../src/wire/section.ts'
import { forwardedTarget } from '../../src/wire/target.ts'
import { HeaderList } from '../../src/wire/headers.ts'
import { MemorySocket, strictOptions } from '../support/memory-socket.ts'
import { fuzzRuns, mutated } from '../support/mutate.ts'
import { readRequest, type RecordedRequest } from '../support/recording-origin.ts'
import { gadgetFile, gadgetRequests, llhttpCases, ownCases } from '../support/smuggling-corpus.ts'

/** An origin that answers every whole request at once and keeps what it was sent. */
class MemoryOrigin extends MemorySocket {
  readonly requests: RecordedRequest[] = []
  rest = Buffer.alloc(0)

  override write(chunk: string | Buffer): boolean {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk
    this.rest = Buffer.concat([this.rest, bytes])
    for (;;) {
      const read = readRequest(this.rest)
      if (read === undefined) return true
      this.rest = this.rest.subarray(read.used)
      this.requests.push(read.request)
      queueMicrotask(() =>
        this.receive(Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')),
      )
    }
  }
}

const section = wireSection.parse({})

interface Forwarded {
  readonly seen: readonly ServerRequest[]
  readonly origins: readonly MemoryOrigin[]
  readonly bugs: readonly unknown[]
}

const forward = async (bytes: Buffer): Promise<Forwarded> => {
  const origins: MemoryOrigin[] = []
  const bugs: unknown[] = []
  const seen: ServerRequest[] = []
  const onBug = (error: unknown): void => void bugs.push(error)
  const pool = new Pool({ ...section, wheel: strictOptions.wheel, onBug })
  const origin = {
    key: 'origin',
    dial: () => {
      const socket = new MemoryOrigin()
      origins.push(socket)
      return Promise.resolve(socket.socket)
    },
  }
  const client = new MemorySocket()
  serveHttp1(client.socket, strictOptions, {
    onBug,
    onRequest: (request) => {
      seen.push(request)
      const { head } = request
      const call = pool.request(
        origin,
        {
          method: head.method,
          target: forwardedTarget(head.target),
          authority: head.target.authority,
          headers: head.headers,
        },
        request.body,
        {
          onHead: (answer, body) => request.respond(answer, body),
          onFault: (error) => request.respond({ status: error.status, headers: new HeaderList() }),
        },
        { responseTimeoutMs: 1_000 },
      )
      request.whenGone((reason) => call.cancel(reason))
    },
  })
  client.receive(bytes)
  for (let quiet = 0; quiet < 3; quiet++) {
    const before = seen.length
    await new Promise((resolve) => setImmediate(resolve))
    if (seen.length !== before) quiet = 0
  }
  client.destroy()
  return { seen, origins, bugs }
}

const codecFields = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'upgrade',
])

const check = async (bytes: Buffer): Promise<void> => {
  const { seen, origins, bugs } = await forward(bytes)
  expect(bugs).toEqual([])
  const received = origins.flatMap((origin) => origin.requests)
  expect(received.length).toBeLessThanOrEqual(seen.length)
  received.forEach((request, index) => {
    const { head } = seen[index]!
    expect(request.method).toBe(head.method)
    expect(request.target).toBe(forwardedTarget(head.target))
    expect(request.headers[0]).toEqual(['host', head.target.authority])
    expect(request.headers.filter(([name]) => !codecFields.has(name))).toEqual([...head.headers])
    expect(request.body.length).toBe(seen[index]!.bytesReceived)
  })
  // Bytes of an unfinished request belong to a request that was reported, and its connection is gone.
  const unfinished = origins.filter((origin) => origin.rest.length > 0)
  expect(unfinished.length).toBeLessThanOrEqual(seen.length - received.length)
  for (const origin of unfinished) expect(origin.destroyed).toBe(true)
}

describe('mutated requests', () => {
  it('reach the origin as they were reported, or not at all', async () => {
    const published = gadgetFile === undefined ? ownCases : [...llhttpCases(), ...gadgetRequests()]
    const bytes = fc.oneof(
      { arbitrary: mutated(ownCases), weight: 9 },
      { arbitrary: mutated(published), weight: 1 },
    )
    await fc.assert(fc.asyncProperty(bytes, check), { numRuns: fuzzRuns(3_000) })
  })
})
