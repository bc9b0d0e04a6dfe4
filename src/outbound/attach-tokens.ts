/**
 * Says who calls: mints the hop token for the callee, bound to the certificate of the connection that will carry it.
 *
 * Comes after the permit, so that nothing is signed for a call that policy refused. The end user's token passes on
 * unless the service says otherwise; the chain of callers continues the inbound request that caused this call.
 */
import type { Stage } from '../exchange/line.ts'
import { Refusal } from '../exchange/refusal.ts'
import type { WorkloadIdentity } from '../identity/workload-identity.ts'
import type { Live } from '../live.ts'
import type { Permit } from '../stages/authorize.ts'
import type { Causes } from '../stages/causes.ts'
import type { Traced } from '../stages/continue-trace.ts'
import { userTokenHash } from '../stages/user-token-hash.ts'
import type { HopMinter } from '../token/hop/mint.ts'
import { hopTokenHeader } from '../token/hop/hop-token.ts'
import { TokenError } from '../token/token-error.ts'
import type { HeaderList } from '../wire/headers.ts'
import type { ServerRequest } from '../wire/message.ts'
import type { Resolved } from './resolve-peer.ts'

/** The facts that this stage learns. */
export interface TokensAttached {
  /** The identity that signed the token; the connection must be authenticated with the same. */
  readonly identity: WorkloadIdentity
  /** The headers to send: those of the request, the user's token as the service wants it, and the hop token. */
  readonly headers: HeaderList
}

/** What the stage is built from. */
export interface AttachParts {
  readonly minter: HopMinter
  readonly identity: Live<WorkloadIdentity>
  readonly causes: Causes
  readonly now: () => number
}

type Needs = { readonly request: ServerRequest; readonly permit: Permit } & Resolved & Traced

/** The stage. */
export const attachTokens = (parts: AttachParts): Stage<Needs, TokensAttached> => ({
  name: 'attach-tokens',
  run: (x) => {
    const identity = parts.identity.current
    if (identity.notAfter <= parts.now()) {
      throw new Refusal('sidecar.identity', { detail: 'our own certificate has expired' })
    }
    const headers = x.request.head.headers.copy()
    if (!x.service.settings.forward_user_token) headers.delete('authorization')
    const cause = parts.causes.recall(x.span.context.traceId)
    try {
      const token = parts.minter.mint(identity, {
        audience: x.service.settings.spiffe_id,
        userTokenHash: userTokenHash(headers),
        chain: cause?.chain ?? [],
        transaction: cause?.transaction,
      })
      headers.set(hopTokenHeader, token)
    } catch (thrown) {
      if (!(thrown instanceof TokenError)) throw thrown
      throw new Refusal('sidecar.identity', { detail: thrown.detail })
    }
    return { identity, headers }
  },
})
