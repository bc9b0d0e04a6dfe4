/**
 * Sends the call to the third party: to an address that was checked, over TLS that proves the declared host, from a
 * pool that is shared with no other API, identity or trust. Redirects are passed back and never followed.
 */
import type { Forward } from '../exchange/line.ts'
import type { Permit } from '../stages/authorize.ts'
import type { Traced } from '../stages/continue-trace.ts'
import type { HeldBody } from '../stages/hold-body.ts'
import { relay } from '../stages/relay.ts'
import { wireFault } from '../stages/wire-fault.ts'
import { attribute } from '../telemetry/names.ts'
import { vendorRequestHeaders } from '../telemetry/traces/boundary.ts'
import type { ServerRequest } from '../wire/message.ts'
import type { Origin } from '../wire/origin.ts'
import type { Pool } from '../wire/pool.ts'
import type { CredentialAttached } from './attach-credential.ts'
import type { CheckResponse } from './check-response.ts'
import type { Guarded } from './guard-address.ts'
import type { ApiCall, ApiMatched } from './match-api.ts'

/** What the forwarder is built from. */
export interface ApiParts {
  readonly pool: Pool
  readonly originOf: (api: ApiCall, addresses: readonly string[]) => Origin
  readonly checkResponse: CheckResponse
  /** Milliseconds of the wheel's clock, for deadlines. */
  readonly monotonic: () => number
}

type Needs = { readonly request: ServerRequest; readonly permit: Permit } & ApiMatched &
  Guarded &
  HeldBody &
  Traced &
  CredentialAttached

const undeclaredLimits = {
  first_byte_timeout: 15_000,
  total_timeout: 60_000,
  response_size: 10 * 1024 * 1024,
} as const

/** The last step of the egress line. */
export const forwardToApi = (parts: ApiParts): Forward<Needs> => ({
  name: 'forward-to-api',
  run: (x, done) => {
    const { request, api, headers, permit } = x
    const limits = { ...undeclaredLimits, ...api.entry?.limits, ...api.entry?.distrust }
    relay(
      x,
      {
        pool: parts.pool,
        origin: parts.originOf(api, x.addresses),
        outgoing: {
          method: request.head.method,
          target: x.sentTarget.reveal(),
          authority: api.authority,
          headers,
        },
        body: x.body,
        options: {
          responseTimeoutMs: limits.first_byte_timeout,
          deadline: parts.monotonic() + limits.total_timeout,
          maxResponseBytes: limits.response_size,
        },
        faultOf: (error) => wireFault('api', error),
        onAnswer: (head, body, decision) => {
          for (const name of vendorRequestHeaders) {
            const id = head.headers.get(name)
            if (id === undefined) continue
            x.span.set(attribute.vendorRequestId, id)
            break
          }
          parts.checkResponse(x, head, body, {
            refuse: decision.refuse,
            pass: (passedHead, passedBody) => {
              for (const [name, value] of permit.changes.responseHeaders) {
                passedHead.headers.add(name, value)
              }
              decision.pass(passedHead, passedBody)
            },
          })
        },
      },
      done,
    )
  },
})
