import { expect, test } from 'vitest'
import { RegoObject, RegoSet, toPlain } from './plain.ts'
import { call, refusal } from './call.ts'

test('arithmetic is exact on integers and refuses what has no result', () => {
  expect(call('plus', 2 ** 53 - 1, 2)).toBe(9007199254740993n)
  expect(call('div', 7, 2)).toBe(3.5)
  expect(refusal('div', 1, 0)).toBe('eval_builtin_error: div: divide by zero')
  expect(refusal('rem', 5, 1.5)).toBe('eval_builtin_error: rem: modulo on floating-point number')
  expect(refusal('minus', new RegoSet([1]), 1)).toBe(
    'eval_type_error: minus: operand 2 must be set but got number',
  )
})

test('aggregates take arrays and sets, and name the element they cannot take', () => {
  expect(call('sum', [1, 2.5])).toBe(3.5)
  expect(call('max', new RegoSet([3, 'a', 1]))).toBe('a')
  expect(call('min', [])).toBeUndefined()
  expect(refusal('sum', ['a'])).toBe(
    'eval_type_error: sum: operand 1 must be array of numbers but got array containing string',
  )
  expect(refusal('count', 1)).toBe(
    'eval_type_error: count: operand 1 must be one of {array, object, set, string} but got number',
  )
})

test('objects merge key by key, later over earlier', () => {
  const merged = call('object.union_n', [{ a: { b: 2 } }, { a: 4 }, { a: { c: 3 } }])
  expect(toPlain(merged)).toEqual({ a: { c: 3 } })
  expect(toPlain(call('object.union', { a: { x: 1 } }, { a: { y: 2 } }))).toEqual({
    a: { x: 1, y: 2 },
  })
  expect(refusal('object.union_n', [{}, 1])).toMatch(
    /array of objects but got array containing number/,
  )
})

test('object.get walks a path and falls back', () => {
  const object = { a: [{ b: 1 }], constructor: 1 }
  expect(call('object.get', object, ['a', 0, 'b'], 'x')).toBe(1)
  expect(call('object.get', object, ['a', 'length'], 'x')).toBe('x')
  expect(call('object.get', {}, 'constructor', 'x')).toBe('x')
  expect(call('object.get', object, [], 'x')).toBe(object)
})

test('a part is found in order in arrays and without order in sets', () => {
  expect(call('object.subset', [1, 2, 1, 2, 3], [1, 2, 3])).toBe(true)
  expect(call('object.subset', [1, 2, 4], [1, 4])).toBe(false)
  expect(call('object.subset', [1, 1], new RegoSet([1, 2]))).toBe(false)
  expect(refusal('object.subset', {}, [])).toMatch(
    /^eval_type_error: object.subset: both arguments/,
  )
})

test('arrays are flattened by one level', () => {
  expect(call('array.flatten', [1, [2, [3]], []])).toEqual([1, 2, [3]])
  expect(call('array.slice', [1, 2, 3], -5, 2)).toEqual([1, 2])
})

test('text becomes a number only in a form that Go reads', () => {
  expect(call('to_number', '+1.50')).toBe(1.5)
  expect(call('to_number', '.5')).toBe(0.5)
  expect(refusal('to_number', '0x10')).toMatch(/invalid syntax/)
  expect(refusal('to_number', '-inf')).toBe(
    'eval_type_error: to_number: operand 1 must be valid number string but got string',
  )
})

test('paths in a graph end at cycles', () => {
  const graph = { a: ['b'], b: ['a', 'c'], c: [] }
  expect([...(call('graph.reachable_paths', graph, ['a']) as RegoSet)]).toEqual([
    ['a', 'b'],
    ['a', 'b', 'c'],
  ])
  expect([...(call('graph.reachable', graph, new RegoSet(['b'])) as RegoSet)]).toEqual([
    'a',
    'b',
    'c',
  ])
})

test('objects keep keys of any type', () => {
  const object = new RegoObject([[1, 'x']])
  expect(call('object.get', object, 1, null)).toBe('x')
  expect((call('object.remove', object, [1]) as RegoObject).size).toBe(0)
})
