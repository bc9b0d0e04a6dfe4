/**
 * A collector for tests: takes OTLP over HTTP with protobuf and over gRPC, decodes it, and can be told to misbehave.
 *
 * Has its own decoder for the wire format of protocol buffers, so that what the exporter wrote is judged by other code
 * than that which wrote it.
 */
import { createServer } from 'node:http'
import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { gunzipSync } from 'node:zlib'

export interface ReceivedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly traceState: string
  readonly name: string
  /** 1 internal, 2 server, 3 client. */
  readonly kind: number
  readonly startTime: bigint
  readonly endTime: bigint
  readonly attributes: Readonly<Record<string, unknown>>
  readonly events: readonly {
    readonly name: string
    readonly attributes: Readonly<Record<string, unknown>>
  }[]
  readonly links: readonly {
    readonly traceId: string
    readonly spanId: string
    readonly attributes: Readonly<Record<string, unknown>>
  }[]
  /** 0 unset, 1 ok, 2 error. */
  readonly status: number
  readonly resource: Readonly<Record<string, unknown>>
  readonly scope: string
}

interface Field {
  readonly number: number
  readonly value: bigint | Buffer
}

const readVarint = (bytes: Buffer, from: number): [value: bigint, next: number] => {
  let value = 0n
  let at = from
  for (let shift = 0n; ; shift += 7n, at += 1) {
    const byte = bytes[at]
    if (byte === undefined) throw new Error('the message ends inside a number')
    value |= BigInt(byte & 0x7f) << shift
    if (byte < 0x80) return [value, at + 1]
  }
}

/** Splits one message into its fields; fixed32 and fixed64 become numbers too. */
export const decodeFields = (bytes: Buffer): Field[] => {
  const fields: Field[] = []
  let at = 0
  while (at < bytes.length) {
    const [tag, afterTag] = readVarint(bytes, at)
    const number = Number(tag >> 3n)
    const type = Number(tag & 7n)
    if (type === 0) {
      const [value, next] = readVarint(bytes, afterTag)
      fields.push({ number, value })
      at = next
    } else if (type === 1) {
      fields.push({ number, value: bytes.readBigUInt64LE(afterTag) })
      at = afterTag + 8
    } else if (type === 5) {
      fields.push({ number, value: BigInt(bytes.readUInt32LE(afterTag)) })
      at = afterTag + 4
    } else if (type === 2) {
      const [length, start] = readVarint(bytes, afterTag)
      const end = start + Number(length)
      if (end > bytes.length) throw new Error('the message ends inside a field')
      fields.push({ number, value: bytes.subarray(start, end) })
      at = end
    } else throw new Error(`wire type ${type} is not used by OTLP`)
  }
  return fields
}

const all = (fields: readonly Field[], number: number): Buffer[] =>
  fields.filter((field) => field.number === number).map((field) => field.value as Buffer)
const bytesOf = (fields: readonly Field[], number: number): Buffer =>
  all(fields, number)[0] ?? Buffer.alloc(0)
const textOf = (fields: readonly Field[], number: number): string =>
  bytesOf(fields, number).toString('utf8')
const numberOf = (fields: readonly Field[], number: number): bigint =>
  (fields.find((field) => field.number === number)?.value as bigint | undefined) ?? 0n

const decodeValue = (bytes: Buffer): unknown => {
  const [field] = decodeFields(bytes)
  if (field === undefined) return undefined
  const { number, value } = field
  if (number === 1) return (value as Buffer).toString('utf8')
  if (number === 2) return value === 1n
  if (number === 3) return Number(BigInt.asIntN(64, value as bigint))
  if (number === 4) {
    const buffer = Buffer.alloc(8)
    buffer.writeBigUInt64LE(value as bigint)
    return buffer.readDoubleLE()
  }
  if (number === 5) return all(decodeFields(value as Buffer), 1).map(decodeValue)
  return value
}

const decodeAttributes = (pairs: readonly Buffer[]): Record<string, unknown> =>
  Object.fromEntries(
    pairs.map((pair) => {
      const fields = decodeFields(pair)
      return [textOf(fields, 1), decodeValue(bytesOf(fields, 2))]
    }),
  )

const decodeSpan = (
  bytes: Buffer,
  resource: Record<string, unknown>,
  scope: string,
): ReceivedSpan => {
  const fields = decodeFields(bytes)
  return {
    traceId: bytesOf(fields, 1).toString('hex'),
    spanId: bytesOf(fields, 2).toString('hex'),
    traceState: textOf(fields, 3),
    parentSpanId: bytesOf(fields, 4).toString('hex'),
    name: textOf(fields, 5),
    kind: Number(numberOf(fields, 6)),
    startTime: numberOf(fields, 7),
    endTime: numberOf(fields, 8),
    attributes: decodeAttributes(all(fields, 9)),
    events: all(fields, 11).map((event) => {
      const parts = decodeFields(event)
      return { name: textOf(parts, 2), attributes: decodeAttributes(all(parts, 3)) }
    }),
    links: all(fields, 13).map((link) => {
      const parts = decodeFields(link)
      return {
        traceId: bytesOf(parts, 1).toString('hex'),
        spanId: bytesOf(parts, 2).toString('hex'),
        attributes: decodeAttributes(all(parts, 4)),
      }
    }),
    status: Number(numberOf(decodeFields(bytesOf(fields, 15)), 3)),
    resource,
    scope,
  }
}

