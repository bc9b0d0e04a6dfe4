/**
 * Puts the key of the API on the request. After the permit, so that no secret is touched for a call that policy
 * refused; and always ours: what the app brought is taken off, or refused, as the entry says.
 *
 * Without a usable key the call is refused. It never leaves unauthenticated.
 */
import type { Stage } from '../exchange/line.ts'
import { Refusal, UpstreamFault } from '../exchange/refusal.ts'
import { attachCredential, findOwnCredential } from '../catalog/credential/attach.ts'
import type { HeldKey } from '../catalog/credential/keeper.ts'
import type { ApiEntry } from '../catalog/entry/entry.ts'
import { Secret } from '../secret.ts'
import { changedTarget, changeHeaders } from '../stages/apply-changes.ts'
import type { Permit } from '../stages/authorize.ts'
import type { HeldBody } from '../stages/hold-body.ts'
import type { HeaderList } from '../wire/headers.ts'
import type { ServerRequest } from '../wire/message.ts'
import type { ApiMatched } from './match-api.ts'

/** The facts that this stage learns. */
export interface CredentialAttached {
  /** The headers that leave. */
  readonly headers: HeaderList
  /** Path and query that leave. The query may hold the key. */
  readonly sentTarget: Secret
  /** Name of the key in spans and records; undefined where the API needs none. */
  readonly credentialId: string | undefined
}

/** What the stage is built from. */
export interface CredentialParts {
  /** The key of an entry now; a promise while it is being fetched. */
  readonly keyOf: (entry: ApiEntry) => HeldKey | Promise<HeldKey>
  readonly now: () => number
}

type Needs = { readonly request: ServerRequest; readonly permit: Permit } & ApiMatched & HeldBody

const noKey = new Secret('')

/** The stage. */
export const attachKey = (parts: CredentialParts): Stage<Needs, CredentialAttached> => ({
  name: 'attach-credential',
  run: (x) => {
    const { entry } = x.api
    if (entry === undefined) return withoutKey(x)
    const held = parts.keyOf(entry)
    return held instanceof Promise
      ? held.then((key) => withKey(x, entry, key, parts.now()))
      : withKey(x, entry, held, parts.now())
  },
})

const prepared = (x: Needs): { readonly headers: HeaderList; readonly target: string } => {
  const headers = x.request.head.headers.copy()
  if (!x.permit.changes.none) changeHeaders(headers, x.permit.changes)
  return { headers, target: changedTarget(x.target, x.permit.changes) }
}

const withoutKey = (x: Needs): CredentialAttached => {
  const { headers, target } = prepared(x)
  return { headers, sentTarget: new Secret(target), credentialId: undefined }
}

const withKey = (x: Needs, entry: ApiEntry, held: HeldKey, now: number): CredentialAttached => {
  const { headers, target } = prepared(x)
  const [path, query = ''] = split(target)
  const call = {
    method: x.request.head.method,
    host: x.api.authority,
    path,
    query,
    headers: [...headers],
    body: x.held,
  }
  const own = findOwnCredential(entry, call)
  if (own.decision === 'refuse') throw new Refusal('api.own-credential', { detail: own.detail })
  if (held.kind === 'missing') {
    throw new UpstreamFault('api.credential', { detail: held.detail, hint: held.hint })
  }
  const key = held.kind === 'ready' ? held.key : noKey
  const attached = attachCredential(entry, call, key, now)
  if (attached.kind === 'refused') {
    throw new UpstreamFault('api.credential', { detail: attached.detail, hint: attached.hint })
  }
  for (const name of attached.remove) headers.delete(name)
  for (const [name, value] of attached.set) headers.set(name, value.reveal())
  return {
    headers,
    sentTarget: new Secret(attached.query === '' ? path : `${path}?${attached.query}`),
    credentialId: held.kind === 'ready' ? held.id : undefined,
  }
}

const split = (target: string): [path: string, query?: string] => {
  const cut = target.indexOf('?')
  return cut === -1 ? [target] : [target.slice(0, cut), target.slice(cut + 1)]
}
