/**
 * Builders for token tests: keys, tokens signed by hand (so that they can be wrong in any way), headers, a held clock.
 */
import { generateKeyPairSync, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { tokensSection, tokenRequirement } from '../../src/token/section.ts'
import type { ProviderSection, TokenRequirement } from '../../src/token/section.ts'
import { TokenError } from '../../src/token/token-error.ts'
import type { HeaderView, TokenClock } from '../../src/token/verified-token.ts'

export const issuer = 'https://login.shop.example'
export const audience = 'orders'
/** The instant at which held clocks start, in milliseconds. */
export const startOfTime = Date.UTC(2030, 0, 1)
export const seconds = (ms: number): number => Math.floor(ms / 1_000)

export interface TestKey {
  readonly alg: string
  readonly kid: string
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  readonly jwk: Readonly<Record<string, unknown>>
}

const generate = (alg: string): { privateKey: KeyObject; publicKey: KeyObject } => {
  const curves: Readonly<Record<string, string>> = {
    ES256: 'P-256',
    ES384: 'P-384',
    ES512: 'P-521',
  }
  const namedCurve = curves[alg]
  if (namedCurve !== undefined) return generateKeyPairSync('ec', { namedCurve })
  if (alg === 'EdDSA' || alg === 'Ed25519') return generateKeyPairSync('ed25519')
  return generateKeyPairSync('rsa', { modulusLength: 2048 })
}

export const makeKey = (alg = 'ES256', kid = `${alg}-key`): TestKey => {
  const pair = generate(alg)
  return {
    ...pair,
    alg,
    kid,
    jwk: { ...pair.publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' },
  }
}

export const jwks = (...keys: readonly TestKey[]): string =>
  JSON.stringify({ keys: keys.map(({ jwk }) => jwk) })

export const part = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** Signs a text as JWS does, with node:crypto and nothing of ours. */
export const signText = (key: TestKey, text: string): string => {
  const digest = /^(ES|RS|PS)/.test(key.alg) ? `sha${key.alg.slice(2)}` : null
  const padding = key.alg.startsWith('PS') ? { padding: 6, saltLength: -1 } : {}
  return sign(digest, Buffer.from(text), {
    key: key.privateKey,
    dsaEncoding: 'ieee-p1363',
    ...padding,
  }).toString('base64url')
}

/** A token of any header and payload; texts are taken as they are, so that they need not be JSON. */
export const rawToken = (key: TestKey, header: unknown, payload: unknown): string => {
  const input = `${part(header)}.${part(payload)}`
  return `${input}.${signText(key, input)}`
}

export const goodClaims = (now = startOfTime): Record<string, unknown> => ({
  iss: issuer,
  aud: audience,
  sub: 'user-1',
  iat: seconds(now),
  exp: seconds(now) + 600,
})

/** A token that is good but for what is given; a claim that is undefined is left out. */
export const makeToken = (key: TestKey, claims: object = {}, header: object = {}): string =>
  rawToken(
    key,
    { alg: key.alg, kid: key.kid, typ: 'JWT', ...header },
    { ...goodClaims(), ...claims },
  )

export const headersOf = (
  record: Readonly<Record<string, string | readonly string[]>>,
): HeaderView => ({
  all: (name) => {
    const value = Object.hasOwn(record, name) ? record[name] : undefined
    return value === undefined ? [] : typeof value === 'string' ? [value] : value
  },
})

export const bearer = (token: string): HeaderView => headersOf({ authorization: `Bearer ${token}` })

type ProviderInput = Record<string, unknown>

export const providerOf = (fields: ProviderInput = {}): ProviderSection => {
  const { providers } = tokensSection.parse({
    providers: {
      main: {
        issuer,
        audiences: [audience],
        jwks_uri: 'https://login.shop.example/keys',
        ...fields,
      },
    },
  })
  return providers['main']!
}

export const requirementOf = (fields: Record<string, unknown> = {}): TokenRequirement =>
  tokenRequirement.parse(fields)

/** A clock that stands still until it is moved, and runs the timers that it passes. */
export class HeldClock implements TokenClock {
  #now = startOfTime
  #timers: { readonly at: number; readonly action: () => void }[] = []

  readonly now = (): number => this.#now

  readonly after = (delayMs: number, action: () => void): (() => void) => {
    const timer = { at: this.#now + delayMs, action }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  get timers(): number {
    return this.#timers.length
  }

  /** Moves on, running what becomes due in its order. */
  advance(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const due = this.#timers
        .filter(({ at }) => at <= end)
        .toSorted((left, right) => left.at - right.at)[0]
      if (due === undefined) break
      this.#timers = this.#timers.filter((other) => other !== due)
      this.#now = Math.max(this.#now, due.at)
      due.action()
    }
    this.#now = end
  }

  /** Sets the clock as an operator would, without running any timer. */
  jump(ms: number): void {
    this.#now += ms
  }
}

/** The error that `action` throws or rejects with, which must be a TokenError. */
export const tokenErrorOf = async (action: () => unknown): Promise<TokenError> => {
  try {
    await action()
  } catch (error) {
    if (error instanceof TokenError) return error
    throw error
  }
  throw new Error('expected a TokenError, nothing was thrown')
}

/** The code of the TokenError of `action`, or `accepted` when it gives none. */
export const codeOf = async (action: () => unknown): Promise<string> => {
  try {
    await action()
    return 'accepted'
  } catch (error) {
    if (error instanceof TokenError) return error.code
    throw error
  }
}
