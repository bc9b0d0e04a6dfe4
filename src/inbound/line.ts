/**
 * Requests from mesh peers to the application beside us. Read from top to bottom: the order is security, and nothing
 * reaches the application without a permit.
 */
import type { Exchange } from '../exchange/exchange.ts'
import { line, type Handler, type LineOptions } from '../exchange/line.ts'
import type { Observer } from '../exchange/outcome.ts'
import { authorize, type PolicyRevision } from '../stages/authorize.ts'
import { continueTrace } from '../stages/continue-trace.ts'
import { holdBody, type HeldBody } from '../stages/hold-body.ts'
import { limitRate, type RateLimiter } from '../stages/limit-rate.ts'
import type { Peer } from '../identity/peer.ts'
import type { TrustBundles } from '../identity/trust-bundle.ts'
import type { Live } from '../live.ts'
import type { PropagationRules } from '../telemetry/traces/boundary.ts'
import type { Traces } from '../telemetry/traces/span.ts'
import type { ServerRequest } from '../wire/message.ts'
import { forwardToApp, type AppParts } from './forward-to-app.ts'
import { identifyPeer } from './identify-peer.ts'
import { inboundInput } from './inbound-input.ts'
import { matchRoute, type Routed } from './match-route.ts'
import { rateOfRoute } from './rate-of-route.ts'
import type { InboundFacts } from './record.ts'
import type { RouteTable } from './route-table.ts'
import { stripForgedHeaders } from './strip-forged.ts'
import { verifyTokens, type Authenticated, type TokenParts } from './verify-tokens.ts'

/** What the line is made of. Live values change under it; the line itself never does. */
export interface InboundParts {
  readonly options: LineOptions
  readonly traces: Traces
  readonly propagation: PropagationRules
  readonly trust: Live<TrustBundles>
  readonly routes: Live<RouteTable>
  readonly limiter: RateLimiter
  readonly tokens: TokenParts
  readonly policy: Live<PolicyRevision>
  readonly recordable: () => boolean
  /** Told the seconds of each policy evaluation. */
  readonly timed: (seconds: number) => void
  readonly monotonic: () => number
  readonly app: AppParts
  readonly record: Observer<InboundFacts>
}

type JudgedFacts = { readonly request: ServerRequest; readonly peer: Peer } & Routed &
  Authenticated &
  HeldBody

/** A connection that stays open is asked about again when the policy changes, and ended when it is refused then. */
const watchPermission =
  (
    parts: InboundParts,
    judge: (x: Exchange & JudgedFacts) => object | Promise<object>,
  ): AppParts['watchUpgrade'] =>
  (x, end) => {
    const stop = parts.app.watchUpgrade(x, end)
    const stopAsking = parts.policy.subscribe(() => {
      try {
        const judged = judge(x)
        if (judged instanceof Promise) judged.catch(() => end('permission-ended'))
      } catch {
        end('permission-ended')
      }
    })
    return () => {
      stop()
      stopAsking()
    }
  }

/** The inbound line. */
export const inboundLine = (parts: InboundParts): Handler<{ readonly request: ServerRequest }> => {
  const permission = authorize<JudgedFacts>({
    policy: parts.policy,
    recordable: parts.recordable,
    timed: parts.timed,
    monotonic: parts.monotonic,
    binding: (x) => x.route.policy,
    input: (x) => inboundInput(x, parts.tokens.ownId()),
  })
  const watchUpgrade = watchPermission(parts, permission.run)
  return line<{ readonly request: ServerRequest }>('inbound', parts.options)
    .step(stripForgedHeaders)
    .step(
      continueTrace({
        traces: parts.traces,
        rules: parts.propagation,
        kind: 'server',
        always: 'follow-parent',
      }),
    )
    .step(identifyPeer({ trust: parts.trust, now: parts.options.now }))
    .step(matchRoute(parts.routes))
    .step(limitRate({ limiter: parts.limiter, now: parts.options.now, question: rateOfRoute }))
    .step(verifyTokens(parts.tokens))
    .step(holdBody((x) => x.route.with_body?.limit))
    .step(permission)
    .observe(parts.record)
    .forward(forwardToApp({ ...parts.app, watchUpgrade }))
}
