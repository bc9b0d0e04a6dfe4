/**
 * Whether the app may CONNECT to a host: declared, by this caller, reviewed, and in a form that the entry allows.
 *
 * `tunnel` passes on unread, so no operation can be judged; `intercept` is opened up before it reaches this line, and
 * what is inside takes the egress line; `originate` wants plain HTTP instead.
 */
import type { Stage } from '../../exchange/line.ts'
import { Refusal } from '../../exchange/refusal.ts'
import type { HostMatch } from '../../catalog/catalog.ts'
import { coversCaller, type ApiEntry } from '../../catalog/entry/entry.ts'
import { reviewState, type CallWarning } from '../../catalog/judge-call.ts'
import type { ServerRequest } from '../../wire/message.ts'
import { authorityOf, undeclared, type ApiMatched, type MatchParts } from '../match-api.ts'

type Needs = { readonly request: ServerRequest }

/** The entry that a CONNECT would open up, when its entry says `intercept` and this caller may use it. */
export const interceptedEntry = (
  parts: MatchParts,
  request: ServerRequest,
): ApiEntry | undefined => {
  const { host, port } = request.head.target
  const match = parts.catalog.current.match({ host, port })
  if (match.kind !== 'entry' || match.entry.connect !== 'intercept') return undefined
  return coversCaller(match.entry.callers, parts.ownId()) ? match.entry : undefined
}

/** The stage. */
export const matchConnect = (parts: MatchParts): Stage<Needs, ApiMatched> => ({
  name: 'match-api',
  run: (x) => {
    const { target } = x.request.head
    const match = parts.catalog.current.match({ host: target.host, port: target.port })
    if (match.kind === 'entry') return { api: declared(parts, match), target, parameters: {} }
    parts.onUndeclared(target.host, target.port)
    if (parts.mode() === 'enforce' || match.draft === '') throw undeclared(match)
    return {
      target,
      parameters: {},
      api: {
        entry: undefined,
        operation: undefined,
        host: target.host,
        port: target.port,
        authority: authorityOf(target.host, target.port, 443),
        data: [],
        warnings: [],
      },
    }
  },
})

const declared = (
  parts: MatchParts,
  { entry, host, port }: HostMatch & { readonly kind: 'entry' },
): ApiMatched['api'] => {
  const refuse = (code: 'api.connect' | 'api.caller' | 'api.review-overdue', detail: string) =>
    new Refusal(code, {
      detail,
      members: { api: entry.name, owner: entry.owner },
      ...(code === 'api.connect' ? {} : { hint: `ask ${entry.owner}; the entry is ${entry.file}` }),
    })
  if (entry.lifecycle === 'retired') {
    throw refuse('api.review-overdue', `${entry.name} is retired`)
  }
  const review = reviewState(entry, parts.now(), parts.reviewWarningMs())
  const overdue = `the review of ${entry.name} was due by ${entry.review_by}`
  if (review.state === 'overdue' && entry.review_mode === 'enforce') {
    throw refuse('api.review-overdue', overdue)
  }
  if (!coversCaller(entry.callers, parts.ownId())) {
    throw refuse('api.caller', `${parts.ownId()} is not a caller of ${entry.name}`)
  }
  if (entry.connect !== 'tunnel') {
    throw refuse(
      'api.connect',
      `${entry.name} is not reached through a tunnel: connect is ${entry.connect}`,
    )
  }
  const warnings: CallWarning[] =
    review.state === 'overdue' ? [{ reason: 'review-overdue', detail: overdue }] : []
  return {
    entry,
    operation: undefined,
    host,
    port,
    authority: authorityOf(host, port, 443),
    data: entry.data,
    warnings,
  }
}
