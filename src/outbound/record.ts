/** What is written down of an outbound exchange: the CLIENT span of the hop, its metrics, the audit record. */
import type { Observer } from '../exchange/outcome.ts'
import type { Authorized } from '../stages/authorize.ts'
import type { Traced } from '../stages/continue-trace.ts'
import { recordOutcome, type Recorders } from '../stages/record-outcome.ts'
import { attribute } from '../telemetry/names.ts'
import type { ServerRequest } from '../wire/message.ts'
import type { Resolved } from './resolve-peer.ts'

/** Everything that the outbound line can know of an exchange. */
export type OutboundFacts = { readonly request: ServerRequest } & Traced & Resolved & Authorized

/** The observer. */
export const recordOutbound =
  (recorders: Recorders, ownId: () => string): Observer<OutboundFacts> =>
  (x, outcome) => {
    const settings = x.service?.settings
    recordOutcome(recorders, x, outcome, {
      kind: 'client',
      template: undefined,
      label: settings?.name ?? 'unknown',
      address: settings?.name,
      attributes: x.span?.recording
        ? {
            [attribute.serverAddress]: x.target?.host,
            [attribute.serverPort]: x.target?.port,
            [attribute.urlPath]: x.target?.path,
            [attribute.peerService]: settings?.name,
            [attribute.servicePeerName]: settings?.name,
            [attribute.hopCallee]: settings?.spiffe_id,
            [attribute.networkPeerAddress]: x.endpoint?.host,
            [attribute.networkPeerPort]: x.endpoint?.port,
          }
        : {},
      record: {
        peer: settings?.spiffe_id,
        caller: ownId(),
        route: settings?.name,
        host: x.request?.head.target.host,
      },
    })
  }
