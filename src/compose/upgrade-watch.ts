/**
 * Ends a WebSocket when what it was allowed on ends: the peer's certificate or trust, the user's token, or this
 * process. Whether the policy still permits it is asked by the line.
 */
import type { PeerWatch } from '../identity/peer-watch.ts'
import type { UpgradeFacts } from './foundation.ts'

/** The longest delay of a timer; a token that lives longer is looked at again then. */
const longestDelayMs = 2_147_483_647

/** The upgraded connections that are open, so that they can be told when the sidecar stops. */
export class OpenUpgrades {
  readonly #ends = new Set<(reason: string) => void>()

  get size(): number {
    return this.#ends.size
  }

  /** Keeps the way to end one until the returned function is called. */
  keep(end: (reason: string) => void): () => void {
    this.#ends.add(end)
    return () => this.#ends.delete(end)
  }

  /** Ends all of them. */
  endAll(reason: string): void {
    for (const end of this.#ends) end(reason)
  }
}

/** Makes the watch. What it gives back stops it, when the connection is over. */
export const upgradeWatch =
  (peerWatch: PeerWatch, upgrades: OpenUpgrades, now: () => number) =>
  ({ peer, user }: UpgradeFacts, end: (reason: string) => void): (() => void) => {
    let timer: NodeJS.Timeout | undefined
    const forget = upgrades.keep(end)
    const unwatch = peerWatch.watch(peer, () => end('peer-not-trusted'))
    const look = (): void => {
      const left = user!.expiresAt - now()
      if (left <= 0) return end('token-expired')
      timer = setTimeout(look, Math.min(left, longestDelayMs))
      timer.unref()
    }
    if (user !== undefined && Number.isFinite(user.expiresAt)) look()
    return () => {
      clearTimeout(timer)
      unwatch()
      forget()
    }
  }
