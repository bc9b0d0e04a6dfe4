/**
 * Over real sockets: what was reported to policy is, byte for byte of meaning, what the origin received. Nothing that
 * was not reported reaches it.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ServerRequest } from '../../src/wire/message.ts'
import { forwardedTarget } from '../../src/wire/target.ts'
import { parseWithServer } from '../support/memory-socket.ts'
import { startPlainForwarder, type PlainForwarder } from '../support/plain-forwarder.ts'
import { rawClient } from '../support/raw-client.ts'
import {
  startRecordingOrigin,
  type RecordedRequest,
  type RecordingOrigin,
} from '../support/recording-origin.ts'
import {
  gadgetFile,
  gadgetRequests,
  llhttpCases,
  llhttpFile,
  ownCases,
} from '../support/smuggling-corpus.ts'

let origin: RecordingOrigin
let proxy: PlainForwarder

beforeAll(async () => {
  origin = await startRecordingOrigin()
  proxy = await startPlainForwarder({ originPort: origin.port })
})
afterAll(async () => {
  await proxy.close()
  await origin.close()
})
beforeEach(() => {
  origin.answer = () => 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'
  origin.requests.length = 0
  proxy.seen.length = 0
  proxy.refused.length = 0
})

const framingFields = new Set(['content-length', 'transfer-encoding', 'connection', 'upgrade'])

const expectReceived = (received: RecordedRequest, { head }: ServerRequest): void => {
  expect(received.method).toBe(head.method)
  expect(received.target).toBe(forwardedTarget(head.target))
  const [host, ...rest] = received.headers.filter(([name]) => !framingFields.has(name))
  expect(host).toEqual(['host', head.target.authority])
  expect(rest).toEqual([...head.headers])
  const framing = received.headers.filter(
    ([name]) => name === 'content-length' || name === 'transfer-encoding',
  )
  expect(framing.length).toBeLessThanOrEqual(1)
  if (head.framing.kind === 'length' && head.framing.length > 0)
    expect(framing).toEqual([['content-length', String(head.framing.length)]])
  if (head.framing.kind === 'chunked') expect(framing).toEqual([['transfer-encoding', 'chunked']])
}

/** Sends the bytes through, waits for what must reach the origin, and compares. */
const sendThrough = async (bytes: Buffer): Promise<number> => {
  const expected = parseWithServer(bytes).messages.filter((message) => message.complete)
  const seenBefore = proxy.seen.length
  const receivedBefore = origin.requests.length
  const client = await rawClient(proxy.port)
  client.send(bytes)
  while (origin.requests.length < receivedBefore + expected.length && !client.closed)
    await new Promise((resolve) => setTimeout(resolve, 1))
  const received = origin.requests.slice(receivedBefore)
  expect(received.length, bytes.toString('latin1')).toBe(expected.length)
  received.forEach((request, index) => {
    expectReceived(request, proxy.seen[seenBefore + index]!)
    expect(request.body.equals(expected[index]!.body)).toBe(true)
  })
  client.destroy()
  return received.length
}

const isUpgrade = (bytes: Buffer): boolean => /websocket|CONNECT/i.test(bytes.toString('latin1'))

describe.skipIf(llhttpFile === undefined || gadgetFile === undefined)('published cases', () => {
  it('delivers exactly what was reported, for every case of llhttp and every gadget that is accepted', async () => {
    let delivered = 0
    for (const bytes of [...llhttpCases(), ...gadgetRequests()]) {
      if (isUpgrade(bytes) || !parseWithServer(bytes).messages.some((each) => each.complete))
        continue
      delivered += await sendThrough(bytes)
    }
    expect(delivered).toBeGreaterThan(20)
    expect(proxy.bugs).toEqual([])
  })
})

describe('own cases', () => {
  it('delivers exactly what was reported', async () => {
    for (const bytes of ownCases) if (!isUpgrade(bytes)) await sendThrough(bytes)
  })

  it('never lets a second request ride inside the first', async () => {
    const inner = 'GET /admin HTTP/1.1\r\nHost: inner\r\n\r\n'
    for (const head of [
      `Content-Length: ${inner.length}\r\nTransfer-Encoding: chunked`,
      `Transfer-Encoding: chunked\r\nContent-Length: ${inner.length}`,
      `Content-Length: 0\r\nContent-Length: ${inner.length}`,
      `Content-Length: 0, ${inner.length}`,
      'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity',
      'Transfer-Encoding: xchunked',
      'Transfer-Encoding : chunked',
      'Transfer-Encoding:\x0bchunked',
      'Transfer-Encoding: "chunked"',
      'Transfer-Encoding\r\n: chunked',
      'X: y\rTransfer-Encoding: chunked',
      'X: y\nTransfer-Encoding: chunked',
    ]) {
      const client = await rawClient(proxy.port)
      client.send(`DELETE / HTTP/1.1\r\nHost: a\r\n${head}\r\n\r\n0\r\n\r\n${inner}`)
      expect((await client.ended()).toString(), head).toMatch(/^HTTP\/1\.1 400 /)
    }
    expect(origin.requests).toEqual([])
  })
})
