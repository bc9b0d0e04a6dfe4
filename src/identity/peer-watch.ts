/**
 * Ends the trust in live connections: a peer that was verified once is asked about again while it stays connected.
 *
 * A certificate that expires, a CRL that names it, or a bundle that no longer holds its authority ends the trust; the
 * listener then lets requests in flight finish and takes no more. It closes nothing itself.
 */
import type { Live } from '../live.ts'
import type { Clock } from './sources/clock.ts'
import { IdentityError } from './identity-error.ts'
import type { Peer } from './peer.ts'
import type { TrustBundles } from './trust-bundle.ts'
import { verifyPeer } from './verify-peer.ts'

/**
 * Undefined while the peer is still to be trusted; otherwise why not.
 *
 * Cheap enough to ask before every request: under one snapshot of trust the signatures are checked once for each
 * chain.
 */
export const trustLost = (
  peer: Peer,
  trust: TrustBundles,
  now: number,
): IdentityError | undefined => {
  try {
    const again = verifyPeer(peer.chain, trust, now)
    return again.spiffeId === peer.spiffeId
      ? undefined
      : new IdentityError('wrong-peer', 'the peer is another one than before')
  } catch (error) {
    if (error instanceof IdentityError) return error
    throw error
  }
}

/** The same question, answered with yes or no. */
export const isStillTrusted = (peer: Peer, trust: TrustBundles, now: number): boolean =>
  trustLost(peer, trust, now) === undefined

interface Watched {
  readonly peer: Peer
  readonly onLost: (reason: IdentityError) => void
}

export interface PeerWatchOptions {
  readonly trust: Live<TrustBundles>
  readonly clock: Clock
  /** How often every connection is asked about; a second when absent, and never more than five. */
  readonly everyMs?: number
}

/** Connections judged in one turn of the event loop after a change of trust. */
const sliceSize = 50
const longestRoundMs = 5_000

/** Asks about every live connection each second, and at once when trust changes. */
export class PeerWatch {
  readonly #options: PeerWatchOptions
  readonly #everyMs: number
  readonly #watched = new Set<Watched>()
  readonly #unsubscribe: () => void
  #cancelTimer: () => void
  #cancelSlice: () => void = () => undefined

  constructor(options: PeerWatchOptions) {
    this.#options = options
    this.#everyMs = Math.min(options.everyMs ?? 1_000, longestRoundMs)
    this.#unsubscribe = options.trust.subscribe(() => this.#round())
    this.#cancelTimer = this.#arm()
  }

  /** Calls `onLost` once when the trust in the peer ends; the returned function stops watching. */
  watch(peer: Peer, onLost: (reason: IdentityError) => void): () => void {
    const watched = { peer, onLost }
    this.#watched.add(watched)
    return () => this.#watched.delete(watched)
  }

  /** How many connections are watched. */
  get size(): number {
    return this.#watched.size
  }

  close(): void {
    this.#unsubscribe()
    this.#cancelTimer()
    this.#cancelSlice()
    this.#watched.clear()
  }

  #arm(): () => void {
    return this.#options.clock.after(this.#everyMs, () => {
      this.#round()
      this.#cancelTimer = this.#arm()
    })
  }

  #round(): void {
    this.#cancelSlice()
    this.#slice([...this.#watched], 0)
  }

  /** Judges some connections, then lets the event loop go on before the next ones. */
  #slice(all: readonly Watched[], from: number): void {
    for (const watched of all.slice(from, from + sliceSize)) {
      if (!this.#watched.has(watched)) continue
      const reason = trustLost(watched.peer, this.#options.trust.current, this.#options.clock.now())
      if (reason === undefined) continue
      this.#watched.delete(watched)
      watched.onLost(reason)
    }
    if (from + sliceSize >= all.length) return
    this.#cancelSlice = this.#options.clock.after(0, () => this.#slice(all, from + sliceSize))
  }
}
