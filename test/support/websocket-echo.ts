/** A WebSocket application that sends every frame back, and a reader of frames: by hand, so that every byte is known. */
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { webSocketAccept } from '../../src/wire/http2/websocket-key.ts'

/** One frame, unmasked. */
export interface Frame {
  readonly opcode: number
  readonly payload: Buffer
}

/** Writes a frame as a client sends it. */
export const clientFrame = (opcode: number, payload: Buffer): Buffer => {
  const mask = Buffer.from([1, 2, 3, 4])
  const masked = Buffer.from(payload)
  for (let i = 0; i < masked.length; i++) masked[i] = masked[i]! ^ mask[i % 4]!
  return Buffer.concat([head(opcode, payload.length, 0x80), mask, masked])
}

/** Writes a frame as a server sends it. */
export const serverFrame = (opcode: number, payload: Buffer): Buffer =>
  Buffer.concat([head(opcode, payload.length, 0), payload])

const head = (opcode: number, length: number, maskBit: number): Buffer => {
  if (length < 126) return Buffer.from([0x80 | opcode, maskBit | length])
  const bytes = Buffer.alloc(4)
  bytes[0] = 0x80 | opcode
  bytes[1] = maskBit | 126
  bytes.writeUInt16BE(length, 2)
  return bytes
}

/** Calls back for each whole frame of a stream. */
export const readFrames = (stream: Duplex, onFrame: (frame: Frame) => void): void => {
  let bytes = Buffer.alloc(0)
  stream.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk])
    for (;;) {
      if (bytes.length < 2) return
      const short = bytes[1]! & 0x7f
      const at = short === 126 ? 4 : 2
      if (bytes.length < at) return
      const length = short === 126 ? bytes.readUInt16BE(2) : short
      const masked = (bytes[1]! & 0x80) !== 0
      const start = at + (masked ? 4 : 0)
      if (bytes.length < start + length) return
      const payload = Buffer.from(bytes.subarray(start, start + length))
      if (masked) {
        for (let i = 0; i < length; i++) payload[i] = payload[i]! ^ bytes[at + (i % 4)]!
      }
      const opcode = bytes[0]! & 0x0f
      bytes = bytes.subarray(start + length)
      onFrame({ opcode, payload })
    }
  })
}

/** The running application. */
export interface WebSocketEcho {
  readonly port: number
  readonly requests: IncomingMessage[]
  /** Close codes that it was sent. */
  readonly closes: number[]
  readonly sockets: Set<Duplex>
  stop(): void
}

/** Starts it. */
export const startWebSocketEcho = async (): Promise<WebSocketEcho> => {
  const requests: IncomingMessage[] = []
  const closes: number[] = []
  const sockets = new Set<Duplex>()
  const server = createServer((_, response) => response.end('no websocket'))
  server.on('upgrade', (request, socket) => {
    requests.push(request)
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    const accept = webSocketAccept(String(request.headers['sec-websocket-key']))
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    )
    readFrames(socket, ({ opcode, payload }) => {
      if (opcode === 8) closes.push(payload.readUInt16BE(0))
      else socket.write(serverFrame(opcode, payload))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    closes,
    sockets,
    stop: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      server.closeAllConnections()
    },
  }
}
