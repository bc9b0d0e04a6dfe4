/** Ordering of whole rules: operands are bound from the start, and the head needs what it mentions. */

import type { ErrorList } from '../errors.ts'
import {
  placeCol,
  placeRow,
  type Place,
  type Rule,
  type Term,
  type VarTerm,
} from '../syntax/tree.ts'
import { isGenerated, writtenName } from './names.ts'
import { orderBody, orderTerm, boundBy, type Unsafe } from './order.ts'
import type { Arity } from './outputs.ts'
import type { ResolvedRule } from './resolve.ts'
import { patternVars } from './patterns.ts'
import { outsideClosures, termVars } from './variables.ts'

/** The rule with its bodies in order; unsafe variables go to the errors. */
export function orderRule(rule: ResolvedRule, arity: Arity, errors: ErrorList): ResolvedRule {
  const bound = new Set<string>()
  for (const arg of rule.args ?? []) for (const [name] of patternVars(arg)) bound.add(name)
  const { body, unsafe } = orderBody(rule.body, bound, arity)
  const after = boundBy(body, bound, arity)
  const found: Unsafe[] = [...unsafe]
  const known = new Set(unsafe.map(({ name }) => name))
  const settle = (term: Term): Term => {
    for (const [name, at] of varPlaces(term))
      if (!after.has(name) && !known.has(name)) found.push({ name, at })
    const done = orderTerm(term, after, arity)
    found.push(...done.unsafe)
    return done.term
  }
  for (const arg of rule.args ?? []) {
    for (const [name, at] of varPlaces(arg)) if (!after.has(name)) found.push({ name, at })
  }
  const dynamic = rule.dynamic.map(settle)
  const member = rule.member === undefined ? undefined : settle(rule.member)
  const value = settle(rule.value)
  report(rule, found, errors)
  const otherwise =
    rule.otherwise === undefined ? undefined : orderRule(rule.otherwise, arity, errors)
  return { ...rule, body, dynamic, member, value, otherwise }
}

function varPlaces(term: Term): (readonly [string, Place])[] {
  const places = new Map(patternVars(term))
  return [...termVars(term, outsideClosures)].map(
    (name) => [name, places.get(name) ?? term.at] as const,
  )
}

function report(rule: ResolvedRule, found: readonly Unsafe[], errors: ErrorList): void {
  if (found.length === 0) return
  const { file } = rule.module
  for (const { name, at } of found.filter((one) => one.undeclared && !isGenerated(one.name))) {
    const location = { file, row: placeRow(at), col: placeCol(at) }
    errors.add('rego_compile_error', `var ${writtenName(name)} is undeclared`, location)
  }
  if (found.length > 0 && found.every((one) => one.undeclared)) return
  const first = new Map<string, Place>()
  for (const { name, at, undeclared } of found) {
    if (undeclared) continue

    const known = first.get(name)
    if (known === undefined || at < known) first.set(name, at)
  }
  const named = [...first].filter(([name]) => !isGenerated(name))
  const suffix = sharesLine(rule) ? ` in rule ${ruleName(rule)}` : ''
  for (const [name, at] of named.sort((a, b) => a[1] - b[1])) {
    const location = { file, row: placeRow(at), col: placeCol(at) }
    errors.add('rego_unsafe_var_error', `var ${writtenName(name)} is unsafe${suffix}`, location)
  }
  if (named.length > 0) return
  for (const [, at] of first) {
    errors.add('rego_unsafe_var_error', 'expression is unsafe', {
      file,
      row: placeRow(at),
      col: placeCol(at),
    })
    return
  }
}

/** True when rules of another name begin on a line of this rule, so that a place alone misleads. */
function sharesLine(rule: ResolvedRule): boolean {
  const name = ruleName(rule)
  const [from, to] = [placeRow(rule.source.at), rule.source.endRow]
  return rule.module.rules.some((other) => {
    if (nameOf(other) === name) return false
    const [start, end] = [placeRow(other.at), other.endRow]
    return start === to || end === from || start === from
  })
}

function ruleName(rule: ResolvedRule): string {
  return nameOf(rule.source)
}

function nameOf(rule: Rule): string {
  const { ref } = rule.head
  const parts = ref.parts.map((part) => (part.kind === 'scalar' ? `.${String(part.value)}` : '[_]'))
  return `${(ref.head as VarTerm).name}${parts.join('')}`
}
