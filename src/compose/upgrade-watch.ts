/**
 * Ends a WebSocket when what it was allowed on ends: the peer's certificate or trust, the user's token, or the
 * caller's. The permission is not asked again; the identity behind it is.
 */
import type { PeerWatch } from '../identity/peer-watch.ts'
import type { UpgradeFacts } from './foundation.ts'

/** The longest delay of a timer; a token that lives longer is looked at again then. */
const longestDelayMs = 2_147_483_647

/** Makes the watch. */
export const upgradeWatch =
  (peerWatch: PeerWatch, now: () => number) =>
  ({ peer, user }: UpgradeFacts, end: (reason: string) => void): void => {
    let timer: NodeJS.Timeout | undefined
    const stop = (reason: string): void => {
      clearTimeout(timer)
      unwatch()
      end(reason)
    }
    const unwatch = peerWatch.watch(peer, () => stop('peer-not-trusted'))
    if (user === undefined || !Number.isFinite(user.expiresAt)) return
    const wait = Math.min(Math.max(0, user.expiresAt - now()), longestDelayMs)
    timer = setTimeout(() => stop('token-expired'), wait)
    timer.unref()
  }
