/** Learns from each call that is over: who called what, and, of undeclared ones, what an entry would have to say. */
import type { EgressFacts } from '../../egress/record.ts'
import type { Observer } from '../../exchange/outcome.ts'
import type { Learned } from './learned.ts'

/** The observer. */
export const learnFrom =
  ({ usage, discovery }: Learned, ownId: () => string): Observer<EgressFacts> =>
  (x, outcome) => {
    const caller = ownId()
    usage.record(
      {
        api: x.api?.entry?.name ?? 'undeclared',
        caller,
        outcome:
          outcome.decision === 'allow'
            ? 'answered'
            : outcome.decision === 'fault'
              ? 'failed'
              : 'refused',
      },
      outcome.endedAt,
    )
    if (x.api === undefined || x.api.entry !== undefined || outcome.decision === 'deny') return
    const { api, target, request } = x
    if (target === undefined || request === undefined) return
    const requestBody = parsed(x.seen, request.head.headers.get('content-type'))
    const answer = x.answer
    const responseBody = parsed(answer?.body, answer?.contentType)
    discovery.learn(
      {
        host: api.host,
        port: api.port,
        method: request.head.method,
        path: target.path,
        query: target.query,
        caller,
        status: outcome.status,
        traceId: x.span?.context.traceId,
        data: x.recognised ?? [],
        ...(requestBody === undefined ? {} : { requestBody }),
        ...(responseBody === undefined ? {} : { responseBody }),
        ...(answer?.redirect === undefined ? {} : { redirect: answer.redirect }),
      },
      outcome.endedAt,
    )
  }

const parsed = (body: Buffer | undefined, contentType: string | undefined): unknown => {
  if (body === undefined || body.length === 0) return undefined
  if (!/^application\/([a-z0-9.+-]+\+)?json\s*(;|$)/i.test(contentType ?? '')) return undefined
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  }
}
