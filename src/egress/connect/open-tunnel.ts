/**
 * Joins the app with a third party without reading what they say: only the server name of the handshake is looked at,
 * and must be the host of the CONNECT. What is known afterwards is bytes and time, and no more is claimed.
 */
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Exchange } from '../../exchange/exchange.ts'
import type { Forward } from '../../exchange/line.ts'
import { Bug, Refusal, UpstreamFault } from '../../exchange/refusal.ts'
import type { Permit } from '../../stages/authorize.ts'
import type { Traced } from '../../stages/continue-trace.ts'
import { wireFault } from '../../stages/wire-fault.ts'
import { attribute } from '../../telemetry/names.ts'
import { dialTcp } from '../../wire/dial.ts'
import { HeaderList } from '../../wire/headers.ts'
import type { ServerRequest } from '../../wire/message.ts'
import { tunnel, type TunnelLimits } from '../../wire/tunnel.ts'
import { WireError } from '../../wire/wire-error.ts'
import type { Guarded } from '../guard-address.ts'
import type { ApiMatched } from '../match-api.ts'
import { longestHello, readClientHello } from './client-hello.ts'

/** What the forwarder is built from. */
export interface TunnelParts {
  readonly limits: TunnelLimits
  readonly connectTimeoutMs: number
  /** Time for the app to send its ClientHello. */
  readonly helloTimeoutMs: number
  /** Told of each open tunnel; gives back what is to be called when it is over. */
  readonly onOpen: (end: (reason: string) => void) => () => void
}

type Needs = { readonly request: ServerRequest; readonly permit: Permit } & ApiMatched &
  Guarded &
  Traced

/** The last step of the line for CONNECT. */
export const openTunnel = (parts: TunnelParts): Forward<Needs> => ({
  name: 'open-tunnel',
  run: (x, done) => {
    const { api, request, addresses } = x
    const abort = new AbortController()
    request.whenGone(() => abort.abort())
    const fail = (thrown: unknown): void =>
      done(
        { status: undefined, requestBytes: 0, responseBytes: 0 },
        thrown instanceof Refusal
          ? thrown
          : thrown instanceof WireError
            ? wireFault('api', thrown)
            : new Bug(thrown),
      )
    dialFirst(addresses, api.port, parts, api.entry?.limits.connect_timeout, abort.signal).then(
      (origin) => {
        try {
          join(x, origin, parts, done)
        } catch (thrown) {
          origin.destroy()
          fail(thrown)
        }
      },
      fail,
    )
  },
})

/** The first of the checked addresses that takes the connection. */
const dialFirst = async (
  addresses: readonly string[],
  port: number,
  parts: TunnelParts,
  timeout: number | undefined,
  signal: AbortSignal,
): Promise<Socket> => {
  const timeoutMs = timeout ?? parts.connectTimeoutMs
  let last: unknown = new UpstreamFault('api.refused')
  for (const address of addresses) {
    try {
      return await dialTcp({ address, port, timeoutMs, signal })
    } catch (thrown) {
      last = thrown
    }
  }
  throw last
}

const join = (
  x: Exchange & Needs,
  origin: Socket,
  parts: TunnelParts,
  done: Parameters<Forward<Needs>['run']>[1],
): void => {
  const { api, request, span } = x
  span.set(attribute.networkPeerAddress, origin.remoteAddress)
  const client = request.takeOver({ status: 200, headers: new HeaderList() })
  readHello(client.socket, client.early, parts.helloTimeoutMs, (reading, early) => {
    const problem =
      typeof reading === 'string'
        ? reading
        : reading.name === api.host
          ? undefined
          : `the ClientHello names ${reading.name}, the CONNECT around it ${api.host}`
    if (problem !== undefined) {
      origin.destroy()
      client.socket.destroy()
      done(
        { status: 200, requestBytes: 0, responseBytes: 0 },
        new Refusal('api.authority', { detail: problem }),
      )
      return
    }
    let closed = (): void => undefined
    const ends = tunnel(
      { socket: client.socket, early },
      { socket: origin, early: Buffer.alloc(0) },
      parts.limits,
      (outcome) => {
        closed()
        span.set(attribute.tunnelBytesSent, outcome.bytesToOrigin)
        span.set(attribute.tunnelBytesReceived, outcome.bytesToClient)
        done({
          status: 200,
          requestBytes: outcome.bytesToOrigin,
          responseBytes: outcome.bytesToClient,
        })
      },
    )
    closed = parts.onOpen((reason) => ends.end(reason))
  })
}

/** Waits for the whole ClientHello; gives its name, or why there is none, and all bytes that came. */
const readHello = (
  socket: Duplex,
  early: Buffer,
  timeoutMs: number,
  done: (reading: { readonly name: string } | string, bytes: Buffer) => void,
): void => {
  let bytes = early
  const finish = (reading: { readonly name: string } | string): void => {
    clearTimeout(timer)
    socket.pause()
    socket.removeListener('data', onData)
    socket.removeListener('close', onClose)
    done(reading, bytes)
  }
  const look = (): boolean => {
    if (bytes.length === 0) return false
    const reading = readClientHello(bytes)
    if (reading.kind === 'more' && bytes.length <= longestHello) return false
    finish(
      reading.kind === 'name'
        ? reading
        : reading.kind === 'refused'
          ? reading.detail
          : 'the ClientHello is too long',
    )
    return true
  }
  const onData = (chunk: Buffer): void => {
    bytes = Buffer.concat([bytes, chunk])
    look()
  }
  const onClose = (): void => finish('the app closed the tunnel before a ClientHello')
  const timer = setTimeout(() => finish('no ClientHello came in time'), timeoutMs)
  socket.on('error', () => undefined)
  if (look()) return
  socket.on('data', onData)
  socket.on('close', onClose)
  socket.resume()
}
