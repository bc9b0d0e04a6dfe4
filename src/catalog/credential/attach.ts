/**
 * Puts a key on a request, and takes off the one that the app brought.
 *
 * For the egress line, after the policy has permitted the call. Pure: gives back what to set and what to remove, with
 * names but never values in its reasons. It does not choose the host; the line guarantees that the bytes go to the
 * declared host over TLS.
 */
import { createHmac } from 'node:crypto'
import { Secret } from '../../secret.ts'
import type { Authentication } from '../entry/authentication.ts'
import type { ApiEntry } from '../entry/entry.ts'
import { amzDate, sha256Hex, sigV4Authorization } from './sigv4.ts'

/** A request as it is about to leave. */
export interface OutgoingCall {
  readonly method: string
  /** Host header value. */
  readonly host: string
  /** Path as sent, without query. */
  readonly path: string
  /** Query as sent, without `?`. */
  readonly query: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** The whole body, when {@link signsBody} says so; undefined otherwise. */
  readonly body: Buffer | undefined
}

/** What attaching changes, or why the call may not go out. */
export type Attachment =
  | {
      readonly kind: 'attached'
      /** Query to send, without `?`. */
      readonly query: string
      /** Headers to remove first, lower case. */
      readonly remove: readonly string[]
      /** Headers to set; the values are secret. */
      readonly set: readonly (readonly [name: string, value: Secret])[]
    }
  | {
      readonly kind: 'refused'
      readonly reason: 'credential-unusable' | 'body-needed'
      readonly detail: string
      readonly hint: string
    }

/** True when the signature covers the body, so that the line must hold the body first. */
export const signsBody = (authentication: Authentication): boolean =>
  authentication.kind === 'aws-sigv4'
    ? authentication.payload === 'signed'
    : authentication.kind === 'hmac' && /\{body(_sha256)?\}/.test(authentication.message)

const alwaysOwn = [
  'authorization',
  'proxy-authorization',
  'cookie',
  'x-api-key',
  'api-key',
  'x-auth-token',
  'x-amz-security-token',
]

const ownNames = (
  authentication: Authentication,
): { readonly headers: ReadonlySet<string>; readonly query: ReadonlySet<string> } => {
  const headers = new Set(alwaysOwn)
  const query = new Set<string>()
  if (authentication.kind === 'header') headers.add(authentication.name.toLowerCase())
  if (authentication.kind === 'query') query.add(authentication.name)
  if (authentication.kind === 'hmac') {
    headers.add(authentication.header.toLowerCase())
    if (authentication.timestamp_header) headers.add(authentication.timestamp_header.toLowerCase())
  }
  if (authentication.kind === 'aws-sigv4') {
    for (const name of ['x-amz-date', 'x-amz-content-sha256']) headers.add(name)
    for (const name of ['X-Amz-Signature', 'X-Amz-Credential', 'X-Amz-Security-Token'])
      query.add(name)
  }
  return { headers, query }
}

/** The credentials that the app itself put on a request, and what the entry says about that. */
export interface OwnCredential {
  readonly decision: 'none' | 'strip' | 'refuse'
  /** Header names, lower case. */
  readonly headers: readonly string[]
  readonly query: readonly string[]
  /** The query without them. */
  readonly strippedQuery: string
  readonly detail: string
}

/** Finds the app's own credential. Without a declared key they are stripped as well: nothing unauthorised leaves. */
export const findOwnCredential = (
  entry: Pick<ApiEntry, 'authentication' | 'credential' | 'name'>,
  call: Pick<OutgoingCall, 'headers' | 'query'>,
): OwnCredential => {
  const names = ownNames(entry.authentication)
  const headers = [
    ...new Set(
      call.headers.map(([name]) => name.toLowerCase()).filter((name) => names.headers.has(name)),
    ),
  ]
  const query = queryNames(call.query).filter((name) => names.query.has(name))
  const found = [...headers, ...query.map((name) => `?${name}`)]
  const decision = found.length === 0 ? 'none' : (entry.credential?.from_app ?? 'strip')
  const detail =
    found.length === 0
      ? ''
      : `the app brought ${found.join(', ')}; ${entry.name} gets its key from the sidecar`
  return { decision, headers, query, strippedQuery: withoutNames(call.query, names.query), detail }
}

const nameOf = (pair: string): string => {
  const raw = pair.split('=', 1)[0]!
  try {
    return decodeURIComponent(raw.replaceAll('+', ' '))
  } catch {
    return raw
  }
}

const queryNames = (query: string): readonly string[] =>
  query === '' ? [] : query.split('&').map(nameOf)

const withoutNames = (query: string, names: ReadonlySet<string>): string =>
  names.size === 0 || query === ''
    ? query
    : query
        .split('&')
        .filter((pair) => !names.has(nameOf(pair)))
        .join('&')

const unusable = (detail: string, hint: string): Attachment => ({
  kind: 'refused',
  reason: 'credential-unusable',
  detail,
  hint,
})

/**
 * Attaches `key` to a call at `now` (ms). Takes off what the app brought first.
 *
 * For `oauth2-*` the key is the access token that the token endpoint gave. For `basic` without a user name it is
 * `user:password`. For `aws-sigv4` it is `id:secret`, `id:secret:session-token`, or AWS's JSON form.
 */
