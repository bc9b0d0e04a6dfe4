/**
 * Trace and span identifiers: random, from the cryptographic generator, drawn in bulk because every request needs two.
 *
 * Used by `traces.ts` and `boundary.ts`; tests pass their own source to hold the identifiers.
 */
import { randomFillSync } from 'node:crypto'

/** Makes identifiers that were never used before. */
export interface Identifiers {
  /** 32 lower-case hex digits, not all zero. */
  traceId(): string
  /** 16 lower-case hex digits, not all zero. */
  spanId(): string
}

const poolBytes = 6_144
const zeroTrace = '0'.repeat(32)
const zeroSpan = '0'.repeat(16)

/** Identifiers from `fill`, which overwrites the buffer with random bytes. */
export const randomIdentifiers = (
  fill: (pool: Buffer) => void = (pool) => {
    randomFillSync(pool)
  },
): Identifiers => {
  const pool = Buffer.alloc(poolBytes)
  let used = poolBytes
  const draw = (bytes: number): string => {
    if (used + bytes > poolBytes) {
      fill(pool)
      used = 0
    }
    used += bytes
    return pool.toString('hex', used - bytes, used)
  }
  const nonZero = (bytes: number, zero: string): string => {
    const id = draw(bytes)
    return id === zero ? `${id.slice(0, -1)}1` : id
  }
  return { traceId: () => nonZero(16, zeroTrace), spanId: () => nonZero(8, zeroSpan) }
}
