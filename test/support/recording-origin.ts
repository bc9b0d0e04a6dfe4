/**
 * An origin that keeps every byte that reached it, and answers as it is told: the witness for "what policy saw is
 * what the application received".
 *
 * It reads requests with a deliberately simple reader of its own (head by CRLFCRLF, body by length or chunks), so that
 * it shares no mistake with the parser under test.
 */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'

export interface RecordedRequest {
  readonly requestLine: string
  readonly method: string
  readonly target: string
  /** Lower-case name and value, in order. */
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Buffer
}

export interface RecordedConnection {
  readonly socket: Socket
  bytes: Buffer
  readonly requests: RecordedRequest[]
  /** Bytes behind the last whole request. */
  rest: Buffer
  closed: boolean
}

export interface RecordingOrigin {
  readonly port: number
  readonly connections: RecordedConnection[]
  /** Every whole request of every connection, in order of completion. */
  readonly requests: RecordedRequest[]
  /** How the next requests are answered; raw bytes, or undefined for silence. */
  answer: (request: RecordedRequest, connection: RecordedConnection) => string | Buffer | undefined
  clear(): void
  close(): Promise<void>
}

const okAnswer = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'

/** Starts it on a free port of the loopback interface. */
export const startRecordingOrigin = async (): Promise<RecordingOrigin> => {
  const connections: RecordedConnection[] = []
  const requests: RecordedRequest[] = []
  const server: Server = createServer((socket) => {
    const connection: RecordedConnection = {
      socket,
      bytes: Buffer.alloc(0),
      requests: [],
      rest: Buffer.alloc(0),
      closed: false,
    }
    connections.push(connection)
    socket.on('error', () => undefined)
    socket.on('close', () => {
      connection.closed = true
    })
    socket.on('data', (chunk: Buffer) => {
      connection.bytes = Buffer.concat([connection.bytes, chunk])
      connection.rest = Buffer.concat([connection.rest, chunk])
      for (;;) {
        const read = readRequest(connection.rest)
        if (read === undefined) return
        connection.rest = connection.rest.subarray(read.used)
        connection.requests.push(read.request)
        requests.push(read.request)
        const answer = origin.answer(read.request, connection)
        if (answer !== undefined) socket.write(answer)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin: RecordingOrigin = {
    port: (server.address() as AddressInfo).port,
    connections,
    requests,
    answer: () => okAnswer,
    clear: () => {
      connections.length = 0
      requests.length = 0
    },
    close: () =>
      new Promise((resolve) => {
        for (const connection of connections) connection.socket.destroy()
        server.close(() => resolve())
      }),
  }
  return origin
}

/** Reads one whole request from the beginning of the bytes, or undefined when there is none yet. */
export const readRequest = (
  bytes: Buffer,
): { request: RecordedRequest; used: number } | undefined => {
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd === -1) return undefined
  const [requestLine, ...lines] = bytes.toString('latin1', 0, headEnd).split('\r\n')
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':')
    return [
      line.slice(0, colon).toLowerCase(),
      line.slice(colon + 1).replaceAll(/^[ \t]+|[ \t]+$/g, ''),
    ]
  })
  const value = (name: string): string | undefined => headers.find(([key]) => key === name)?.[1]
  const [method, target] = requestLine!.split(' ')
  const start = headEnd + 4
  const whole = (body: Buffer, used: number) => ({
    request: { requestLine: requestLine!, method: method!, target: target!, headers, body },
    used,
  })
  if (value('transfer-encoding') !== undefined) {
    const parts: Buffer[] = []
    let at = start
    for (;;) {
      const lineEnd = bytes.indexOf('\r\n', at)
      if (lineEnd === -1) return undefined
      const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16)
      at = lineEnd + 2
      if (bytes.length < at + size + 2) return undefined
      if (size === 0) return whole(Buffer.concat(parts), at + 2)
      parts.push(bytes.subarray(at, at + size))
      at += size + 2
    }
  }
  const length = Number(value('content-length') ?? 0)
  if (bytes.length < start + length) return undefined
  return whole(bytes.subarray(start, start + length), start + length)
}