export const attachCredential = (
  entry: Pick<ApiEntry, 'authentication' | 'credential' | 'name'>,
  call: OutgoingCall,
  key: Secret,
  now: number,
): Attachment => {
  const { authentication } = entry
  const own = findOwnCredential(entry, call)
  const clean = {
    ...call,
    query: own.strippedQuery,
    headers: call.headers.filter(([name]) => !own.headers.includes(name.toLowerCase())),
  }
  const attached = (
    set: readonly (readonly [string, string])[],
    query = clean.query,
  ): Attachment => ({
    kind: 'attached',
    query,
    remove: own.headers,
    set: set.map(([name, value]) => [name, new Secret(value)] as const),
  })
  if (authentication.kind === 'none') return attached([])
  // RFC 9110 §5.5: a line end in a field value would start a header of its own.
  if (/[\0\r\n]/.test(key.reveal()))
    return unusable(
      `the key of ${entry.name} holds a control character`,
      'check the content of its source',
    )
  if (key.empty)
    return unusable(`the key of ${entry.name} is empty`, 'check the content of its source')
  if (signsBody(authentication) && call.body === undefined) {
    return {
      kind: 'refused',
      reason: 'body-needed',
      detail: `the signature for ${entry.name} covers the body`,
      hint: 'read the body before signing',
    }
  }
  switch (authentication.kind) {
    case 'header':
      return attached([
        [
          authentication.name.toLowerCase(),
          authentication.format.replace('{key}', () => key.reveal()),
        ],
      ])
    case 'query': {
      const pair = `${encodeURIComponent(authentication.name)}=${encodeURIComponent(key.reveal())}`
      return attached([], clean.query === '' ? pair : `${clean.query}&${pair}`)
    }
    case 'basic': {
      const pair =
        authentication.username === undefined
          ? key.reveal()
          : `${authentication.username}:${key.reveal()}`
      if (!pair.includes(':'))
        return unusable(
          `the key of ${entry.name} is not user:password`,
          'set authentication.username, or store user:password',
        )
      return attached([['authorization', `Basic ${Buffer.from(pair).toString('base64')}`]])
    }
    case 'hmac':
      return attached(hmacHeaders(authentication, clean, key, now))
    case 'aws-sigv4': {
      const headers = sigV4Headers(authentication, clean, key, now)
      return headers
        ? attached(headers)
        : unusable(
            `the key of ${entry.name} is not an AWS key`,
            'store id:secret, id:secret:session, or the JSON form',
          )
    }
    default:
      return attached([['authorization', `Bearer ${key.reveal()}`]])
  }
}

const hmacHeaders = (
  settings: Authentication & { kind: 'hmac' },
  call: OutgoingCall,
  key: Secret,
  now: number,
): readonly (readonly [string, string])[] => {
  const timestamp = String(Math.floor(now / 1_000))
  const body = call.body ?? Buffer.alloc(0)
  const parts: Readonly<Record<string, () => Buffer | string>> = {
    method: () => call.method,
    host: () => call.host,
    path: () => call.path,
    query: () => call.query,
    timestamp: () => timestamp,
    key_id: () => settings.key_id ?? '',
    body: () => body,
    body_sha256: () => sha256Hex(body),
  }
  const hmac = createHmac(settings.algorithm, key.reveal())
  for (const [index, piece] of settings.message
    .replaceAll('\\n', '\n')
    .split(/\{([a-z0-9_]+)\}/)
    .entries()) {
    hmac.update(index % 2 === 0 ? piece : (parts[piece]?.() ?? `{${piece}}`))
  }
  const values: Readonly<Record<string, string>> = {
    signature: hmac.digest(settings.encoding),
    key_id: settings.key_id ?? '',
    timestamp,
  }
  const value = settings.format.replaceAll(
    /\{(signature|key_id|timestamp)\}/g,
    (_, name: string) => values[name]!,
  )
  const headers: (readonly [string, string])[] = [[settings.header.toLowerCase(), value]]
  if (settings.timestamp_header) headers.push([settings.timestamp_header.toLowerCase(), timestamp])
  return headers
}

interface AwsKey {
  readonly id: string
  readonly secret: Secret
  readonly session: string | undefined
}

const awsKey = (key: Secret): AwsKey | undefined => {
  const text = key.reveal()
  if (!text.startsWith('{')) {
    const [id, secret, ...session] = text.split(':')
    return id && secret
      ? {
          id,
          secret: new Secret(secret),
          session: session.length > 0 ? session.join(':') : undefined,
        }
      : undefined
  }
  try {
    const json = JSON.parse(text) as Record<string, unknown>
    const pick = (...names: string[]): string | undefined =>
      names.map((name) => json[name]).find((value) => typeof value === 'string')
    const id = pick('AccessKeyId', 'access_key_id', 'access_key')
    const secret = pick('SecretAccessKey', 'secret_access_key', 'secret_key')
    return id && secret
      ? {
          id,
          secret: new Secret(secret),
          session: pick('SessionToken', 'session_token', 'security_token', 'Token'),
        }
      : undefined
  } catch {
    return undefined
  }
}

const sigV4Headers = (
  settings: Authentication & { kind: 'aws-sigv4' },
  call: OutgoingCall,
  key: Secret,
  now: number,
): readonly (readonly [string, string])[] | undefined => {
  const aws = awsKey(key)
  if (!aws) return undefined
  const payloadHash =
    settings.payload === 'unsigned' ? 'UNSIGNED-PAYLOAD' : sha256Hex(call.body ?? '')
  const added: (readonly [string, string])[] = [['x-amz-date', amzDate(now)]]
  if (settings.service === 's3' || settings.payload === 'unsigned')
    added.push(['x-amz-content-sha256', payloadHash])
  if (aws.session) added.push(['x-amz-security-token', aws.session])
  const signed = call.headers.filter(([name]) =>
    /^(content-type|content-md5|range|x-amz-.*)$/i.test(name),
  )
  const authorization = sigV4Authorization(
    { ...call, headers: [['host', call.host], ...signed, ...added], payloadHash },
    {
      service: settings.service,
      region: settings.region,
      accessKeyId: aws.id,
      secretAccessKey: aws.secret,
      now,
    },
  )
  return [...added, ['authorization', authorization]]
}
