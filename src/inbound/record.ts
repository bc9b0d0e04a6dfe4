/** What is written down of an inbound exchange: the SERVER span, the metrics of the route, the audit record. */
import type { Observer } from '../exchange/outcome.ts'
import type { Peer } from '../identity/peer.ts'
import type { Authorized } from '../stages/authorize.ts'
import type { Traced } from '../stages/continue-trace.ts'
import { recordOutcome, type Recorders } from '../stages/record-outcome.ts'
import { attribute } from '../telemetry/names.ts'
import type { ServerRequest } from '../wire/message.ts'
import type { Routed } from './match-route.ts'
import type { Authenticated } from './verify-tokens.ts'

/** Everything that the inbound line can know of an exchange. */
export type InboundFacts = { readonly request: ServerRequest; readonly peer: Peer } & Traced &
  Routed &
  Authenticated &
  Authorized

/** The observer. `pseudonym` turns a subject into what may be written down. */
export const recordInbound =
  (recorders: Recorders, pseudonym: (subject: string) => string): Observer<InboundFacts> =>
  (x, outcome) => {
    const { route, peer, caller } = x
    const user = x.user?.subject === undefined ? undefined : pseudonym(x.user.subject)
    recordOutcome(recorders, x, outcome, {
      kind: 'server',
      template: route?.path,
      label: route?.path ?? 'unknown',
      attributes: x.span?.recording
        ? {
            [attribute.httpRoute]: route?.path,
            [attribute.urlPath]: route === undefined ? undefined : x.target?.path,
            [attribute.route]: route?.name,
            [attribute.serverAddress]: x.request?.head.target.host,
            [attribute.serverPort]: x.request?.head.target.port,
            [attribute.hopCaller]: peer?.spiffeId,
            [attribute.hopTransaction]: caller?.transaction,
            [attribute.endUser]: user,
          }
        : {},
      record: {
        peer: peer?.spiffeId,
        caller: caller?.spiffeId,
        user,
        route: route?.name,
      },
    })
  }
