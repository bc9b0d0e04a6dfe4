/**
 * The keys that calls leave with: those of the sources, and access tokens that are fetched with them; their ages; and
 * which other key is tried once when a vendor says 401.
 */
import { randomUUID } from 'node:crypto'
import type { HeldKey, KeyKeeper } from '../../catalog/credential/keeper.ts'
import type { ApiEntry } from '../../catalog/entry/entry.ts'
import { fallbackAfter, type KeyAge, type KeyLedger } from '../../catalog/ledger.ts'
import type { CredentialParts } from '../../egress/attach-credential.ts'
import type { Secret } from '../../secret.ts'
import type { Log } from '../../telemetry/log.ts'
import type { Metrics } from '../../telemetry/metrics/instruments.ts'
import { AccessTokens, type AccessTokenRequest } from '../../token/oauth/access-tokens.ts'
import type { OAuthSettings, PostTokenRequest } from '../../token/oauth/oauth-client.ts'
import { OAuthError } from '../../token/oauth/oauth-error.ts'
import { systemClock } from '../../token/verified-token.ts'

/** What they are made of. */
export interface ApiKeyParts {
  readonly keys: KeyKeeper
  readonly ledger: KeyLedger
  readonly post: PostTokenRequest
  readonly log: Log
  readonly metrics: Metrics
  readonly now: () => number
}

/** The keys as the stage that attaches them needs them. */
export const apiKeys = (parts: ApiKeyParts): CredentialParts => {
  const { keys, ledger, now } = parts
  const tokens = new AccessTokens({
    post: parts.post,
    clock: { ...systemClock, now },
    makeId: randomUUID,
    onEvent: (happened) => tell(parts, happened),
  })
  const warned = new Set<string>()
  return {
    now,
    keyOf: (entry, subject) => {
      const settings = oauthOf(entry)
      if (settings === undefined) return keys.current(entry)
      return tokenOf(tokens, requestFor(keys, entry, settings, subject), entry)
    },
    ageOf: (entry) => {
      const held = keys.current(entry)
      if (held.kind !== 'ready') return undefined
      const age = ledger.judge(entry, held.key, now())
      if (age.decision !== 'allow') warnOnce(parts.log, warned, entry, age)
      return age
    },
    onUse: (entry) => {
      const held = keys.current(entry)
      if (held.kind === 'ready') ledger.use(entry, held.key, now())
    },
    otherKeyOf: (entry, subject, refused) => {
      const settings = oauthOf(entry)
      if (settings === undefined) return previousKey(keys, entry)
      const request = requestFor(keys, entry, settings, subject)
      tokens.discard(request, refused)
      return nextToken(tokens, request, entry, refused)
    },
  }
}

const oauthOf = ({ authentication }: ApiEntry): OAuthSettings | undefined =>
  authentication.kind === 'oauth2-client-credentials' ||
  authentication.kind === 'oauth2-jwt-bearer' ||
  authentication.kind === 'oauth2-token-exchange'
    ? authentication
    : undefined

const requestFor = (
  keys: KeyKeeper,
  entry: ApiEntry,
  settings: OAuthSettings,
  subjectToken: string | undefined,
): AccessTokenRequest => {
  const held = keys.current(entry)
  return {
    api: entry.name,
    settings,
    subjectToken,
    keys:
      held.kind === 'ready'
        ? [held.key, ...(held.previous === undefined ? [] : [held.previous])]
        : [],
  }
}

const tokenOf = (
  tokens: AccessTokens,
  request: AccessTokenRequest,
  entry: ApiEntry,
): HeldKey | Promise<HeldKey> => {
  const id = entry.credential?.id ?? entry.name
  const ready = (key: Secret): HeldKey => ({ kind: 'ready', id, key, previous: undefined })
  const missing = (thrown: unknown): HeldKey => {
    if (!(thrown instanceof OAuthError)) throw thrown
    return {
      kind: 'missing',
      id,
      detail: `no access token for ${entry.name}: ${thrown.detail}`,
      hint: `ask ${entry.owner}; see authentication and credential in ${entry.file}`,
    }
  }
  try {
    const token = tokens.get(request)
    return token instanceof Promise ? token.then(ready, missing) : ready(token)
  } catch (thrown) {
    return missing(thrown)
  }
}

const nextToken = async (
  tokens: AccessTokens,
  request: AccessTokenRequest,
  entry: ApiEntry,
  refused: Secret,
): Promise<{ readonly key: Secret; readonly detail: string } | undefined> => {
  try {
    const key = await tokens.get(request)
    return key.equals(refused)
      ? undefined
      : {
          key,
          detail: `the access token for ${entry.name} was answered 401; repeated once with a new one`,
        }
  } catch {
    return undefined
  }
}

const previousKey = (
  keys: KeyKeeper,
  entry: ApiEntry,
): { readonly key: Secret; readonly detail: string } | undefined => {
  const held = keys.current(entry)
  const previous = held.kind === 'ready' ? held.previous : undefined
  const { decision, detail } = fallbackAfter(entry, {
    status: 401,
    usedKey: 'current',
    previous,
    bodyReplayable: true,
  })
  return decision === 'use-previous' && previous !== undefined
    ? { key: previous, detail }
    : undefined
}

const warnOnce = (log: Log, warned: Set<string>, entry: ApiEntry, age: KeyAge): void => {
  const key = `${entry.name} ${age.fingerprint} ${age.state}`
  if (warned.has(key)) return
  warned.add(key)
  log.warn(age.detail, { api: entry.name, age_days: age.ageDays, decision: age.decision })
}

const tell = (
  { log, metrics }: ApiKeyParts,
  { api, kind, detail }: { readonly api: string; readonly kind: string; readonly detail: string },
): void => {
  if (kind === 'obtained') log.info('an access token was obtained', { api, detail })
  else log.warn('an access token could not be had with the current key', { api, kind, detail })
  if (kind === 'fell-back') metrics.credentialFallbacks.with(api).add()
  else metrics.credentialFetches.with(api, kind === 'obtained' ? 'ok' : 'failed').add()
}
