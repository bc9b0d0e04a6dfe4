/** Makes the exchange of a request that a listener read, and answers heads that no exchange can be made of. */
import { randomUUID } from 'node:crypto'
import type { Audience, Direction, Exchange } from '../exchange/exchange.ts'
import type { Refusal } from '../exchange/refusal.ts'
import { replyTo } from '../exchange/reply.ts'
import { HeaderList } from '../wire/headers.ts'
import type { RefusalReply } from '../wire/http1/server.ts'
import type { ServerRequest } from '../wire/message.ts'
import { channelOf } from './http-channel.ts'

/** An exchange at its beginning: nothing is known but the request. */
export const beginExchange = (
  request: ServerRequest,
  direction: Direction,
  audience: Audience,
  now: () => number,
): Exchange & { readonly request: ServerRequest } => ({
  id: randomUUID(),
  direction,
  startedAt: now(),
  channel: channelOf(request, audience),
  request,
})

/** A head that was refused by the parser, told to whoever writes things down. */
export interface RefusedHead {
  readonly id: string
  readonly direction: Direction
  readonly refusal: Refusal
  readonly remoteAddress: string
  /** SPIFFE ID of the peer, where the listener knows one. */
  readonly peer: string | undefined
}

/** The answer to a refused head. */
export const replyToHead = (
  id: string,
  direction: Direction,
  audience: Audience,
  refusal: Refusal,
): RefusalReply => {
  const reply = replyTo(
    {
      id,
      direction,
      startedAt: 0,
      channel: {
        audience,
        protocol: 'http',
        responseStarted: false,
        send: () => undefined,
        abort: () => undefined,
      },
    },
    refusal,
  )
  const headers = new HeaderList()
  for (const [name, value] of reply.headers) headers.add(name, value)
  return { head: { status: reply.status, headers }, body: Buffer.from(reply.body) }
}
