import { expect, test } from 'vitest'
import { RegoSet } from '../../../src/rego/values.ts'
import { call, refusal } from './call.ts'

test('positions and lengths are counted in code points', () => {
  expect(call('indexof', 'a😀b', 'b')).toBe(2)
  expect(call('substring', 'a😀bc', 1, 2)).toBe('😀b')
  expect(call('indexof_n', 'abab', 'ab')).toEqual([0, 2])
  expect(call('strings.reverse', 'a😀b')).toBe('b😀a')
})

test('an operand of another type is named with its position', () => {
  expect(refusal('concat', ',', 'x')).toBe(
    'eval_type_error: concat: operand 2 must be one of {set, array} but got string',
  )
  expect(refusal('concat', ',', ['a', 1])).toBe(
    'eval_type_error: concat: operand 2 must be array of strings but got array containing number',
  )
  expect(refusal('substring', 'abc', -1, 1)).toBe('eval_builtin_error: substring: negative offset')
})

test('sprintf follows the verbs and says what is wrong with an argument', () => {
  expect(call('sprintf', 'hi %v', [['there', 5, 3.14]])).toBe('hi ["there", 5, 3.14]')
  expect(call('sprintf', '%02X.%02X|%-4d|%+d|%5.1f', [127, 1, 7, 3, 2.25])).toBe(
    '7F.01|7   |+3|  2.2',
  )
  expect(call('sprintf', '%d %s', ['x'])).toBe('%!d(string=x) %!s(MISSING)')
  expect(call('sprintf', 'a', [1, 'b'])).toBe('a%!(EXTRA int=1, string=b)')
  expect(call('sprintf', '%[2]d %[1]d %!', [1, 2])).toBe('2 1 %!!(int=2)')
  expect(call('sprintf', '%v %v %v', [1e6 + 0.5, 0.00001, 100000.5])).toBe(
    '1.0000005e+06 1e-05 100000.5',
  )
  expect(call('sprintf', '%s', [123456789123456789123n])).toBe('123456789123456789123')
  expect(call('sprintf', '%q %x', ['a"b', 'hi'])).toBe('"a\\"b" 6869')
})

test('replacements are made in one pass', () => {
  expect(call('strings.replace_n', { a: 'b', b: 'a' }, 'abc')).toBe('bac')
  expect(call('replace', 'aaa', 'aa', 'b')).toBe('ba')
  expect(call('replace', 'ab', '', '-')).toBe('-a-b-')
})

test('a result beyond the limit is an error and not a crash', () => {
  expect(refusal('sprintf', '%999999d%999999d%*d', [1, 2, 999999999, 1])).toBe('not refused')
  const big = 'a'.repeat(4000)
  expect(refusal('replace', big, 'a', big)).toMatch(/result is larger/)
})

test('affixes are found among many texts', () => {
  const texts = Array.from({ length: 200 }, (_, index) => `host-${index}.example`)
  expect(call('strings.any_prefix_match', texts, new RegoSet(['x', 'host-19']))).toBe(true)
  expect(call('strings.any_suffix_match', texts, ['.exampl', '9.example'])).toBe(true)
  expect(call('strings.any_suffix_match', texts, ['.exampl'])).toBe(false)
})

test('trimming goes by the characters given', () => {
  expect(call('trim', 'xxabyx', 'xy')).toBe('ab')
  expect(call('trim_left', '😀😀a', '😀')).toBe('a')
  expect(call('trim_space', '\u00a0 \t a b\n')).toBe('a b')
  expect(call('strings.split_n', 'a,b,c', ',', 2)).toEqual(['a', 'b'])
})

test('floats round half to even on their exact value', () => {
  expect(call('sprintf', '%.1f %.2f %.0f %.3e', [2.25, 1.005, 2.5, 12345.5])).toBe(
    '2.2 1.00 2 1.235e+04',
  )
  expect(call('sprintf', '%.3g %.3g %g %e', [100000.5, 100.25, 1e-7, 0.5])).toBe(
    '1e+05 100 1e-07 5.000000e-01',
  )
})
