/**
 * User tokens over a real key server and a held clock: the set-up of every test about where keys come from.
 */
import { afterEach, beforeEach, expect, vi } from 'vitest'
import type { KeySourceEvent } from '../../src/token/keys/key-source.ts'
import { tokensSection } from '../../src/token/section.ts'
import { UserTokens } from '../../src/token/user/user-tokens.ts'
import type { UserTokenCheck } from '../../src/token/user/user-tokens.ts'
import { json, KeyServer, plainFetch } from './key-server.ts'
import {
  audience,
  bearer,
  codeOf,
  HeldClock,
  issuer,
  jwks,
  makeKey,
  makeToken,
  requirementOf,
  seconds,
} from './tokens.ts'

export const first = makeKey('ES256', 'first')
export const second = makeKey('ES256', 'second')

/** Rebuilt before each test that imports this file; `/keys` serves `first`. */
export const scene = {} as {
  server: KeyServer
  clock: HeldClock
  events: KeySourceEvent[]
  open: UserTokens[]
}

beforeEach(async () => {
  scene.server = await new KeyServer().on('/keys', json(jwks(first))).start()
  scene.clock = new HeldClock()
  scene.events = []
  scene.open = []
})

afterEach(async () => {
  for (const tokens of scene.open) tokens.close()
  await scene.server.stop()
})

export const providerFields = (fields: Record<string, unknown> = {}) => ({
  issuer,
  audiences: [audience],
  unsafe_loopback_http: true,
  ...(!('discovery' in fields) &&
    !('jwks_file' in fields) && { jwks_uri: scene.server.url('/keys') }),
  ...fields,
})

export const build = (providers: Record<string, Record<string, unknown>>): UserTokens => {
  const tokens = new UserTokens({
    section: tokensSection.parse({ providers }),
    fetchDocument: plainFetch,
    clock: scene.clock,
    onEvent: (event) => scene.events.push(event),
  })
  scene.open.push(tokens)
  return tokens
}

export const one = (
  fields: Record<string, unknown> = {},
): { tokens: UserTokens; check: UserTokenCheck } => {
  const tokens = build({ main: providerFields(fields) })
  return { tokens, check: tokens.prepare(requirementOf()) }
}

/** A token of the present, whatever the held clock shows. */
export const fresh = (key = first, claims: object = {}): string =>
  makeToken(key, {
    iat: seconds(scene.clock.now()),
    exp: seconds(scene.clock.now()) + 600,
    ...claims,
  })

export const verify = (check: UserTokenCheck, token = fresh()) =>
  codeOf(() => check.verify(bearer(token), undefined))
export const states = () =>
  scene.events.flatMap((event) => (event.kind === 'state' ? [event.state] : []))
/** Lets the load that a timer began come to its end. */
export const settled = (tokens: UserTokens, state: string) =>
  vi.waitFor(() => expect(tokens.status()[0]?.state).toBe(state))
