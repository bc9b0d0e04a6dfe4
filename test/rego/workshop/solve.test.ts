/** Queries as people ask them: the value of each expression, and what counts as one. */
import { describe, expect, test } from 'vitest'
import { compileBundle } from '../../../src/rego/policy.ts'
import { prepareQuery, type Solution } from '../../../src/rego/workshop/solve.ts'

const policy = compileBundle({
  modules: [
    {
      file: 'a.rego',
      text: 'package a\n\np if input.x\n\nf(x) := x + 1\n\ns contains 2\n\ns contains 1',
    },
  ],
  data: { none: null },
})

const ask = (query: string, input = {}): readonly Solution[] =>
  prepareQuery(policy, query).run(input, {})

const values = (query: string): unknown =>
  ask(query).map(({ expressions }) => expressions.map(({ value }) => value))

describe('a query', () => {
  test.each([
    ['data.none', [[null]]],
    ['object.get({"a": null}, "a", 1)', [[null]]],
    ['object.get({"a": {"b": null}}, ["a", "b"], 1)', [[null]]],
    ['object.get({}, "a", 1)', [[1]]],
    ['1 == 2', [[false]]],
    ['data.a.f(2)', [[3]]],
    ['data.a.s', [[[1, 2]]]],
    ['x := 1; x + 1', [[true, 2]]],
    ['not data.a.p', [[true]]],
    ['data.a.p', []],
    [
      'some x in [1, 2]; x > 1',
      [
        [true, false],
        [true, true],
      ],
    ],
    ['count([1]) with input as 3', [[1]]],
  ])('%s gives the value of each expression', (query, expected) => {
    expect(values(query)).toEqual(expected)
  })

  test('names its variables, wildcards left out', () => {
    const [first] = ask('x = [3, 4][i]; _ = 1')
    expect(Object.keys(first?.bindings ?? {}).sort()).toEqual(['i', 'x'])
  })

  test('keeps the text and the place of each expression', () => {
    const [first] = ask('x := 1 ;\n  data.a.f( x )')
    expect(first?.expressions.map(({ text, location }) => [text, location])).toEqual([
      ['x := 1', { row: 1, col: 1 }],
      ['data.a.f( x )', { row: 2, col: 3 }],
    ])
  })

  test('knows when it asks for one document', () => {
    expect(prepareQuery(policy, 'data.a.p').document).toBe('data.a.p')
    expect(prepareQuery(policy, 'data.a.p; true').document).toBeUndefined()
    expect(prepareQuery(policy, 'data.a.p with input as 1').document).toBeUndefined()
  })
})
