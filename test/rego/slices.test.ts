/** Compiling between other work: the same policy as at once, with turns for others in between. */
import { describe, expect, test } from 'vitest'
import { RegoErrors } from '../../src/rego/errors.ts'
import { compileBundle, compileInSlices } from '../../src/rego/policy.ts'
import { atOnce, inSlices, type Pace, type Steps } from '../../src/rego/run/slices.ts'

/** A clock that goes a millisecond further at each look, and a count of the rests. */
const countingPace = (sliceMs: number): { readonly pace: Pace; readonly rests: () => number } => {
  let time = 0
  let rests = 0
  return {
    pace: {
      now: () => (time += 1),
      sliceMs,
      rest: () => {
        rests += 1
        return new Promise((resolve) => {
          setImmediate(resolve)
        })
      },
    },
    rests: () => rests,
  }
}

const manyRules = (count: number): string =>
  `package big\n\n${Array.from(
    { length: count },
    (_, at) => `allow if {\n\tinput.path == ["s${at}"]\n\tinput.method == "GET"\n}\n`,
  ).join('\n')}`

describe('work in slices', () => {
  function* count(): Steps<number> {
    for (let at = 0; at < 100; at += 1) yield
    return 100
  }

  test('gives what it gives at once', async () => {
    expect(atOnce(count())).toBe(100)
    expect(await inSlices(count(), countingPace(10).pace)).toBe(100)
  })

  test('rests when a slice is used up, and not before', async () => {
    const often = countingPace(1)
    await inSlices(count(), often.pace)
    expect(often.rests()).toBe(100)
    const never = countingPace(1_000)
    await inSlices(count(), never.pace)
    expect(never.rests()).toBe(0)
  })
})

describe('a bundle compiled in slices', () => {
  test('decides as one that was compiled at once', async () => {
    const bundle = { modules: [{ file: 'big.rego', text: manyRules(2_000) }] }
    const { pace, rests } = countingPace(4)
    const sliced = (await compileInSlices(bundle, {}, pace)).prepare('data.big.allow')
    const whole = compileBundle(bundle).prepare('data.big.allow')
    for (const path of ['s0', 's1999', 's2000']) {
      const input = { path: [path], method: 'GET' }
      expect(sliced.decide(input)).toEqual(whole.decide(input))
    }
    expect(rests()).toBeGreaterThan(50)
  })

  test('lets other work run in between', async () => {
    let turns = 0
    const other = setInterval(() => (turns += 1), 0)
    const bundle = { modules: [{ file: 'big.rego', text: manyRules(2_000) }] }
    const { pace } = countingPace(4)
    await compileInSlices(bundle, {}, pace)
    clearInterval(other)
    expect(turns).toBeGreaterThan(1)
  })

  test('has the same errors', async () => {
    const broken = [
      'package a\n\np if {',
      'package a\n\np if x\n\nq if y',
      'package a\n\np := q\n\nq := p',
      'package a\n\ndefault p := 1\n\ndefault p := 2',
    ]
    for (const text of broken) {
      const bundle = { modules: [{ file: 'a.rego', text }] }
      const errors = await compileInSlices(bundle, {}, countingPace(1).pace).then(
        () => [],
        (error: unknown) => (error instanceof RegoErrors ? error.errors : [error]),
      )
      expect(errors).not.toEqual([])
      expect(() => compileBundle(bundle)).toThrow(new RegoErrors(errors as RegoErrors['errors']))
    }
  })
})
