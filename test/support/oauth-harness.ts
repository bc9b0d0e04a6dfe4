/**
 * Access tokens over a real authorization server and a held clock: the set-up of every test about obtaining them.
 */
import { afterEach, beforeEach } from 'vitest'
import { Secret } from '../../src/secret.ts'
import { AccessTokens } from '../../src/token/oauth/access-tokens.ts'
import type { AccessTokenEvent, AccessTokenRequest } from '../../src/token/oauth/access-tokens.ts'
import type { OAuthSettings } from '../../src/token/oauth/oauth-client.ts'
import { OAuthError } from '../../src/token/oauth/oauth-error.ts'
import { AuthorizationServer, plainPost } from './authorization-server.ts'
import type { AuthorizationSetting } from './authorization-server.ts'
import { HeldClock } from './tokens.ts'

/** Rebuilt before each test that imports this file. */
export const stage = {} as {
  server: AuthorizationServer
  clock: HeldClock
  events: AccessTokenEvent[]
  ids: number
}

beforeEach(async () => {
  stage.clock = new HeldClock()
  stage.events = []
  stage.ids = 0
  await begin()
})
afterEach(() => stage.server.stop())

export const clientId = 'shop orders:1'
export const secret = new Secret('s3cr%t +/:ü')

export const begin = async (setting: Partial<AuthorizationSetting> = {}) => {
  stage.server = await new AuthorizationServer({
    clientId,
    secrets: [secret.reveal()],
    ...setting,
  }).start()
}

export const build = (workload?: { key: string; cert: string }) =>
  new AccessTokens({
    post: plainPost(workload),
    clock: stage.clock,
    makeId: () => `id-${(stage.ids += 1)}`,
    onEvent: (event) => stage.events.push(event),
  })

export const basic = (): OAuthSettings => ({
  kind: 'oauth2-client-credentials',
  token_url: stage.server.url,
  client_id: clientId,
  client_authentication: 'client_secret_basic',
  scope: 'cards.read cards.write',
  audience: 'https://cards.example',
})
export const requestOf = (fields: Partial<AccessTokenRequest> = {}): AccessTokenRequest => ({
  api: 'cards',
  settings: basic(),
  keys: [secret],
  subjectToken: undefined,
  ...fields,
})

export const reveal = async (token: Secret | Promise<Secret>) => (await token).reveal()
export const errorOf = async (action: () => unknown): Promise<OAuthError> => {
  try {
    await action()
  } catch (error) {
    if (error instanceof OAuthError) return error
    throw error
  }
  throw new Error('expected an OAuthError, nothing was thrown')
}
