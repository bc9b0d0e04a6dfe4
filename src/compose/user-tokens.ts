/** Opens the verifier of end users' tokens for one configuration. */
import type { SidecarConfig } from '../config/schema.ts'
import { UserTokens } from '../token/user/user-tokens.ts'
import { systemClock } from '../token/verified-token.ts'
import type { Core } from './foundation.ts'

/** Opens it; resolves when every provider's keys were loaded once, or failed to. */
export const openUserTokens = async (config: SidecarConfig, core: Core): Promise<UserTokens> => {
  const { log } = core.telemetry
  const tokens = new UserTokens({
    section: config.tokens,
    clock: { ...systemClock, now: core.world.now },
    fetchDocument: (url, { timeoutMs, maxBytes, signal }) =>
      core.fetch({
        method: 'GET',
        url,
        headers: { accept: 'application/json' },
        timeoutMs,
        maxBytes,
        signal,
      }),
    onEvent: (event) => {
      const { kind, ...fields } = event
      if (kind === 'keys-changed') log.info('the keys of an issuer changed', fields)
      else
        log.warn(
          kind === 'state' ? 'the keys of an issuer are in another state' : 'a key is ignored',
          fields,
        )
    },
  })
  await tokens.start()
  return tokens
}
