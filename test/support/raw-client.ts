/**
 * A client that sends exactly the bytes it is given and collects what comes back: for tests of the wire, where an
 * HTTP library would already refuse to say what has to be said.
 */
import { connect, type Socket } from 'node:net'

export interface RawAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

export interface RawClient {
  readonly socket: Socket
  /** Everything received. */
  bytes: Buffer
  closed: boolean
  send(bytes: string | Buffer): void
  /** Waits until so many final answers have arrived whole, and gives them. */
  answers(count: number): Promise<RawAnswer[]>
  /** Waits for bytes that fulfil the condition. */
  until(condition: (bytes: Buffer) => boolean): Promise<Buffer>
  /** Waits until the connection is closed, and gives everything received. */
  ended(): Promise<Buffer>
  destroy(): void
}

/** Connects to a port of the loopback interface, or uses the socket that is given. */
export const rawClient = async (port: number | Socket): Promise<RawClient> => {
  const socket =
    typeof port === 'number' ? connect({ port, host: '127.0.0.1', noDelay: true }) : port
  const waiting = new Set<() => void>()
  const wake = (): void => {
    for (const check of waiting) check()
  }
  const wait = (condition: () => boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      const check = (): void => {
        if (!condition()) {
          if (client.closed) {
            waiting.delete(check)
            reject(new Error(`closed after: ${client.bytes.toString('latin1')}`))
          }
          return
        }
        waiting.delete(check)
        resolve()
      }
      waiting.add(check)
      check()
    })
  const client: RawClient = {
    socket,
    bytes: Buffer.alloc(0),
    closed: false,
    send: (bytes) =>
      void socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes),
    answers: async (count) => {
      await wait(() => readAnswers(client.bytes, client.closed).length >= count)
      return readAnswers(client.bytes, client.closed)
    },
    until: async (condition) => {
      await wait(() => condition(client.bytes))
      return client.bytes
    },
    ended: async () => {
      await wait(() => client.closed)
      return client.bytes
    },
    destroy: () => socket.destroy(),
  }
  socket.on('error', () => undefined)
  socket.on('data', (chunk: Buffer) => {
    client.bytes = Buffer.concat([client.bytes, chunk])
    wake()
  })
  socket.on('close', () => {
    client.closed = true
    wake()
  })
  if (typeof port === 'number')
    await new Promise<void>((resolve) => socket.once('connect', resolve))
  return client
}

/** The whole final answers at the beginning of the bytes; interim ones are passed over. */
export const readAnswers = (bytes: Buffer, closed = false): RawAnswer[] => {
  const found: RawAnswer[] = []
  let at = 0
  for (;;) {
    const headEnd = bytes.indexOf('\r\n\r\n', at)
    if (headEnd === -1) return found
    const [line, ...lines] = bytes.toString('latin1', at, headEnd).split('\r\n')
    const status = Number(line!.split(' ')[1])
    const headers: Record<string, string> = {}
    for (const field of lines) {
      const colon = field.indexOf(':')
      headers[field.slice(0, colon).toLowerCase()] = field
        .slice(colon + 1)
        .replaceAll(/^[ \t]+|[ \t]+$/g, '')
    }
    at = headEnd + 4
    if (status < 200) continue
    if (headers['transfer-encoding'] !== undefined) {
      const parts: Buffer[] = []
      for (;;) {
        const lineEnd = bytes.indexOf('\r\n', at)
        if (lineEnd === -1) return found
        const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16)
        at = lineEnd + 2
        if (bytes.length < at + size + 2) return found
        parts.push(bytes.subarray(at, at + size))
        at += size + 2
        if (size === 0) break
      }
      found.push({ status, headers, body: Buffer.concat(parts) })
      continue
    }
    const length = headers['content-length']
    if (length === undefined && status !== 204 && status !== 304) {
      if (closed) found.push({ status, headers, body: bytes.subarray(at) })
      return found
    }
    const end = at + Number(length ?? 0)
    if (bytes.length < end) return found
    found.push({ status, headers, body: bytes.subarray(at, end) })
    at = end
  }
}
