/**
 * Answers of an origin that is not trusted: what the client's end takes, llhttp (strict) takes with the same status,
 * headers and body; and what it passes on is a well-formed answer.
 */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HeaderList } from '../../src/wire/headers.ts'
import type { ResponseHead } from '../../src/wire/message.ts'
import { Pool } from '../../src/wire/pool.ts'
import { wireSection } from '../../src/wire/section.ts'
import type { WireError } from '../../src/wire/wire-error.ts'
import { refereeOfAnswers } from '../support/llhttp.ts'
import { MemorySocket, strictOptions } from '../support/memory-socket.ts'
import { fuzzRuns, mutated } from '../support/mutate.ts'

const section = wireSection.parse({})

interface Answer {
  head: ResponseHead | undefined
  body: Buffer
  ended: boolean
  interims: number
  fault: WireError | undefined
}

/** What the client's end makes of the bytes, cut at the offsets, as the answer to a GET. */
const take = async (
  bytes: Buffer,
  cuts: readonly number[] = [],
): Promise<Answer & { bugs: unknown[] }> => {
  const bugs: unknown[] = []
  const pool = new Pool({
    ...section,
    wheel: strictOptions.wheel,
    onBug: (error) => bugs.push(error),
  })
  const socket = new MemorySocket()
  const answer: Answer = {
    head: undefined,
    body: Buffer.alloc(0),
    ended: false,
    interims: 0,
    fault: undefined,
  }
  pool.request(
    { key: 'origin', dial: () => Promise.resolve(socket.socket) },
    { method: 'GET', target: '/', authority: 'a', headers: new HeaderList() },
    undefined,
    {
      onInterim: () => answer.interims++,
      onHead: (head, body) => {
        answer.head = head
        body.start({
          data: (chunk) => {
            answer.body = Buffer.concat([answer.body, chunk])
            return true
          },
          end: () => {
            answer.ended = true
          },
          fail: (error) => {
            answer.fault = error
          },
        })
      },
      onFault: (error) => {
        answer.fault = error
      },
    },
    { responseTimeoutMs: 1_000 },
  )
  await new Promise((resolve) => setImmediate(resolve))
  const offsets = [0, ...cuts, bytes.length]
  for (let i = 1; i < offsets.length; i++) {
    const piece = bytes.subarray(offsets[i - 1], offsets[i])
    if (piece.length > 0) socket.receive(piece)
  }
  if (!socket.destroyed) socket.emit('end')
  socket.destroy()
  return { ...answer, bugs }
}

const seeds = [
  'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nX-T: 1\r\n\r\n',
  'HTTP/1.1 200 OK\r\nServer: x\r\nSet-Cookie: a=b; Path=/\r\nSet-Cookie: c=d\r\n\r\nuntil the end',
  'HTTP/1.0 404 Not Found\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nno',
  'HTTP/1.1 204 No Content\r\nETag: "x"\r\n\r\n',
  'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 10\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok',
  `HTTP/1.1 500 \r\n${'X-Filler: some text that is long enough to be hit\r\n'.repeat(4)}Content-Length: 0\r\n\r\n`,
].map((text) => Buffer.from(text, 'latin1'))

const codecFields =
  /^(?:host|content-length|transfer-encoding|connection|upgrade|expect|keep-alive|proxy-connection|proxy-authenticate|proxy-authorization|proxy-authentication-info|te|trailer|http2-settings|alt-used)$/i

const compare = async (bytes: Buffer): Promise<boolean> => {
  const ours = await take(bytes)
  expect(ours.bugs).toEqual([])
  if (ours.head === undefined || !ours.ended) {
    expect(ours.fault).toBeDefined()
    return false
  }
  const { messages, error } = refereeOfAnswers(bytes)
  const theirs = messages.filter((message) => message.status >= 200)[0]
  expect(theirs, `llhttp says ${error}: ${JSON.stringify(bytes.toString('latin1'))}`).toBeDefined()
  expect(ours.head.status).toBe(theirs!.status)
  expect(ours.body.toString('latin1')).toBe(theirs!.body.toString('latin1'))
  expect([...ours.head.headers]).toEqual(
    theirs!.headers
      .map(([name, value]) => [name.toLowerCase(), value.replace(/[ \t]+$/, '')])
      .filter(([name]) => !codecFields.test(name!)),
  )
  return true
}

describe('answers', () => {
  it('of every form are taken as llhttp takes them', async () => {
    for (const seed of seeds) expect(await compare(seed), seed.toString()).toBe(true)
  })

  it('mean the same wherever they are cut', async () => {
    for (const seed of seeds) {
      const { head, body } = await take(seed)
      for (let cut = 1; cut < seed.length; cut++) {
        const other = await take(seed, [cut])
        expect(other.head?.status).toBe(head!.status)
        expect([...other.head!.headers]).toEqual([...head!.headers])
        expect(other.body.equals(body)).toBe(true)
      }
    }
  })

  it('that were mutated are taken as llhttp takes them, or are a fault', async () => {
    await fc.assert(
      fc.asyncProperty(mutated(seeds), async (bytes) => {
        await compare(bytes)
      }),
      { numRuns: fuzzRuns(3_000) },
    )
  })
})
