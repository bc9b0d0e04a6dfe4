import { Metadata, status, type Client, type ServiceError } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  asking,
  callUnary,
  grpcClient,
  methods,
  startGrpcEcho,
  type GrpcEcho,
} from '../support/grpc-echo.ts'
import type { Sidecar } from '../../src/sidecar.ts'
import { startTwoSidecars, type TwoSidecars } from '../support/two-sidecars.ts'

const same = (bytes: Buffer): Buffer => bytes
const routes = [
  'EmptyCall',
  'UnaryCall',
  'StreamingOutputCall',
  'StreamingInputCall',
  'FullDuplexCall',
  'Sleep',
]
  .map((name) => `    - {name: ${name}, methods: [POST], path: /grpc.testing.TestService/${name}}`)
  .concat('    - {name: forbidden, path: /grpc.testing.Forbidden/Call}')
  .join('\n')

const eventually = async (holds: () => boolean): Promise<void> => {
  for (let i = 0; i < 200 && !holds(); i++) await new Promise((done) => setTimeout(done, 10))
  expect(holds()).toBe(true)
}

describe('gRPC through two sidecars', () => {
  let echo: GrpcEcho
  let mesh: TwoSidecars
  let client: Client

  beforeAll(async () => {
    echo = await startGrpcEcho()
    mesh = await startTwoSidecars({
      routes,
      policy: 'default allow := false\n\nallow if input.route.name != "forbidden"',
      application: { port: echo.port, protocol: 'http2' },
    })
    client = grpcClient(mesh.port)
  })
  afterAll(async () => {
    client.close()
    await mesh.stop()
    echo.stop()
  })

  const metadata = (more: Readonly<Record<string, string | Buffer>> = {}): Metadata => {
    const fields = new Metadata()
    fields.set('authorization', `Bearer ${mesh.callee.userToken()}`)
    for (const [name, value] of Object.entries(more)) fields.set(name, value)
    return fields
  }
  const collect = (stream: NodeJS.ReadableStream) =>
    new Promise<{ sizes: number[]; error: ServiceError | undefined }>((resolve) => {
      const sizes: number[] = []
      let error: ServiceError | undefined
      stream.on('data', (bytes: Buffer) => sizes.push(bytes.length))
      stream.on('error', (thrown: ServiceError) => (error = thrown))
      stream.on('status', () => setImmediate(() => resolve({ sizes, error })))
    })

  it('empty_unary', async () => {
    const end = await callUnary(client, 'EmptyCall', Buffer.alloc(0), metadata())
    expect([end.code, end.size]).toEqual([status.OK, 0])
  })

  it('large_unary', async () => {
    const message = asking({ sizes: [314_159] }, 271_828)
    const end = await callUnary(client, 'UnaryCall', message, metadata())
    expect([end.code, end.size]).toEqual([status.OK, 314_159])
  })

  it('client_streaming', async () => {
    const sizes = [27_182, 8, 1_828, 45_904]
    const answer = await new Promise((resolve, reject) => {
      const call = client.makeClientStreamRequest(
        methods.StreamingInputCall.path,
        same,
        same,
        metadata(),
        (error, bytes) => (error === null ? resolve(String(bytes)) : reject(error)),
      )
      for (const size of sizes) call.write(Buffer.alloc(size))
      call.end()
    })
    expect(answer).toBe('74922')
  })

  it('server_streaming', async () => {
    const sizes = [31_415, 9, 2_653, 58_979]
    const call = client.makeServerStreamRequest(
      methods.StreamingOutputCall.path,
      same,
      same,
      asking({ sizes }),
      metadata(),
    )
    expect(await collect(call)).toEqual({ sizes, error: undefined })
  })

  const duplex = () =>
    client.makeBidiStreamRequest(methods.FullDuplexCall.path, same, same, metadata())

  it('ping_pong', async () => {
    const sizes = [31_415, 9, 2_653, 58_979]
    const call = duplex()
    const got: number[] = []
    const ended = new Promise<number>((resolve) => {
      call.on('status', ({ code }) => resolve(code))
    })
    call.on('data', (bytes: Buffer) => {
      got.push(bytes.length)
      const next = sizes[got.length]
      if (next === undefined) call.end()
      else call.write(asking({ sizes: [next] }))
    })
    call.write(asking({ sizes: [sizes[0]] }))
    expect(await ended).toBe(status.OK)
    expect(got).toEqual(sizes)
  })

  it('empty_stream', async () => {
    const call = duplex()
    call.end()
    expect(await collect(call)).toEqual({ sizes: [], error: undefined })
  })

  it('custom_metadata', async () => {
    const binary = Buffer.from([0xab, 0xab, 0xab])
    const end = await callUnary(
      client,
      'UnaryCall',
      asking({ sizes: [10] }),
      metadata({
        'x-grpc-test-echo-initial': 'test_initial_metadata_value',
        'x-grpc-test-echo-trailing-bin': binary,
      }),
    )
    expect(end.initial?.get('x-grpc-test-echo-initial')).toEqual(['test_initial_metadata_value'])
    expect(end.trailing?.get('x-grpc-test-echo-trailing-bin')).toEqual([binary])
    const forwarded = echo.seen.last!.get('x-forwarded-client-cert')
    expect(String(forwarded)).toContain('URI=spiffe://test.mesh/web')
  })

  it.each([
    'test status message',
    '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n',
  ])('status_code_and_message: %j', async (message) => {
    const wish = asking({ code: status.UNKNOWN, message })
    const end = await callUnary(client, 'UnaryCall', wish, metadata())
    expect([end.code, end.details]).toEqual([status.UNKNOWN, message])
    const call = duplex()
    call.write(wish)
    const { error } = await collect(call)
    expect([error?.code, error?.details]).toEqual([status.UNKNOWN, message])
  })

  it('unimplemented_method is said by us, because no route names it', async () => {
    const end = await callUnary(client, 'Undeclared', Buffer.alloc(0), metadata())
    expect(end.code).toBe(status.UNIMPLEMENTED)
    expect(end.details).toContain('route.unknown')
  })

  it('cancel_after_begin', async () => {
    const before = echo.cancelled.length
    const ended = new Promise<number>((resolve) => {
      const call = client.makeClientStreamRequest(
        methods.StreamingInputCall.path,
        same,
        same,
        metadata(),
        (error) => resolve(error?.code ?? status.OK),
      )
      call.write(Buffer.alloc(10))
      setTimeout(() => call.cancel(), 200)
    })
    expect(await ended).toBe(status.CANCELLED)
    await eventually(() => echo.cancelled.length > before)
  })

  it('cancel_after_first_response reaches the application', async () => {
    const before = echo.cancelled.length
    const call = duplex()
    const ended = collect(call)
    call.on('data', () => call.cancel())
    call.write(asking({ sizes: [31_415] }))
    expect((await ended).error?.code).toBe(status.CANCELLED)
    await eventually(() => echo.cancelled.length > before)
  })

  it('timeout_on_sleeping_server: the deadline of the caller shortens ours', async () => {
    const end = await callUnary(client, 'Sleep', Buffer.alloc(0), metadata(), {
      deadline: Date.now() + 300,
    })
    expect(end.code).toBe(status.DEADLINE_EXCEEDED)
    expect(echo.deadlines.at(-1)).toBeLessThanOrEqual(300)
    await eventually(() => echo.cancelled.includes('Sleep'))
  })

  it('ends a stream when the token of its user expires', { timeout: 15_000 }, async () => {
    const fields = metadata()
    const exp = Math.floor(Date.now() / 1_000) + 3
    fields.set('authorization', `Bearer ${mesh.callee.userToken({ exp })}`)
    const call = client.makeBidiStreamRequest(methods.FullDuplexCall.path, same, same, fields)
    const ended = collect(call)
    call.write(asking({ sizes: [5] }))
    const { sizes, error } = await ended
    expect(sizes).toEqual([5])
    expect(error?.code).not.toBe(status.OK)
    const written = () => mesh.callee.log.some((line) => line.includes('"code":"token.expired"'))
    await eventually(written)
  })

  it('names the call on the spans of both sidecars', async () => {
    await callUnary(client, 'UnaryCall', asking({ code: status.NOT_FOUND }), metadata())
    const last = (sidecar: Sidecar) =>
      sidecar.core.telemetry.traces
        .recent()
        .flatMap(({ spans }) => spans)
        .filter((span) => span.attributes['rpc.response.status_code'] === 'NOT_FOUND')
        .at(-1)
    const server = last(mesh.callee.sidecar)!
    expect(server.name).toBe('grpc.testing.TestService/UnaryCall')
    expect(server.attributes).toMatchObject({
      'rpc.system.name': 'grpc',
      'rpc.method': 'grpc.testing.TestService/UnaryCall',
    })
    // The caller's sidecar has no list of methods, so the name that the caller chose is only an attribute.
    const hop = last(mesh.caller)!
    expect([hop.name, hop.attributes['rpc.method'], hop.attributes['rpc.method_original']]).toEqual(
      ['grpc', '_OTHER', 'grpc.testing.TestService/UnaryCall'],
    )
  })

  it('gives a refusal as trailers-only: no token, a forbidden route', async () => {
    const missing = await callUnary(client, 'EmptyCall', Buffer.alloc(0), new Metadata())
    expect(missing.code).toBe(status.UNAUTHENTICATED)
    expect(missing.details).toContain('token.missing')
    const denied = await new Promise<ServiceError>((resolve) => {
      client.makeUnaryRequest(
        '/grpc.testing.Forbidden/Call',
        same,
        same,
        Buffer.alloc(0),
        metadata(),
        (error) => resolve(error!),
      )
    })
    expect(denied.code).toBe(status.PERMISSION_DENIED)
    expect(denied.details).toContain('policy.denied')
  })
})
