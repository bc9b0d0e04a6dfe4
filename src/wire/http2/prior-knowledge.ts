/**
 * Tells HTTP/2 with prior knowledge from HTTP/1.1 by the first bytes of a plaintext connection (RFC 9113 §3.3).
 *
 * Nothing is consumed: what was looked at is put back. Whoever sends nothing in time is closed.
 */
import type { Socket } from 'node:net'
import type { TimerWheel } from '../timers.ts'

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

/** Calls back once with the protocol, or never when the connection ends first. */
export const recognizeProtocol = (
  socket: Socket,
  wait: { readonly wheel: TimerWheel; readonly timeoutMs: number },
  recognized: (protocol: 'http1' | 'http2') => void,
): void => {
  let seen: Buffer = Buffer.alloc(0)
  const stop = (): void => {
    timer.disarm()
    socket.removeListener('data', onData)
    socket.removeListener('end', onGone)
    socket.removeListener('close', stop)
  }
  const onGone = (): void => {
    stop()
    socket.destroy()
  }
  const onData = (chunk: Buffer): void => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk])
    const length = Math.min(seen.length, preface.length)
    const fits = seen.compare(preface, 0, length, 0, length) === 0
    if (fits && length < preface.length) return
    stop()
    socket.pause()
    socket.unshift(seen)
    recognized(fits ? 'http2' : 'http1')
    if (!fits && !socket.destroyed) socket.resume()
  }
  const timer = wait.wheel.timer(onGone)
  socket.on('error', () => undefined)
  socket.on('data', onData)
  socket.on('end', onGone)
  socket.on('close', stop)
  timer.arm(wait.timeoutMs)
  socket.resume()
}
