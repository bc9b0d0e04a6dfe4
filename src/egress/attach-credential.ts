/**
 * Puts the key of the API on the request. After the permit, so that no secret is touched for a call that policy
 * refused; and always ours: what the app brought is taken off, or refused, as the entry says.
 *
 * Without a usable key the call is refused. It never leaves unauthenticated, nor with a key that is older than its
 * entry allows.
 */
import type { Stage } from '../exchange/line.ts'
import { Refusal, UpstreamFault } from '../exchange/refusal.ts'
import { attachCredential, findOwnCredential } from '../catalog/credential/attach.ts'
import type { HeldKey } from '../catalog/credential/keeper.ts'
import type { ApiEntry } from '../catalog/entry/entry.ts'
import type { KeyAge } from '../catalog/ledger.ts'
import { Secret } from '../secret.ts'
import { changedTarget, changeHeaders } from '../stages/apply-changes.ts'
import type { Permit } from '../stages/authorize.ts'
import type { HeldBody } from '../stages/hold-body.ts'
import type { HeaderList } from '../wire/headers.ts'
import type { ServerRequest } from '../wire/message.ts'
import type { ApiMatched } from './match-api.ts'

/** What is sent: the head of one attempt. */
export interface Sealed {
  /** The headers that leave. */
  readonly headers: HeaderList
  /** Path and query that leave. The query may hold the key. */
  readonly sentTarget: Secret
}

/** A head with another key, after the first was answered 401. */
export interface OtherKey extends Sealed {
  /** One sentence for the log and the span. */
  readonly detail: string
}

/** The facts that this stage learns. */
export interface CredentialAttached extends Sealed {
  /** Name of the key in spans and records; undefined where the API needs none. */
  readonly credentialId: string | undefined
  readonly credentialAge: KeyAge | undefined
  /** The same call with another key, when there is one to try after a 401. */
  readonly otherKey: () => OtherKey | undefined | Promise<OtherKey | undefined>
}

/** What the stage is built from. */
export interface CredentialParts {
  /** The key of an entry now; a promise while it is being fetched. `subject` is the user's token, for an exchange. */
  readonly keyOf: (entry: ApiEntry, subject: string | undefined) => HeldKey | Promise<HeldKey>
  /** The age of the key that an entry's calls leave with, or undefined where it has none. */
  readonly ageOf: (entry: ApiEntry) => KeyAge | undefined
  /** Told that a key leaves with a call. */
  readonly onUse: (entry: ApiEntry) => void
  /** After a 401: another key to try once, or undefined. */
  readonly otherKeyOf: (
    entry: ApiEntry,
    subject: string | undefined,
    refused: Secret,
  ) =>
    | { readonly key: Secret; readonly detail: string }
    | undefined
    | Promise<{ readonly key: Secret; readonly detail: string } | undefined>
  readonly now: () => number
}

type Needs = { readonly request: ServerRequest; readonly permit: Permit } & ApiMatched & HeldBody

const noKey = new Secret('')
const nothingElse = (): undefined => undefined

/** The stage. */
export const attachKey = (parts: CredentialParts): Stage<Needs, CredentialAttached> => ({
  name: 'attach-credential',
  run: (x) => {
    const { entry } = x.api
    if (entry === undefined) {
      const { headers, target } = prepared(x)
      return {
        headers,
        sentTarget: new Secret(target),
        credentialId: undefined,
        credentialAge: undefined,
        otherKey: nothingElse,
      }
    }
    const subject = subjectOf(entry, x.request)
    refuseOwn(x, entry)
    const held = parts.keyOf(entry, subject)
    return held instanceof Promise
      ? held.then((key) => withKey(x, entry, key, subject, parts))
      : withKey(x, entry, held, subject, parts)
  },
})

/** The token that an exchange starts from: that of the user, which the app passes on. */
const subjectOf = (entry: ApiEntry, request: ServerRequest): string | undefined =>
  entry.authentication.kind === 'oauth2-token-exchange'
    ? /^Bearer +(\S+)$/i.exec(request.head.headers.get('authorization') ?? '')?.[1]
    : undefined

const prepared = (x: Needs): { readonly headers: HeaderList; readonly target: string } => {
  const headers = x.request.head.headers.copy()
  if (!x.permit.changes.none) changeHeaders(headers, x.permit.changes)
  return { headers, target: changedTarget(x.target, x.permit.changes) }
}

const callOf = (x: Needs) => {
  const { headers, target } = prepared(x)
  const [path, query = ''] = split(target)
  return {
    headers,
    call: {
      method: x.request.head.method,
      host: x.api.authority,
      path,
      query,
      headers: [...headers],
      body: x.held,
    },
  }
}

const refuseOwn = (x: Needs, entry: ApiEntry): void => {
  // The user's token is what an exchange is about; it is not a key that the app brought.
  if (entry.authentication.kind === 'oauth2-token-exchange') return
  const own = findOwnCredential(entry, callOf(x).call)
  if (own.decision === 'refuse') throw new Refusal('api.own-credential', { detail: own.detail })
}

const withKey = (
  x: Needs,
  entry: ApiEntry,
  held: HeldKey,
  subject: string | undefined,
  parts: CredentialParts,
): CredentialAttached => {
  if (held.kind === 'missing') {
    throw new UpstreamFault('api.credential', { detail: held.detail, hint: held.hint })
  }
  const credentialAge = parts.ageOf(entry)
  if (credentialAge?.decision === 'refuse') {
    throw new Refusal('api.credential-age', {
      detail: credentialAge.detail,
      hint: `rotate it; ask ${entry.owner}`,
    })
  }
  const key = held.kind === 'ready' ? held.key : noKey
  const sealed = seal(x, entry, key, parts.now())
  parts.onUse(entry)
  return {
    ...sealed,
    credentialId: held.kind === 'ready' ? held.id : undefined,
    credentialAge,
    otherKey:
      held.kind === 'ready'
        ? () => {
            const other = parts.otherKeyOf(entry, subject, held.key)
            const sealWith = (found: Awaited<typeof other>): OtherKey | undefined =>
              found && { ...seal(x, entry, found.key, parts.now()), detail: found.detail }
            return other instanceof Promise ? other.then(sealWith) : sealWith(other)
          }
        : nothingElse,
  }
}

const seal = (x: Needs, entry: ApiEntry, key: Secret, now: number): Sealed => {
  const { headers, call } = callOf(x)
  const attached = attachCredential(entry, call, key, now)
  if (attached.kind === 'refused') {
    throw new UpstreamFault('api.credential', { detail: attached.detail, hint: attached.hint })
  }
  for (const name of attached.remove) headers.delete(name)
  for (const [name, value] of attached.set) headers.set(name, value.reveal())
  const { path } = call
  return {
    headers,
    sentTarget: new Secret(attached.query === '' ? path : `${path}?${attached.query}`),
  }
}

const split = (target: string): [path: string, query?: string] => {
  const cut = target.indexOf('?')
  return cut === -1 ? [target] : [target.slice(0, cut), target.slice(cut + 1)]
}
