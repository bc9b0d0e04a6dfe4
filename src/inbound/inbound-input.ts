/** What the policy of a route is told: the request, the peer, both tokens and the route. */
import type { Exchange } from '../exchange/exchange.ts'
import type { Peer } from '../identity/peer.ts'
import type { HeldBody } from '../stages/hold-body.ts'
import { policyInput } from '../stages/policy-input.ts'
import type { ServerRequest } from '../wire/message.ts'
import type { Routed } from './match-route.ts'
import type { Authenticated } from './verify-tokens.ts'

type Facts = { readonly request: ServerRequest; readonly peer: Peer } & Routed &
  Authenticated &
  HeldBody

/** The input document of an inbound exchange. */
export const inboundInput = (x: Exchange & Facts, ownId: string): object =>
  policyInput(x, {
    target: x.target,
    source: x.peer.spiffeId,
    destination: ownId,
    body: x.held,
    members: {
      direction: 'inbound',
      peer: peerOf(x.peer),
      claims: x.user?.claims ?? null,
      user: userOf(x),
      caller:
        x.caller === undefined
          ? null
          : {
              id: x.caller.spiffeId,
              chain: x.caller.chain,
              transaction: x.caller.transaction,
            },
      route: { name: x.route.name, params: x.params },
    },
  })

const peerOf = (peer: Peer): object => ({
  id: peer.spiffeId,
  trust_domain: peer.trustDomain,
  path: peer.path,
})

const userOf = ({ user }: Authenticated): object | null =>
  user === undefined
    ? null
    : {
        provider: user.provider,
        issuer: user.issuer,
        subject: user.subject ?? null,
        audiences: user.audiences,
        scopes: user.scopes,
      }
