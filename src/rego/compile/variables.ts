/**
 * Which variables a term or an expression mentions, leaving out what a question does not ask about:
 * closures, heads of refs, keys of objects, members of sets.
 */

import type { Body, Expr, Term } from '../syntax/tree.ts'

export interface Visit {
  readonly closures?: boolean
  readonly refHeads?: boolean
  readonly objectKeys?: boolean
  readonly sets?: boolean
}

const everything: Visit = { closures: true, refHeads: true, objectKeys: true, sets: true }
/** What safety looks at: everything but the inside of closures. */
export const outsideClosures: Visit = { ...everything, closures: false }

/** True for the two documents every rule can read. */
export function isRoot(name: string): boolean {
  return name === 'input' || name === 'data'
}

export function termVars(
  term: Term,
  visit: Visit = everything,
  into = new Set<string>(),
): Set<string> {
  switch (term.kind) {
    case 'scalar':
      break
    case 'var':
      if (!isRoot(term.name)) into.add(term.name)
      break
    case 'ref':
      if (term.head.kind !== 'var' || visit.refHeads === true) termVars(term.head, visit, into)
      for (const part of term.parts) termVars(part, visit, into)
      break
    case 'set':
      if (visit.sets !== true) break
      for (const item of term.items) termVars(item, visit, into)
      break
    case 'array':
      for (const item of term.items) termVars(item, visit, into)
      break
    case 'object':
      for (const [key, value] of term.entries) {
        if (visit.objectKeys === true) termVars(key, visit, into)
        termVars(value, visit, into)
      }
      break
    case 'call':
      for (const operand of term.operands) termVars(operand, visit, into)
      break
    case 'template':
      for (const part of term.parts)
        if (typeof part !== 'string' && !isExpr(part)) termVars(part, visit, into)
      break
    case 'comprehension':
      if (visit.closures !== true) break
      if (term.key !== undefined) termVars(term.key, visit, into)
      termVars(term.value, visit, into)
      bodyVars(term.body, visit, into)
  }
  return into
}

export function isExpr(part: Term | Expr): part is Expr {
  return 'negated' in part
}

export function bodyVars(
  body: Body,
  visit: Visit = everything,
  into = new Set<string>(),
): Set<string> {
  for (const expr of body) exprVars(expr, visit, into)
  return into
}

export function exprVars(
  expr: Expr,
  visit: Visit = everything,
  into = new Set<string>(),
): Set<string> {
  for (const { target, value } of expr.with) {
    termVars(value, visit, into)
    if (target.kind === 'ref') for (const part of target.parts) termVars(part, visit, into)
  }
  switch (expr.kind) {
    case 'term':
      termVars(expr.term, visit, into)
      break
    case 'call':
      for (const operand of expr.operands) termVars(operand, visit, into)
      break
    case 'every':
      termVars(expr.domain, visit, into)
      if (visit.closures === true) {
        if (expr.key !== undefined) into.add(expr.key.name)
        into.add(expr.value.name)
        bodyVars(expr.body, visit, into)
      }
      break
    case 'not':
      if (visit.closures === true) bodyVars(expr.body, visit, into)
      break
    case 'logic':
      if (visit.closures === true) {
        bodyVars(expr.left, visit, into)
        bodyVars(expr.right, visit, into)
      }
      break
    case 'some':
      for (const name of expr.names) into.add(name.name)
      break
    case 'some-in':
      for (const term of [expr.key, expr.value, expr.domain])
        if (term !== undefined) termVars(term, visit, into)
  }
  return into
}

/** The bodies an expression holds as closures, comprehensions in its terms included. */
export function closuresOf(expr: Expr): Closure[] {
  const found: Closure[] = []
  for (const { value } of expr.with) termClosures(value, found)
  if (expr.kind === 'term') termClosures(expr.term, found)
  if (expr.kind === 'call') for (const operand of expr.operands) termClosures(operand, found)
  if (expr.kind === 'every') {
    termClosures(expr.domain, found)
    found.push({
      body: expr.body,
      heads: [],
      own: expr.key === undefined ? [expr.value.name] : [expr.key.name, expr.value.name],
    })
  }
  if (expr.kind === 'not') found.push({ body: expr.body, heads: [], own: [] })
  if (expr.kind === 'logic') {
    found.push({ body: expr.left, heads: [], own: [] }, { body: expr.right, heads: [], own: [] })
  }
  return found
}

export interface Closure {
  readonly body: Body
  readonly heads: readonly Term[]
  /** Variables the closure brings along, bound before its body. */
  readonly own: readonly string[]
}

function termClosures(term: Term, found: Closure[]): void {
  switch (term.kind) {
    case 'ref':
      termClosures(term.head, found)
      for (const part of term.parts) termClosures(part, found)
      break
    case 'array':
    case 'set':
      for (const item of term.items) termClosures(item, found)
      break
    case 'object':
      for (const item of term.entries.flat()) termClosures(item, found)
      break
    case 'call':
      for (const operand of term.operands) termClosures(operand, found)
      break
    case 'template':
      for (const part of term.parts)
        if (typeof part !== 'string' && !isExpr(part)) termClosures(part, found)
      break
    case 'comprehension':
      found.push({
        body: term.body,
        heads: term.key === undefined ? [term.value] : [term.key, term.value],
        own: [],
      })
  }
}
