import { describe, expect, it } from 'vitest'
import { readAnswer } from '../../src/stages/policy-answer.ts'

describe('the answer of a policy', () => {
  it('allows for true, and for an object that says so', () => {
    expect(readAnswer({ value: true }).allowed).toBe(true)
    expect(readAnswer({ value: { allowed: true } }).allowed).toBe(true)
  })

  it.each([
    ['false', { value: false }, 'policy.denied'],
    ['an object that does not allow', { value: { allowed: false } }, 'policy.denied'],
    ['nothing', { value: undefined }, 'policy.undefined'],
    ['a number', { value: 1 }, 'policy.failed'],
    ['a text', { value: 'true' }, 'policy.failed'],
    ['a list', { value: [true] }, 'policy.failed'],
    ['null', { value: null }, 'policy.failed'],
    ['an object without allowed', { value: { headers: {} } }, 'policy.failed'],
    ['allowed as a text', { value: { allowed: 'true' } }, 'policy.failed'],
    ['headers of the wrong type', { value: { allowed: true, headers: { a: 1 } } }, 'policy.failed'],
    ['an impossible status', { value: { allowed: false, http_status: 99 } }, 'policy.failed'],
    [
      'an error',
      { value: undefined, error: { code: 'eval_conflict_error', message: 'm' } },
      'policy.failed',
    ],
    [
      'a spent budget',
      { value: undefined, error: { code: 'policy.too-slow', message: 'm' } },
      'policy.too-slow',
    ],
  ] as const)('denies for %s', (_, evaluation, code) => {
    const verdict = readAnswer(evaluation)
    expect([verdict.allowed, verdict.code]).toEqual([false, code])
  })

  it('reads what an allowing answer changes, in lower case and with lists', () => {
    const { changes } = readAnswer({
      value: {
        allowed: true,
        headers: { 'X-One': 'a', 'x-two': ['b', 'c'] },
        request_headers_to_remove: ['x-gone'],
        response_headers_to_add: [{ 'x-back': 'd' }],
        query_parameters_to_remove: ['debug'],
        query_parameters_to_set: { role: 'admin' },
      },
    })
    expect(changes).toEqual({
      setHeaders: [
        ['x-one', 'a'],
        ['x-two', 'b'],
        ['x-two', 'c'],
      ],
      removeHeaders: ['x-gone'],
      responseHeaders: [['x-back', 'd']],
      removeQuery: ['debug'],
      setQuery: [['role', 'admin']],
      none: false,
    })
  })

  it('lets a denial choose status, body and headers', () => {
    const { deny, reasons } = readAnswer({
      value: {
        allowed: false,
        http_status: 418,
        body: 'no tea',
        headers: { 'x-why': 'tea' },
        reasons: ['no tea'],
      },
    })
    expect(deny).toEqual({ status: 418, body: 'no tea', headers: [['x-why', 'tea']] })
    expect(reasons).toEqual(['no tea'])
  })
})
