/**
 * Which variables an expression binds once others are bound: the question the ordering of bodies asks
 * again and again. Refs bind the variables in their parts, equations what unification reaches, calls
 * the variables in the place of their result; negations, closures and `with` values bind nothing.
 */

import type { Expr, Term } from '../syntax/tree.ts'
import { isRoot, outsideClosures, termVars } from './variables.ts'

export type Names = ReadonlySet<string>
/** Number of operands a function takes, by name; undefined for an unknown function. */
export type Arity = (name: string) => number | undefined

export function outputsOf(expr: Expr, safe: Names, arity: Arity): Set<string> {
  const none = new Set<string>()
  if (expr.negated) return none
  for (const { value } of expr.with) {
    for (const name of termVars(value, outsideClosures)) if (!safe.has(name)) return none
  }
  switch (expr.kind) {
    case 'term':
      return refOutputs(expr.term, safe, none)
    case 'every':
      return refOutputs(expr.domain, safe, none)
    case 'call':
      return expr.name === 'eq' || expr.name === 'assign'
        ? equationOutputs(expr, safe)
        : callOutputs(expr, safe, arity)
    default:
      return none
  }
}

/** Variables in the parts of refs whose head is known. */
function refOutputs(term: Term, safe: Names, into: Set<string>): Set<string> {
  switch (term.kind) {
    case 'ref':
      if (!isSafeHead(term.head, safe)) return into
      if (term.head.kind !== 'var') refOutputs(term.head, safe, into)
      for (const part of term.parts) {
        partOutputs(part, into)
        refOutputs(part, safe, into)
      }
      break
    case 'array':
    case 'set':
      for (const item of term.items) refOutputs(item, safe, into)
      break
    case 'object':
      for (const item of term.entries.flat()) refOutputs(item, safe, into)
      break
    case 'call':
      for (const operand of term.operands) refOutputs(operand, safe, into)
  }
  return into
}

/** The variables a part binds: itself, or those inside a pattern; a nested ref binds its own. */
function partOutputs(part: Term, into: Set<string>): void {
  if (part.kind === 'var') into.add(part.name)
  if (part.kind === 'array') for (const item of part.items) partOutputs(item, into)
  if (part.kind === 'object') for (const [, value] of part.entries) partOutputs(value, into)
}

function isSafeHead(head: Term, safe: Names): boolean {
  if (head.kind === 'var') return isRoot(head.name) || safe.has(head.name)
  for (const name of termVars(head, outsideClosures)) if (!safe.has(name)) return false
  return true
}

function callOutputs(expr: Expr & { kind: 'call' }, safe: Names, arity: Arity): Set<string> {
  const outputs = new Set<string>()
  for (const operand of expr.operands) refOutputs(operand, safe, outputs)
  const inputs = arity(expr.name)
  if (inputs === undefined || inputs >= expr.operands.length) return outputs
  const visit = { closures: false, sets: false, objectKeys: false, refHeads: false }
  for (const operand of expr.operands.slice(0, inputs)) {
    for (const name of termVars(operand, visit))
      if (!outputs.has(name) && !safe.has(name)) return new Set()
  }
  for (const operand of expr.operands.slice(inputs)) termVars(operand, visit, outputs)
  return outputs
}

function equationOutputs(expr: Expr & { kind: 'call' }, safe: Names): Set<string> {
  const [left, right] = expr.operands as readonly [Term, Term]
  const outputs = new Set<string>()
  refOutputs(left, safe, outputs)
  refOutputs(right, safe, outputs)
  const known = new Set([...safe, ...outputs])
  const unifier = new Unifier(known)
  unifier.unify(left, right)
  const own = expr.name === 'assign' ? termVars(right, outsideClosures) : undefined
  for (const name of unifier.found) {
    // The value of `:=` is not made safe by what it is assigned to.
    if (own?.has(name) === true && !outputs.has(name)) continue
    outputs.add(name)
  }
  return outputs
}

/** Finds the variables that unifying two terms binds. */
class Unifier {
  readonly found = new Set<string>()
  readonly #safe: Set<string>
  /** Variables that become known when another set of variables is. */
  readonly #waiting: { readonly name: string; readonly needs: Names }[] = []

  constructor(safe: Set<string>) {
    this.#safe = safe
  }

  unify(left: Term, right: Term): void {
    if (left.kind === 'var') this.#unifyVar(left.name, right)
    else if (right.kind === 'var') this.#unifyVar(right.name, left)
    else if (left.kind === 'array' && right.kind === 'array') {
      if (left.items.length !== right.items.length) return
      left.items.forEach((item, index) => this.unify(item, right.items[index] as Term))
    } else if (left.kind === 'object' && right.kind === 'object') this.#unifyObjects(left, right)
    else if (isPattern(left) && this.#isKnown(right)) this.#markAll(left)
    else if (isPattern(right) && this.#isKnown(left)) this.#markAll(right)
  }

  #unifyObjects(left: Term & { kind: 'object' }, right: Term & { kind: 'object' }): void {
    if (left.entries.length !== right.entries.length) return
    for (const [key, value] of left.entries) {
      const match = right.entries.find(([other]) => sameScalar(key, other))
      if (match !== undefined) this.unify(value, match[1])
    }
  }

  #unifyVar(name: string, other: Term): void {
    if (isRoot(name)) return
    if (this.#safe.has(name)) return this.#markAll(other)
    if (other.kind === 'var' && !isRoot(other.name)) {
      if (this.#safe.has(other.name)) return this.#mark(name)
      this.#waiting.push({ name, needs: new Set([other.name]) })
      this.#waiting.push({ name: other.name, needs: new Set([name]) })
      return
    }
    const needs = termVars(other, outsideClosures)
    const missing = [...needs].filter((need) => !this.#safe.has(need))
    if (missing.length === 0) return this.#mark(name)
    if (!isPattern(other)) return
    this.#waiting.push({ name, needs: new Set(missing) })
    const inside = new Set<string>()
    bindable(other, inside)
    for (const need of inside) this.#waiting.push({ name: need, needs: new Set([name]) })
  }

  #isKnown(term: Term): boolean {
    for (const name of termVars(term, outsideClosures)) if (!this.#safe.has(name)) return false
    return true
  }

  #markAll(term: Term): void {
    const names = new Set<string>()
    bindable(term, names)
    for (const name of names) this.#mark(name)
  }

  #mark(name: string): void {
    if (this.#safe.has(name)) return
    this.#safe.add(name)
    this.found.add(name)
    for (const wait of this.#waiting) {
      if (this.#safe.has(wait.name)) continue
      if ([...wait.needs].every((need) => this.#safe.has(need))) this.#mark(wait.name)
    }
  }
}

function isPattern(term: Term): boolean {
  return term.kind === 'array' || term.kind === 'object'
}

/** The variables a pattern binds when it meets a value. */
function bindable(term: Term, into: Set<string>): void {
  if (term.kind === 'var' && !isRoot(term.name)) into.add(term.name)
  if (term.kind === 'array') for (const item of term.items) bindable(item, into)
  if (term.kind === 'object') for (const [, value] of term.entries) bindable(value, into)
}

function sameScalar(a: Term, b: Term): boolean {
  if (a.kind === 'var' && b.kind === 'var') return a.name === b.name
  return a.kind === 'scalar' && b.kind === 'scalar' && a.value === b.value
}
