/** The way back to the one who asked, over whatever protocol carried the request. */
import type { Audience, Channel, Reply } from '../exchange/exchange.ts'
import { HeaderList } from '../wire/headers.ts'
import type { ServerRequest } from '../wire/message.ts'

/** Makes the channel of one request. */
export const channelOf = (request: ServerRequest, audience: Audience): Channel =>
  new HttpChannel(request, audience)

class HttpChannel implements Channel {
  readonly audience: Audience
  readonly #request: ServerRequest

  constructor(request: ServerRequest, audience: Audience) {
    this.audience = audience
    this.#request = request
  }

  get protocol(): Channel['protocol'] {
    const type = this.#request.head.headers.get('content-type')
    return type !== undefined && type.startsWith('application/grpc') ? 'grpc' : 'http'
  }

  get responseStarted(): boolean {
    return this.#request.responseStarted
  }

  send(reply: Reply): void {
    const headers = new HeaderList()
    for (const [name, value] of reply.headers) headers.add(name, value)
    this.#request.respond({ status: reply.status, headers }, Buffer.from(reply.body))
  }

  abort(): void {
    this.#request.abort()
  }
}
