/**
 * What is written down of a third-party call: a CLIENT span, always, also for a call that was refused before it left,
 * with the owner, the purpose, the key's name and the decision; the metrics of the API; the audit record.
 */
import type { Exchange } from '../exchange/exchange.ts'
import type { Observer } from '../exchange/outcome.ts'
import type { Authorized } from '../stages/authorize.ts'
import type { Traced } from '../stages/continue-trace.ts'
import { recordOutcome, type Recorders } from '../stages/record-outcome.ts'
import { undeclaredAddress } from '../telemetry/metrics/instruments.ts'
import { attribute, event, type AttributeName } from '../telemetry/names.ts'
import type { AttributeValue } from '../telemetry/traces/span.ts'
import type { ServerRequest } from '../wire/message.ts'
import type { CredentialAttached } from './attach-credential.ts'
import type { RequestChecked } from './check-request.ts'
import type { Guarded } from './guard-address.ts'
import type { Admitted } from './attempt/limit-call.ts'
import type { ApiMatched } from './match-api.ts'

/** Everything that the egress line can know of an exchange. */
export type EgressFacts = { readonly request: ServerRequest } & Traced &
  ApiMatched &
  Guarded &
  Admitted &
  RequestChecked &
  Authorized &
  CredentialAttached

/** The observer. */
export const recordEgress =
  (recorders: Recorders, ownId: () => string): Observer<EgressFacts> =>
  (x, outcome) => {
    const entry = x.api?.entry
    const host = x.api?.host ?? x.request?.head.target.host
    // A call that was refused behind the limits says nothing of the health of the API.
    x.place?.leave('ignored')
    for (const { reason } of x.api?.warnings ?? []) {
      if (reason !== 'deprecated') x.span?.event(event.reviewOverdue, { [attribute.mode]: reason })
    }
    recordOutcome(recorders, x, outcome, {
      kind: 'client',
      template: x.api?.operation?.template,
      label: entry?.name ?? undeclaredAddress,
      address: entry === undefined ? undefined : x.api?.host,
      port: entry === undefined ? undefined : String(x.api?.port),
      attributes: egressAttributes(x, ownId()),
      record: {
        caller: ownId(),
        api: entry?.name,
        operation: x.api?.operation?.id,
        owner: entry?.owner,
        purpose: entry?.purpose,
        credential: x.credentialId,
        host,
      },
    })
  }

/** What every span of the exchange carries. */
export const egressAttributes = (
  x: Exchange & Partial<EgressFacts>,
  caller: string,
): { readonly [name in AttributeName]?: AttributeValue | undefined } => {
  const { api } = x
  const entry = api?.entry
  const name = entry?.name ?? (api === undefined ? undefined : undeclaredAddress)
  const target = x.request?.head.target
  return {
    [attribute.serverAddress]: api?.host ?? target?.host,
    [attribute.serverPort]: api?.port ?? target?.port,
    [attribute.urlFull]:
      api === undefined ? undefined : `https://${api.authority}${x.target?.path ?? ''}`,
    [attribute.urlTemplate]: api?.operation?.template,
    [attribute.peerService]: name,
    [attribute.servicePeerName]: name,
    [attribute.servicePeerNamespace]: 'third-party',
    [attribute.owner]: entry?.owner,
    [attribute.purpose]: entry?.purpose,
    [attribute.dataClass]: api === undefined || api.data.length === 0 ? undefined : api.data,
    [attribute.lifecycle]: entry?.lifecycle,
    [attribute.dependencies]: entry?.depends_on,
    [attribute.operation]: api?.operation?.id,
    [attribute.credentialId]: x.credentialId,
    [attribute.credentialAge]: x.credentialAge?.ageDays,
    [attribute.hopCaller]: caller,
  }
}
