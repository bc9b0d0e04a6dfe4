/** What the policy of an API is told: the request that would leave, the entry, and who asks. */
import type { Exchange } from '../exchange/exchange.ts'
import type { HeldBody } from '../stages/hold-body.ts'
import { policyInput } from '../stages/policy-input.ts'
import type { ServerRequest } from '../wire/message.ts'
import type { ApiMatched } from './match-api.ts'

/** The input document of an egress exchange. */
export const egressInput = (
  x: Exchange & { readonly request: ServerRequest } & ApiMatched & HeldBody,
  ownId: string,
): object => {
  const { api } = x
  const { entry } = api
  return policyInput(x, {
    target: x.target,
    source: ownId,
    destination: entry?.name ?? api.host,
    body: x.held,
    members: {
      direction: 'egress',
      peer: { id: ownId },
      claims: null,
      api: {
        declared: entry !== undefined,
        name: entry?.name ?? null,
        owner: entry?.owner ?? null,
        purpose: entry?.purpose ?? null,
        lifecycle: entry?.lifecycle ?? null,
        host: api.host,
        port: api.port,
        operation: api.operation?.id ?? null,
        template: api.operation?.template ?? null,
        data: api.data,
      },
    },
  })
}
