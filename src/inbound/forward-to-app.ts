/**
 * Hands the request to the application beside us: who called in XFCC (Envoy's grammar), the verified claims that the
 * route asks for, and the trace context of our own span. Nothing that the peer claimed about itself is among it.
 */
import type { Exchange } from '../exchange/exchange.ts'
import type { Forward } from '../exchange/line.ts'
import { Refusal } from '../exchange/refusal.ts'
import type { Peer } from '../identity/peer.ts'
import { changedTarget, changeHeaders } from '../stages/apply-changes.ts'
import type { Permit } from '../stages/authorize.ts'
import { writeTrace, type Traced } from '../stages/continue-trace.ts'
import { callOptions, isGrpcCall } from '../stages/grpc-call.ts'
import { relay } from '../stages/relay.ts'
import { isForged } from '../stages/strip-headers.ts'
import { wireFault } from '../stages/wire-fault.ts'
import type { HeaderList } from '../wire/headers.ts'
import type { ServerRequest } from '../wire/message.ts'
import type { Origin } from '../wire/origin.ts'
import type { Pool } from '../wire/pool.ts'
import type { TunnelLimits } from '../wire/tunnel.ts'
import type { Routed } from './match-route.ts'
import type { Authenticated } from './verify-tokens.ts'
import type { HeldBody } from '../stages/hold-body.ts'

/** What the forwarder is built from. */
export interface AppParts {
  readonly pool: Pool
  readonly origin: Origin
  /** Our own SPIFFE ID, for `By` in XFCC. */
  readonly ownId: () => string
  readonly tunnelLimits: TunnelLimits
  /** Milliseconds of the wheel's clock, for deadlines. */
  readonly monotonic: () => number
  /** Ends an upgraded connection when what it stands on ends; gives back what stops that. */
  readonly watchUpgrade: (x: Exchange & AppFacts, end: (reason: string) => void) => () => void
}

/** What the forwarder knows of a request. */
export type AppFacts = {
  readonly request: ServerRequest
  readonly peer: Peer
  readonly permit: Permit
} & Routed &
  Authenticated &
  Traced &
  HeldBody

/** The last step of the inbound line. */
export const forwardToApp = (parts: AppParts): Forward<AppFacts> => ({
  name: 'forward-to-app',
  run: (x, done) => {
    const { request, route, permit } = x
    const headers = request.head.headers.copy()
    prepare(headers, x, parts.ownId())
    if (!permit.changes.none) changeHeaders(headers, permit.changes)
    const upgrade = route.upgrade.some((protocol) => protocol === request.head.upgrade)
      ? request.head.upgrade
      : undefined
    // Over HTTP/2 an answer of 200 would mean that the WebSocket is open; HTTP/1.1 just answers without one.
    if (upgrade === undefined && request.head.upgrade !== undefined && request.head.version === '2')
      throw new Refusal('request.upgrade', { detail: `route ${route.name} has no upgrade` })
    if (upgrade !== undefined || isGrpcCall(request.head)) request.allowStreaming()
    relay(
      x,
      {
        pool: parts.pool,
        origin: parts.origin,
        outgoing: {
          method: request.head.method,
          target: changedTarget(x.target, permit.changes),
          authority: x.target.authority,
          headers,
          upgrade,
        },
        body: x.body,
        options: callOptions(request.head, route.timeout, parts.monotonic),
        tunnelLimits: upgrade === undefined ? undefined : parts.tunnelLimits,
        faultOf: (error) => wireFault('app', error),
        onUpgraded: (end) => parts.watchUpgrade(x, end),
        whileStreaming: {
          wheel: parts.tunnelLimits.wheel,
          watch: (end) => parts.watchUpgrade(x, end),
        },
        onAnswer: (head, body, { pass }) => {
          head.headers.deleteWhere(isForged)
          for (const [name, value] of permit.changes.responseHeaders) head.headers.add(name, value)
          pass(head, body)
        },
      },
      done,
    )
  },
})

const prepare = (headers: HeaderList, x: AppFacts, ownId: string): void => {
  const { peer, request, user, userCheck } = x
  if (user !== undefined) for (const name of userCheck.withheldHeaders(user)) headers.delete(name)
  headers.set('x-forwarded-client-cert', clientCertificate(peer, ownId))
  headers.set('x-forwarded-for', request.connection.remoteAddress)
  headers.set('x-forwarded-proto', 'https')
  writeTrace(headers, x)
}

const elements = new WeakMap<Peer, string>()

/** The element of this hop, in Envoy's grammar: who we are, the hash of the peer's certificate, and its SPIFFE ID. */
const clientCertificate = (peer: Peer, ownId: string): string => {
  const known = elements.get(peer)
  if (known !== undefined) return known
  const hash = Buffer.from(peer.thumbprint, 'base64url').toString('hex')
  const element = `By=${ownId};Hash=${hash};URI=${peer.spiffeId}`
  elements.set(peer, element)
  return element
}
