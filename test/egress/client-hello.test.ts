import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { readClientHello } from '../../src/egress/connect/client-hello.ts'

/** The first bytes that Node's TLS client sends. */
const helloFor = (servername: string): Promise<Buffer> =>
  new Promise((resolve) => {
    const server = createServer((socket) => {
      socket.once('data', (chunk: Buffer) => {
        socket.destroy()
        server.close(() => resolve(chunk))
      })
    }).listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      const client = connect({ host: '127.0.0.1', port, servername, rejectUnauthorized: true })
      client.on('error', () => undefined)
    })
  })

describe('reading a ClientHello', () => {
  it('finds the server name in lower case', async () => {
    expect(readClientHello(await helloFor('API.cards.test'))).toEqual({
      kind: 'name',
      name: 'api.cards.test',
    })
  })

  it('asks for more until the message is whole, whatever it is cut into', async () => {
    const hello = await helloFor('api.cards.test')
    for (let end = 1; end < hello.length; end += 1) {
      expect(readClientHello(hello.subarray(0, end)).kind).toBe('more')
    }
  })

  it('reads a message that is spread over several records', async () => {
    const hello = await helloFor('api.cards.test')
    const message = hello.subarray(5)
    const record = (part: Buffer): Buffer => {
      const head = Buffer.from([22, 3, 1, 0, 0])
      head.writeUInt16BE(part.length, 3)
      return Buffer.concat([head, part])
    }
    const cut = Buffer.concat([
      record(message.subarray(0, 2)),
      record(message.subarray(2, 90)),
      record(message.subarray(90)),
    ])
    expect(readClientHello(cut)).toMatchObject({ name: 'api.cards.test' })
  })

  it('refuses a hello that names no server', async () => {
    expect(readClientHello(await helloFor('')).kind).toBe('refused')
  })

  it('refuses what is not TLS', () => {
    expect(readClientHello(Buffer.from('GET / HTTP/1.1\r\n')).kind).toBe('refused')
    expect(readClientHello(Buffer.from([22, 2, 0, 0, 5, 1, 0, 0, 1, 0])).kind).toBe('refused')
  })

  it('refuses a broken hello, whichever byte is wrong, and never throws', async () => {
    const hello = await helloFor('api.cards.test')
    for (let at = 0; at < hello.length; at += 1) {
      const broken = Buffer.from(hello)
      broken[at] = broken[at]! ^ 0xff
      const reading = readClientHello(broken)
      expect(['more', 'refused', 'name']).toContain(reading.kind)
    }
  })

  it('refuses an encrypted hello, whose true name it cannot see', async () => {
    const hello = await helloFor('api.cards.test')
    const extension = Buffer.from([0xfe, 0x0d, 0, 1, 0])
    const grown = Buffer.concat([hello, extension])
    grown.writeUInt16BE(grown.readUInt16BE(3) + 5, 3)
    grown.writeUIntBE(grown.readUIntBE(6, 3) + 5, 6, 3)
    let at = 9 + 34
    at += 1 + grown[at]!
    at += 2 + grown.readUInt16BE(at)
    at += 1 + grown[at]!
    grown.writeUInt16BE(grown.readUInt16BE(at) + 5, at)
    expect(readClientHello(grown)).toMatchObject({ kind: 'refused' })
  })
})
