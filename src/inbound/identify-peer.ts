/**
 * Who is on the other end of the TLS session. The certificate was verified in the handshake; here it is asked again
 * whether that still holds, because a connection can outlive a certificate, an authority or a revocation.
 */
import { codeOf, Refusal } from '../exchange/refusal.ts'
import type { Stage } from '../exchange/line.ts'
import { trustLost } from '../identity/peer-watch.ts'
import type { Peer } from '../identity/peer.ts'
import type { TrustBundles } from '../identity/trust-bundle.ts'
import type { Live } from '../live.ts'
import type { ServerRequest } from '../wire/message.ts'

/** What the peer listener keeps with each connection. */
export interface PeerConnection {
  readonly peer: Peer
  /** The bundles under which the peer was last judged; asked again when they change. */
  trustedUnder: TrustBundles
}

/** The stage. */
export const identifyPeer = (parts: {
  readonly trust: Live<TrustBundles>
  readonly now: () => number
}): Stage<{ readonly request: ServerRequest }, { readonly peer: Peer }> => ({
  name: 'identify-peer',
  run: ({ request }) => {
    const connection = request.connection.context as PeerConnection
    const { peer } = connection
    const trust = parts.trust.current
    const now = parts.now()
    if (connection.trustedUnder === trust && now < peer.notAfter) return { peer }
    const lost = trustLost(peer, trust, now)
    if (lost !== undefined) {
      request.connection.drain()
      throw new Refusal(codeOf('peer', lost.code, 'peer.invalid'), { detail: lost.detail })
    }
    connection.trustedUnder = trust
    return { peer }
  },
})
