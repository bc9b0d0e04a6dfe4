import { describe, expect, it } from 'vitest'
import { TimerWheel } from '../../src/wire/timers.ts'

const aWheel = () => {
  let time = 1_000
  const wheel = new TimerWheel({ now: () => time, tickMs: 100, drivenBy: 'test' })
  const pass = (ms: number): void => {
    for (let left = ms; left > 0; left -= 50) {
      time += Math.min(50, left)
      wheel.advance()
    }
  }
  const jump = (ms: number): void => {
    time += ms
    wheel.advance()
  }
  return { wheel, pass, jump, now: () => time }
}

describe('timer wheel', () => {
  it('fires after its time and at most two ticks late, never before', () => {
    for (const delay of [0, 1, 99, 100, 101, 250, 4_000, 65_000, 300_000]) {
      const { wheel, pass, now } = aWheel()
      let fired = 0
      const timer = wheel.timer(() => (fired = now()))
      timer.arm(delay)
      pass(delay + 300)
      expect(fired).toBeGreaterThanOrEqual(1_000 + delay)
      expect(fired).toBeLessThanOrEqual(1_000 + delay + 250)
    }
  })

  it('fires once for one arming, and again after another', () => {
    const { wheel, pass } = aWheel()
    let fired = 0
    const timer = wheel.timer(() => fired++)
    timer.arm(500)
    pass(2_000)
    expect(fired).toBe(1)
    timer.arm(500)
    pass(2_000)
    expect(fired).toBe(2)
  })

  it('moves with each arming, later and sooner', () => {
    const { wheel, pass } = aWheel()
    let fired = 0
    const timer = wheel.timer(() => fired++)
    timer.arm(500)
    pass(400)
    timer.arm(5_000)
    pass(4_500)
    expect(fired).toBe(0)
    timer.arm(200)
    pass(500)
    expect(fired).toBe(1)
  })

  it('does not fire when disarmed, and lets go of it in time', () => {
    const { wheel, pass } = aWheel()
    const timer = wheel.timer(() => expect.fail('fired'))
    timer.arm(500)
    timer.disarm()
    pass(1_000)
    expect(wheel.size).toBe(0)
  })

  it('lets a timer arm itself while it fires', () => {
    const { wheel, pass } = aWheel()
    let fired = 0
    const timer = wheel.timer(() => {
      if (++fired < 3) timer.arm(100)
    })
    timer.arm(100)
    pass(2_000)
    expect(fired).toBe(3)
  })

  it('fires everything that is due after the process slept', () => {
    const { wheel, jump } = aWheel()
    let fired = 0
    for (let i = 0; i < 100; i++) wheel.timer(() => fired++).arm(i * 1_000)
    jump(3_600_000)
    jump(100)
    jump(100)
    expect(fired).toBe(100)
  })

  it('turns by itself when the clock drives it', async () => {
    const wheel = new TimerWheel({ now: () => performance.now(), tickMs: 5 })
    await new Promise<void>((resolve) => wheel.timer(resolve).arm(20))
    wheel.stop()
  })
})
