/**
 * An HTTP/2 client that writes frames by hand, so that it can send what no library would: plain HPACK literals, no
 * state, no flow control of its own.
 */
import type { Duplex } from 'node:stream'

export const frameTypes = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const

export const endStream = 1
export const endHeaders = 4

/** One frame. */
export const frame = (
  type: number,
  flags: number,
  stream: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer => {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

const number32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

const prefixed = (value: number, bits: number, mark: number): Buffer => {
  const most = (1 << bits) - 1
  if (value < most) return Buffer.from([mark | value])
  const bytes = [mark | most]
  let left = value - most
  while (left >= 128) {
    bytes.push((left % 128) | 128)
    left = Math.floor(left / 128)
  }
  bytes.push(left)
  return Buffer.from(bytes)
}

/** Literals without indexing and without Huffman (RFC 7541 §6.2.2), byte for byte as given. */
export const headerBlock = (fields: readonly (readonly [string, string])[]): Buffer =>
  Buffer.concat(
    fields.flatMap(([name, value]) => [
      Buffer.from([0]),
      prefixed(name.length, 7, 0),
      Buffer.from(name, 'latin1'),
      prefixed(value.length, 7, 0),
      Buffer.from(value, 'latin1'),
    ]),
  )

/** A literal that goes into the table, as its first entry (RFC 7541 §6.2.1). */
export const indexedLiteral = (name: string, value: string): Buffer =>
  Buffer.concat([
    Buffer.from([0x40]),
    prefixed(name.length, 7, 0),
    Buffer.from(name, 'latin1'),
    prefixed(value.length, 7, 0),
    Buffer.from(value, 'latin1'),
  ])

/** The first entry of the table. */
export const tableEntry = Buffer.from([0x80 | 62])

export const preface = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  frame(frameTypes.settings, 0, 0),
])

export const headers = (
  stream: number,
  fields: readonly (readonly [string, string])[],
  flags = endStream | endHeaders,
): Buffer => frame(frameTypes.headers, flags, stream, headerBlock(fields))
export const data = (stream: number, text: string | Buffer, flags = 0): Buffer =>
  frame(frameTypes.data, flags, stream, Buffer.from(text as string))
export const reset = (stream: number, code = 8): Buffer =>
  frame(frameTypes.reset, 0, stream, number32(code))
export const windowUpdate = (stream: number, by: number): Buffer =>
  frame(frameTypes.windowUpdate, 0, stream, number32(by))
export const setting = (id: number, value: number): Buffer => {
  const bytes = Buffer.alloc(6)
  bytes.writeUInt16BE(id)
  bytes.writeUInt32BE(value, 2)
  return frame(frameTypes.settings, 0, 0, bytes)
}

/** A frame that came back. */
export interface ReceivedFrame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

/** What a raw connection hears. */
export interface RawHttp2 {
  readonly socket: Duplex
  readonly frames: ReceivedFrame[]
  closed: boolean
  /** Error code of the GOAWAY, when one came. */
  readonly goaway: () => number | undefined
  /** Status of a stream's answer, from its literal or indexed HPACK field; undefined while there is none. */
  readonly answered: (stream: number) => ReceivedFrame | undefined
  readonly resetCode: (stream: number) => number | undefined
  /** Resolves to whether the condition came to hold within `ms`. */
  readonly until: (holds: () => boolean, ms?: number) => Promise<boolean>
  write(...bytes: readonly Buffer[]): void
}

/** Speaks on a connected socket; the preface and empty settings are sent at once, and then settings acknowledged. */
export const rawHttp2 = (socket: Duplex, first: Buffer = preface): RawHttp2 => {
  const frames: ReceivedFrame[] = []
  let bytes = Buffer.alloc(0)
  socket.on('error', () => undefined)
  socket.on('close', () => (raw.closed = true))
  socket.on('end', () => (raw.closed = true))
  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk])
    while (bytes.length >= 9) {
      const length = bytes.readUIntBE(0, 3)
      if (bytes.length < 9 + length) return
      const received = {
        type: bytes[3]!,
        flags: bytes[4]!,
        stream: bytes.readUInt32BE(5),
        payload: Buffer.from(bytes.subarray(9, 9 + length)),
      }
      bytes = bytes.subarray(9 + length)
      frames.push(received)
      const isTheirs = received.type === frameTypes.settings && (received.flags & 1) === 0
      if (isTheirs && first === preface) socket.write(frame(frameTypes.settings, 1, 0))
    }
  })
  const codeOf = (type: number, stream: number): number | undefined =>
    frames
      .find((each) => each.type === type && each.stream === stream)
      ?.payload.readUInt32BE(type === frameTypes.goaway ? 4 : 0)
  const raw: RawHttp2 = {
    socket,
    frames,
    closed: false,
    goaway: () =>
      frames
        .filter(({ type }) => type === frameTypes.goaway)
        .at(-1)
        ?.payload.readUInt32BE(4),
    answered: (stream) =>
      frames.find((each) => each.type === frameTypes.headers && each.stream === stream),
    resetCode: (stream) => codeOf(frameTypes.reset, stream),
    until: async (holds, ms = 5_000) => {
      for (let left = ms; left > 0 && !holds(); left -= 10)
        await new Promise((done) => setTimeout(done, 10))
      return holds()
    },
    write: (...parts) => {
      if (!socket.destroyed && socket.writable) socket.write(Buffer.concat(parts))
    },
  }
  socket.write(first)
  return raw
}