/** Decodes an ExportTraceServiceRequest. */
export const decodeTraces = (bytes: Buffer): ReceivedSpan[] =>
  all(decodeFields(bytes), 1).flatMap((resourceSpans) => {
    const parts = decodeFields(resourceSpans)
    const resource = decodeAttributes(all(decodeFields(bytesOf(parts, 1)), 1))
    return all(parts, 2).flatMap((scopeSpans) => {
      const fields = decodeFields(scopeSpans)
      const scope = textOf(decodeFields(bytesOf(fields, 1)), 1)
      return all(fields, 2).map((span) => decodeSpan(span, resource, scope))
    })
  })

/** `accept` stores; `blackhole` never answers; a number is the HTTP status of every answer. */
export type Behaviour = 'accept' | 'blackhole' | number

export interface OtlpReceiver {
  readonly url: string
  readonly spans: ReceivedSpan[]
  /** One entry for each request, whatever the answer was. */
  readonly requests: {
    readonly path: string
    readonly headers: IncomingHttpHeaders
    readonly spans: number
  }[]
  /** Every byte that arrived, as text, for canary searches. */
  readonly raw: () => string
  behave(behaviour: Behaviour): void
  /** Resolves once `count` spans were stored. */
  waitFor(count: number): Promise<ReceivedSpan[]>
  close(): Promise<void>
}

class Store {
  readonly spans: ReceivedSpan[] = []
  readonly requests: OtlpReceiver['requests'] = []
  readonly bodies: Buffer[] = []
  readonly sockets = new Set<Socket>()
  behaviour: Behaviour = 'accept'
  #waiters: (() => void)[] = []

  take(path: string, headers: IncomingHttpHeaders, body: Buffer): void {
    const spans = decodeTraces(body)
    this.bodies.push(body)
    this.requests.push({ path, headers, spans: spans.length })
    if (this.behaviour === 'accept') this.spans.push(...spans)
    for (const wake of this.#waiters.splice(0)) wake()
  }

  async waitFor(count: number): Promise<ReceivedSpan[]> {
    while (this.spans.length < count) {
      await new Promise<void>((resolve) => {
        this.#waiters.push(resolve)
      })
    }
    return this.spans
  }

  receiver(url: string, close: () => Promise<void>): OtlpReceiver {
    return {
      url,
      spans: this.spans,
      requests: this.requests,
      raw: () => Buffer.concat(this.bodies).toString('latin1'),
      behave: (behaviour) => {
        this.behaviour = behaviour
      },
      waitFor: (count) => this.waitFor(count),
      close: async () => {
        for (const socket of this.sockets) socket.destroy()
        await close()
      },
    }
  }
}

const answer = (response: ServerResponse, behaviour: Behaviour): void => {
  if (behaviour === 'blackhole') return
  response
    .writeHead(behaviour === 'accept' ? 200 : behaviour, {
      'content-type': 'application/x-protobuf',
    })
    .end()
}

/** A collector on OTLP over HTTP with protobuf. */
export const startOtlpReceiver = async (port = 0): Promise<OtlpReceiver> => {
  const store = new Store()
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks)
      const plain = request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body
      store.take(request.url ?? '', request.headers, plain)
      answer(response, store.behaviour)
    })
  })
  server.on('connection', (socket) => store.sockets.add(socket))
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return store.receiver(url, () => new Promise((resolve) => server.close(() => resolve())))
}

/** A collector on OTLP over gRPC, spoken directly over HTTP/2. A behaviour that is a number fails with UNAVAILABLE. */
export const startOtlpGrpcReceiver = async (): Promise<OtlpReceiver> => {
  const store = new Store()
  const server = createHttp2Server()
  server.on('session', (session) => store.sockets.add(session.socket))
  server.on('stream', (stream, headers) => {
    const chunks: Buffer[] = []
    stream.on('error', () => {})
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => {
      const frame = Buffer.concat(chunks)
      const message = frame.subarray(5)
      const body = frame[0] === 1 ? gunzipSync(message) : message
      store.take(String(headers[':path']), headers, body)
      if (store.behaviour === 'blackhole') return
      const status = store.behaviour === 'accept' ? '0' : '14'
      stream.respond(
        { ':status': 200, 'content-type': 'application/grpc' },
        { waitForTrailers: true },
      )
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status }))
      stream.end(Buffer.alloc(5))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return store.receiver(url, () => new Promise((resolve) => server.close(() => resolve())))
}
