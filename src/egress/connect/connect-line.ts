/**
 * CONNECT from the application to a third party, where the entry says `tunnel` (or nothing is enforced yet). Read from
 * top to bottom: the same facts and the same permit as any other call, and then bytes that nobody here reads.
 */
import { line, type Handler } from '../../exchange/line.ts'
import { authorize } from '../../stages/authorize.ts'
import { continueTrace } from '../../stages/continue-trace.ts'
import { holdBody } from '../../stages/hold-body.ts'
import type { ServerRequest } from '../../wire/message.ts'
import { egressInput } from '../egress-input.ts'
import { guardAddress } from '../guard-address.ts'
import type { EgressParts } from '../line.ts'
import { limitCall } from '../attempt/limit-call.ts'
import { matchConnect } from './match-connect.ts'
import { openTunnel, type TunnelParts } from './open-tunnel.ts'

/** The line for CONNECT. */
export const connectLine = (
  parts: EgressParts,
  tunnels: TunnelParts,
): Handler<{ readonly request: ServerRequest }> =>
  line<{ readonly request: ServerRequest }>('egress', parts.options)
    .step(
      continueTrace({
        traces: parts.traces,
        rules: parts.propagation,
        kind: 'client',
        always: 'sampled-always',
      }),
    )
    .step(matchConnect(parts.match))
    .step(guardAddress(parts.resolve, parts.observedCidrs))
    .step(limitCall(parts.limits))
    .step(holdBody(() => undefined))
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
    .observe(parts.record)
    .forward(openTunnel(tunnels))
