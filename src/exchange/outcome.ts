/** How a request ended. Span, metric and audit record are each made from this, once, whatever happened. */
import type { Exchange } from './exchange.ts'
import type { Refusal } from './refusal.ts'

/** What the far side of a forwarded request did. */
export interface Delivery {
  /** Status that the caller was given, or undefined when no answer was possible. */
  readonly status: number | undefined
  readonly requestBytes: number
  readonly responseBytes: number
  /** Code of a gRPC answer, where the caller was given one. */
  readonly grpcStatus?: number | undefined
}

/** The end of one exchange. */
export interface Outcome extends Delivery {
  /** `allow`: passed on; `deny`: refused by us; `fault`: passed on but the far side or this process failed. */
  readonly decision: 'allow' | 'deny' | 'fault'
  readonly refusal: Refusal | undefined
  /** The stage that refused, or `forward`'s name when the request was passed on. */
  readonly stage: string
  /** Wall clock in milliseconds since the epoch. */
  readonly endedAt: number
}

/** Sees every outcome exactly once. Must not throw; what it throws is reported as a bug and changes no answer. */
export type Observer<F> = (x: Exchange & Partial<F>, outcome: Outcome) => void
