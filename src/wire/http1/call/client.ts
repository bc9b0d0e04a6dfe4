/**
 * The client's end of one HTTP/1.1 connection: sends one call at a time and reads its answer from an untrusted origin.
 *
 * A connection is given back for reuse only when both messages ended cleanly and nothing else arrived; a byte on an
 * idle connection, an early answer or a short body destroys it (security: H14).
 */
import type { Socket } from 'node:net'
import type { Framing } from '../../message.ts'
import type { WireLimits, WireTimeouts } from '../../section.ts'
import type { Timer, TimerWheel } from '../../timers.ts'
import { WireError } from '../../wire-error.ts'
import { BodyReader } from '../body-reader.ts'
import type { ClientCall } from './client-call.ts'
import type { FieldRules } from '../fields.ts'
import { Outbox } from '../outbox.ts'
import { findHeadEnd } from '../request-scan.ts'
import { readResponseHead, type ReadResponse } from './response-head.ts'

export interface Http1ClientOptions {
  readonly limits: WireLimits
  readonly timeouts: WireTimeouts
  readonly wheel: TimerWheel
  /** A handler threw; its connection has been closed. */
  readonly onBug?: ((error: unknown) => void) | undefined
}

/** Who holds the connection. */
export interface ConnectionOwner {
  /** Clean and without a call: it may be used again. */
  onIdle(connection: Http1ClientConnection): void
  /** Closed or taken over; called exactly once. */
  onClosed(connection: Http1ClientConnection): void
}

const nothing = Buffer.alloc(0)

const bad = (why: string): WireError =>
  new WireError('bad-upstream-response', `the origin's answer ${why}`)

export class Http1ClientConnection {
  readonly socket: Socket
  readonly outbox: Outbox
  readonly options: Http1ClientOptions
  /** Which generation of its origin it belongs to; an older one is not used again. */
  readonly generation: number
  readonly #owner: ConnectionOwner
  readonly #rules: FieldRules
  readonly #timer: Timer
  /** The body of the answer in hand. */
  readonly #body: BodyReader
  #call: ClientCall | undefined
  #used = false
  #pending: Buffer = nothing
  #searched = 0
  #framing: Framing | undefined
  #keepAlive = false
  #interims = 0
  #reading = false
  #closed = false
  #error: Error | undefined

  constructor(
    socket: Socket,
    options: Http1ClientOptions,
    owner: ConnectionOwner,
    generation: number,
  ) {
    this.socket = socket
    this.options = options
    this.generation = generation
    this.#owner = owner
    this.outbox = new Outbox(socket)
    this.#rules = {
      maxCount: options.limits.header_count,
      underscores: 'unsafe-allow',
      repeats: 'allow',
    }
    this.#body = new BodyReader(options.limits.chunk_extension_size)
    this.#timer = options.wheel.timer(() => this.#guard(() => this.#onTime()))
    socket.on('error', this.#onError)
    socket.on('close', this.#onClose)
    socket.on('end', this.#onEnd)
    socket.on('drain', this.#onDrain)
    socket.on('data', this.#onData)
    socket.setNoDelay(true)
    socket.setKeepAlive(true, 15_000)
  }

  /** Whether a call can be sent on it. */
  get usable(): boolean {
    return (
      !this.#closed && this.#call === undefined && this.socket.writable && !this.socket.destroyed
    )
  }

  /** Whether the call in hand found the connection used before, and no byte of an answer arrived. */
  get mayBeStale(): boolean {
    return (
      this.#used &&
      this.#pending.length === 0 &&
      this.#framing === undefined &&
      this.#interims === 0
    )
  }

  /** Takes a call; the call writes itself. */
  send(call: ClientCall): void {
    this.#call = call
    this.#interims = 0
    this.#framing = undefined
    this.#searched = 0
    this.#timer.disarm()
    call.sendOn(this)
  }

  /** Puts it aside for `upstream_idle`. */
  rest(): void {
    this.#timer.arm(this.options.timeouts.upstream_idle)
  }

  /** Expects something within `delayMs`, and everything by `deadline`. */
  expectWithin(delayMs: number, deadline: number | undefined): void {
    const left = deadline === undefined ? delayMs : deadline - this.options.wheel.now()
    this.#timer.arm(Math.max(0, Math.min(delayMs, left)))
  }

  pauseAnswer(): void {
    this.socket.pause()
    const deadline = this.#call?.options.deadline
    if (deadline === undefined) this.#timer.disarm()
    else this.expectWithin(Infinity, deadline)
  }

  /** The consumer of the answer is ready. */
  readAnswer(): void {
    if (!this.#reading) this.#read()
  }

  /** Ends the connection without telling the call. */
  destroy(): void {
    this.#call = undefined
    this.#shut()
    this.socket.destroy()
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#call === undefined) {
      // Nothing was asked, so this is the answer to somebody else's question (CVE-2026-48931).
      this.destroy()
      return
    }
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
    if (!this.#reading) this.#read()
  }

  readonly #onEnd = (): void => {
    const call = this.#call
    if (call !== undefined && this.#framing?.kind === 'close') {
      if (this.#pending.length > 0) {
        // The consumer is slow; what is pending is handed over when it resumes.
        this.#framing = { kind: 'length', length: this.#pending.length }
        this.#body.begin(this.#framing)
        this.#keepAlive = false
        return
      }
      this.#guard(() => this.#complete(call))
      return
    }
    if (this.#pending.length === 0 || this.#framing === undefined) this.socket.destroy()
  }

  readonly #onError = (error: Error): void => {
    this.#error = error
  }

  readonly #onClose = (): void => {
    const call = this.#call
    if (call === undefined || this.#closed) {
      this.#shut()
      return
    }
    // Everything arrived, and the consumer has not taken it yet.
    if (this.#framing !== undefined && this.#pending.length >= this.#body.left) {
      this.#shut()
      return
    }
    const error = new WireError(
      'upstream-reset',
      'the origin closed the connection before its answer was complete',
      this.mayBeStale ? call.retryAdvice : 'never',
      this.#error,
    )
    this.#guard(() => this.#fail(error))
  }

  readonly #onDrain = (): void => {
    const call = this.#call
    if (call !== undefined) this.#guard(() => call.drained())
  }

  /** Whatever a handler throws ends at most this connection (security: I3). */
  #guard(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.options.onBug?.(error)
      this.destroy()
    }
  }

