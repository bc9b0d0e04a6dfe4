/**
 * Calls from the application to third parties. Read from top to bottom: nothing leaves that is not declared, decided
 * on and recorded, and no secret is touched for a call that policy refused.
 */
import { line, type Handler, type LineOptions } from '../exchange/line.ts'
import type { Observer } from '../exchange/outcome.ts'
import type { Live } from '../live.ts'
import { authorize, type PolicyBinding, type PolicyRevision } from '../stages/authorize.ts'
import { continueTrace } from '../stages/continue-trace.ts'
import type { PropagationRules } from '../telemetry/traces/boundary.ts'
import type { Traces } from '../telemetry/traces/span.ts'
import type { ServerRequest } from '../wire/message.ts'
import { attachKey, type CredentialParts } from './attach-credential.ts'
import { attemptTraces } from './attempt/attempt-span.ts'
import { checkRequest, type CheckParts } from './check-request.ts'
import { egressInput } from './egress-input.ts'
import { forwardToApi, type ApiParts } from './forward-to-api.ts'
import { guardAddress, type ResolveGuarded } from './guard-address.ts'
import { limitCall, type CallLimits } from './attempt/limit-call.ts'
import { matchApi, type MatchParts } from './match-api.ts'
import type { EgressFacts } from './record.ts'
import { stripInternal } from './strip-internal.ts'

/** What the line is made of. */
export interface EgressParts {
  readonly options: LineOptions
  readonly traces: Traces
  readonly propagation: PropagationRules
  readonly dataClassHeader: string
  readonly match: MatchParts
  readonly resolve: ResolveGuarded
  /** Guarded ranges that calls which no entry declares may reach. */
  readonly observedCidrs: () => readonly string[]
  readonly limits: CallLimits
  readonly check: CheckParts
  readonly policy: Live<PolicyRevision>
  readonly recordable: () => boolean
  /** Told the seconds of each policy evaluation. */
  readonly timed: (seconds: number) => void
  readonly monotonic: () => number
  /** The rule for calls that no entry declares. */
  readonly observedPolicy: () => PolicyBinding
  readonly credentials: CredentialParts
  readonly api: ApiParts
  readonly record: Observer<EgressFacts>
}

/** The egress line. */
export const egressLine = (parts: EgressParts): Handler<{ readonly request: ServerRequest }> =>
  line<{ readonly request: ServerRequest }>('egress', parts.options)
    .step(
      continueTrace({
        traces: attemptTraces(parts.traces),
        rules: parts.propagation,
        kind: 'client',
        always: 'sampled-always',
      }),
    )
    .step(stripInternal(parts.dataClassHeader))
    .step(matchApi(parts.match))
    .step(guardAddress(parts.resolve, parts.observedCidrs))
    .step(limitCall(parts.limits))
    .step(checkRequest(parts.check))
    .step(
      authorize({
        policy: parts.policy,
        recordable: parts.recordable,
        timed: parts.timed,
        monotonic: parts.monotonic,
        binding: (x) => x.api.entry?.policy ?? parts.observedPolicy(),
        input: (x) => egressInput(x, parts.match.ownId()),
      }),
    )
    .step(attachKey(parts.credentials))
    .observe(parts.record)
    .forward(forwardToApi(parts.api))
