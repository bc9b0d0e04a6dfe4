/**
 * Sends the request to the sidecar of the service: over mutual TLS, to the pinned SPIFFE ID and no other, from the
 * pool. Repeats an attempt on another address only where nothing of the first can have been acted on.
 */
import type { Forward } from '../exchange/line.ts'
import type { WorkloadIdentity } from '../identity/workload-identity.ts'
import { changedTarget, changeHeaders } from '../stages/apply-changes.ts'
import type { Permit } from '../stages/authorize.ts'
import { writeTrace, type Traced } from '../stages/continue-trace.ts'
import { callOptions, isGrpcCall } from '../stages/grpc-call.ts'
import { relay } from '../stages/relay.ts'
import { isForged } from '../stages/strip-headers.ts'
import { wireFault } from '../stages/wire-fault.ts'
import type { ServerRequest } from '../wire/message.ts'
import type { Origin, OriginProtocol } from '../wire/origin.ts'
import type { Pool } from '../wire/pool.ts'
import type { TunnelLimits } from '../wire/tunnel.ts'
import type { WireError } from '../wire/wire-error.ts'
import type { TokensAttached } from './attach-tokens.ts'
import type { Endpoint } from './endpoints.ts'
import type { MeshService, Resolved } from './resolve-peer.ts'

/** What the forwarder is built from. */
export interface PeerParts {
  readonly pool: Pool
  /** The origin of one endpoint for one identity of ours. */
  readonly originOf: (
    service: MeshService,
    endpoint: Endpoint,
    identity: WorkloadIdentity,
    protocol: OriginProtocol,
  ) => Origin
  readonly tunnelLimits: TunnelLimits
  /** Told of each upgraded connection; gives back what to call when it is over. */
  readonly watchUpgrade: (end: (reason: string) => void) => () => void
  /** Milliseconds of the wheel's clock, for deadlines. */
  readonly monotonic: () => number
}

type Needs = { readonly request: ServerRequest; readonly permit: Permit } & Resolved &
  Traced &
  TokensAttached

/** The last step of the outbound line. */
export const forwardToPeer = (parts: PeerParts): Forward<Needs> => ({
  name: 'forward-to-peer',
  run: (x, done) => {
    const { request, service, headers, permit, identity } = x
    const { settings, endpoints } = service
    if (!permit.changes.none) changeHeaders(headers, permit.changes)
    writeTrace(headers, x)
    const protocol = protocolFor(settings.protocol, request)
    const tried: Endpoint[] = [x.endpoint]
    const current = (): Endpoint => tried.at(-1)!
    const retry = (error: WireError): Origin | undefined => {
      endpoints.report(current(), 'failure')
      if (tried.length > settings.retry.attempts || !mayRepeat(error, request)) return undefined
      const next = endpoints.pick(tried) ?? endpoints.pick()
      if (next === undefined) return undefined
      tried.push(next)
      return parts.originOf(service, next, identity, protocol)
    }
    const upgrade = request.head.upgrade
    if (upgrade !== undefined || isGrpcCall(request.head)) request.allowStreaming()
    relay(
      x,
      {
        pool: parts.pool,
        origin: parts.originOf(service, x.endpoint, identity, protocol),
        outgoing: {
          method: request.head.method,
          target: changedTarget(x.target, permit.changes),
          authority: x.target.authority,
          headers,
          upgrade,
        },
        body: request.body,
        options: callOptions(request.head, settings.timeouts.request, parts.monotonic),
        tunnelLimits: upgrade === undefined ? undefined : parts.tunnelLimits,
        onUpgraded: parts.watchUpgrade,
        faultOf: (error) => {
          if (error.retry === 'never') endpoints.report(current(), 'failure')
          return wireFault('hop', error)
        },
        retry,
        onAnswer: (head, body, { pass }) => {
          endpoints.report(current(), 'success')
          head.headers.deleteWhere(isForged)
          for (const [name, value] of permit.changes.responseHeaders) head.headers.add(name, value)
          pass(head, body)
        },
      },
      done,
    )
  },
})

/** HTTP/1.1 cannot carry what gRPC needs, so such a call takes HTTP/2 wherever the choice is free. */
const protocolFor = (setting: 'same' | OriginProtocol, { head }: ServerRequest): OriginProtocol => {
  if (setting !== 'same') return setting
  return head.version === '2' ? 'http2' : 'http1'
}

const idempotentMethods = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE'])

/** RFC 9110 §9.2.2: a request may be repeated when nothing was sent, or when repeating it changes nothing. */
const mayRepeat = (error: WireError, request: ServerRequest): boolean =>
  error.retry === 'safe' ||
  (error.retry === 'idempotent' && idempotentMethods.has(request.head.method))
