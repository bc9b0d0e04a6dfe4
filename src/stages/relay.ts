/**
 * Passes one authorised request to an origin and its answer back: the part that all three directions share.
 *
 * Bodies stream with back-pressure at both ends. The exchange is finished exactly once, with the bytes that moved.
 * Which origin, which headers and what a fault is called is said by the direction.
 */
import type { Duplex } from 'node:stream'
import type { Exchange } from '../exchange/exchange.ts'
import type { ForwardDone } from '../exchange/line.ts'
import { Bug, Refusal } from '../exchange/refusal.ts'
import type { BodySource } from '../wire/body.ts'
import type { ResponseHead, ServerRequest } from '../wire/message.ts'
import type { Origin, OutgoingCall, OutgoingRequest, RequestOptions } from '../wire/origin.ts'
import type { Pool } from '../wire/pool.ts'
import { tunnel, type TunnelLimits } from '../wire/tunnel.ts'
import type { Timer, TimerWheel } from '../wire/timers.ts'
import { WireError } from '../wire/wire-error.ts'
import { grpcStatusOf } from './grpc-call.ts'

/** Hands the answer on, as it is or changed, or refuses it. Exactly one of the two is called, once. */
export interface AnswerDecision {
  readonly pass: (head: ResponseHead, body: BodySource | Buffer | undefined) => void
  readonly refuse: (refusal: Refusal) => void
}

/** What a direction says about one call. */
export interface RelayPlan {
  readonly pool: Pool
  readonly origin: Origin
  readonly outgoing: OutgoingRequest
  readonly body: BodySource
  readonly options: RequestOptions
  /** Limits of an upgraded connection; absent where upgrades are not allowed. */
  readonly tunnelLimits?: TunnelLimits | undefined
  /** Judges the answer before anything of it reaches the caller. */
  readonly onAnswer: (head: ResponseHead, body: BodySource, decision: AnswerDecision) => void
  /** Names a fault of the origin in the words of the direction. */
  readonly faultOf: (error: WireError) => Refusal
  /** Another origin to try after a fault, or undefined to give up. Asked only while a repeat is possible. */
  readonly retry?: (error: WireError) => Origin | undefined
  /** Told when the connection was taken over, with the way to end it; gives back what to call when it is over. */
  readonly onUpgraded?: (end: (reason: string) => void) => () => void
  /** The same for an answer of unknown length that goes on for a while: events, streams of gRPC. */
  readonly whileStreaming?: LongAnswers | undefined
}

/** How long answers are watched. */
export interface LongAnswers {
  readonly wheel: TimerWheel
  /** Gives back what to call when the answer is over. */
  readonly watch: (end: (reason: string) => void) => () => void
}

/** An answer that is over sooner is not worth a watch. */
const longAnswerMs = 1_000

const endedBy = (reason: string): Refusal => {
  const detail = 'what the answer was permitted on has ended'
  if (reason === 'token-expired') return new Refusal('token.expired', { detail })
  return new Refusal(reason === 'peer-not-trusted' ? 'peer.expired' : 'policy.denied', { detail })
}

/** Runs the call. `done` is called once, when the answer is complete or cannot be. */
export const relay = (
  x: Exchange & { readonly request: ServerRequest },
  plan: RelayPlan,
  done: ForwardDone,
): void => {
  const { request } = x
  let call: OutgoingCall | undefined
  let finished = false
  let longAnswer: Timer | undefined
  let stopWatchingAnswer: (() => void) | undefined

  const finish = (
    status: number | undefined,
    responseBytes: number,
    failure?: Refusal,
    grpcStatus?: number,
  ): void => {
    if (finished) return
    finished = true
    longAnswer?.disarm()
    stopWatchingAnswer?.()
    done({ status, requestBytes: request.bytesReceived, responseBytes, grpcStatus }, failure)
  }

  const watchAnswer = (status: number, { wheel, watch }: LongAnswers): void => {
    longAnswer = wheel.timer(() => {
      stopWatchingAnswer = watch((reason) => {
        // A sidecar that stops lets answers finish in its grace.
        if (reason === 'closing' || finished) return
        call?.cancel(new WireError('cancelled', reason))
        finish(status, 0, endedBy(reason))
      })
      if (finished) stopWatchingAnswer()
    })
    longAnswer.arm(longAnswerMs)
  }

  const pass = (head: ResponseHead, body: BodySource | Buffer | undefined): void => {
    if (finished) return
    if (plan.whileStreaming !== undefined && body !== undefined && body.length === undefined)
      watchAnswer(head.status, plan.whileStreaming)
    request.respond(head, body, (outcome) => {
      const failure = outcome.error === undefined ? undefined : interrupted(outcome.error, plan)
      const end = outcome.trailers?.has('grpc-status') === true ? outcome.trailers : head.headers
      finish(outcome.status, outcome.bytes, failure, grpcStatusOf(end))
    })
  }

  const refuse = (refusal: Refusal): void => {
    call?.cancel(new WireError('cancelled', 'the answer was refused'))
    finish(undefined, 0, refusal)
  }

  const takeOver = (head: ResponseHead, socket: Duplex, early: Buffer): void => {
    if (plan.tunnelLimits === undefined) {
      socket.destroy()
      refuse(new Refusal('request.upgrade'))
      return
    }
    const client = request.takeOver(head)
    let stopWatching: (() => void) | undefined
    let over = false
    const limits: TunnelLimits = { ...plan.tunnelLimits, carries: 'websocket' }
    const ends = tunnel(client, { socket, early }, limits, (outcome) => {
      over = true
      stopWatching?.()
      finish(head.status, outcome.bytesToClient)
    })
    stopWatching = plan.onUpgraded?.((reason) => ends.end(reason))
    if (over) stopWatching?.()
  }

  const send = (origin: Origin): void => {
    call = plan.pool.request(
      origin,
      plan.outgoing,
      plan.body,
      {
        onHead: (head, body) => {
          try {
            plan.onAnswer(head, body, { pass, refuse })
          } catch (thrown) {
            refuse(refusalOf(thrown, plan))
          }
        },
        onInterim: (status, headers) => request.inform(status, headers),
        onTakenOver: takeOver,
        onFault: (error) => {
          if (finished) return
          const next = error.retry === 'never' ? undefined : plan.retry?.(error)
          if (next === undefined) finish(undefined, 0, plan.faultOf(error))
          else send(next)
        },
      },
      plan.options,
    )
  }

  request.whenGone((reason) => {
    call?.cancel(reason)
    finish(undefined, 0, new Refusal('sidecar.cancelled'))
  })
  send(plan.origin)
}

const refusalOf = (thrown: unknown, plan: RelayPlan): Refusal => {
  if (thrown instanceof Refusal) return thrown
  return thrown instanceof WireError ? plan.faultOf(thrown) : new Bug(thrown)
}

/** An answer that broke off: the caller's doing, or the origin's. */
const interrupted = (error: WireError, plan: RelayPlan): Refusal =>
  error.code === 'client-gone' || error.code === 'client-stalled'
    ? new Refusal('sidecar.cancelled')
    : plan.faultOf(error)
