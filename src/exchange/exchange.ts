/**
 * One request's life: who carries it, how an answer of ours goes back, and what the stages learned.
 *
 * Knows no TLS, JWT, Rego or HTTP syntax. A direction (inbound, outbound, egress) gives the first facts, each stage
 * adds its own, and nothing is ever overwritten, so that policy, forwarding and audit read the same values.
 */

/** Which of the three lines a request takes. */
export type Direction = 'inbound' | 'outbound' | 'egress'

/** A complete answer that this process makes by itself. */
export interface Reply {
  readonly status: number
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: string
}

/** Who reads an answer of ours. A stranger is told the code and the id, and nothing that helps to probe. */
export type Audience = 'app' | 'peer' | 'stranger'

/** The way back to the one who asked. Implemented by the listeners over HTTP/1.1 and HTTP/2. */
export interface Channel {
  readonly audience: Audience
  /** `grpc` when the request is a gRPC call: a refusal is then a trailers-only response. */
  readonly protocol: 'http' | 'grpc'
  /** True from the moment that the head of a response was written. */
  readonly responseStarted: boolean
  /** Sends one whole reply. Only called while {@link responseStarted} is false. */
  send(reply: Reply): void
  /** Ends the transport so that a truncated response can never look complete. */
  abort(): void
}

/** What every stage may read. Facts that stages learn are added as further properties, each of them once. */
export interface Exchange {
  /** The decision id: also on the span, in the audit record, in the log and in the problem body. */
  readonly id: string
  readonly direction: Direction
  /** Wall clock in milliseconds since the epoch, read once when the request head was complete. */
  readonly startedAt: number
  readonly channel: Channel
}

/** Adds learned facts to the exchange; a fact that stands already is a defect in the line, not in the input. */
export const learn = (x: Exchange, facts: object): void => {
  const target = x as unknown as Record<string, unknown>
  for (const name of Object.keys(facts)) {
    if (name in target)
      throw new Error(`the fact ${name} is learned twice on the ${x.direction} line`)
    target[name] = (facts as Record<string, unknown>)[name]
  }
}
