/**
 * A query as people ask it at a prompt: solutions with the value of every expression, the text of each and
 * where it stands, in the shape of OPA's result sets.
 */

import { operatorName } from '../syntax/parse-terms.ts'
import { parseQuery } from '../syntax/parse.ts'
import { placeCol, placeRow, type Body, type Expr, type VarTerm } from '../syntax/tree.ts'
import type { DecideOptions, Policy } from '../policy.ts'
import { toJson } from '../value-text.ts'
import type { Value } from '../values.ts'

/** The value of one expression of a query; a statement that has none, such as `x := 1`, is true. */
export interface ExpressionValue {
  readonly value: Value
  readonly text: string
  readonly location: { readonly row: number; readonly col: number }
}

/** One solution. */
export interface Solution {
  readonly expressions: readonly ExpressionValue[]
  readonly bindings?: Readonly<Record<string, Value>>
}

/** A query that has been parsed and prepared. */
export interface PreparedQuery {
  /** All solutions; throws `EvalError`. */
  run(input: Value | undefined, options: DecideOptions): readonly Solution[]
  /** The path of the document, when the query asks for one and nothing else. */
  readonly document: string | undefined
}

/** A variable that no text of a query can name. */
const captured = (index: number): string => `value of ${index}`

/** Prepares a query; throws `RegoErrors`. */
export function prepareQuery(policy: Policy, text: string): PreparedQuery {
  const body = parseQuery(text, { version: 'v1' })
  const solver = policy.solve(body.map((expr, index) => capture(policy, expr, index)))
  const texts = textsOf(text, body)
  const places = body.map(({ at }) => ({ row: placeRow(at), col: placeCol(at) }))
  return {
    document: documentOf(body),
    run: (input, options) =>
      solver.run(input, options).map((found) => {
        const expressions = texts.map((own, index) => ({
          value: valueOf(found, index),
          text: own,
          location: places[index]!,
        }))
        const names = [...found.keys()].filter((name) => !name.startsWith('value of ')).sort()
        if (names.length === 0) return { expressions }
        const bindings = Object.fromEntries(names.map((name) => [name, toJson(found.get(name)!)]))
        return { expressions, bindings }
      }),
  }
}

/** What was kept for an expression, which may be null; true when it has no value. */
function valueOf(found: ReadonlyMap<string, Value>, index: number): Value {
  const value = found.get(captured(index))
  return value === undefined ? true : toJson(value)
}

/** The expression with its value kept; what only holds or does not is left as it is. */
function capture(policy: Policy, expr: Expr, index: number): Expr {
  if (expr.negated) return expr
  const output: VarTerm = { kind: 'var', name: captured(index), at: expr.at }
  const { with: replacements, at } = expr
  if (expr.kind === 'term') {
    const operands = [output, expr.term]
    return { kind: 'call', name: 'eq', operands, negated: false, with: replacements, at }
  }
  if (expr.kind !== 'call' || ['eq', 'assign', 'print', 'walk'].includes(expr.name)) return expr
  if (policy.arity(expr.name) !== expr.operands.length) return expr
  return { ...expr, operands: [...expr.operands, output] }
}

/** What was written for each expression. */
function textsOf(text: string, body: Body): readonly string[] {
  const starts = lineStarts(text)
  const offsets = body.map(({ at }) => (starts[placeRow(at) - 1] ?? 0) + placeCol(at) - 1)
  return offsets.map((from, index) => {
    const to = offsets[index + 1] ?? text.length
    return text.slice(from, to).replace(/[\s;]+$/, '')
  })
}

function lineStarts(text: string): readonly number[] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}

function documentOf(body: Body): string | undefined {
  const [only] = body
  if (body.length !== 1 || only?.kind !== 'term' || only.with.length > 0) return undefined
  const { term } = only
  const name = term.kind === 'ref' ? operatorName(term) : undefined
  return name?.startsWith('data.') === true ? name : undefined
}
