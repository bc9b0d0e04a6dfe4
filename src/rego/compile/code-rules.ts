/** Rules to code: operands matched, body run, result left where the document expects it. */

import { EvalError, type Location } from '../errors.ts'
import { insert, RuleCode, type Step } from '../run/documents.ts'
import { placeCol, placeRow, type Term } from '../syntax/tree.ts'
import { equals, RegoObject, RegoSet, type Value } from '../values.ts'
import { BodyCode, Slots, type Program, type ValueOf } from './coder.ts'
import { codeBody } from './code-exprs.ts'
import { codeTerm } from './code-terms.ts'
import { watchResult, watchRule } from './code-trace.ts'
import { codeUnify } from './code-unify.ts'
import type { ResolvedRule } from './resolve.ts'

/** What the document of a rule does with its results. */
export type Purpose =
  | { readonly kind: 'value' }
  | { readonly kind: 'member' }
  /** An entry of an object; the known keys between the object and the rule. */
  | { readonly kind: 'entry'; readonly keys: readonly Value[] }

export function codeRule(program: Program, rule: ResolvedRule, purpose: Purpose): RuleCode {
  const { source, module } = rule
  const location = { file: module.file, row: placeRow(source.at), col: placeCol(source.at) }
  const otherwise =
    rule.otherwise === undefined ? undefined : codeRule(program, rule.otherwise, purpose)
  const args = rule.args ?? []
  const slots = new Slots(args.length)
  const code = new BodyCode(program, slots, new Set(), module.file, rule)
  args.forEach((arg, at) => codeArgument(code, arg, at + 1))
  codeBody(code, rule.body)
  const place = { ...location, path: ['data', ...rule.path.map(String)].join('.') }
  const last = watchResult(program, place, lastStep(code, rule, purpose, location))
  const step = watchRule(program, place, code.fold(last))
  return new RuleCode(slots.size, step, place, otherwise)
}

/** Matches an operand, which is in a slot, with the pattern of an argument. */
export function codeArgument(code: BodyCode, arg: Term, slot: number): void {
  if (arg.kind === 'var' && !code.bound.has(arg.name)) {
    code.slots.name(arg.name, slot)
    code.bound.add(arg.name)
    return
  }
  const name = `\u0002${slot}`
  code.slots.name(name, slot)
  code.bound.add(name)
  codeUnify(code, arg, { kind: 'var', name, at: arg.at })
}

function lastStep(code: BodyCode, rule: ResolvedRule, purpose: Purpose, location: Location): Step {
  if (purpose.kind === 'value') return valueStep(code, codeTerm(code, rule.value), rule, location)
  if (purpose.kind === 'member') {
    const member = codeTerm(code, rule.member ?? rule.value)
    return (frame) => {
      const value = member(frame)
      if (value !== undefined) (frame[0] as RegoSet).add(value)
      return false
    }
  }
  const keys = rule.dynamic.map((part) => codeTerm(code, part))
  const value = codeTerm(code, rule.member ?? rule.value)
  const kind = rule.member === undefined ? 'value' : 'member'
  return (frame) => {
    const path = [...purpose.keys]
    for (const key of keys) {
      const name = key(frame)
      if (name === undefined) return false
      path.push(name)
    }
    const result = value(frame)
    if (result !== undefined) insert(frame[0] as RegoObject, path, result, kind, location)
    return false
  }
}

function valueStep(
  _code: BodyCode,
  valueOf: ValueOf,
  rule: ResolvedRule,
  location: Location,
): Step {
  const { constant } = valueOf
  if (constant !== undefined) {
    return (frame) => {
      frame[0] = constant
      return true
    }
  }
  const complaint =
    rule.args === undefined
      ? 'complete rules must not produce multiple outputs'
      : 'functions must not produce multiple outputs for same inputs'
  return (frame) => {
    const value = valueOf(frame)
    if (value === undefined) return false
    const before = frame[0]
    if (before === undefined) frame[0] = value
    else if (!equals(before, value)) throw new EvalError('eval_conflict_error', complaint, location)
    return false
  }
}
