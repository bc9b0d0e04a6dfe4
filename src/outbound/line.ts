/** Calls from the application to mesh services, through the sidecar of the other side. Read from top to bottom. */
import { line, type Handler, type LineOptions } from '../exchange/line.ts'
import type { Observer } from '../exchange/outcome.ts'
import type { Live } from '../live.ts'
import { authorize, type PolicyRevision } from '../stages/authorize.ts'
import { continueTrace } from '../stages/continue-trace.ts'
import { limitRate, rateOf, type RateLimiter } from '../stages/limit-rate.ts'
import { policyInput } from '../stages/policy-input.ts'
import type { PropagationRules } from '../telemetry/traces/boundary.ts'
import type { Traces } from '../telemetry/traces/span.ts'
import { stripAppHeaders } from '../stages/strip-headers.ts'
import { attachTokens, type AttachParts } from './attach-tokens.ts'
import { forwardToPeer, type PeerParts } from './forward-to-peer.ts'
import type { OutboundFacts } from './record.ts'
import { resolvePeer, type OutboundFirst, type ServiceDirectory } from './resolve-peer.ts'

/** What the line is made of. */
export interface OutboundParts {
  readonly options: LineOptions
  readonly traces: Traces
  readonly propagation: PropagationRules
  readonly services: Live<ServiceDirectory>
  readonly limiter: RateLimiter
  readonly policy: Live<PolicyRevision>
  readonly recordable: () => boolean
  /** Told the seconds of each policy evaluation. */
  readonly timed: (seconds: number) => void
  readonly monotonic: () => number
  /** Our own SPIFFE ID. */
  readonly ownId: () => string
  readonly tokens: AttachParts
  readonly peer: PeerParts
  readonly record: Observer<OutboundFacts>
}

/** The outbound line. */
export const outboundLine = (parts: OutboundParts): Handler<OutboundFirst> =>
  line<OutboundFirst>('outbound', parts.options)
    .step(
      continueTrace({
        traces: parts.traces,
        rules: parts.propagation,
        kind: 'client',
        always: 'follow-parent',
      }),
    )
    .step(stripAppHeaders)
    .step(resolvePeer(parts.services))
    .step(
      limitRate({
        limiter: parts.limiter,
        now: parts.options.now,
        question: ({ service: { settings } }) =>
          settings.limit === undefined
            ? undefined
            : { key: `out ${settings.name}`, rate: rateOf(settings.limit) },
      }),
    )
    .step(
      authorize({
        policy: parts.policy,
        recordable: parts.recordable,
        timed: parts.timed,
        monotonic: parts.monotonic,
        binding: (x) => x.service.settings.policy,
        input: (x) =>
          policyInput(x, {
            target: x.target,
            source: parts.ownId(),
            destination: x.service.settings.spiffe_id,
            body: undefined,
            members: {
              direction: 'outbound',
              peer: { id: x.service.settings.spiffe_id },
              service: { name: x.service.settings.name },
              claims: null,
            },
          }),
      }),
    )
    .step(attachTokens(parts.tokens))
    .observe(parts.record)
    .forward(forwardToPeer(parts.peer))
