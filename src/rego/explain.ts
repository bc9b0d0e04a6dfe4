/**
 * Why a decision came out as it did: for every rule that could have decided otherwise, the first
 * condition that failed and what it read, rules nearest to success first. Made after the decision by
 * running the rules again with probes between their expressions, so a decision without explanation
 * pays nothing for it.
 */

import { BodyCode, Slots, type Program } from './compile/coder.ts'
import type { RulesAt } from './compile/build.ts'
import { codeArgument } from './compile/code-rules.ts'
import { codeBody } from './compile/code-exprs.ts'
import { codeTerm, groundTerm, isGround } from './compile/code-terms.ts'
import { conditionsOf } from './compile/conditions.ts'
import { writtenName } from './compile/names.ts'
import type { ResolvedRule } from './compile/resolve.ts'
import { walkBody } from './compile/walk-tree.ts'
import { EvalError, type Location } from './errors.ts'
import type { Frame } from './run/documents.ts'
import { probeValue } from './run/rule-index.ts'
import type { RuleNode } from './run/rule-tree.ts'
import { printExpr, printTerm } from './syntax/print.ts'
import { placeCol, placeRow, type Expr, type RefTerm } from './syntax/tree.ts'
import type { Value } from './values.ts'
import { toTerm } from './value-text.ts'

export interface ExplainOptions {
  /** Paths whose values are not shown, such as `input.claims.token`; what lies below is covered. */
  readonly redact?: readonly string[]
  /** Most rules to show; 5 when absent. */
  readonly limit?: number
}

/** A value that a failed condition read; `undefined` as text when there was none. */
export interface Reading {
  readonly path: string
  readonly value: string
}

/** The first condition of a rule that did not hold. */
export interface Failure {
  readonly rule: string
  readonly location: Location
  readonly condition: string
  /** Conditions of the rule that held before it. */
  readonly held: number
  readonly values: readonly Reading[]
  /** Failures of the rules that the condition asked. */
  readonly because: readonly Failure[]
}

interface Probing {
  readonly program: Program
  readonly at: RulesAt
  readonly redact: readonly string[]
  readonly limit: number
}

const maxDepth = 4
const maxRules = 40

/** The failures that kept a document from another value, nearest to success first. */
export function explainDocument(
  program: Program,
  at: RulesAt,
  path: readonly Value[],
  options: ExplainOptions,
): Failure[] {
  let node: RuleNode | undefined = program.tree
  for (const key of path) node = node?.child(key)
  if (node === undefined) return []
  const probing = { program, at, redact: options.redact ?? [], limit: options.limit ?? 5 }
  return failuresOf(probing, node, 0)
}

/** The failures as lines of text, deeper ones indented. */
export function explainText(failures: readonly Failure[], indent = ''): string {
  return failures
    .map(({ rule, location, condition, values, because }) => {
      const read = values.map((one) => `${one.path} is ${one.value}`).join(', ')
      const place = `${location.file}:${location.row}:${location.col}`
      const line = `${indent}${place}: ${rule} needs ${condition}${read === '' ? '' : `; ${read}`}`
      return because.length === 0 ? line : `${line}\n${explainText(because, `${indent}  `)}`
    })
    .join('\n')
}

function failuresOf(probing: Probing, node: RuleNode, depth: number): Failure[] {
  if (depth >= maxDepth) return []
  const rules = (probing.at.get(node) ?? []).filter(
    (rule) => !rule.isDefault && rule.args === undefined,
  )
  const tried = nearest(probing, rules).flatMap((rule) => {
    const failures: (Failure & { readonly missing: number })[] = []
    for (let one: ResolvedRule | undefined = rule; one !== undefined; one = one.otherwise) {
      const failure = failureOf(probing, one, depth)
      if (failure !== undefined) failures.push(failure)
    }
    return failures
  })
  tried.sort((a, b) => a.missing - b.missing || b.held - a.held)
  return tried.slice(0, probing.limit).map(({ missing: _missing, ...failure }) => failure)
}

/** Of many rules, those whose demands on input are met most. */
function nearest(probing: Probing, rules: readonly ResolvedRule[]): readonly ResolvedRule[] {
  if (rules.length <= maxRules) return rules
  const { input } = probing.program.runtime
  const scored = rules.map((rule) => {
    const conditions = conditionsOf(rule)
    const met = conditions.filter(
      ({ probe, value }) => probeValue(probe, input, undefined) === value,
    )
    return { rule, missing: conditions.length - met.length }
  })
  return scored
    .sort((a, b) => a.missing - b.missing)
    .slice(0, maxRules)
    .map(({ rule }) => rule)
}

