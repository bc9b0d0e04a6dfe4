import { describe, expect, it } from 'vitest'
import { Causes } from '../../src/stages/causes.ts'

const cause = (id: string) => ({ transaction: id, chain: [] })

describe('the memory of causes', () => {
  it('recalls a cause until its time is over', () => {
    let now = 0
    const causes = new Causes(() => now, { most: 10, lifeMs: 100 })
    causes.remember('a', cause('1'))
    now = 100
    expect(causes.recall('a')).toEqual(cause('1'))
    now = 101
    expect(causes.recall('a')).toBeUndefined()
  })

  it('keeps the recent ones and stays within its bound', () => {
    const causes = new Causes(() => 0, { most: 10, lifeMs: 100 })
    for (let id = 0; id < 1_000; id += 1) causes.remember(`${id}`, cause(`${id}`))
    const kept = Array.from({ length: 1_000 }, (_, id) => causes.recall(`${id}`)).filter(Boolean)
    expect(kept.length).toBeLessThanOrEqual(10)
    expect(causes.recall('999')).toEqual(cause('999'))
    expect(causes.recall('0')).toBeUndefined()
  })
})
