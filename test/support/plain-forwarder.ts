/**
 * The smallest proxy that the wire layer makes: server, pool and nothing between. Tests see what was parsed; a
 * recording origin behind it sees what was sent.
 */
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { dialTcp } from '../../src/wire/dial.ts'
import { serveHttp1, type Http1ServerOptions } from '../../src/wire/http1/server.ts'
import { HeaderList } from '../../src/wire/headers.ts'
import type { ServerConnection, ServerRequest } from '../../src/wire/message.ts'
import { originKey, type Origin } from '../../src/wire/origin.ts'
import { Pool } from '../../src/wire/pool.ts'
import { wireSection, type WireSection } from '../../src/wire/section.ts'
import { forwardedTarget } from '../../src/wire/target.ts'
import { TimerWheel } from '../../src/wire/timers.ts'
import { tunnel } from '../../src/wire/tunnel.ts'
import type { WireError } from '../../src/wire/wire-error.ts'

export interface PlainForwarder {
  readonly port: number
  readonly pool: Pool
  readonly wheel: TimerWheel
  /** Every request that was accepted, in order. */
  readonly seen: ServerRequest[]
  /** Every head that was refused. */
  readonly refused: WireError[]
  /** Every fault of the origin. */
  readonly faults: WireError[]
  readonly bugs: unknown[]
  readonly connections: Set<ServerConnection>
  /** Replaces forwarding. */
  handle: ((request: ServerRequest) => void) | undefined
  serve(socket: Socket): void
  close(): Promise<void>
}

export interface PlainForwarderOptions {
  readonly originPort: number
  readonly section?: WireSection
  readonly server?: Partial<Http1ServerOptions>
  readonly wheel?: TimerWheel
  readonly responseTimeoutMs?: number
  readonly deadlineMs?: number
  readonly maxResponseBytes?: number
}

/** The section with its defaults, and what a test changes in it. */
export const sectionWith = (change: object = {}): WireSection => wireSection.parse(change)

/** An origin on the loopback interface. */
export const loopbackOrigin = (port: number, change: Partial<Origin> = {}): Origin => ({
  key: originKey({
    scheme: 'http',
    host: 'origin',
    port,
    addresses: ['127.0.0.1'],
    clientIdentity: '',
    trustSet: '',
  }),
  dial: (signal) => dialTcp({ address: '127.0.0.1', port, timeoutMs: 2_000, signal }),
  ...change,
})

/** Starts it on a free port of the loopback interface. */
export const startPlainForwarder = async (
  options: PlainForwarderOptions,
): Promise<PlainForwarder> => {
  const section = options.section ?? sectionWith()
  const wheel = options.wheel ?? new TimerWheel({ now: () => performance.now(), tickMs: 20 })
  const pool = new Pool({ ...section, wheel })
  const origin = loopbackOrigin(options.originPort)
  const serverOptions: Http1ServerOptions = {
    limits: section.limits,
    timeouts: section.timeouts,
    wheel,
    mode: 'server',
    scheme: 'http',
    slashes: section.merge_slashes ? 'merge' : 'keep',
    underscores: section.headers_with_underscores,
    ...options.server,
  }

  const forward = (request: ServerRequest): void => {
    const { head } = request
    const call = pool.request(
      origin,
      {
        method: head.method,
        target: forwardedTarget(head.target),
        authority: head.target.authority,
        headers: head.headers,
        upgrade: head.upgrade,
      },
      request.body,
      {
        onHead: (answer, body) => request.respond(answer, body),
        onInterim: (status, headers) => request.inform(status, headers),
        onTakenOver: (answer, socket, early) => {
          tunnel(
            request.takeOver(answer),
            { socket, early },
            { wheel, idleMs: 5_000 },
            () => undefined,
          )
        },
        onFault: (error) => {
          forwarder.faults.push(error)
          const text = Buffer.from(error.code)
          request.respond({ status: error.status, headers: new HeaderList() }, text)
        },
      },
      {
        responseTimeoutMs: options.responseTimeoutMs ?? 5_000,
        maxResponseBytes: options.maxResponseBytes,
        deadline: options.deadlineMs === undefined ? undefined : wheel.now() + options.deadlineMs,
      },
    )
    request.whenGone((reason) => call.cancel(reason))
  }

  const serve = (socket: Socket): void => {
    forwarder.connections.add(
      serveHttp1(socket, serverOptions, {
        onRequest: (request) => {
          forwarder.seen.push(request)
          if (forwarder.handle === undefined) forward(request)
          else forwarder.handle(request)
        },
        onRefused: (error) => {
          forwarder.refused.push(error)
          return {
            head: { status: error.status, headers: new HeaderList() },
            body: Buffer.from(error.code),
          }
        },
        onBug: (error) => forwarder.bugs.push(error),
        onClosed: (connection) => forwarder.connections.delete(connection),
      }),
    )
  }

  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    serve(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const forwarder: PlainForwarder = {
    port: (server.address() as AddressInfo).port,
    pool,
    wheel,
    seen: [],
    refused: [],
    faults: [],
    bugs: [],
    connections: new Set(),
    handle: undefined,
    serve,
    close: () =>
      new Promise((resolve) => {
        pool.close()
        wheel.stop()
        for (const socket of sockets) socket.destroy()
        server.close(() => resolve())
      }),
  }
  return forwarder
}
