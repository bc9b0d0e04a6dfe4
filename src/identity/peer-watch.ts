/** Ends the trust in live connections: a peer that was verified once is asked about again while it stays connected. */
import type { Live } from '../live.ts'
import type { Clock } from './clock.ts'
import type { IdentityError } from './identity-error.ts'
import type { Peer } from './peer.ts'
import type { TrustBundles } from './trust-bundle.ts'

/** Undefined while the peer is still to be trusted; otherwise why not. Cheap enough to ask before every request. */
export declare const trustLost: (
  peer: Peer,
  trust: TrustBundles,
  now: number,
) => IdentityError | undefined

export declare class PeerWatch {
  constructor(options: { trust: Live<TrustBundles>; clock: Clock; everyMs?: number })
  /** Calls `onLost` once when the trust in the peer ends; the returned function stops watching. */
  watch(peer: Peer, onLost: (reason: IdentityError) => void): () => void
  close(): void
}
