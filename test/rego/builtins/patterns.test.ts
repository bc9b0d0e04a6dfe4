import { expect, test } from 'vitest'
import { call, refusal } from './call.ts'

test('expressions are RE2: no look-ahead, no back-references, no exponential time', () => {
  expect(call('regex.match', '^a[a-z]+$', 'abc')).toBe(true)
  expect(refusal('regex.match', '(?=a)', 'a')).toMatch(
    /eval_builtin_error: regex.match: error parsing regexp/,
  )
  expect(call('regex.is_valid', '(a)\\1')).toBe(false)
  expect(call('regex.match', '^(a+)+$', `${'a'.repeat(5000)}!`)).toBe(false)
})

test('matches, parts and replacements follow Go', () => {
  expect(call('regex.split', ',', 'a,b,')).toEqual(['a', 'b', ''])
  expect(call('regex.split', '', 'abc')).toEqual(['a', 'b', 'c'])
  expect(call('regex.find_n', 'a*', 'baac', -1)).toEqual(['', 'aa', ''])
  expect(call('regex.replace', 'foo', '^[a-z]', 'F')).toBe('Foo')
  expect(call('regex.replace', 'a-b', '(\\w)-(\\w)', '$2-${1}x$$')).toBe('b-ax$')
  expect(call('regex.find_all_string_submatch_n', 'a(b)?', 'aab', -1)).toEqual([
    ['a', ''],
    ['ab', 'b'],
  ])
})

test('a star of a glob stays within separators and a double star does not', () => {
  expect(call('glob.match', '*.github.com', ['.'], 'api.github.com')).toBe(true)
  expect(call('glob.match', '*.github.com', ['.'], 'a.api.github.com')).toBe(false)
  expect(call('glob.match', '**.github.com', ['.'], 'a.api.github.com')).toBe(true)
  expect(call('glob.match', '/api/**', ['/'], '/api/a/b')).toBe(true)
  expect(call('glob.match', '*', [], 'foo.bar')).toBe(false)
  expect(call('glob.match', '*', null, 'foo.bar')).toBe(true)
  expect(call('glob.match', '/*/b*c', ['/'], '/x/abc')).toBe(false)
  expect(call('glob.match', '/*/*b*c', ['/'], '/x/abbc')).toBe(true)
})

test('alternatives, classes and escapes of globs', () => {
  expect(call('glob.match', '{cat,[fr]at}', [], 'rat')).toBe(true)
  expect(call('glob.match', '[!a-c]at', [], 'bat')).toBe(false)
  expect(call('glob.match', 'a\\*b', [], 'a*b')).toBe(true)
  expect(call('glob.match', '{a.b,c}?', ['/'], 'a.bx')).toBe(true)
  expect(call('glob.match', call('glob.quote_meta', '*?[x]{}')!, [], '*?[x]{}')).toBe(true)
  expect(refusal('glob.match', '[', [], 'x')).toMatch(/unexpected end of input/)
  expect(refusal('glob.match', 'a', ['ab'], 'x')).toMatch(
    /array of runes but got array containing string/,
  )
})

test('a glob with many stars ends', () => {
  expect(call('glob.match', '*a'.repeat(200), ['/'], 'a'.repeat(3000) + 'b')).toBe(false)
})

test('two globs intersect when some text matches both', () => {
  expect(call('regex.globs_match', 'a.a.[0-9]+z', '.b.b2359825792*594823z')).toBe(true)
  expect(call('regex.globs_match', '[a-z]+', '[0-9]*')).toBe(false)
  expect(call('regex.globs_match', 'a*b*', '[c-d]*')).toBe(false)
  expect(call('regex.globs_match', 'a*b*', '[b-d]*')).toBe(true)
  expect(call('regex.globs_match', '', '')).toBe(true)
  expect(call('regex.globs_match', 'a*', '')).toBe(false)
  expect(refusal('regex.globs_match', '+a', 'a')).toMatch(
    /flag '\+' must be preceded by a non-flag/,
  )
})

test('a template matches patterns between delimiters', () => {
  expect(call('regex.template_match', 'urn:{[a-z]{2}}.x', 'urn:ab.x', '{', '}')).toBe(true)
  expect(call('regex.template_match', 'a.<.*>', 'abc', '<', '>')).toBe(false)
  expect(refusal('regex.template_match', '{a', 'a', '{', '}')).toMatch(/unbalanced braces in "\{a"/)
})
