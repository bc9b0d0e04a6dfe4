/**
 * Before anything else: takes out of the request what only a sidecar may say, and keeps the hop token aside for the
 * stage that verifies it. After this, what the stages, the policy and the app read was not forged by the peer.
 */
import type { Stage } from '../exchange/line.ts'
import { stripForged } from '../stages/strip-headers.ts'
import { hopTokenHeader } from '../token/hop/hop-token.ts'
import type { ServerRequest } from '../wire/message.ts'

/** The facts that this stage learns. */
export interface Stripped {
  /** Every value of the hop token's header; nothing of it is verified yet. */
  readonly hopTokens: readonly string[]
}

/** The stage. */
export const stripForgedHeaders: Stage<{ readonly request: ServerRequest }, Stripped> = {
  name: 'strip-forged',
  run: ({ request }) => {
    const { headers } = request.head
    const hopTokens = headers.all(hopTokenHeader)
    stripForged(headers)
    return { hopTokens }
  },
}
