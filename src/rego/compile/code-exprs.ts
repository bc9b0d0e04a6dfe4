/** Expressions to links: statements, calls, `not`, `every`, `and` and `or`, and `with` around them. */

import type { Frame, Step } from '../run/documents.ts'
import type { Body, Expr, Term } from '../syntax/tree.ts'
import {
  compare,
  equals,
  isArray,
  isObject,
  objectEntries,
  RegoSet,
  type Value,
} from '../values.ts'
import { constant, type BodyCode, type ValueOf } from './coder.ts'
import { codeRelation } from './code-relations.ts'
import { codeTerm } from './code-terms.ts'
import { codeMatch, codeUnify, equalityLink, slotTerm } from './code-unify.ts'
import { watchExpr } from './code-trace.ts'
import { codeWith } from './code-with.ts'

/** Adds the links of a body that is in order. */
export function codeBody(code: BodyCode, body: Body): void {
  for (const expr of body) {
    watchExpr(code, expr, () => {
      if (expr.with.length > 0) codeWith(code, expr)
      else codeExpr(code, expr)
    })
  }
}

/** Adds the links of an expression, its `with` left aside. */
export function codeExpr(code: BodyCode, expr: Expr): void {
  if (expr.negated) {
    const settled = settleNegated(code, { ...expr, negated: false })
    const inner = code.nested()
    codeExpr(inner, settled)
    const holds = inner.fold(found)
    code.links.push((next) => (frame) => !holds(frame) && next(frame))
    return
  }
  switch (expr.kind) {
    case 'term':
      return codeStatement(code, expr.term)
    case 'call':
      return codeCall(code, expr)
    case 'not': {
      const holds = exists(code, expr.body)
      code.links.push((next) => (frame) => !holds(frame) && next(frame))
      return undefined
    }
    case 'logic': {
      const left = exists(code, expr.left)
      const right = exists(code, expr.right)
      if (expr.operator === 'and') {
        code.links.push((next) => (frame) => left(frame) && right(frame) && next(frame))
      } else code.links.push((next) => (frame) => (left(frame) || right(frame)) && next(frame))
      return undefined
    }
    case 'every':
      return codeEvery(code, expr)
    default:
      return undefined
  }
}

/**
 * What a negated expression reads is read before the negation, so that an undefined operand fails the
 * body: the refs inside refs and collections, and the operands of calls. The two sides of an equation
 * and a ref that stands alone are part of what is negated.
 */
function settleNegated(code: BodyCode, expr: Expr): Expr {
  if (expr.kind === 'term') return { ...expr, term: settleInside(code, expr.term) }
  if (expr.kind !== 'call') return expr
  const isEquation = expr.name === 'eq' || expr.name === 'equal'
  const settle = isEquation ? settleInside : settleTerm
  return { ...expr, operands: expr.operands.map((operand) => settle(code, operand)) }
}

function settleInside(code: BodyCode, term: Term): Term {
  if (term.kind !== 'ref') return settleTerm(code, term)
  return { ...term, parts: term.parts.map((part) => settleTerm(code, part)) }
}

function settleTerm(code: BodyCode, term: Term): Term {
  switch (term.kind) {
    case 'ref': {
      const slot = code.slots.temporary()
      code.links.push(storeLink(codeTerm(code, settleInside(code, term)), slot))
      return slotTerm(code, slot, term)
    }
    case 'array':
    case 'set':
      return { ...term, items: term.items.map((item) => settleTerm(code, item)) }
    case 'object':
      return {
        ...term,
        entries: term.entries.map(
          ([key, value]) => [settleTerm(code, key), settleTerm(code, value)] as const,
        ),
      }
    default:
      return term
  }
}

function found(): boolean {
  return true
}

/** True when a body has a solution. */
function exists(code: BodyCode, body: Body): Step {
  const inner = code.nested()
  codeBody(inner, body)
  return inner.fold(found)
}

/** A term that stands alone holds unless it is undefined or false. */
function codeStatement(code: BodyCode, term: Term): void {
  const valueOf = codeTerm(code, term)
  if (valueOf.constant !== undefined) {
    if (valueOf.constant === false) code.links.push(() => () => false)
    return
  }
  code.links.push((next) => (frame) => {
    const value = valueOf(frame)
    return value !== undefined && value !== false && next(frame)
  })
}

