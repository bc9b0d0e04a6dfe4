/** Visits every expression and term of a rule, closures and heads included. */

import type { Body, Expr, Term } from '../syntax/tree.ts'
import type { ResolvedRule } from './resolve.ts'
import { isExpr } from './variables.ts'

export interface Visitor {
  readonly expr?: (expr: Expr) => void
  readonly term?: (term: Term) => void
}

export function walkRule(rule: ResolvedRule, visitor: Visitor): void {
  for (let one: ResolvedRule | undefined = rule; one !== undefined; one = one.otherwise) {
    for (const term of [...(one.args ?? []), ...one.dynamic, one.value]) walkTerm(term, visitor)
    if (one.member !== undefined) walkTerm(one.member, visitor)
    walkBody(one.body, visitor)
  }
}

export function walkBody(body: Body, visitor: Visitor): void {
  for (const expr of body) walkExpr(expr, visitor)
}

function walkExpr(expr: Expr, visitor: Visitor): void {
  visitor.expr?.(expr)
  for (const { value, target } of expr.with) {
    walkTerm(value, visitor)
    walkTerm(target, visitor)
  }
  switch (expr.kind) {
    case 'term':
      walkTerm(expr.term, visitor)
      break
    case 'call':
      for (const operand of expr.operands) walkTerm(operand, visitor)
      break
    case 'every':
      walkTerm(expr.domain, visitor)
      walkBody(expr.body, visitor)
      break
    case 'not':
      walkBody(expr.body, visitor)
      break
    case 'logic':
      walkBody(expr.left, visitor)
      walkBody(expr.right, visitor)
      break
    default:
  }
}

export function walkTerm(term: Term, visitor: Visitor): void {
  visitor.term?.(term)
  switch (term.kind) {
    case 'ref':
      walkTerm(term.head, visitor)
      for (const part of term.parts) walkTerm(part, visitor)
      break
    case 'array':
    case 'set':
      for (const item of term.items) walkTerm(item, visitor)
      break
    case 'object':
      for (const item of term.entries.flat()) walkTerm(item, visitor)
      break
    case 'call':
      for (const operand of term.operands) walkTerm(operand, visitor)
      break
    case 'template':
      for (const part of term.parts)
        if (typeof part !== 'string' && !isExpr(part)) walkTerm(part, visitor)
      break
    case 'comprehension':
      if (term.key !== undefined) walkTerm(term.key, visitor)
      walkTerm(term.value, visitor)
      walkBody(term.body, visitor)
      break
    default:
  }
}
