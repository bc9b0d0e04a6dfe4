/**
 * The shapes of requests and answers that every protocol of this folder reads and writes.
 *
 * HTTP/1.1 fills them today; another protocol fills the same ones, so no stage knows which it was.
 */
import type { Duplex } from 'node:stream'
import type { Socket } from 'node:net'
import type { BodySource } from './body.ts'
import type { HeaderList } from './headers.ts'
import type { Target } from './target.ts'
import type { WireError } from './wire-error.ts'

/** How the end of a body is found. It is read once, and written anew for the next hop. */
export type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly length: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'close' }

export interface RequestHead {
  /** One of the known upper-case methods. */
  readonly method: string
  readonly target: Target
  /** Without Host, framing and hop-by-hop fields: those are in `target`, `framing`, `upgrade` and `expectContinue`. */
  readonly headers: HeaderList
  readonly framing: Framing
  readonly version: '1.0' | '1.1' | '2'
  readonly expectContinue: boolean
  readonly upgrade: 'websocket' | undefined
}

export interface ResponseHead {
  readonly status: number
  /** The reason phrase; left out, the standard one is written. */
  readonly reason?: string | undefined
  /** Without framing and hop-by-hop fields. */
  readonly headers: HeaderList
  /** The Content-Length that a bodiless answer (to HEAD, or 304) declares about the body that it does not carry. */
  readonly declaredLength?: number | undefined
}

/** A connection that has left HTTP behind. */
export interface TakenConnection {
  readonly socket: Duplex
  /** Bytes that arrived behind the head. A reader of the socket must take these first, or `unshift` them. */
  readonly early: Buffer
}

export interface ResponseOutcome {
  readonly status: number
  /** Body bytes handed to the connection, without framing. */
  readonly bytes: number
  /** Set when the answer did not reach its end. */
  readonly error: WireError | undefined
  /** What stood behind the body of a gRPC answer over HTTP/2. */
  readonly trailers?: HeaderList | undefined
}

/** What a request and its connection offer to the line that handles it. */
export interface ServerRequest {
  readonly head: RequestHead
  /** Starting it sends `100 Continue` when the client waits for one. It ends at once when there is no body. */
  readonly body: BodySource
  readonly connection: ServerConnection
  /** Body bytes received so far. */
  readonly bytesReceived: number
  /** Whether an answer was begun; nothing else can be answered then. */
  readonly responseStarted: boolean
  /**
   * Answers once. Framing is generated from the body: a Buffer gives Content-Length, a source gives Content-Length
   * when its length is known, else chunks. A body that the status or a HEAD request forbids is cancelled. A source
   * that fails destroys the connection, so that a part never passes for the whole. `finished` is called exactly
   * once, also when the client went away.
   */
  respond(
    head: ResponseHead,
    body?: Buffer | BodySource,
    finished?: (outcome: ResponseOutcome) => void,
  ): void
  /** Sends an interim answer (103, or 102); ignored for HTTP/1.0 clients and after `respond`. */
  inform(status: number, headers: HeaderList): void
  /**
   * Ends HTTP on this connection after writing the head: 2xx for CONNECT, 101 for an upgrade (its Connection and
   * Upgrade fields are written by us). Throws when the request is neither, or already answered.
   */
  takeOver(head: ResponseHead): TakenConnection
  /** Calls back at most once when the client goes away before the answer is complete. At most one listener. */
  whenGone(listener: (reason: WireError) => void): void
  /** Ends this request without a whole answer: its stream, or its connection where that carries nothing else. */
  abort(reason?: WireError): void
  /** The route streams: the total request timeout no longer applies, the stream idle timeout does. */
  allowStreaming(): void
}

export interface ServerConnection {
  readonly protocol: 'http/1.1' | 'h2'
  /** For the certificate and addresses. Reading or writing it is for the protocol alone. */
  readonly socket: Socket
  readonly remoteAddress: string
  readonly remotePort: number
  /** Whether a request is being handled now. */
  readonly busy: boolean
  /** What the listener knows of this connection (the peer); never read by this folder. */
  context: unknown
  /** Finishes the request in hand, tells the client to close, and closes; closes at once when idle. */
  drain(): void
  /** Ends the connection now; a request in hand is told `reason`. */
  destroy(reason?: WireError): void
}
