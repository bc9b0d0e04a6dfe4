/**
 * Order: expressions of a body are put in an order in which every variable is bound before it is
 * needed. The order is observable (errors, output), so the algorithm is OPA's: again and again, in
 * the order of the text, each expression whose variables are all bound is taken. What is left over
 * has unsafe variables.
 */

import type { Body, Expr, Place, Term } from '../syntax/tree.ts'
import { settled } from './patterns.ts'
import { outputsOf, type Arity, type Names } from './outputs.ts'
import {
  bodyVars,
  closuresOf,
  exprVars,
  outsideClosures,
  termVars,
  type Closure,
} from './variables.ts'

export interface Unsafe {
  readonly name: string
  readonly at: Place
  /** In an operand of `print`, which waits for nothing. */
  readonly undeclared?: true
}

/** The body in order, closures within it too, and its unsafe variables. */
export function orderBody(
  body: Body,
  bound: Names,
  arity: Arity,
): { body: Body; unsafe: Unsafe[] } {
  const ordering = new Ordering(arity)
  return { body: ordering.order(body, bound), unsafe: ordering.unsafe }
}

/** A head's term with its closures ordered. */
export function orderTerm(
  term: Term,
  bound: Names,
  arity: Arity,
): { term: Term; unsafe: Unsafe[] } {
  const ordering = new Ordering(arity)
  return { term: ordering.term(term, bound), unsafe: ordering.unsafe }
}

/** The variables bound after a body that is in order. */
export function boundBy(body: Body, bound: Names, arity: Arity): Set<string> {
  const names = new Set(bound)
  for (const expr of body) for (const name of outputsOf(expr, names, arity)) names.add(name)
  return names
}

interface Pending {
  readonly expr: Expr
  readonly vars: Set<string>
  readonly closures: readonly Closure[]
  readonly closureVars: Names
}

class Ordering {
  readonly unsafe: Unsafe[] = []
  readonly #arity: Arity
  /** The expression whose closures are being put in order. */
  #at: Place | undefined

  constructor(arity: Arity) {
    this.#arity = arity
  }

  order(body: Body, bound: Names): Body {
    if (body.length === 1 && this.#isTrivial(body[0] as Expr, bound)) return body
    const mentioned = bodyVars(body, outsideClosures)
    const safe = new Set(bound)
    const pending = new Set(body.map((expr) => pendingOf(expr, bound)))
    const ordered: Expr[] = []
    for (let placed = -1; placed !== ordered.length;) {
      placed = ordered.length
      for (const item of pending) {
        const outputs = outputsOf(item.expr, safe, this.#arity)
        if (!closureIsReady(item, mentioned, safe)) continue
        for (const name of item.vars)
          if (safe.has(name) || outputs.has(name)) item.vars.delete(name)
        if (item.vars.size > 0) continue
        pending.delete(item)
        ordered.push(item.expr)
        for (const name of outputs) safe.add(name)
      }
    }
    for (const item of pending) this.#report(item, mentioned, safe)
    const around = new Set(bound)
    const finished: Expr[] = []
    for (const expr of [...ordered, ...[...pending].map((item) => item.expr)]) {
      finished.push(this.#closures(expr, around))
      exprVars(expr, outsideClosures, around)
    }
    return settled(finished, body)
  }

  #isTrivial(expr: Expr, _bound: Names): boolean {
    return expr.kind === 'term' && expr.term.kind === 'scalar' && expr.with.length === 0
  }

  #report(item: Pending, mentioned: Names, safe: Names): void {
    const names = new Set(item.vars)
    for (const name of item.closureVars) if (mentioned.has(name) && !safe.has(name)) names.add(name)
    for (const name of names) this.unsafe.push({ name, at: item.expr.at })
  }

  /** The expression with the bodies inside it in order. */
  #closures(expr: Expr, around: Names): Expr {
    if (closuresOf(expr).length === 0) return expr
    this.#at = expr.at
    const withs =
      expr.with.length === 0
        ? expr.with
        : expr.with.map((item) => ({ ...item, value: this.term(item.value, around) }))
    switch (expr.kind) {
      case 'term':
        return { ...expr, term: this.term(expr.term, around), with: withs }
      case 'call':
        return {
          ...expr,
          operands: expr.operands.map((operand) =>
            expr.name === 'internal.print'
              ? this.#printed(operand, around)
              : this.term(operand, around),
          ),
          with: withs,
        }
      case 'every': {
        const inner = new Set(around)
        if (expr.key !== undefined) inner.add(expr.key.name)
        inner.add(expr.value.name)
        const domain = this.term(expr.domain, around)
        return { ...expr, domain, body: this.order(expr.body, inner), with: withs }
      }
      case 'not':
        return { ...expr, body: this.order(expr.body, around), with: withs }
      case 'logic':
        return {
          ...expr,
          left: this.order(expr.left, around),
          right: this.order(expr.right, around),
          with: withs,
        }
      default:
        return expr
    }
  }

  term(term: Term, around: Names): Term {
    switch (term.kind) {
      case 'ref':
        return {
          ...term,
          head: this.term(term.head, around),
          parts: term.parts.map((part) => this.term(part, around)),
        }
      case 'array':
      case 'set':
        return { ...term, items: term.items.map((item) => this.term(item, around)) }
      case 'object':
        return {
          ...term,
          entries: term.entries.map(
            ([key, value]) => [this.term(key, around), this.term(value, around)] as const,
          ),
        }
      case 'template':
        return {
          ...term,
          parts: term.parts.map((part) =>
            typeof part === 'string' ? part : this.term(part as Term, around),
          ),
        }
      case 'comprehension':
        return this.#comprehension(term, around)
      default:
        return term
    }
  }

  #printed(operand: Term, around: Names): Term {
    const before = this.unsafe.length
    const term = this.term(operand, around)
    const found = this.unsafe.splice(before)
    this.unsafe.push(...found.map((one) => ({ ...one, undeclared: true as const })))
    return term
  }

  #comprehension(term: Term & { kind: 'comprehension' }, around: Names): Term {
    const body = this.order(term.body, around)
    const inner = boundBy(body, around, this.#arity)
    for (const head of [term.key, term.value]) {
      if (head === undefined) continue
      const before = this.unsafe.length
      for (const name of termVars(head, outsideClosures)) {
        if (!inner.has(name) && !this.#known(name, before))
          this.unsafe.push({ name, at: this.#at ?? head.at })
      }
    }
    const key = term.key === undefined ? undefined : this.term(term.key, inner)
    return { ...term, key, value: this.term(term.value, inner), body }
  }

  #known(name: string, count: number): boolean {
    return this.unsafe.slice(0, count).some((entry) => entry.name === name)
  }
}

function pendingOf(expr: Expr, bound: Names): Pending {
  const vars = new Set<string>()
  for (const name of exprVars(expr, outsideClosures)) if (!bound.has(name)) vars.add(name)
  const closures = closuresOf(expr)
  const closureVars = new Set<string>()
  for (const closure of closures) {
    for (const head of closure.heads) termVars(head, undefined, closureVars)
    bodyVars(closure.body, undefined, closureVars)
    for (const name of closure.own) closureVars.delete(name)
  }
  return { expr, vars, closures, closureVars }
}

/** A closure has to wait for the variables of the body around it that it reads. */
function closureIsReady(item: Pending, mentioned: Names, safe: Names): boolean {
  const waits = [...item.closureVars].filter((name) => mentioned.has(name) && !safe.has(name))
  if (waits.length === 0) return true
  return false
}
