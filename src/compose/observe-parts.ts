/** Connects the metrics whose values are read at the scrape with the parts that know them. */
import { readdirSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { UserTokens } from '../token/user/user-tokens.ts'
import type { Core } from './foundation.ts'

/** Connects them; called once for each sidecar. Gives a function that stops measuring. */
export const observeParts = (core: Core, tokens: () => UserTokens): (() => void) => {
  const { audit, metrics, traces } = core.telemetry
  metrics.observe('spans', () => {
    const { exported, dropped, failed } = traces.counts()
    return [
      [exported, 'exported'],
      [dropped, 'dropped'],
      [failed, 'failed'],
    ]
  })
  metrics.observe('spansDropped', () => [[traces.counts().dropped + traces.counts().failed]])
  metrics.observe('spanQueue', () => {
    const { ended, exported, dropped, failed } = traces.counts()
    return [[Math.max(0, ended - exported - dropped - failed)]]
  })
  metrics.observe('attributesUnlisted', () => [[traces.counts().unlistedAttributes]])
  metrics.observe('auditDropped', () => [[audit.state().dropped]])
  metrics.observe('auditHealthy', () => [[audit.state().healthy ? 1 : 0]])
  metrics.observe('auditQueue', () => [[audit.state().queued]])
  metrics.observe('keySetAge', () =>
    tokens()
      .status()
      .flatMap(({ provider, loadedAt }) =>
        loadedAt === undefined ? [] : [[(core.world.now() - loadedAt) / 1_000, provider] as const],
      ),
  )
  metrics.observe('openDescriptors', () => [[openDescriptors()]])
  const lag = monitorEventLoopDelay({ resolution: 50 })
  lag.enable()
  metrics.observe('eventLoopLag', () => [[lag.percentile(99) / 1e9]])
  return () => lag.disable()
}

const openDescriptors = (): number => {
  try {
    return readdirSync('/proc/self/fd').length
  } catch {
    return Number.NaN
  }
}