function codeEvery(code: BodyCode, expr: Expr & { kind: 'every' }): void {
  const { runtime } = code.program
  const domain = codeTerm(code, expr.domain)
  const inner = code.nested()
  const keySlot = expr.key === undefined ? inner.slots.temporary() : inner.slots.of(expr.key.name)
  const valueSlot = inner.slots.of(expr.value.name)
  if (expr.key !== undefined) inner.bound.add(expr.key.name)
  inner.bound.add(expr.value.name)
  codeBody(inner, expr.body)
  const holds = inner.fold(found)
  const each = (frame: Frame, key: Value, value: Value): boolean => {
    runtime.tick()
    frame[keySlot] = key
    frame[valueSlot] = value
    return holds(frame)
  }
  code.links.push((next) => (frame) => {
    const value = domain(frame)
    if (isArray(value)) {
      for (let at = 0; at < value.length; at += 1)
        if (!each(frame, at, value[at] as Value)) return false
    } else if (value instanceof RegoSet) {
      for (const member of value.sorted()) if (!each(frame, member, member)) return false
    } else if (isObject(value)) {
      for (const entry of objectEntries(value))
        if (!each(frame, entry.key, entry.value)) return false
    } else return false
    return next(frame)
  })
}

function codeCall(code: BodyCode, expr: Expr & { kind: 'call' }): void {
  const { name, operands } = expr
  const [left, right] = operands as readonly [Term, Term]
  if (name === 'eq' || name === 'assign') {
    if (operands.length === 2) return codeUnify(code, left, right)
  }
  const arity = code.program.arity(name) ?? operands.length
  if (codeRelation(code, expr)) return undefined
  const inputs = operands.slice(0, arity).map((operand) => codeTerm(code, operand))
  const output = operands[arity]
  const mockable = code.program.calls.mockable(name)
  if (output === undefined && !mockable) {
    if (name === 'equal') {
      code.links.push(equalityLink(inputs[0] as ValueOf, inputs[1] as ValueOf))
      return undefined
    }
    const test = comparison(name, inputs)
    if (test !== undefined) {
      code.links.push((next) => (frame) => test(frame) && next(frame))
      return undefined
    }
  }
  const result =
    annotations(code, name) ?? code.program.calls.code(name, inputs, code.location(expr.at))
  if (output === undefined) {
    code.links.push((next) => (frame) => {
      const value = result(frame)
      return value !== undefined && value !== false && next(frame)
    })
    return undefined
  }
  const slot = code.slots.temporary()
  if (output.kind === 'var' && !code.bound.has(output.name)) {
    code.slots.name(output.name, slot)
    code.bound.add(output.name)
    code.links.push(storeLink(result, slot))
    return undefined
  }
  code.links.push(storeLink(result, slot))
  return codeMatch(code, output, slot)
}

/** `rego.metadata.rule()` and `.chain()` are known when the policy is compiled. */
function annotations(code: BodyCode, name: string): ValueOf | undefined {
  if (name === 'rego.metadata.rule') return constant(code.program.metadata.rule(code.rule))
  if (name === 'rego.metadata.chain') return constant(code.program.metadata.chain(code.rule))
  return undefined
}

function storeLink(result: ValueOf, slot: number) {
  return (next: Step): Step =>
    (frame) => {
      const value = result(frame)
      if (value === undefined) return false
      frame[slot] = value
      return next(frame)
    }
}

/** Comparisons that stand as statements. */
function comparison(
  name: string,
  inputs: readonly ValueOf[],
): ((frame: Frame) => boolean) | undefined {
  const [left, right] = inputs as readonly [ValueOf, ValueOf]
  if (inputs.length !== 2) return undefined
  const holds = orders[name]
  if (holds === undefined) return undefined
  return (frame) => {
    const a = left(frame)
    if (a === undefined) return false
    const b = right(frame)
    return b !== undefined && holds(a, b)
  }
}

const orders: Readonly<Record<string, (a: Value, b: Value) => boolean>> = {
  neq: (a, b) => !equals(a, b),
  lt: (a, b) => (typeof a === 'number' && typeof b === 'number' ? a < b : compare(a, b) < 0),
  lte: (a, b) => (typeof a === 'number' && typeof b === 'number' ? a <= b : compare(a, b) <= 0),
  gt: (a, b) => (typeof a === 'number' && typeof b === 'number' ? a > b : compare(a, b) > 0),
  gte: (a, b) => (typeof a === 'number' && typeof b === 'number' ? a >= b : compare(a, b) >= 0),
}
