/**
 * Expand: calls inside terms become expressions of their own, in the order they are needed, and
 * values that take work in a rule's head or a `with` move into the body. After this a term holds
 * scalars, variables, refs, collections and closures, but no call.
 */

import type { Body, CallExpr, Expr, Place, Term, With } from '../syntax/tree.ts'
import { functionMark, type NameSource } from './names.ts'
import type { ResolvedRule } from './resolve.ts'
import { mapped, settled } from './patterns.ts'
import { isExpr } from './variables.ts'

/** Calls of `print` are left out unless somebody reads them. */
export type PrintCalls = 'keep' | 'erase'

/** The rule with nothing left to compute in its head. */
export function expandRule(rule: ResolvedRule, print: PrintCalls): ResolvedRule {
  const expander = new Expander(rule.names, print)
  const extra: Expr[] = []
  const args = rule.args?.map((arg) => expander.settle(arg, extra))
  const dynamic = rule.dynamic.map((part) => expander.settle(part, extra))
  const member = rule.member === undefined ? undefined : expander.settle(rule.member, extra)
  const value = expander.settle(rule.value, extra)
  const body = settled(expander.body(rule.body).concat(extra), rule.body)
  const otherwise = rule.otherwise === undefined ? undefined : expandRule(rule.otherwise, print)
  return { ...rule, args, dynamic, member, value, body, otherwise }
}

export function expandQuery(body: Body, names: NameSource): Body {
  return new Expander(names, 'erase').body(body)
}

class Expander {
  readonly #names: NameSource
  readonly #print: PrintCalls

  constructor(names: NameSource, print: PrintCalls) {
    this.#names = names
    this.#print = print
  }

  body(body: Body): Expr[] {
    const kept = body.flatMap((expr) => (isPrint(expr) ? this.#printed(expr) : [expr]))
    return (kept.length === 0 ? [trueExpr(body[0]?.at ?? 0)] : kept).flatMap((expr) =>
      this.#expr(expr),
    )
  }

  /** Each operand of `print` becomes the set of its values, so that none of them stops the body. */
  #printed(expr: CallExpr): Expr[] {
    if (this.#print === 'erase') return []
    const operands = expr.operands.map((operand): Term => {
      const value: Term = { kind: 'var', name: this.#names.generated(), at: operand.at }
      const body = [equation(value, operand, [], operand.at)]
      return { kind: 'comprehension', of: 'set', key: undefined, value, body, at: operand.at }
    })
    return [{ ...expr, name: 'internal.print', operands }]
  }

  /** A head term: itself when nothing has to be computed, else a variable the body sets. */
  settle(term: Term, extra: Expr[]): Term {
    if (!needsWork(term)) return term
    const value = this.#term(term, [], extra)
    if (value.kind === 'var') return value
    const variable: Term = { kind: 'var', name: this.#names.generated(), at: term.at }
    extra.push(equation(variable, value, [], term.at))
    return variable
  }

  #expr(expr: Expr): Expr[] {
    const before: Expr[] = []
    const withs =
      expr.with.length === 0 ? expr.with : expr.with.map((item) => this.#with(item, before))
    const extra: Expr[] = []
    const done = this.#inner(withs === expr.with ? expr : { ...expr, with: withs }, extra)
    return before.concat(extra, done)
  }

  #inner(expr: Expr, extra: Expr[]): Expr {
    switch (expr.kind) {
      case 'term': {
        const term = this.#term(expr.term, expr.with, extra)
        return term === expr.term ? expr : { ...expr, term }
      }
      case 'call':
        return withOperands(
          expr,
          mapped(expr.operands, (operand) => this.#term(operand, expr.with, extra)),
        )
      case 'every':
        return {
          ...expr,
          domain: this.#term(expr.domain, expr.with, extra),
          body: this.body(expr.body),
        }
      case 'not':
        return { ...expr, body: this.body(expr.body) }
      case 'logic':
        return { ...expr, left: this.body(expr.left), right: this.body(expr.right) }
      default:
        return expr
    }
  }

  #with(item: With, before: Expr[]): With {
    if (!needsWork(item.value) || isFunctionName(item.value)) return item
    const extra: Expr[] = []
    const value = this.#term(item.value, [], extra)
    before.push(...extra)
    if (value.kind === 'var') return { ...item, value }
    const variable: Term = { kind: 'var', name: this.#names.generated(), at: item.at }
    // The check of functions decides whether a ref names a function, so refs stay as they are.
    if (value.kind === 'ref') return { ...item, value }
    before.push(equation(variable, value, [], item.at))
    return { ...item, value: variable }
  }

  #term(term: Term, withs: readonly With[], extra: Expr[]): Term {
    switch (term.kind) {
      case 'call': {
        const operands = term.operands.map((operand) => this.#term(operand, withs, extra))
        const output: Term = { kind: 'var', name: this.#names.generated(), at: term.at }
        extra.push({
          kind: 'call',
          name: term.name,
          operands: operands.concat(output),
          nested: true,
          negated: false,
          with: withs,
          at: term.at,
        })
        return output
      }
      case 'ref': {
        const head = this.#term(term.head, withs, extra)
        const parts = mapped(term.parts, (part) => this.#term(part, withs, extra))
        return head === term.head && parts === term.parts ? term : { ...term, head, parts }
      }
      case 'array':
      case 'set': {
        const items = mapped(term.items, (item) => this.#term(item, withs, extra))
        return items === term.items ? term : { ...term, items }
      }
      case 'object':
        return {
          ...term,
          entries: term.entries.map(
            ([key, value]) =>
              [this.#term(key, withs, extra), this.#term(value, withs, extra)] as const,
          ),
        }
      case 'comprehension': {
        const after: Expr[] = []
        const key = term.key === undefined ? undefined : this.#term(term.key, [], after)
        const value = this.#term(term.value, [], after)
        return { ...term, key, value, body: [...this.body(term.body), ...after] }
      }
      case 'template':
        return {
          ...term,
          parts: term.parts.map((part) =>
            typeof part === 'string' || isExpr(part) ? part : this.#term(part, withs, extra),
          ),
        }
      default:
        return term
    }
  }
}

/** True when a term has to be evaluated, not just put together. */
export function needsWork(term: Term): boolean {
  switch (term.kind) {
    case 'scalar':
    case 'var':
      return false
    case 'array':
    case 'set':
      return term.items.some(needsWork)
    case 'object':
      return term.entries.some(([key, value]) => needsWork(key) || needsWork(value))
    default:
      return true
  }
}

/** A built-in given as a replacement. */
function isFunctionName(term: Term): boolean {
  return term.kind === 'call' && term.name.startsWith(functionMark)
}

function withOperands(expr: CallExpr, operands: readonly Term[]): CallExpr {
  return operands === expr.operands ? expr : { ...expr, operands }
}

function isPrint(expr: Expr): expr is CallExpr {
  return expr.kind === 'call' && expr.name === 'print'
}

function trueExpr(at: Place): Expr {
  return { kind: 'term', term: { kind: 'scalar', value: true, at }, negated: false, with: [], at }
}

function equation(left: Term, right: Term, withs: readonly With[], at: Place): Expr {
  return { kind: 'call', name: 'eq', operands: [left, right], negated: false, with: withs, at }
}