  #onTime(): void {
    const call = this.#call
    if (call === undefined) return this.destroy()
    const { deadline } = call.options
    if (deadline !== undefined && deadline <= this.options.wheel.now())
      return this.#fail(new WireError('deadline', 'the deadline of the request has passed'))
    if (this.#framing === undefined)
      return this.#fail(new WireError('response-timeout', 'the origin did not answer in time'))
    this.#fail(new WireError('upstream-stalled', 'the origin stopped in the middle of its answer'))
  }

  #fail(error: WireError): void {
    const call = this.#call
    this.destroy()
    call?.failed(error)
  }

  #read(): void {
    this.#reading = true
    try {
      while (this.#call !== undefined) {
        const call = this.#call
        if (this.#framing === undefined ? !this.#readHead(call) : !this.#readBody(call)) break
      }
    } catch (error) {
      this.#guard(() => this.#onReadError(error))
    } finally {
      this.#reading = false
    }
  }

  #onReadError(error: unknown): void {
    if (!(error instanceof WireError)) {
      this.options.onBug?.(error)
      return this.#fail(new WireError('bug', 'the answer could not be handled', 'never', error))
    }
    // The chunk decoder does not know whose body it reads.
    const fault = error.code === 'malformed' ? bad(`is refused: ${error.message}`) : error
    this.#fail(fault)
  }

  #readHead(call: ClientCall): boolean {
    const pending = this.#pending
    if (pending.length === 0) return false
    const { head_size: maxHead } = this.options.limits
    const end = findHeadEnd(pending, this.#searched)
    if (end === -1 ? pending.length > maxHead : end > maxHead)
      throw bad(`has a head longer than ${maxHead} bytes`)
    if (end === -1) {
      this.#searched = pending.length
      return false
    }
    this.#searched = 0
    const answer = readResponseHead(
      pending.toString('latin1', 0, end),
      call.request.method,
      this.#rules,
    )
    this.#pending = end === pending.length ? nothing : pending.subarray(end)
    if (answer.head.status < 200) return this.#readInterim(call, answer)
    if (call.request.method === 'CONNECT' && answer.head.status < 300) {
      this.#takeOver(call, answer)
      return false
    }
    this.#framing = answer.framing
    this.#keepAlive = answer.keepAlive
    this.#expectBody(call, answer.framing)
    call.answered(answer.head, answer.framing)
    return true
  }

  #expectBody(call: ClientCall, framing: Framing): void {
    const limit = call.options.maxResponseBytes
    this.expectWithin(this.options.timeouts.stream_idle, call.options.deadline)
    this.#body.begin(framing)
    if (limit !== undefined && framing.kind === 'length' && framing.length > limit)
      throw new WireError('response-too-large', `the answer is longer than ${limit} bytes`)
  }

  #readInterim(call: ClientCall, answer: ReadResponse): boolean {
    const { status } = answer.head
    if (status === 101) {
      if (!answer.upgraded || call.request.upgrade === undefined)
        throw bad('switches to a protocol that was not asked for')
      this.#takeOver(call, answer)
      return false
    }
    const limit = this.options.limits.informational_responses
    if (++this.#interims > limit) throw bad(`has more than ${limit} interim heads`)
    if (status > 101) call.handler.onInterim?.(status, answer.head.headers)
    return true
  }

  #readBody(call: ClientCall): boolean {
    const body = this.#body
    if (body.done) {
      this.#complete(call)
      return false
    }
    if (!call.wantsAnswer) {
      if (this.#pending.length > 0) this.socket.pause()
      return false
    }
    if (this.socket.isPaused()) {
      this.socket.resume()
      this.expectWithin(this.options.timeouts.stream_idle, call.options.deadline)
    }
    if (this.#pending.length === 0) return false
    this.expectWithin(this.options.timeouts.stream_idle, call.options.deadline)
    const used = body.next(this.#pending)
    this.#pending = used === this.#pending.length ? nothing : this.#pending.subarray(used)
    if (body.data !== undefined) call.answerData(body.data)
    return true
  }

  #complete(call: ClientCall): void {
    this.#call = undefined
    this.#used = true
    this.#timer.disarm()
    const clean =
      this.#keepAlive &&
      call.sent &&
      this.#pending.length === 0 &&
      this.#framing?.kind !== 'close' &&
      this.socket.writable
    this.#framing = undefined
    if (clean) {
      if (this.socket.isPaused()) this.socket.resume()
      this.#owner.onIdle(this)
    } else this.destroy()
    call.answerEnded()
  }

  #takeOver(call: ClientCall, answer: ReadResponse): void {
    const early = this.#pending
    this.#pending = nothing
    this.#call = undefined
    const { socket } = this
    socket.pause()
    socket.removeListener('data', this.#onData)
    socket.removeListener('end', this.#onEnd)
    socket.removeListener('drain', this.#onDrain)
    this.#shut()
    call.takenOver(answer.head, socket, early)
  }

  #shut(): void {
    if (this.#closed) return
    this.#closed = true
    this.#timer.disarm()
    this.#owner.onClosed(this)
  }
}
