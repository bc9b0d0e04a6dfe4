/**
 * Connections to origins, kept and given out: last used first, bounded, never shared across keys.
 *
 * It neither repeats a call nor chooses an origin; a fault says whether a repeat is safe.
 */
import type { Socket } from 'node:net'
import type { BodySource } from './body.ts'
import { Http1ClientConnection, type ConnectionOwner } from './http1/call/client.ts'
import { ClientCall } from './http1/call/client-call.ts'
import { Http2Call } from './http2/client-call.ts'
import { Http2Lane } from './http2/lane.ts'
import type {
  Origin,
  OutgoingCall,
  OutgoingRequest,
  RequestOptions,
  ResponseHandler,
} from './origin.ts'
import type { PoolLimits, WireLimits, WireTimeouts } from './section.ts'
import type { Timer, TimerWheel } from './timers.ts'
import { WireError } from './wire-error.ts'

export interface PoolOptions {
  readonly limits: WireLimits
  readonly timeouts: WireTimeouts
  readonly pool: PoolLimits
  readonly wheel: TimerWheel
  /** A handler threw; its connection has been closed. */
  readonly onBug?: ((error: unknown) => void) | undefined
}

/** What the pool holds now, for metrics. */
export interface PoolCounts {
  readonly origins: number
  readonly idle: number
  /** Connections in use or being opened. */
  readonly busy: number
  /** Calls that wait for a connection. */
  readonly queued: number
}

/** What is held for one key. */
class Lane implements ConnectionOwner {
  readonly #pool: PoolOptions
  readonly #emptied: () => void
  readonly #queueTimer: Timer
  readonly idle: Http1ClientConnection[] = []
  readonly queue: ClientCall[] = []
  /** The newest description of the origin: a call brings it along. */
  origin: Origin
  /** Connections open or being opened. */
  total = 0
  generation = 0

  constructor(origin: Origin, pool: PoolOptions, emptied: () => void) {
    this.origin = origin
    this.#pool = pool
    this.#emptied = emptied
    this.#queueTimer = pool.wheel.timer(() => this.#onQueueTime())
  }

  get #max(): number {
    return this.origin.maxConnections ?? this.#pool.pool.connections_per_origin
  }

  take(call: ClientCall): void {
    const connection = this.#idleConnection()
    if (connection !== undefined) return connection.send(call)
    if (this.total < this.#max) return this.#dial(call)
    this.#enqueue(call)
  }

  /** Ends what is idle, and lets what is busy end after its call. */
  retire(): void {
    this.generation++
    for (const connection of this.idle.splice(0)) connection.destroy()
  }

  onIdle(connection: Http1ClientConnection): void {
    if (connection.generation !== this.generation) return connection.destroy()
    const next = this.#nextWaiting()
    if (next !== undefined) return connection.send(next)
    if (this.idle.length >= this.#pool.pool.idle_per_origin) return connection.destroy()
    this.idle.push(connection)
    connection.rest()
  }

  onClosed(connection: Http1ClientConnection): void {
    // The one that closes is mostly the oldest, which is at the front.
    const index = this.idle.indexOf(connection)
    if (index !== -1) this.idle.splice(index, 1)
    this.#lost()
  }

  get idleCount(): number {
    return this.idle.length
  }

  get queued(): number {
    return this.queue.length
  }

  #idleConnection(): Http1ClientConnection | undefined {
    for (;;) {
      const connection = this.idle.pop()
      if (connection === undefined || connection.usable) return connection
      connection.destroy()
    }
  }

  #dial(call: ClientCall): void {
    this.total++
    const abort = new AbortController()
    const { generation } = this
    call.abandon = () => abort.abort()
    // The promise is awaited once for each connection, never for a call on an open one.
    const dialled = this.#tryDial(abort.signal).then(
      (socket) => this.#dialled(socket, call, generation),
      (error: unknown) => {
        call.abandon = undefined
        this.#lost()
        call.failed(dialFault(error))
      },
    )
    dialled.catch((error: unknown) => this.#pool.onBug?.(error))
  }

  async #tryDial(signal: AbortSignal): Promise<Socket> {
    return await this.origin.dial(signal)
  }

  #dialled(socket: Socket, call: ClientCall, generation: number): void {
    call.abandon = undefined
    const connection = new Http1ClientConnection(socket, this.#pool, this, generation)
    if (!connection.usable) {
      connection.destroy()
      call.failed(new WireError('dial-failed', 'the origin closed the connection at once', 'safe'))
      return
    }
    if (call.ended) this.onIdle(connection)
    else connection.send(call)
  }

  #enqueue(call: ClientCall): void {
    const { queue_per_origin: most, queue_timeout: timeout } = this.#pool.pool
    if (this.queue.length >= most) {
      call.failed(
        new WireError(
          'queue-full',
          'too many requests wait for a connection to the origin',
          'safe',
        ),
      )
      return
    }
    this.queue.push(call)
    call.queuedUntil = this.#pool.wheel.now() + timeout
    call.abandon = () => this.#leaveQueue(call)
    if (!this.#queueTimer.armed) this.#queueTimer.arm(timeout)
  }

  #leaveQueue(call: ClientCall): void {
    const index = this.queue.indexOf(call)
    if (index !== -1) this.queue.splice(index, 1)
  }

  /** Everybody waits equally long, so the first in the queue is the first whose time is over. */
  #onQueueTime(): void {
    const now = this.#pool.wheel.now()
    const late: ClientCall[] = []
    while (this.queue[0] !== undefined && this.queue[0].queuedUntil <= now)
      late.push(this.queue.shift()!)
    const next = this.queue[0]
    if (next !== undefined) this.#queueTimer.arm(next.queuedUntil - now)
    for (const call of late) this.#failLate(call)
  }

  #failLate(call: ClientCall): void {
    call.abandon = undefined
    try {
      call.failed(
        new WireError('queue-timeout', 'no connection to the origin became free in time', 'safe'),
      )
    } catch (error) {
      this.#pool.onBug?.(error)
    }
  }

  #nextWaiting(): ClientCall | undefined {
    const call = this.queue.shift()
    if (call !== undefined) call.abandon = undefined
    return call
  }

  #lost(): void {
    this.total--
    const next = this.total < this.#max ? this.#nextWaiting() : undefined
    if (next !== undefined) return this.#dial(next)
    if (this.total === 0 && this.queue.length === 0) this.#emptied()
  }
}

