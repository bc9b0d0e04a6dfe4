/**
 * Joins two connections that left HTTP behind (CONNECT, WebSocket): bytes pass unread, with back-pressure.
 *
 * Idle time, total time and bytes are bounded. Both connections are owned from here on and both end together.
 */
import type { Duplex } from 'node:stream'
import type { TakenConnection } from './message.ts'
import type { TimerWheel } from './timers.ts'

export interface TunnelLimits {
  readonly wheel: TimerWheel
  /** Longest silence in both directions. */
  readonly idleMs: number
  /** Longest life; without it there is no bound. */
  readonly maxDurationMs?: number | undefined
  /** Most bytes in each direction; without it there is no bound. */
  readonly maxBytes?: number | undefined
}

export type TunnelEnding = 'closed' | 'reset' | 'idle' | 'too-long' | 'too-large' | (string & {})

export interface TunnelOutcome {
  readonly bytesToOrigin: number
  readonly bytesToClient: number
  /** `closed` when the two ends finished by themselves; else what ended it, or the reason given to `end`. */
  readonly reason: TunnelEnding
}

export interface Tunnel {
  /** Ends both connections now. */
  end(reason: string): void
}

/** Time that the other direction may still take after one end has finished sending. */
const halfOpenMs = 10_000

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

  const end = (reason: string): void => {
    if (over) return
    over = true
    idle.disarm()
    total.disarm()
    client.socket.destroy()
    origin.socket.destroy()
    closed({ bytesToOrigin, bytesToClient, reason })
  }
  const idle = limits.wheel.timer(() => end('idle'))
  const total = limits.wheel.timer(() => end('too-long'))

  const join = (from: Duplex, to: Duplex, count: (bytes: number) => number): void => {
    from.on('data', (chunk: Buffer) => {
      if (over) return
      idle.arm(limits.idleMs)
      if (count(chunk.length) > (limits.maxBytes ?? Infinity)) return end('too-large')
      if (!to.write(chunk)) from.pause()
    })
    to.on('drain', () => from.resume())
    from.on('end', () => {
      to.end()
      halves++
      if (halves === 2) idle.arm(Math.min(limits.idleMs, halfOpenMs))
    })
    from.on('error', () => end('reset'))
    from.on('close', () => {
      if (halves === 2 || from.readableEnded) endGently(to)
      else end('reset')
    })
  }

  /** One side is closed in order: the other is given the bytes that are still on their way to it. */
  const endGently = (other: Duplex): void => {
    if (over) return
    if (other.destroyed || other.writableFinished) return end('closed')
    other.once('finish', () => end('closed'))
    other.end()
  }

  join(client.socket, origin.socket, (bytes) => (bytesToOrigin += bytes))
  join(origin.socket, client.socket, (bytes) => (bytesToClient += bytes))
  idle.arm(limits.idleMs)
  if (limits.maxDurationMs !== undefined) total.arm(limits.maxDurationMs)
  if (client.socket.destroyed || origin.socket.destroyed) {
    end('reset')
    return { end }
  }
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