/** Runs a rule and notes how far its body got; undefined when it has a solution. */
function failureOf(probing: Probing, rule: ResolvedRule, depth: number) {
  const { program } = probing
  const slots = new Slots(rule.args?.length ?? 0)
  const code = new BodyCode(program, slots, new Set(), rule.module.file, rule)
  rule.args?.forEach((arg, at) => codeArgument(code, arg, at + 1))
  let deepest = -1
  let values: Reading[] = []
  rule.body.forEach((expr, index) => {
    const readings = readingsOf(probing, code, expr)
    code.links.push((next) => (frame) => {
      if (index > deepest) {
        deepest = index
        values = readings(frame)
      }
      return next(frame)
    })
    codeBody(code, [expr])
  })
  const result = codeTerm(code, rule.value)
  let holds = false
  const step = code.fold((frame) => {
    holds = result(frame) !== undefined
    return holds
  })
  if (!completes(step, slots.size) || holds || deepest < 0) return undefined
  const failed = rule.body[deepest] as Expr
  const because = depthFirst(probing, failed, depth)
  return describe(rule, failed, deepest, values, because)
}

/** Runs to the end; errors of a policy end the run but not the explanation. */
function completes(step: (frame: Frame) => boolean, size: number): boolean {
  try {
    step(new Array<Value | undefined>(size).fill(undefined))
    return true
  } catch (error) {
    if (error instanceof EvalError && error.code !== 'policy.too-slow') return true
    throw error
  }
}

function describe(
  rule: ResolvedRule,
  failed: Expr,
  held: number,
  values: readonly Reading[],
  because: readonly Failure[],
): Failure & { readonly missing: number } {
  const written = writtenExpr(rule, failed)
  return {
    rule: ['data', ...rule.path.map(String)].join('.'),
    location: { file: rule.module.file, row: placeRow(written.at), col: placeCol(written.at) },
    condition: printExpr(written),
    held,
    values,
    because,
    missing: rule.body.length - held,
  }
}

/** The expression of the source that a failed one was made from. */
function writtenExpr(rule: ResolvedRule, failed: Expr): Expr {
  let best: Expr | undefined
  for (const expr of rule.source.body) {
    if (expr.at <= failed.at && (best === undefined || expr.at > best.at)) best = expr
  }
  return best ?? rule.source.body[0] ?? failed
}

/** What the refs of an expression have for values where it is tried. */
function readingsOf(probing: Probing, code: BodyCode, expr: Expr): (frame: Frame) => Reading[] {
  const refs = new Map<string, RefTerm>()
  walkBody([expr], {
    term: (term) => {
      if (term.kind === 'ref' && isGround(term, code.bound)) refs.set(refText(term), term)
    },
  })
  const read = [...refs].map(([path, ref]) => [path, groundTerm(code, ref)] as const)
  return (frame) =>
    read.map(([path, valueOf]) => {
      if (isRedacted(path, probing.redact)) return { path, value: '<redacted>' }
      const value = valueOf(frame)
      return { path, value: value === undefined ? 'undefined' : shorten(toTerm(value)) }
    })
}

function refText(ref: RefTerm): string {
  const head =
    ref.head.kind === 'var' ? { ...ref.head, name: writtenName(ref.head.name) } : ref.head
  return printTerm({ ...ref, head })
}

function isRedacted(path: string, redact: readonly string[]): boolean {
  return redact.some(
    (hidden) =>
      path === hidden ||
      path.startsWith(`${hidden}.`) ||
      path.startsWith(`${hidden}[`) ||
      hidden.startsWith(`${path}.`),
  )
}

function shorten(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}

/** Failures of the documents a condition asked and that were undefined or false. */
function depthFirst(probing: Probing, failed: Expr, depth: number): Failure[] {
  const found: Failure[] = []
  walkBody([failed], {
    term: (term) => {
      if (term.kind !== 'ref' || term.head.kind !== 'var' || term.head.name !== 'data') return
      let node: RuleNode | undefined = probing.program.tree
      for (const part of term.parts) {
        node = part.kind === 'scalar' ? node?.child(part.value) : undefined
        if (node?.document !== undefined) break
      }
      if (node?.document?.kind !== 'complete') return
      const value = node.document.evaluate()
      if (value === undefined || value === false)
        found.push(...failuresOf(probing, node, depth + 1))
    },
  })
  return found
}