const dialFault = (error: unknown): WireError =>
  error instanceof WireError
    ? new WireError(error.code, error.message, 'safe', error.cause)
    : new WireError(
        'dial-failed',
        'the connection to the origin could not be opened',
        'safe',
        error,
      )

export class Pool {
  readonly #options: PoolOptions
  readonly #lanes = new Map<string, Lane | Http2Lane>()
  #closed = false

  constructor(options: PoolOptions) {
    this.#options = options
  }

  /**
   * Sends one request and reports to the handler, which may hear of a fault before this returns. A body with length 0
   * counts as none. After a fault whose `retry` is not `never` the same body may be given again.
   */
  request(
    origin: Origin,
    request: OutgoingRequest,
    body: Buffer | BodySource | undefined,
    handler: ResponseHandler,
    options: RequestOptions,
  ): OutgoingCall {
    const isHttp2 = origin.protocol === 'http2'
    const call = new (isHttp2 ? Http2Call : ClientCall)(request, body, handler, options)
    if (this.#closed) {
      call.failed(new WireError('closing', 'the sidecar is shutting down', 'safe'))
      return call
    }
    // The protocol is part of the key, so a lane never sees the calls of the other kind.
    const lane = this.#lane(origin) as { take(call: OutgoingCall): void }
    lane.take(call)
    return call
  }

  /** After an identity or trust change: idle connections of the key end now, busy ones after their answer. */
  dropAll(key: string): void {
    this.#lanes.get(key)?.retire()
  }

  /** Ends idle connections; calls in hand finish, new ones are refused. */
  close(): void {
    this.#closed = true
    for (const lane of this.#lanes.values()) lane.retire()
  }

  counts(): PoolCounts {
    let idle = 0
    let total = 0
    let queued = 0
    for (const lane of this.#lanes.values()) {
      idle += lane.idleCount
      total += lane.total
      queued += lane.queued
    }
    return { origins: this.#lanes.size, idle, busy: total - idle, queued }
  }

  #lane(origin: Origin): Lane | Http2Lane {
    const found = this.#lanes.get(origin.key)
    if (found !== undefined) {
      found.origin = origin
      return found
    }
    const LaneOf = origin.protocol === 'http2' ? Http2Lane : Lane
    const lane: Lane | Http2Lane = new LaneOf(origin, this.#options, () => {
      if (this.#lanes.get(origin.key) === lane) this.#lanes.delete(origin.key)
    })
    this.#lanes.set(origin.key, lane)
    return lane
  }
}
