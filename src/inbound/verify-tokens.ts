/**
 * On whose behalf: verifies the calling sidecar's token, bound to this very connection, and the token of the end
 * user, as the route demands. Both are judged on every hop; nothing is believed because an earlier hop checked it.
 */
import type { Exchange } from '../exchange/exchange.ts'
import type { Stage } from '../exchange/line.ts'
import { codeOf, Refusal } from '../exchange/refusal.ts'
import type { Peer } from '../identity/peer.ts'
import type { Causes } from '../stages/causes.ts'
import type { Traced } from '../stages/continue-trace.ts'
import { userTokenHash } from '../stages/user-token-hash.ts'
import type { HopVerifier } from '../token/hop/verify.ts'
import { TokenError } from '../token/token-error.ts'
import { answerTokenError } from '../token/user/challenge.ts'
import type { UserTokenCheck } from '../token/user/user-tokens.ts'
import type { TokenPeer, VerifiedCaller, VerifiedToken } from '../token/verified-token.ts'
import type { HeaderList } from '../wire/headers.ts'
import type { ServerRequest } from '../wire/message.ts'
import type { Routed } from './match-route.ts'
import type { InboundRoute } from './section.ts'
import type { Stripped } from './strip-forged.ts'

/** The facts that this stage learns. */
export interface Authenticated {
  /** The calling sidecar's statement; undefined where the route does not ask for one. */
  readonly caller: VerifiedCaller | undefined
  /** The end user's token; undefined where the route does not ask for one, or it is optional and absent. */
  readonly user: VerifiedToken | undefined
  readonly userCheck: UserTokenCheck
}

/** What the stage is built from. */
export interface TokenParts {
  readonly hop: HopVerifier
  /** The prepared check of a route. */
  readonly checkOf: (route: InboundRoute) => UserTokenCheck
  /** Our own SPIFFE ID: the only audience that a hop token for us may have. */
  readonly ownId: () => string
  readonly realm: string
  readonly causes: Causes
  /** Whether the app may call mesh services at all, so that somebody will ask for causes. */
  readonly mayCallOut: () => boolean
  /** Counts a verification: `ok`, or the reason of the refusal. */
  readonly count: (kind: 'user' | 'hop', result: string) => void
}

type Needs = { readonly request: ServerRequest; readonly peer: Peer } & Routed & Stripped & Traced

/** The stage. */
export const verifyTokens = (parts: TokenParts): Stage<Needs, Authenticated> => ({
  name: 'verify-tokens',
  run: (x) => {
    const { headers } = x.request.head
    const userCheck = parts.checkOf(x.route)
    try {
      const caller = verifyCaller(x, parts)
      const found = verifyUser(userCheck, headers, x.peer, parts)
      if (!(found instanceof Promise)) return learned(x, parts, caller, found, userCheck)
      return found.then(
        (user) => learned(x, parts, caller, user, userCheck),
        (thrown: unknown) => {
          throw refused(thrown, 'user', parts)
        },
      )
    } catch (thrown) {
      throw thrown instanceof TokenError ? refused(thrown, 'hop', parts) : thrown
    }
  },
})

const verifyCaller = (x: Needs, parts: TokenParts): VerifiedCaller | undefined => {
  if (x.route.tokens.caller === 'off') return undefined
  return parts.hop.verify(x.hopTokens, tokenPeer(x.peer), {
    audience: parts.ownId(),
    userTokenHash: userTokenHash(x.request.head.headers),
  })
}

const verifyUser = (
  check: UserTokenCheck,
  headers: HeaderList,
  peer: Peer,
  parts: TokenParts,
): ReturnType<UserTokenCheck['verify']> => {
  try {
    return check.verify(headers, peer.thumbprint)
  } catch (thrown) {
    throw refused(thrown, 'user', parts)
  }
}

const refused = (thrown: unknown, kind: 'user' | 'hop', parts: TokenParts): unknown => {
  if (thrown instanceof TokenError) parts.count(kind, thrown.code)
  return refusalOf(thrown, parts.realm)
}

const learned = (
  x: Exchange & Needs,
  parts: TokenParts,
  caller: VerifiedCaller | undefined,
  user: VerifiedToken | undefined,
  userCheck: UserTokenCheck,
): Authenticated => {
  if (caller !== undefined) parts.count('hop', 'ok')
  if (user !== undefined) parts.count('user', 'ok')
  if (parts.mayCallOut()) remember(x, parts.causes, caller)
  setClaimHeaders(x.request.head.headers, userCheck, user)
  return { caller, user, userCheck }
}

const remember = (x: Needs, causes: Causes, caller: VerifiedCaller | undefined): void =>
  causes.remember(x.span.context.traceId, {
    transaction: caller?.transaction,
    chain: [x.peer.spiffeId, ...(caller?.chain ?? [])],
  })

/** Claims that the app is given as headers: what the peer sent under their names goes, what was verified comes. */
const setClaimHeaders = (
  headers: HeaderList,
  check: UserTokenCheck,
  user: VerifiedToken | undefined,
): void => {
  for (const name of check.claimHeaderNames) headers.delete(name)
  if (user === undefined) return
  for (const [name, value] of check.headersFor(user)) headers.set(name, value)
}

const tokenPeers = new WeakMap<Peer, TokenPeer>()

const tokenPeer = (peer: Peer): TokenPeer => {
  const known = tokenPeers.get(peer)
  if (known !== undefined) return known
  const made: TokenPeer = {
    spiffeId: { uri: peer.spiffeId },
    thumbprint: peer.thumbprint,
    publicKey: peer.publicKey,
  }
  tokenPeers.set(peer, made)
  return made
}

const refusalOf = (thrown: unknown, realm: string): unknown => {
  if (!(thrown instanceof TokenError)) return thrown
  const answer = answerTokenError(thrown, realm)
  const code =
    answer.status === 403 ? 'token.insufficient' : codeOf('token', thrown.code, 'token.malformed')
  return new Refusal(code, {
    detail: thrown.detail,
    ...(answer.wwwAuthenticate === undefined
      ? {}
      : { headers: [['www-authenticate', answer.wwwAuthenticate]] as const }),
    ...(thrown.retryAfterMs === undefined ? {} : { retryAfterMs: thrown.retryAfterMs }),
  })
}
