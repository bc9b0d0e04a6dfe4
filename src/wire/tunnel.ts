/**
 * Joins two connections that left HTTP behind (CONNECT, WebSocket): bytes pass unread, with back-pressure.
 *
 * A WebSocket that we end is told why with a close frame, as soon as the frame before it is whole.
 * Idle time, total time and bytes are bounded. Both connections are owned from here on and both end together.
 */
import type { Duplex } from 'node:stream'
import type { TakenConnection } from './message.ts'
import type { TimerWheel } from './timers.ts'
import { closeCodes, closeFrame, FrameTracker } from './websocket-frames.ts'

export interface TunnelLimits {
  readonly wheel: TimerWheel
  /** Longest silence in both directions. */
  readonly idleMs: number
  /** Longest life; without it there is no bound. */
  readonly maxDurationMs?: number | undefined
  /** Most bytes in each direction; without it there is no bound. */
  readonly maxBytes?: number | undefined
  /** What passes through; a WebSocket is ended with a close frame where that is possible. */
  readonly carries?: 'bytes' | 'websocket' | undefined
}

export type TunnelEnding = 'closed' | 'reset' | 'idle' | 'too-long' | 'too-large' | (string & {})

export interface TunnelOutcome {
  readonly bytesToOrigin: number
  readonly bytesToClient: number
  /** `closed` when the two ends finished by themselves; else what ended it, or the reason given to `end`. */
  readonly reason: TunnelEnding
}

export interface Tunnel {
  /** Ends both connections: now, or for a WebSocket after its close frames have been sent. */
  end(reason: string): void
}

/** Time that the other direction may still take after one end has finished sending. */
const halfOpenMs = 10_000

/** Time in which the frame in hand must end, so that a close frame can follow it. */
const farewellMs = 1_000

const closeCodeOf = (reason: string): number => {
  if (reason === 'too-large') return closeCodes.tooBig
  return reason === 'idle' || reason === 'too-long' || reason === 'closing'
    ? closeCodes.goingAway
    : closeCodes.policy
}

/** Pipes both ways until both ends have finished, one breaks, or a limit is met. `closed` is called exactly once. */
export const tunnel = (
  client: TakenConnection,
  origin: TakenConnection,
  limits: TunnelLimits,
  closed: (outcome: TunnelOutcome) => void,
): Tunnel => {
  let bytesToOrigin = 0
  let bytesToClient = 0
  let over = false
  let halves = 0

  /** Set while close frames are on their way. */
  let leaving: string | undefined
  let said = 0
  const farewells: (() => void)[] = []

  const finish = (reason: string): void => {
    if (over) return
    over = true
    idle.disarm()
    total.disarm()
    farewell.disarm()
    // A stream of HTTP/2 that is ended without an error looks as if it had come to its end.
    const broken = reason === 'closed' || said === 2 ? undefined : new Error(reason)
    client.socket.destroy(broken)
    origin.socket.destroy(broken)
    closed({ bytesToOrigin, bytesToClient, reason })
  }
  const end = (reason: string): void => {
    if (over || leaving !== undefined) return
    if (limits.carries !== 'websocket' || reason === 'reset' || reason === 'closed')
      return finish(reason)
    leaving = reason
    farewell.arm(farewellMs)
    for (const say of farewells) say()
  }
  const farewell = limits.wheel.timer(() => finish(leaving ?? 'closed'))
  const idle = limits.wheel.timer(() => (halves > 0 ? finish('closed') : end('idle')))
  const total = limits.wheel.timer(() => end('too-long'))

  const join = (
    from: Duplex,
    to: Duplex,
    form: 'masked' | 'plain',
    count: (bytes: number) => number,
  ): FrameTracker => {
    const frames = new FrameTracker()
    let saidHere = false
    const sayGoodbye = (): void => {
      if (saidHere) return
      saidHere = true
      to.end(closeFrame(closeCodeOf(leaving!), form), () => {
        said++
        if (said === 2) finish(leaving!)
      })
    }
    farewells.push(() => {
      if (frames.atBoundary) sayGoodbye()
      else from.resume()
    })
    from.on('data', (chunk: Buffer) => {
      if (over || saidHere) return
      const boundary = limits.carries === 'websocket' ? frames.push(chunk) : -1
      if (leaving !== undefined) {
        to.write(boundary === -1 ? chunk : chunk.subarray(0, boundary))
        if (boundary !== -1) sayGoodbye()
        return
      }
      if (halves === 0 || limits.carries !== 'websocket') idle.arm(limits.idleMs)
      if (count(chunk.length) > (limits.maxBytes ?? Infinity)) return end('too-large')
      if (!to.write(chunk)) from.pause()
    })
    to.on('drain', () => from.resume())
    from.on('end', () => {
      if (!saidHere) to.end()
      halves++
      if (leaving !== undefined) return
      // A WebSocket ends by its close frames; one whose end just went away is over.
      if (limits.carries === 'websocket') idle.arm(Math.min(limits.idleMs, farewellMs))
      else if (halves === 2) idle.arm(Math.min(limits.idleMs, halfOpenMs))
    })
    from.on('error', () => finish(leaving ?? 'reset'))
    from.on('close', () => {
      if (halves === 2 || from.readableEnded) endGently(to)
      else finish(leaving ?? 'reset')
    })
    return frames
  }

  /** One side is closed in order: the other is given the bytes that are still on their way to it. */
  const endGently = (other: Duplex): void => {
    if (over || leaving !== undefined) return
    if (other.destroyed || other.writableFinished) return finish('closed')
    other.once('finish', () => finish(leaving ?? 'closed'))
    other.end()
  }

  const toOrigin = join(client.socket, origin.socket, 'masked', (bytes) => (bytesToOrigin += bytes))
  const toClient = join(origin.socket, client.socket, 'plain', (bytes) => (bytesToClient += bytes))
  idle.arm(limits.idleMs)
  if (limits.maxDurationMs !== undefined) total.arm(limits.maxDurationMs)
  if (client.socket.destroyed || origin.socket.destroyed) {
    finish('reset')
    return { end }
  }
  toOrigin.push(client.early)
  toClient.push(origin.early)
  bytesToOrigin += client.early.length
  bytesToClient += origin.early.length
  if (Math.max(bytesToOrigin, bytesToClient) > (limits.maxBytes ?? Infinity)) {
    end('too-large')
    return { end }
  }
  if (client.early.length > 0) origin.socket.write(client.early)
  if (origin.early.length > 0) client.socket.write(origin.early)
  client.socket.resume()
  origin.socket.resume()
  return { end }
}
