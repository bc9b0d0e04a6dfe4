/**
 * Build: the tree of documents from ordered rules. Rules become code when their document is first
 * asked for; a bundle of ten thousand rules answers its first query without preparing the rest.
 */

import {
  Cached,
  CompleteDocument,
  FunctionDocument,
  ObjectDocument,
  SetDocument,
  type RuleCode,
} from '../run/documents.ts'
import { RuleIndex, type Indexed } from '../run/rule-index.ts'
import { RuleNode } from '../run/rule-tree.ts'
import type { Term } from '../syntax/tree.ts'
import { equals, type Value } from '../values.ts'
import { codeRule, type Purpose } from './code-rules.ts'
import { conditionsOf } from './conditions.ts'
import type { Program } from './coder.ts'
import type { ResolvedRule } from './resolve.ts'

/** Rules by the node of the tree that names them. */
export type RulesAt = ReadonlyMap<RuleNode, readonly ResolvedRule[]>

/** Puts every rule at its node. */
export function placeRules(rules: readonly ResolvedRule[]): {
  tree: RuleNode
  at: Map<RuleNode, ResolvedRule[]>
} {
  const tree = new RuleNode([])
  const at = new Map<RuleNode, ResolvedRule[]>()
  for (const rule of rules) {
    let node = tree
    for (const key of rule.path) node = node.ensure(key)
    const list = at.get(node)
    if (list === undefined) at.set(node, [rule])
    else list.push(rule)
  }
  return { tree, at }
}

/** The name under which calls find the functions of a node. */
export function functionName(path: readonly Value[]): string {
  return ['data', ...path.map(String)].join('.')
}

/** Gives every node of the tree that has rules its document. */
export function buildDocuments(
  program: () => Program,
  tree: RuleNode,
  at: RulesAt,
  functions: Map<string, FunctionDocument>,
  stable: ReadonlySet<RuleNode>,
): void {
  const visit = (node: RuleNode): void => {
    const rules = at.get(node) ?? []
    if (rules.some((rule) => rule.args !== undefined)) {
      const document = functionDocument(program, rules)
      node.document = document
      functions.set(functionName(node.path), document)
    } else if (rules.some((rule) => rule.dynamic.length > 0)) {
      node.document = objectDocument(program, node, at)
    } else if (rules.length > 0) {
      node.document = rules.some((rule) => rule.member !== undefined)
        ? new SetDocument(
            program().runtime,
            once(program, rules, () => ({ kind: 'member' })),
          )
        : completeDocument(program, rules)
    }
    if (node.document instanceof Cached) node.document.stable = isStable(node, at, stable)
    for (const child of node.children.values()) visit(child)
  }
  visit(tree)
}

/** An object of many rules is stable when all of them are. */
function isStable(node: RuleNode, at: RulesAt, stable: ReadonlySet<RuleNode>): boolean {
  if (at.has(node) && !stable.has(node)) return false
  return [...node.children.values()].every((child) => isStable(child, at, stable))
}

/** Finds the rules that may match; the index over them is made when first asked for. */
function once(
  program: () => Program,
  rules: readonly ResolvedRule[],
  purpose: (rule: ResolvedRule) => Purpose,
): (operands?: readonly Value[]) => readonly RuleCode[] {
  const { runtime } = program()
  let index: RuleIndex | undefined
  return (operands) => {
    index ??= new RuleIndex(
      rules.map((rule, order) => indexed(program, rule, order, purpose(rule))),
    )
    return index.candidates(runtime.input, operands)
  }
}

function indexed(
  program: () => Program,
  rule: ResolvedRule,
  order: number,
  purpose: Purpose,
): Indexed {
  let code: RuleCode | undefined
  return {
    order,
    conditions: conditionsOf(rule),
    code: () => (code ??= codeRule(program(), rule, purpose)),
  }
}

function completeDocument(
  program: () => Program,
  rules: readonly ResolvedRule[],
): CompleteDocument {
  const [codes, fallback] = split(program, rules)
  return new CompleteDocument(program().runtime, codes, fallback, agree(rules))
}

function functionDocument(
  program: () => Program,
  rules: readonly ResolvedRule[],
): FunctionDocument {
  const [codes, fallback] = split(program, rules)
  const arity = rules.find((rule) => rule.args !== undefined)?.args?.length ?? 0
  return new FunctionDocument(program().runtime, arity, codes, fallback)
}

/** The rules proper, and the default. */
function split(program: () => Program, rules: readonly ResolvedRule[]) {
  const proper = rules.filter((rule) => !rule.isDefault)
  const fallback = rules.filter((rule) => rule.isDefault)
  const codes = once(program, proper, () => ({ kind: 'value' }))
  const defaults = once(program, fallback, () => ({ kind: 'value' }))
  return [codes, () => defaults()[0]] as const
}

/** An object that all rules at a node and below it make together. */
function objectDocument(program: () => Program, top: RuleNode, at: RulesAt): ObjectDocument {
  const all: ResolvedRule[] = []
  const gather = (node: RuleNode): void => {
    for (const rule of at.get(node) ?? [])
      if (rule.args === undefined && !rule.isDefault) all.push(rule)
    for (const child of node.children.values()) gather(child)
  }
  gather(top)
  const purpose = (rule: ResolvedRule): Purpose => ({
    kind: 'entry',
    keys: rule.path.slice(top.path.length),
  })
  return new ObjectDocument(program().runtime, once(program, all, purpose))
}

/** True when all rules, their `else` included, give the same constant. */
function agree(rules: readonly ResolvedRule[]): boolean {
  let value: Value | undefined
  for (const first of rules) {
    if (first.isDefault) continue
    for (let rule: ResolvedRule | undefined = first; rule !== undefined; rule = rule.otherwise) {
      const one = constantOf(rule.value)
      if (one === undefined || (value !== undefined && !equals(value, one))) return false
      value = one
    }
  }
  return true
}

function constantOf(term: Term): Value | undefined {
  return term.kind === 'scalar' ? term.value : undefined
}
