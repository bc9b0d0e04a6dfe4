import { describe, expect, it } from 'vitest'
import { limits } from '../../../src/catalog/entry/limits.ts'
import { judgeOutcome } from '../../../src/catalog/limits/breaker.ts'
import {
  decideRetry,
  hasIdempotencyKey,
  parseRetryAfter,
  RetryBudget,
} from '../../../src/catalog/limits/retry.ts'
import type { FailedAttempt } from '../../../src/catalog/limits/retry.ts'

const now = Date.parse('2026-11-23T12:00:00Z')
const settings = limits.parse({ retry: { attempts: 4 } }).retry
const attempt: FailedAttempt = {
  number: 1,
  result: { status: 503, retryAfter: undefined },
  idempotent: 'yes',
  replayable: 'yes',
  deadline: now + 60_000,
}
const decide = (
  changes: Partial<FailedAttempt>,
  random = 0.999_999,
  budget = new RetryBudget(20),
) => {
  const decision = decideRetry(settings, { ...attempt, ...changes }, budget, now, () => random)
  return decision.decision === 'retry' ? decision.afterMs : decision.reason
}

describe('deciding on a repeat', () => {
  it('waits twice as long each time, with full jitter', () => {
    expect([1, 2, 3].map((number) => decide({ number }))).toEqual([100, 200, 400])
    expect([0, 0.5, 0.999].map((random) => decide({ number: 3 }, random))).toEqual([0, 200, 400])
  })

  it.each([
    ['the last attempt', { number: 4 }, 'attempts'],
    ['a status that is final', { result: { status: 400, retryAfter: undefined } }, 'status'],
    ['a success', { result: { status: 200, retryAfter: undefined } }, 'status'],
    ['a call that may have acted', { idempotent: 'no' }, 'not-idempotent'],
    [
      'a broken call that may have acted',
      { idempotent: 'no', result: { fault: 'broken' } },
      'not-idempotent',
    ],
    ['a body that is gone', { replayable: 'no' }, 'body'],
    [
      'a vendor that asks for more time than we have',
      { result: { status: 429, retryAfter: '60' } },
      'retry-after',
    ],
    ['a pause beyond the deadline', { deadline: now + 50 }, 'deadline'],
  ] as const)('does not repeat %s', (_, changes, reason) => {
    expect(decide(changes)).toBe(reason)
  })

  it.each([
    [
      'a call that never connected, whatever its method',
      { idempotent: 'no', replayable: 'no', result: { fault: 'not-connected' } },
    ],
    [
      'a call that the vendor put off, whatever its method',
      { idempotent: 'no', result: { status: 429, retryAfter: undefined } },
    ],
    ['a time-out of an idempotent call', { result: { fault: 'timeout' } }],
  ] as const)('repeats %s', (_, changes) => {
    expect(decide(changes)).toBe(100)
  })

  it('waits at least as long as the vendor asks', () => {
    expect(decide({ result: { status: 503, retryAfter: '2' } }, 0)).toBe(2_000)
    expect(
      decide({ result: { status: 503, retryAfter: 'Mon, 23 Nov 2026 12:00:03 GMT' } }, 0),
    ).toBe(3_000)
  })

  it('stays within its budget, with a few repeats always left', () => {
    const budget = new RetryBudget(20)
    for (let call = 0; call < 50; call++) budget.call(now)
    expect(
      Array.from({ length: 12 }, () => decide({}, 0, budget)).filter((one) => one === 'budget'),
    ).toHaveLength(2)
    expect(budget.spend(now + 10_001)).toBe('spent')
    expect(new RetryBudget(0).spend(now)).toBe('none-left')
  })
})

describe('reading what vendors say', () => {
  it.each([
    ['120', 120_000],
    ['Mon, 23 Nov 2026 12:00:30 GMT', 30_000],
    ['Mon, 23 Nov 2026 11:00:00 GMT', 0],
    ['-1', undefined],
    ['soon', undefined],
    ['1.5', undefined],
    [undefined, undefined],
  ])('reads Retry-After: %s', (text, ms) => {
    expect(parseRetryAfter(text, now)).toBe(ms)
  })

  it('knows an idempotency key', () => {
    expect(hasIdempotencyKey([['Idempotency-Key', 'a']])).toBe(true)
    expect(
      hasIdempotencyKey([
        ['Idempotency-Key', ''],
        ['x-key', '1'],
      ]),
    ).toBe(false)
  })

  it.each([
    [{ status: 200 }, 'success'],
    [{ status: 404 }, 'success'],
    [{ status: 429 }, 'success'],
    [{ status: 500 }, 'failure'],
    [{ fault: 'timeout' }, 'failure'],
    [{ fault: 'cancelled' }, 'ignored'],
  ] as const)('judges the health of an API by %j', (result, outcome) => {
    expect(judgeOutcome(result)).toBe(outcome)
  })
})
