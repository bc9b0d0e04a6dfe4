/**
 * The check of types, on bodies in order: walks each body with what is known of its variables. See
 * `types.ts` for how coarse it is.
 */

import type { ErrorList } from '../errors.ts'
import { placeCol, placeRow, type Body, type Expr, type Place, type Term } from '../syntax/tree.ts'
import type { ResolvedRule } from './resolve.ts'
import { anything, kindsOf, signatureOf, type Kinds } from './kinds.ts'
import { closuresOf } from './variables.ts'

type Complain = (message: string, at: Place) => void

/** Refuses equations and calls that cannot hold. */
export function checkTypes(rules: readonly ResolvedRule[], errors: ErrorList): void {
  for (const first of rules) {
    for (let rule: ResolvedRule | undefined = first; rule !== undefined; rule = rule.otherwise) {
      const { file } = rule.module
      checkBody(rule.body, new Map(), (message, at) =>
        errors.add('rego_type_error', message, { file, row: placeRow(at), col: placeCol(at) }),
      )
    }
  }
}

function checkBody(body: Body, known: Map<string, Kinds>, complain: Complain): void {
  for (const expr of body) {
    for (const closure of closuresOf(expr)) checkBody(closure.body, new Map(known), complain)
    if (expr.kind === 'call' && expr.with.length === 0) checkCall(expr, known, complain)
  }
}

function checkCall(
  expr: Expr & { kind: 'call' },
  known: Map<string, Kinds>,
  complain: Complain,
): void {
  const { name, operands, at } = expr
  const [left, right] = operands as readonly [Term, Term]
  if (name === 'eq' || name === 'assign' || name === 'equal') {
    if (operands.length !== 2) return
    const shared = kindsOf(left, known) & kindsOf(right, known)
    if (shared === 0) complain('match error', at)
    else if (!expr.negated && name !== 'equal')
      for (const side of [left, right]) narrow(side, shared, known)
    return
  }
  const signature = signatureOf(name)
  if (signature === undefined) return
  const fits = signature.operands.every((kinds, index) => {
    const operand = operands[index]
    return operand === undefined || (kinds & kindsOf(operand, known)) !== 0
  })
  if (!fits) complain(`${name}: invalid argument(s)`, at)
  const output = operands[signature.operands.length]
  if (output === undefined || expr.negated) return
  if ((kindsOf(output, known) & signature.result) === 0)
    complain(`${name}: invalid argument(s)`, at)
  else narrow(output, kindsOf(output, known) & signature.result, known)
}

function narrow(term: Term, kinds: Kinds, known: Map<string, Kinds>): void {
  if (term.kind === 'var' && kinds !== anything) known.set(term.name, kinds)
}
