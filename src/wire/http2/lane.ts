/**
 * The connections of one pool key that speak HTTP/2: few, each with many calls; a call waits in a bounded queue when
 * none has room. The counterpart of the pool's own lane, which gives each call a connection for itself.
 */
import type { Socket } from 'node:net'
import type { Origin } from '../origin.ts'
import type { PoolOptions } from '../pool.ts'
import type { Timer } from '../timers.ts'
import { WireError } from '../wire-error.ts'
import type { Http2Call } from './client-call.ts'
import { Http2ClientSession, type SessionOwner } from './client-session.ts'

export class Http2Lane implements SessionOwner {
  readonly #pool: PoolOptions
  readonly #emptied: () => void
  readonly #queueTimer: Timer
  readonly #sessions = new Set<Http2ClientSession>()
  readonly #queue: Http2Call[] = []
  #dialling = 0
  /** Sessions that were dialled before this was raised are not used again. */
  #generation = 0
  /** The newest description of the origin: a call brings it along. */
  origin: Origin

  constructor(origin: Origin, pool: PoolOptions, emptied: () => void) {
    this.origin = origin
    this.#pool = pool
    this.#emptied = emptied
    this.#queueTimer = pool.wheel.timer(() => this.#onQueueTime())
  }

  get total(): number {
    return this.#sessions.size + this.#dialling
  }

  get idleCount(): number {
    let idle = 0
    for (const session of this.#sessions) if (session.running === 0) idle += 1
    return idle
  }

  get queued(): number {
    return this.#queue.length
  }

  take(call: Http2Call): void {
    const session = this.#sessionWithRoom()
    if (session !== undefined) return this.#send(session, call)
    this.#enqueue(call)
    if (!call.ended) this.#dialIfNeeded()
  }

  /** Ends what is idle, and lets what is busy end after its calls. */
  retire(): void {
    this.#generation += 1
    for (const session of this.#sessions) session.retire()
  }

  onReady(session: Http2ClientSession): void {
    this.#serve(session)
  }

  onRoom(session: Http2ClientSession): void {
    this.#serve(session)
  }

  onClosed(session: Http2ClientSession): void {
    this.#sessions.delete(session)
    if (this.#queue.length > 0) this.#dialIfNeeded()
    this.#checkEmpty()
  }

  #serve(session: Http2ClientSession): void {
    while (this.#queue.length > 0 && session.hasRoom) {
      const call = this.#queue.shift()!
      call.abandon = undefined
      this.#send(session, call)
    }
    if (this.#queue.length > 0) this.#dialIfNeeded()
  }

  #send(session: Http2ClientSession, call: Http2Call): void {
    if (call.request.upgrade !== undefined && !session.takesUpgrades) {
      call.failed(
        new WireError('bad-upstream-response', 'the origin takes no websocket over HTTP/2'),
      )
      return
    }
    try {
      call.sendOn(session)
    } catch (error) {
      this.#pool.onBug?.(error)
      call.failed(new WireError('bug', 'the request could not be sent', 'never', error))
    }
  }

  #sessionWithRoom(): Http2ClientSession | undefined {
    for (const session of this.#sessions) if (session.hasRoom) return session
    return undefined
  }

  /** One connection at a time is opened: when it is ready, it takes what waits. */
  #dialIfNeeded(): void {
    const most = this.origin.maxConnections ?? this.#pool.pool.connections_per_origin
    if (this.#dialling > 0 || this.total >= most) return
    for (const session of this.#sessions) if (!session.used && session.running === 0) return
    this.#dialling += 1
    const generation = this.#generation
    const dialled = this.#tryDial().then(
      (socket) => this.#dialled(socket, generation),
      (error: unknown) => this.#notDialled(error),
    )
    dialled.catch((error: unknown) => this.#pool.onBug?.(error))
  }

  async #tryDial(): Promise<Socket> {
    return await this.origin.dial(new AbortController().signal)
  }

  #dialled(socket: Socket, generation: number): void {
    this.#dialling -= 1
    const session = new Http2ClientSession(socket, this.#pool, this)
    if (session.isGone) {
      const error = new WireError('dial-failed', 'the origin closed the connection at once', 'safe')
      return this.#failAll(error)
    }
    if (generation !== this.#generation) return session.retire()
    this.#sessions.add(session)
  }

  #notDialled(error: unknown): void {
    this.#dialling -= 1
    const fault =
      error instanceof WireError
        ? new WireError(error.code, error.message, 'safe', error.cause)
        : new WireError('dial-failed', 'the connection could not be opened', 'safe', error)
    // Calls that an open session will take are none of its business.
    if (this.#sessions.size === 0) this.#failAll(fault)
    this.#checkEmpty()
  }

  #failAll(error: WireError): void {
    for (const call of this.#queue.splice(0)) this.#fail(call, error)
    this.#checkEmpty()
  }

  #fail(call: Http2Call, error: WireError): void {
    call.abandon = undefined
    try {
      call.failed(error)
    } catch (thrown) {
      this.#pool.onBug?.(thrown)
    }
  }

  #enqueue(call: Http2Call): void {
    const { queue_per_origin: most, queue_timeout: timeout } = this.#pool.pool
    if (this.#queue.length >= most) {
      const full = 'too many requests wait for a connection to the origin'
      return call.failed(new WireError('queue-full', full, 'safe'))
    }
    // While a connection is opened the dial has its own limit; the wait for room comes on top.
    const wait = timeout + (this.#sessions.size === 0 ? this.#pool.timeouts.connect : 0)
    this.#queue.push(call)
    call.queuedUntil = this.#pool.wheel.now() + wait
    call.abandon = () => {
      const index = this.#queue.indexOf(call)
      if (index !== -1) this.#queue.splice(index, 1)
    }
    if (!this.#queueTimer.armed) this.#queueTimer.arm(wait)
  }

  #onQueueTime(): void {
    const now = this.#pool.wheel.now()
    const late = this.#queue.filter((call) => call.queuedUntil <= now)
    for (const call of late) {
      call.abandon?.()
      const error = new WireError('queue-timeout', 'no connection became free in time', 'safe')
      this.#fail(call, error)
    }
    const next = this.#queue.reduce((first, call) => Math.min(first, call.queuedUntil), Infinity)
    if (next !== Infinity) this.#queueTimer.arm(Math.max(0, next - now))
    this.#checkEmpty()
  }

  #checkEmpty(): void {
    if (this.total === 0 && this.#queue.length === 0) this.#emptied()
  }
}
