/**
 * What the pool needs to know of a place that requests are sent to, and the shapes of a call to it.
 *
 * Two places share connections only when everything that makes a connection what it is agrees: that is the key.
 */
import type { Duplex } from 'node:stream'
import type { Socket } from 'node:net'
import type { BodySource } from './body.ts'
import type { HeaderList } from './headers.ts'
import type { ResponseHead } from './message.ts'
import type { WireError } from './wire-error.ts'

export interface OriginIdentity {
  readonly scheme: 'http' | 'https'
  /** Canonical host: lower case, no trailing dot. */
  readonly host: string
  readonly port: number
  /** The checked addresses that may be dialled, in any order. */
  readonly addresses: readonly string[]
  /** Which certificate we show: its thumbprint, or empty for none. */
  readonly clientIdentity: string
  /** What we verify the other end against: bundle revision and expected identity, or empty for plain TCP. */
  readonly trustSet: string
  /** Spoken over the connection; HTTP/1.1 when left out. */
  readonly protocol?: OriginProtocol | undefined
}

/** What is spoken with an origin. One connection of `http2` carries many calls at once. */
export type OriginProtocol = 'http1' | 'http2'

/** The pool key: connections are shared within it and never across it (CVE-2026-58040, CVE-2026-56850). */
export const originKey = (origin: OriginIdentity): string =>
  JSON.stringify([
    origin.scheme,
    origin.host,
    origin.port,
    origin.addresses.toSorted(),
    origin.clientIdentity,
    origin.trustSet,
    origin.protocol ?? 'http1',
  ])

export interface Origin {
  /** From `originKey`. */
  readonly key: string
  /**
   * Opens a connection that is ready for HTTP: connected, encrypted, and the other end verified. Rejects with a
   * WireError. `signal` aborts when nobody waits for it any more.
   */
  readonly dial: (signal: AbortSignal) => Promise<Socket>
  /** HTTP/1.1 when left out. */
  readonly protocol?: OriginProtocol | undefined
  /** Most connections at once; the pool's own limit when left out. */
  readonly maxConnections?: number | undefined
}

export interface OutgoingRequest {
  readonly method: string
  /** The request target as it is sent: path and query, or an authority for CONNECT. */
  readonly target: string
  /** The Host field. */
  readonly authority: string
  /** Without Host, framing and hop-by-hop fields; those are written by us. */
  readonly headers: HeaderList
  readonly upgrade?: 'websocket' | undefined
}

export interface RequestOptions {
  /** Time from the head being sent, and while the body moves from each chunk, to the head of the answer. */
  readonly responseTimeoutMs: number
  /** When everything must be over, in the milliseconds of the wheel's clock. */
  readonly deadline?: number | undefined
  /** Longest body of the answer, in bytes. */
  readonly maxResponseBytes?: number | undefined
}

/** Callbacks of one call. Exactly one of `onHead`, `onTakenOver` and `onFault` is called, once. */
export interface ResponseHandler {
  /** The final answer. Nothing of the body comes before `body.start`. */
  onHead(head: ResponseHead, body: BodySource): void
  /** A 1xx answer other than 100 and 101. */
  onInterim?(status: number, headers: HeaderList): void
  /** The origin agreed to an upgrade or a CONNECT; HTTP is over on this connection. */
  onTakenOver?(head: ResponseHead, socket: Duplex, early: Buffer): void
  /** There will be no answer. A fault after `onHead` goes to the body's sink instead. */
  onFault(error: WireError): void
}

export interface OutgoingCall {
  /** Ends the call and its connection; the handler hears nothing more. */
  cancel(reason: WireError): void
}
