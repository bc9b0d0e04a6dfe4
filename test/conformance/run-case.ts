/**
 * One conformance case, judged by OPA's own rules: error codes exactly, error texts as a part of the
 * full text, results as sets of bindings after the way through JSON.
 */

import type { Builtin } from '../../src/rego/builtins/builtin.ts'
import { builtins } from '../../src/rego/builtins/registry.ts'
import { EvalError, RegoErrors } from '../../src/rego/errors.ts'
import { compileBundle, type PolicyOptions } from '../../src/rego/policy.ts'
import { evaluateTerm } from '../../src/rego/term-value.ts'
import { toJson, toTerm, fromJson } from '../../src/rego/value-text.ts'
import { compare, equals, isArray, makeObject, RegoSet, type Value } from '../../src/rego/values.ts'
import type { Case } from './cases.ts'

export interface Verdict {
  readonly passed: boolean
  /** What was expected and what came, when it failed. */
  readonly reason: string
}

export interface RunOptions {
  readonly regoVersion: 'v0' | 'v1'
  readonly forced?: readonly string[]
}

/** OPA's own runner adds a function that waits; here no time passes within a query anyway. */
const withSleep = new Map<string, Builtin>([
  ...builtins,
  ['test.sleep', { name: 'test.sleep', args: ['string'], run: () => null }],
])

const pass: Verdict = { passed: true, reason: '' }

export function runCase({ fields }: Case, options: RunOptions): Verdict {
  try {
    return judge(fields, evaluate(fields, options))
  } catch (error) {
    if (error instanceof RegoErrors)
      return { passed: false, reason: `does not compile: ${error.message}` }
    if (error instanceof EvalError) return judgeError(fields, error)
    return {
      passed: false,
      reason: `crash: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    }
  }
}

function evaluate(fields: Case['fields'], options: RunOptions): Value[] {
  const modules = (fields['modules'] as string[] | null | undefined) ?? []
  const policyOptions: PolicyOptions = {
    builtins: withSleep,
    experimental: fields['experimental_keywords'] === true ? 'all' : 'none',
    ...(options.forced === undefined ? {} : { forced: options.forced }),
  }
  const policy = compileBundle(
    {
      modules: modules.map((text, index) => ({ file: `test-${index}.rego`, text })),
      data: fields['data'] ?? {},
      regoVersion: options.regoVersion,
    },
    policyOptions,
  )
  const rows = policy.query(String(fields['query']), inputOf(fields), {
    builtinErrors: fields['strict_error'] === true ? 'strict' : 'undefined',
  })
  return rows.map((row) =>
    makeObject([...row].map(([name, value]) => [name, toJson(value)] as const)),
  )
}

function inputOf(fields: Case['fields']): Value | undefined {
  const term = fields['input_term']
  if (typeof term === 'string') return evaluateTerm(term)
  return fields['input'] === undefined ? undefined : fromJson(fields['input'])
}

function judge(fields: Case['fields'], rows: readonly Value[]): Verdict {
  if (fields['want_error'] !== undefined || fields['want_error_code'] !== undefined) {
    return { passed: false, reason: `expected ${wantedError(fields)}, got ${toTerm(rows)}` }
  }
  const wanted = fields['want_result']
  if (wanted === undefined) return { passed: false, reason: 'the case expects nothing' }
  const expected = new RegoSet((fromJson(wanted) as readonly Value[] | null) ?? [])
  const got = new RegoSet(fields['sort_bindings'] === true ? rows.map(sortBindings) : rows)
  if (equals(expected, got)) return pass
  return { passed: false, reason: `expected ${toTerm(expected)}, got ${toTerm(got)}` }
}

function sortBindings(row: Value): Value {
  const entries = Object.entries(toJson(row) as Record<string, Value>)
  return makeObject(
    entries.map(
      ([name, value]) => [name, isArray(value) ? [...value].sort(compare) : value] as const,
    ),
  )
}

function judgeError(fields: Case['fields'], error: EvalError): Verdict {
  const code = fields['want_error_code']
  const text = fields['want_error']
  const full = error.toString()
  const wanted = wantedError(fields)
  if (code === undefined && text === undefined) return { passed: false, reason: `error: ${full}` }
  if (code !== undefined && code !== error.code)
    return { passed: false, reason: `expected ${wanted}, got ${full}` }
  if (typeof text === 'string' && !full.includes(text)) {
    return { passed: false, reason: `expected ${wanted}, got ${full}` }
  }
  return pass
}

function wantedError(fields: Case['fields']): string {
  return `error ${JSON.stringify(fields['want_error_code'] ?? '')} ${JSON.stringify(fields['want_error'] ?? '')}`
}
