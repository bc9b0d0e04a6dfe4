import { describe, expect, it } from 'vitest'
import { RateLimiter } from '../../src/stages/limit-rate.ts'

const bucket = { intervalMs: 100, burst: 3 }

describe('the rate limiter', () => {
  it('lets a burst pass, then one request for each interval, and says how long to wait', () => {
    const limiter = new RateLimiter()
    const passes = [0, 0, 0].map((now) => limiter.take('a', bucket, now).pass)
    expect(passes).toEqual([true, true, true])
    expect(limiter.take('a', bucket, 0)).toEqual({ pass: false, retryAfterMs: 100 })
    expect(limiter.take('a', bucket, 99).pass).toBe(false)
    expect(limiter.take('a', bucket, 100).pass).toBe(true)
    expect(limiter.take('a', bucket, 100).pass).toBe(false)
  })

  it('gives each key its own allowance', () => {
    const limiter = new RateLimiter()
    const single = { intervalMs: 1_000, burst: 1 }
    expect(limiter.take('a', single, 0).pass).toBe(true)
    expect(limiter.take('a', single, 0).pass).toBe(false)
    expect(limiter.take('b', single, 0).pass).toBe(true)
  })

  it('does not count a refused request', () => {
    const limiter = new RateLimiter()
    const single = { intervalMs: 100, burst: 1 }
    limiter.take('a', single, 0)
    for (let now = 1; now < 100; now += 1) limiter.take('a', single, now)
    expect(limiter.take('a', single, 100).pass).toBe(true)
  })

  it('stays within its bound when keys are many', () => {
    const limiter = new RateLimiter(100)
    const single = { intervalMs: 1_000_000, burst: 1 }
    for (let key = 0; key < 10_000; key += 1) limiter.take(`${key}`, single, 0)
    expect(limiter.size).toBeLessThanOrEqual(100)
  })
})
