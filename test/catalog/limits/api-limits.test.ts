import { describe, expect, it } from 'vitest'
import { limits as limitsSchema } from '../../../src/catalog/entry/limits.ts'
import { ApiLimits } from '../../../src/catalog/limits/api-limits.ts'
import type { Admission } from '../../../src/catalog/limits/api-limits.ts'

/** A clock that moves only when told, with its timers. */
const heldClock = (start = 0) => {
  let time = start
  const timers = new Set<{ at: number; task: () => void }>()
  return {
    now: () => time,
    after: (task: () => void, ms: number) => {
      const timer = { at: time + ms, task }
      timers.add(timer)
      return () => void timers.delete(timer)
    },
    move: async (ms: number) => {
      const end = time + ms
      for (;;) {
        const next = [...timers].filter((one) => one.at <= end).sort((a, b) => a.at - b.at)[0]
        if (!next) break
        time = next.at
        timers.delete(next)
        next.task()
        await Promise.resolve()
      }
      time = end
      await Promise.resolve()
    },
    pending: () => timers.size,
  }
}

const make = (settings: object, clock = heldClock()) => ({
  clock,
  api: new ApiLimits({ name: 'cards', limits: limitsSchema.parse(settings) }, clock),
})
const now = (admission: Admission | Promise<Admission>): string => {
  if (admission instanceof Promise) return 'waits'
  return admission.kind === 'admitted' ? 'in' : `${admission.code} ${admission.retryAfterMs}`
}
const leave = (
  admission: Admission | Promise<Admission>,
  outcome: 'success' | 'failure' = 'success',
) => {
  if (!(admission instanceof Promise) && admission.kind === 'admitted') admission.leave(outcome)
}

describe('the rate of an API', () => {
  it('lets a burst go, refuses the rest and says when to come back', async () => {
    const { clock, api } = make({ rate: { requests: 10, per: '1s', burst: 3 } })
    expect([1, 2, 3, 4].map(() => now(api.enter('a')))).toEqual([
      'in',
      'in',
      'in',
      'limit.rate 100',
    ])
    await clock.move(99)
    expect(now(api.enter('a'))).toBe('limit.rate 1')
    await clock.move(1)
    expect(now(api.enter('a'))).toBe('in')
  })

  it('counts each caller by itself', () => {
    const { api } = make({ rate: { requests: 1, per: '1s' } })
    expect(['a', 'a', 'b'].map((caller) => now(api.enter(caller)))).toEqual([
      'in',
      'limit.rate 1000',
      'in',
    ])
  })

  it('lets calls wait their turn in order of priority, then of arrival', async () => {
    const { clock, api } = make({
      rate: { requests: 1, per: '1s', queue: 3, wait: '1m' },
      priority: { urgent: 0, batch: 9 },
    })
    const order: string[] = []
    const ask = (name: string, operation: string): void => {
      void Promise.resolve(api.enter('x', operation)).then((admission) =>
        order.push(
          `${name} ${admission.kind === 'admitted' ? admission.waitedMs : admission.code}`,
        ),
      )
    }
    expect(now(api.enter('x'))).toBe('in')
    ask('first batch', 'batch')
    ask('first', 'plain')
    ask('second', 'plain')
    ask('urgent', 'urgent')
    ask('second batch', 'batch')
    await clock.move(3_000)
    expect(order).toEqual([
      'first batch limit.rate',
      'second batch limit.rate',
      'urgent 1000',
      'first 2000',
      'second 3000',
    ])
    expect(clock.pending()).toBe(0)
  })

  it('refuses who waited in vain', async () => {
    const { clock, api } = make({ rate: { requests: 1, per: '10s', queue: 1, wait: '2s' } })
    void api.enter('a')
    const waiting = api.enter('a')
    expect(now(waiting)).toBe('waits')
    await clock.move(2_000)
    expect(now(await waiting)).toBe('limit.rate 8000')
    expect(clock.pending()).toBe(0)
  })
})

describe('the concurrency of an API', () => {
  it('holds calls back until one leaves, the important one first', async () => {
    const clock = heldClock()
    const settings = { concurrency: { requests: 1, queue: 2, wait: '1m' } }
    const { api } = make(settings, clock)
    const first = api.enter('a')
    const second = api.enter('a')
    const third = api.enter('a')
    expect([first, second, third, api.enter('a')].map(now)).toEqual([
      'in',
      'waits',
      'waits',
      'limit.concurrency 1000',
    ])
    leave(first)
    const admitted = await second
    expect(now(admitted)).toBe('in')
    leave(admitted)
    leave(admitted)
    expect(now(await third)).toBe('in')
  })

  it('gives the place back when the rate refuses', async () => {
    const { clock, api } = make({ rate: { requests: 1, per: '1s' }, concurrency: { requests: 2 } })
    leave(api.enter('a'))
    expect([1, 2, 3].map(() => now(api.enter('a')))).toEqual([
      'limit.rate 1000',
      'limit.rate 1000',
      'limit.rate 1000',
    ])
    await clock.move(1_000)
    expect(now(api.enter('a'))).toBe('in')
  })

  it('ends a wait after its time', async () => {
    const { clock, api } = make({ concurrency: { requests: 1, queue: 1, wait: '500ms' } })
    void api.enter('a')
    const waiting = api.enter('a')
    await clock.move(500)
    expect(now(await waiting)).toBe('limit.concurrency 1000')
  })
})

describe('the daily quota of an API', () => {
  it('ends at midnight UTC', async () => {
    const { clock, api } = make({ daily_quota: 2 }, heldClock(Date.parse('2026-11-23T23:59:00Z')))
    expect([1, 2, 3].map(() => now(api.enter('a')))).toEqual(['in', 'in', 'limit.quota 60000'])
    await clock.move(60_000)
    expect(now(api.enter('a'))).toBe('in')
  })

  it('does not count what another limit refused', () => {
    const { api } = make({ daily_quota: 2, concurrency: { requests: 1 } })
    const first = api.enter('a')
    void api.enter('a')
    leave(first)
    expect(now(api.enter('a'))).toBe('in')
  })
})

describe('the circuit of an API', () => {
  it('opens for all callers after failures in a row, and closes after a good probe', async () => {
    const { clock, api } = make({ breaker: { failures: 2, open_for: '10s' } })
    leave(api.enter('a'), 'failure')
    leave(api.enter('b'), 'success')
    leave(api.enter('a'), 'failure')
    leave(api.enter('b'), 'failure')
    expect([now(api.enter('c')), api.circuit()]).toEqual(['api.circuit-open 10000', 'open'])
    await clock.move(10_000)
    const probe = api.enter('a')
    expect([now(probe), now(api.enter('b')), api.circuit()]).toEqual([
      'in',
      'api.circuit-open 1000',
      'half-open',
    ])
    leave(probe)
    expect([now(api.enter('b')), api.circuit()]).toEqual(['in', 'closed'])
  })

  it('opens again after a bad probe, and does not lose the probe when another limit refuses it', async () => {
    const { clock, api } = make({
      breaker: { failures: 1, open_for: '10s' },
      rate: { requests: 1, per: '15s' },
    })
    leave(api.enter('a'), 'failure')
    await clock.move(10_000)
    expect(now(api.enter('a'))).toBe('limit.rate 5000')
    await clock.move(5_000)
    const probe = api.enter('a')
    expect(now(probe)).toBe('in')
    leave(probe, 'failure')
    expect(now(api.enter('a'))).toBe('api.circuit-open 10000')
  })
})
