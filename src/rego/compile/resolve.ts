/**
 * Resolve: every name becomes what it stands for. Rules and imports become refs from `data` or
 * `input`, declared variables get names of their own, `:=` and `some` are checked for order and
 * use, and `some … in` becomes the iteration it means. What remains are undeclared variables, whose
 * scope is the rule, and the names of functions.
 */

import type { ErrorList } from '../errors.ts'
import type { Value } from '../values.ts'
import {
  placeCol,
  placeRow,
  type Body,
  type Head,
  type Module,
  type Place,
  type Rule,
  type Term,
  type VarTerm,
} from '../syntax/tree.ts'
import { packageKey, type Globals } from './globals.ts'
import { NameSource } from './names.ts'
import { BodyResolver } from './resolve-bodies.ts'
import { Scope } from './scope.ts'

/** A rule whose names are resolved; an `else` is a rule of its own, tried after the one before. */
export interface ResolvedRule {
  readonly module: Module
  readonly source: Rule
  /** The part of the name that is known when the policy is compiled, from below `data`. */
  readonly path: readonly Value[]
  /** The rest of the name, from its first variable on. */
  readonly dynamic: readonly Term[]
  readonly args: readonly Term[] | undefined
  readonly member: Term | undefined
  readonly value: Term
  readonly body: Body
  readonly otherwise: ResolvedRule | undefined
  readonly isDefault: boolean
  readonly names: NameSource
}

export interface ResolveOptions {
  readonly strict: 'strict' | 'lenient'
  readonly errors: ErrorList
}

/** Some rules of a module with their names resolved; mistakes go to `options.errors`. */
export function resolveRules(
  module: Module,
  rules: readonly Rule[],
  globals: Globals,
  options: ResolveOptions,
): ResolvedRule[] {
  return rules.map((rule) => resolveRule(module, rule, globals, options))
}

function resolveRule(
  module: Module,
  rule: Rule,
  globals: Globals,
  options: ResolveOptions,
): ResolvedRule {
  const names = new NameSource()
  const fault = (message: string, at: Place) =>
    options.errors.add('rego_compile_error', message, {
      file: module.file,
      row: placeRow(at),
      col: placeCol(at),
    })
  const resolver = new BodyResolver(globals, names, fault, options.strict)
  const scope = new Scope(undefined)
  const args = rule.head.args?.map((arg) => resolver.argument(arg, scope, rule.at))
  resolver.declareBody(rule.body, scope)
  const body = resolver.body(rule.body, scope)
  const parts = rule.head.ref.parts.map((part) => resolver.term(part, scope))
  const member = rule.head.member === undefined ? undefined : resolver.term(rule.head.member, scope)
  const value = resolver.term(rule.head.value ?? trueTerm(rule.at), scope)
  resolver.finish(scope, rule.isDefault || isRepeatedInElse(rule) ? 'nested' : 'rule')
  const split = staticLength(rule.head, parts)
  const name = (rule.head.ref.head as VarTerm).name
  const known = parts.slice(0, split).map((part) => (part.kind === 'scalar' ? part.value : null))
  const path: readonly Value[] = (packageKey(module).split('\0') as Value[]).concat(
    name,
    known as Value[],
  )
  const otherwise =
    rule.otherwise === undefined ? undefined : resolveRule(module, rule.otherwise, globals, options)
  return {
    module,
    source: rule,
    path,
    dynamic: split === parts.length ? noTerms : parts.slice(split),
    args,
    member,
    value,
    body,
    otherwise,
    isDefault: rule.isDefault,
    names,
  }
}

/** An argument an `else` branch uses is no unused argument of the rule. */
function isRepeatedInElse(rule: Rule): boolean {
  return rule.otherwise !== undefined
}

const noTerms: readonly Term[] = []

function staticLength(head: Head, parts: readonly Term[]): number {
  const first = parts.findIndex((part) => part.kind !== 'scalar')
  return first < 0 ? head.ref.parts.length : first
}

function trueTerm(at: Place): Term {
  return { kind: 'scalar', value: true, at }
}

/** The body of a query with names resolved against nothing but its own declarations. */
export function resolveQuery(body: Body, globals: Globals, options: ResolveOptions) {
  const names = new NameSource()
  const fault = (message: string, at: Place) =>
    options.errors.add('rego_compile_error', message, {
      file: '',
      row: placeRow(at),
      col: placeCol(at),
    })
  const resolver = new BodyResolver(globals, names, fault, 'lenient')
  const scope = new Scope(undefined)
  resolver.declareBody(body, scope)
  const resolved = resolver.body(body, scope)
  resolver.finish(scope, 'nested')
  return { body: resolved, names }
}
