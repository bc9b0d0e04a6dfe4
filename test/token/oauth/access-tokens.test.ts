import { describe, expect, it, vi } from 'vitest'
import { Secret } from '../../../src/secret.ts'
import type { OAuthSettings } from '../../../src/token/oauth/oauth-client.ts'
import {
  basic,
  build,
  errorOf,
  requestOf,
  reveal,
  secret,
  stage,
} from '../../support/oauth-harness.ts'

describe('the life of an access token', () => {
  it('is one request for all who ask at once', async () => {
    const tokens = build()
    const all = await Promise.all(Array.from({ length: 50 }, () => reveal(tokens.get(requestOf()))))
    expect(new Set(all)).toEqual(new Set(['at-1']))
    expect(stage.server.forms).toHaveLength(1)
  })

  it('gives it without a promise while it is good', async () => {
    const tokens = build()
    await tokens.get(requestOf())
    expect(tokens.get(requestOf())).toBeInstanceOf(Secret)
  })

  it('renews it from 80 % on, while the old one serves', async () => {
    const tokens = build()
    await tokens.get(requestOf())
    stage.clock.advance(79_999)
    expect(await reveal(tokens.get(requestOf()))).toBe('at-1')
    expect(stage.server.forms).toHaveLength(1)
    stage.clock.advance(1)
    const serving = tokens.get(requestOf())
    expect(serving).toBeInstanceOf(Secret)
    expect(await reveal(serving)).toBe('at-1')
    await vi.waitFor(async () => expect(await reveal(tokens.get(requestOf()))).toBe('at-2'))
    expect(stage.server.forms).toHaveLength(2)
  })

  it('never sends one that may have ended when it arrives', async () => {
    const tokens = build()
    await tokens.get(requestOf())
    stage.clock.advance(90_000)
    expect(await reveal(tokens.get(requestOf()))).toBe('at-2')
  })

  it('never sends an expired one, even when there is no other', async () => {
    const tokens = build()
    await tokens.get(requestOf())
    stage.server.misbehave((_incoming, response) => response.writeHead(500).end())
    stage.clock.advance(89_999)
    expect(await reveal(tokens.get(requestOf()))).toBe('at-1')
    await vi.waitFor(() => expect(stage.events.at(-1)?.kind).toBe('failed'))
    stage.clock.advance(1_000_000)
    expect((await errorOf(() => tokens.get(requestOf()))).code).toBe('unavailable')
  })

  it('does not trust one after the clock was set back', async () => {
    const tokens = build()
    await tokens.get(requestOf())
    stage.clock.jump(-60_000)
    expect(await reveal(tokens.get(requestOf()))).toBe('at-2')
  })

  it('is five minutes where the server does not say', async () => {
    stage.server.lifetimeSeconds = undefined
    const tokens = build()
    await tokens.get(requestOf())
    stage.clock.advance(239_999)
    expect(tokens.get(requestOf())).toBeInstanceOf(Secret)
    stage.clock.advance(60_001)
    expect(await reveal(tokens.get(requestOf()))).toBe('at-2')
  })

  it('ends when the API refuses it, but not again and again', async () => {
    const tokens = build()
    const first = await tokens.get(requestOf())
    tokens.discard(requestOf(), first)
    expect(await reveal(tokens.get(requestOf()))).toBe('at-1')
    stage.clock.advance(10_000)
    tokens.discard(requestOf(), new Secret('another'))
    expect(await reveal(tokens.get(requestOf()))).toBe('at-1')
    tokens.discard(requestOf(), first)
    expect(await reveal(tokens.get(requestOf()))).toBe('at-2')
  })

  it('is not shared between APIs, settings or keys', async () => {
    const tokens = build()
    const settings: OAuthSettings = { ...basic(), scope: 'other' }
    expect(await reveal(tokens.get(requestOf()))).toBe('at-1')
    expect(await reveal(tokens.get(requestOf({ api: 'other' })))).toBe('at-2')
    expect(await reveal(tokens.get(requestOf({ settings })))).toBe('at-3')
  })
})

describe('a rotation of keys', () => {
  it('falls back to the old one, loudly, while the server does not know the new one', async () => {
    const fresh = new Secret('fresh')
    const tokens = build()
    expect(await reveal(tokens.get(requestOf({ keys: [fresh, secret] })))).toBe('at-1')
    expect(stage.events.map(({ kind }) => kind)).toEqual(['fell-back', 'obtained'])
  })

  it('does not try the old one when the server is merely down', async () => {
    stage.server.misbehave((_incoming, response) => response.writeHead(503).end())
    await errorOf(() => build().get(requestOf({ keys: [new Secret('fresh'), secret] })))
    expect(stage.server.forms).toHaveLength(1)
  })
})

describe('a token endpoint that fails', () => {
  it('is followed nowhere', async () => {
    stage.server.misbehave((_incoming, response) =>
      response.writeHead(307, { location: '/other' }).end(),
    )
    expect((await errorOf(() => build().get(requestOf()))).detail).toContain('redirects')
    expect(stage.server.forms).toHaveLength(1)
  })

  it('is given up after 5 seconds', async () => {
    stage.server.misbehave(() => undefined)
    const waiting = errorOf(() => build().get(requestOf()))
    await vi.waitFor(() => expect(stage.server.forms).toHaveLength(1))
    stage.clock.advance(5_000)
    expect((await waiting).detail).toContain('did not answer within 5 s')
  })

  it('is left alone for 1, 2, 4 … and at most 30 seconds, and says when to come back', async () => {
    stage.server.misbehave((_incoming, response) => response.writeHead(500).end())
    const tokens = build()
    await errorOf(() => tokens.get(requestOf()))
    for (const [index, pauseMs] of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000].entries()) {
      expect((await errorOf(() => tokens.get(requestOf()))).retryAfterMs).toBe(pauseMs)
      stage.clock.advance(pauseMs)
      await errorOf(() => tokens.get(requestOf()))
      expect(stage.server.forms).toHaveLength(index + 2)
    }
    stage.server.misbehave()
    stage.clock.advance(30_000)
    expect(await reveal(tokens.get(requestOf()))).toBe('at-1')
  })

  it('is left alone for as long as it asks', async () => {
    stage.server.misbehave((_incoming, response) =>
      response.writeHead(429, { 'retry-after': '120' }).end(),
    )
    const tokens = build()
    await errorOf(() => tokens.get(requestOf()))
    stage.clock.advance(119_000)
    expect((await errorOf(() => tokens.get(requestOf()))).retryAfterMs).toBe(1_000)
    expect(stage.server.forms).toHaveLength(1)
  })

  it('that is not there makes an error that names no address', async () => {
    await stage.server.stop()
    const error = await errorOf(() => build().get(requestOf()))
    expect(error.code).toBe('unavailable')
    await stage.server.start()
  })
})
