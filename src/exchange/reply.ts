/**
 * Turns a refusal into an answer. The only place that does, for every direction and protocol.
 *
 * HTTP gets problem+json (RFC 9457), gRPC a trailers-only response. Detail, hint and rule go to the app beside us
 * and to authenticated peers; a stranger gets the code and the id.
 */
import type { Exchange, Reply } from './exchange.ts'
import type { Refusal } from './refusal.ts'

/** The base of problem type URIs; the code follows. */
const problemBase = 'https://sallyport.dev/problems/'

const retryAfter = (refusal: Refusal): readonly (readonly [string, string])[] =>
  refusal.more.retryAfterMs === undefined
    ? []
    : [['retry-after', String(Math.max(1, Math.ceil(refusal.more.retryAfterMs / 1_000)))]]

/** Percent-encodes a gRPC message (gRPC over HTTP/2, "Status-Message"). */
const grpcMessage = (text: string): string =>
  text.replace(/[^\x20-\x24\x26-\x7e]/gu, (character) => encodeURIComponent(character))

const grpcReply = (x: Exchange, refusal: Refusal): Reply => ({
  status: 200,
  headers: [
    ['content-type', 'application/grpc'],
    ['grpc-status', String(refusal.entry.grpc)],
    [
      'grpc-message',
      grpcMessage(
        `${refusal.code}: ${x.channel.audience === 'stranger' ? refusal.entry.title : refusal.message}`,
      ),
    ],
    ['x-sallyport-code', refusal.code],
    ['x-sallyport-decision-id', x.id],
  ],
  body: '',
})

const problem = (x: Exchange, refusal: Refusal): string => {
  const { entry, more } = refusal
  const known = {
    type: `${problemBase}${refusal.code}`,
    title: entry.title,
    status: more.override?.status ?? entry.status,
    code: refusal.code,
    id: x.id,
    instance: `urn:uuid:${x.id}`,
  }
  if (x.channel.audience === 'stranger') return `${JSON.stringify(known)}\n`
  return `${JSON.stringify({
    ...known,
    ...(more.detail === undefined ? {} : { detail: more.detail }),
    hint: more.hint ?? entry.hint,
    retry: entry.retry,
    ...more.members,
  })}\n`
}

/** The answer that the caller gets for a refusal. */
export const replyTo = (x: Exchange, refusal: Refusal): Reply => {
  if (x.channel.protocol === 'grpc') return grpcReply(x, refusal)
  const { entry, more } = refusal
  const extra = [...(more.headers ?? []), ...retryAfter(refusal)]
  if (more.override?.body !== undefined) {
    return {
      status: more.override.status,
      headers: [['x-sallyport-decision-id', x.id], ...extra],
      body: more.override.body,
    }
  }
  return {
    status: more.override?.status ?? entry.status,
    headers: [
      ['content-type', 'application/problem+json'],
      ['cache-control', 'no-store'],
      ['x-sallyport-code', refusal.code],
      ['x-sallyport-decision-id', x.id],
      ...extra,
    ],
    body: problem(x, refusal),
  }
}
