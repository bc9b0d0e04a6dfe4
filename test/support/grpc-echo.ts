/**
 * A gRPC server and client for the interop cases, without generated code: messages are bytes, the methods do what the
 * cases of the same names need.
 */
import {
  Client,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  status,
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type ServiceDefinition,
} from '@grpc/grpc-js'

const same = (bytes: Buffer): Buffer => bytes

const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  path: `/grpc.testing.TestService/${name}`,
  requestStream,
  responseStream,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
})

/** The methods, by name. */
export const methods = {
  EmptyCall: method('EmptyCall', false, false),
  UnaryCall: method('UnaryCall', false, false),
  StreamingOutputCall: method('StreamingOutputCall', false, true),
  StreamingInputCall: method('StreamingInputCall', true, false),
  FullDuplexCall: method('FullDuplexCall', true, true),
  Sleep: method('Sleep', false, false),
  Undeclared: method('Undeclared', false, false),
} satisfies ServiceDefinition

/** The running server. */
export interface GrpcEcho {
  readonly port: number
  /** Calls that ended as cancelled, by method. */
  readonly cancelled: string[]
  /** `grpc-timeout` in milliseconds that was left, by method. */
  readonly deadlines: number[]
  /** Metadata of the last call. */
  readonly seen: { last: Metadata | undefined }
  stop(): void
}

/** A message that asks for answers of these sizes, or for a status. */
export const asking = (wish: object, padding = 0): Buffer =>
  Buffer.concat([Buffer.from(`${JSON.stringify(wish)}\n`), Buffer.alloc(padding)])

interface Wish {
  readonly sizes?: readonly number[]
  readonly code?: number
  readonly message?: string
}

const wishOf = (bytes: Buffer): Wish => {
  const end = bytes.indexOf(0x0a)
  return end === -1 ? {} : (JSON.parse(bytes.toString('utf8', 0, end)) as Wish)
}

const errorOf = ({ code, message }: Wish) => ({ code: code!, details: message ?? '' })

/** Starts it on a loopback port, in plaintext HTTP/2. */
export const startGrpcEcho = async (): Promise<GrpcEcho> => {
  const server = new Server()
  const cancelled: string[] = []
  const deadlines: number[] = []
  const seen: GrpcEcho['seen'] = { last: undefined }
  const streamOut: handleServerStreamingCall<Buffer, Buffer> = (call) => {
    seen.last = call.metadata
    call.on('cancelled', () => cancelled.push('StreamingOutputCall'))
    const wish = wishOf(call.request)
    for (const size of wish.sizes ?? []) call.write(Buffer.alloc(size))
    if (wish.code === undefined) call.end()
    else call.emit('error', errorOf(wish))
  }
  const unary =
    (name: string): handleUnaryCall<Buffer, Buffer> =>
    (call, done) => {
      seen.last = call.metadata
      call.on('cancelled', () => cancelled.push(name))
      const wish = wishOf(call.request)
      const initial = call.metadata.get('x-grpc-test-echo-initial')
      if (initial.length > 0) {
        const echo = new Metadata()
        echo.set('x-grpc-test-echo-initial', initial[0]!)
        call.sendMetadata(echo)
      }
      const trailers = new Metadata()
      for (const value of call.metadata.get('x-grpc-test-echo-trailing-bin'))
        trailers.add('x-grpc-test-echo-trailing-bin', value)
      if (wish.code !== undefined) return done(errorOf(wish))
      done(null, Buffer.alloc(wish.sizes?.[0] ?? 0), trailers)
    }
  server.addService(methods, {
    EmptyCall: unary('EmptyCall'),
    UnaryCall: unary('UnaryCall'),
    Undeclared: unary('Undeclared'),
    StreamingOutputCall: streamOut,
    StreamingInputCall: ((call, done) => {
      let total = 0
      call.on('cancelled', () => cancelled.push('StreamingInputCall'))
      call.on('data', (bytes: Buffer) => (total += bytes.length))
      call.on('error', () => undefined)
      call.on('end', () => done(null, Buffer.from(String(total))))
    }) satisfies handleClientStreamingCall<Buffer, Buffer>,
    FullDuplexCall: ((call) => {
      call.on('cancelled', () => cancelled.push('FullDuplexCall'))
      call.on('error', () => undefined)
      call.on('data', (bytes: Buffer) => {
        const wish = wishOf(bytes)
        if (wish.code !== undefined) call.emit('error', errorOf(wish))
        else for (const size of wish.sizes ?? []) call.write(Buffer.alloc(size))
      })
      call.on('end', () => call.end())
    }) satisfies handleBidiStreamingCall<Buffer, Buffer>,
    Sleep: ((call) => {
      deadlines.push(Number(call.getDeadline()) - Date.now())
      call.on('cancelled', () => cancelled.push('Sleep'))
    }) satisfies handleUnaryCall<Buffer, Buffer>,
  })
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    )
  })
  return { port, cancelled, deadlines, seen, stop: () => server.forceShutdown() }
}

/** A client of the service at a loopback port. */
export const grpcClient = (port: number): Client =>
  new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    'grpc.default_authority': 'app',
    'grpc.enable_http_proxy': 0,
    'grpc.max_receive_message_length': 16 * 1024 * 1024,
  })

/** How a unary call ended. */
export interface UnaryEnd {
  readonly code: number
  readonly details: string
  readonly size: number
  readonly initial: Metadata | undefined
  readonly trailing: Metadata | undefined
}

/** Makes a unary call. */
export const callUnary = (
  client: Client,
  name: keyof typeof methods,
  message: Buffer,
  metadata: Metadata,
  options: object = {},
): Promise<UnaryEnd> =>
  new Promise((resolve) => {
    let initial: Metadata | undefined
    let trailing: Metadata | undefined
    let size = 0
    const call = client.makeUnaryRequest(
      methods[name].path,
      same,
      same,
      message,
      metadata,
      options,
      (error, answer) => {
        size = answer?.length ?? 0
        const code = error?.code ?? status.OK
        setImmediate(() =>
          resolve({ code, details: error?.details ?? '', size, initial, trailing }),
        )
      },
    )
    call.on('metadata', (value) => (initial = value))
    call.on('status', (value) => (trailing = value.metadata))
  })
