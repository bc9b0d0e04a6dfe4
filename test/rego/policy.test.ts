/** The engine's front door: decisions, deciding rules, budgets, explanations, errors of a bundle. */

import { describe, expect, test } from 'vitest'

import { RegoErrors } from '../../src/rego/errors.ts'
import { explainText } from '../../src/rego/explain.ts'
import { compileBundle, type PolicyOptions } from '../../src/rego/policy.ts'
import { toJson } from '../../src/rego/value-text.ts'

const authz = `package authz

default allow := false

allow if {
	input.method == "GET"
	some role in data.users[input.user]
	role == "reader"
	fresh
}

allow if input.method == "OPTIONS"

fresh if input.token.expires > 100
`

function policyOf(text: string, data: unknown = {}, options: PolicyOptions = {}) {
  return compileBundle({ modules: [{ file: 'authz.rego', text }], data }, options)
}

describe('a decision', () => {
  const query = policyOf(authz, { users: { ann: ['reader'] } }).prepare('data.authz.allow')
  const allowed = { method: 'GET', user: 'ann', token: { expires: 200 } }

  test('names the rule that allowed', () => {
    const decision = query.decide(allowed)
    expect(decision).toMatchObject({ defined: true, value: true })
    expect(decision.rule).toEqual({ file: 'authz.rego', row: 5, col: 1, path: 'data.authz.allow' })
  })

  test('names the default when nothing allowed', () => {
    const decision = query.decide({ ...allowed, user: 'bob' })
    expect(decision).toMatchObject({ defined: true, value: false, rule: { row: 3 } })
  })

  test('keeps nothing of an earlier input', () => {
    expect(query.decide(allowed).value).toBe(true)
    expect(query.decide({}).value).toBe(false)
    expect(query.decide({ method: 'OPTIONS' }).value).toBe(true)
  })

  test('reads no inherited property of input', () => {
    const inherited = policyOf('package a\np if input.constructor\nq if input["__proto__"]')
    expect(inherited.prepare('data.a.p').decide({}).defined).toBe(false)
    expect(inherited.prepare('data.a.q').decide({}).defined).toBe(false)
    expect(inherited.prepare('data.a.q').decide(JSON.parse('{"__proto__": 1}')).value).toBe(true)
  })

  test('sees the policy’s own data after an error inside a `with`', () => {
    const policy = policyOf(
      'package a\np if q with data.users as {"x": 1}\nq := 1 if data.users.x\nq := 2 if data.users.x\nr := data.users',
      { users: { ann: 1 } },
    )
    expect(policy.prepare('data.a.p').decide({}).error?.code).toBe('eval_conflict_error')
    expect(toJson(policy.prepare('data.a.r').decide({}).value ?? null)).toEqual({ ann: 1 })
  })

  test('tells undefined from false', () => {
    const policy = policyOf('package a\np if input.x\nq := false')
    expect(policy.prepare('data.a.p').decide({})).toEqual({ defined: false, value: undefined })
    expect(policy.prepare('data.a.q').decide({})).toMatchObject({ defined: true, value: false })
  })

  test('carries a conflict as an error with its place', () => {
    const decision = policyOf('package a\np := 1\np := x if x := input.x')
      .prepare('data.a.p')
      .decide({ x: 2 })
    expect(decision.defined).toBe(false)
    expect(decision.error).toMatchObject({
      code: 'eval_conflict_error',
      location: { file: 'authz.rego', row: 3 },
    })
  })
})

describe('a budget', () => {
  const text = `package slow
p if {
	some a in input.xs
	some b in input.xs
	some c in input.xs
	a + b + c < 0
}`
  const query = policyOf(text).prepare('data.slow.p')
  const input = { xs: Array.from({ length: 2000 }, (_, at) => at) }

  test('ends a decision that takes too many steps, and names the rule', () => {
    const decision = query.decide(input, { budget: { steps: 10_000, wallMs: 1e9 } })
    expect(decision.error).toMatchObject({ code: 'policy.too-slow', location: { row: 2 } })
    expect(decision.defined).toBe(false)
  })

  test('ends a decision that takes too long', () => {
    let time = 0
    const slow = policyOf(text, {}, { now: () => (time += 10) }).prepare('data.slow.p')
    const decision = slow.decide(input, { budget: { steps: 1e9, wallMs: 50 } })
    expect(decision.error?.code).toBe('policy.too-slow')
  })

  test('does not touch a decision within it', () => {
    const decision = query.decide({ xs: [1, -5] }, { budget: { steps: 10_000, wallMs: 50 } })
    expect(decision.value).toBe(true)
  })
})

describe('an explanation of a denial', () => {
  const query = policyOf(authz, { users: { ann: ['reader'] } }).prepare('data.authz.allow')
  const input = { method: 'GET', user: 'ann', token: { expires: 5 } }

  test('shows the condition that failed and what it read, nearest rule first', () => {
    const { failures = [] } = query.decide(input, { explain: {} })
    expect(failures[0]).toMatchObject({ rule: 'data.authz.allow', condition: 'fresh', held: 3 })
    expect(failures[0]?.because[0]).toMatchObject({
      condition: 'input.token.expires > 100',
      location: { row: 14, col: 10 },
      values: [{ path: 'input.token.expires', value: '5' }],
    })
    expect(explainText(failures)).toContain(
      'authz.rego:14:10: data.authz.fresh needs input.token.expires > 100',
    )
  })

  test('does not show what is redacted', () => {
    const { failures = [] } = query.decide(input, { explain: { redact: ['input.token'] } })
    expect(failures[0]?.because[0]?.values).toEqual([
      { path: 'input.token.expires', value: '<redacted>' },
    ])
  })

  test('is absent when not asked for', () => {
    expect(query.decide(input).failures).toBeUndefined()
  })
})

describe('a bundle', () => {
  test('reports the mistakes of all files at once', () => {
    const modules = [
      { file: 'a.rego', text: 'package a\np if {' },
      { file: 'b.rego', text: 'package b\np { true }' },
    ]
    const errors = errorsOf(() => compileBundle({ modules }))
    expect(errors.map(({ code, location }) => [code, location.file, location.row])).toEqual([
      ['rego_parse_error', 'a.rego', 2],
      ['rego_parse_error', 'b.rego', 2],
    ])
  })

  test('accepts modules of Rego v0 when it says so', () => {
    const modules = [{ file: 'a.rego', text: 'package a\np[x] { x = 1 }\nq = 2 { not p[2] }' }]
    const policy = compileBundle({ modules, regoVersion: 'v0' })
    expect(toJson(policy.prepare('data.a').decide({}).value ?? null)).toEqual({ p: [1], q: 2 })
  })

  test('refuses text that nests too deep', () => {
    const text = `package a\np := ${'['.repeat(5000)}${']'.repeat(5000)}`
    expect(errorsOf(() => policyOf(text))[0]).toMatchObject({ code: 'rego_parse_error' })
  })
})

function errorsOf(compile: () => unknown) {
  try {
    compile()
  } catch (error) {
    if (error instanceof RegoErrors) return error.errors
    throw error
  }
  return []
}
