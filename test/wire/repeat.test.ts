/** Repeating a call after a stale connection: the same body may be given again as long as none of it was sent. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { HeaderList } from '../../src/wire/headers.ts'
import type { ServerRequest } from '../../src/wire/message.ts'
import type { WireError } from '../../src/wire/wire-error.ts'
import {
  loopbackOrigin,
  startPlainForwarder,
  type PlainForwarder,
} from '../support/plain-forwarder.ts'
import { rawClient } from '../support/raw-client.ts'
import { startRecordingOrigin, type RecordingOrigin } from '../support/recording-origin.ts'

let origin: RecordingOrigin
let proxy: PlainForwarder
const faults: WireError[] = []

/** Forwards, and repeats whatever the advice allows. */
const forward = (request: ServerRequest): void => {
  const { head } = request
  proxy.pool.request(
    loopbackOrigin(origin.port),
    { method: head.method, target: head.target.path, authority: 'a', headers: new HeaderList() },
    request.body,
    {
      onHead: (answer, body) => request.respond(answer, body),
      onFault: (error) => {
        faults.push(error)
        if (error.retry === 'never') request.respond({ status: 502, headers: new HeaderList() })
        else forward(request)
      },
    },
    { responseTimeoutMs: 2_000 },
  )
}

beforeAll(async () => {
  origin = await startRecordingOrigin()
  proxy = await startPlainForwarder({ originPort: origin.port })
  proxy.handle = forward
})
afterAll(async () => {
  expect(proxy.bugs).toEqual([])
  await proxy.close()
  await origin.close()
})

const reached = async (text: string) => {
  for (;;) {
    const found = origin.connections.find(
      (each) => !each.socket.destroyed && each.rest.includes(text),
    )
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

describe('a reused connection that dies', () => {
  it('before any of the body was sent lets the whole request be repeated', async () => {
    const client = await rawClient(proxy.port)
    client.send('GET /1 HTTP/1.1\r\nHost: a\r\n\r\n')
    await client.answers(1)
    client.send('PUT /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n')
    ;(await reached('PUT /2')).socket.destroy()
    await reached('PUT /2')
    client.send('hello')
    expect((await client.answers(2))[1]!.status).toBe(200)
    expect(faults.splice(0).map((error) => error.retry)).toEqual(['idempotent'])
    expect(origin.requests.at(-1)!.body.toString()).toBe('hello')
    client.destroy()
  })

  it('after a part of the body was sent does not', async () => {
    const client = await rawClient(proxy.port)
    client.send('GET /3 HTTP/1.1\r\nHost: a\r\n\r\n')
    await client.answers(1)
    client.send('PUT /4 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel')
    ;(await reached('hel')).socket.destroy()
    expect((await client.answers(2))[1]!.status).toBe(502)
    expect(faults.splice(0).map((error) => error.retry)).toEqual(['never'])
    client.destroy()
  })
})
