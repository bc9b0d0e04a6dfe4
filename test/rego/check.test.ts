/** Mistakes a policy is refused for: code, place and message. */

import { describe, expect, test } from 'vitest'

import { RegoErrors } from '../../src/rego/errors.ts'
import { compileBundle } from '../../src/rego/policy.ts'

const refused: readonly (readonly [name: string, text: string, error: string])[] = [
  ['an unsafe variable', 'p if x > 1', '2:6 rego_unsafe_var_error: var x is unsafe'],
  ['an unsafe head', 'p contains x if true', '2:12 rego_unsafe_var_error: var x is unsafe'],
  ['an unknown function', 'p if nothing(1)', '2:6 rego_type_error: undefined function nothing'],
  [
    'too many operands of a built-in',
    'p if count(1, 2, 3)',
    '2:6 rego_type_error: count: arity mismatch',
  ],
  [
    'too many operands of a function',
    'f(x) := x\np if f(1, 2, 3) == 1',
    '3:6 rego_type_error: function data.a.f has arity 1, got 3 arguments',
  ],
  [
    'recursion',
    'p if q\nq if p',
    '2:1 rego_recursion_error: rule data.a.p is recursive: data.a.p -> data.a.q -> data.a.p',
  ],
  [
    'kinds of rules that conflict',
    'p := 1\np contains 2',
    '2:1 rego_type_error: conflicting rules data.a.p found',
  ],
  [
    'two defaults',
    'default p := 1\ndefault p := 2',
    '2:1 rego_type_error: multiple default rules data.a.p found at a.rego:2, a.rego:3',
  ],
  [
    'a rule inside a value',
    'p := {}\np.q := 1',
    '2:1 rego_type_error: rule data.a.p conflicts with:\n  rule data.a.p.q at a.rego:3',
  ],
  [
    'an assignment of a name in use',
    'p if {\n\tx = 1\n\tx := 2\n}',
    '4:2 rego_compile_error: var x referenced above',
  ],
  [
    'a second assignment',
    'p if {\n\tx := 1\n\tx := 2\n}',
    '4:2 rego_compile_error: var x assigned above',
  ],
  [
    'a declaration nobody uses',
    'p if {\n\tsome x\n\ttrue\n}',
    '3:2 rego_compile_error: declared var x unused',
  ],
  [
    'a part of a virtual document in `with`',
    'p := {"x": 1}\nq if p with data.a.p.x as 2',
    '3:13 rego_compile_error: with keyword cannot partially replace virtual document(s)',
  ],
  [
    'a deprecated built-in',
    'p if any([true])',
    '2:6 rego_type_error: deprecated built-in function calls in expression: any',
  ],
  ['an equation that cannot hold', 'p if 1 == "a"', '2:6 rego_type_error: match error'],
  [
    'an operand of a kind the function never takes',
    'p if startswith(1, "a")',
    '2:6 rego_type_error: startswith: invalid argument(s)',
  ],
  [
    'a result of a kind that cannot be',
    'p if {\n\tx := count(input.a)\n\tupper(x) == "A"\n}',
    '4:2 rego_type_error: upper: invalid argument(s)',
  ],
  [
    'a body without `if`',
    'p { true }',
    '2:1 rego_parse_error: `if` keyword is required before rule body',
  ],
  [
    'a set rule without `contains`',
    'p[x] { x := 1 }',
    '2:1 rego_parse_error: `contains` keyword is required for partial set rules',
  ],
]

describe('refuses', () => {
  for (const [name, text, error] of refused) {
    test(name, () => expect(errorsOf(text)).toContain(error))
  }
})

describe('strict checks refuse', () => {
  const strict = [
    ['an unused import', 'import data.b\np := 1', '2:1 rego_compile_error: import data.b unused'],
    [
      'an unused assignment',
      'p if {\n\tx := 1\n\ttrue\n}',
      '3:2 rego_compile_error: assigned var x unused',
    ],
    [
      'an unused argument',
      'f(x) := 1',
      '2:3 rego_compile_error: unused argument x. (hint: use _ (wildcard variable) instead)',
    ],
  ] as const
  for (const [name, text, error] of strict) {
    test(name, () => {
      expect(errorsOf(text, 'strict')).toContain(error)
      expect(errorsOf(text, 'lenient')).toEqual([])
    })
  }
})

function errorsOf(text: string, check: 'strict' | 'lenient' = 'lenient'): string[] {
  try {
    compileBundle({ modules: [{ file: 'a.rego', text: `package a\n${text}` }] }, { check })
    return []
  } catch (error) {
    if (!(error instanceof RegoErrors)) throw error
    return error.errors.map(
      ({ code, message, location }) => `${location.row}:${location.col} ${code}: ${message}`,
    )
  }
}
