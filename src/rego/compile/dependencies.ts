/**
 * Which documents the rules of a document read, directly or through others: for the check on
 * recursion, and to find the documents that cannot depend on input. Refs with variables count for
 * every document they might reach.
 */

import type { RuleNode } from '../run/rule-tree.ts'
import type { Term } from '../syntax/tree.ts'
import { functionName, type RulesAt } from './build.ts'
import type { ResolvedRule } from './resolve.ts'
import { functionMark } from './names.ts'
import { walkRule } from './walk-tree.ts'

export interface Reads {
  readonly nodes: ReadonlySet<RuleNode>
  /** Reads input, or calls a function whose results may change from query to query. */
  readonly changing: boolean
  /** Evaluates something under a `with`. */
  readonly replacing: boolean
}

const changingBuiltins = new Set([
  'http.send',
  'net.lookup_ip_addr',
  'opa.runtime',
  'rand.intn',
  'time.now_ns',
  'uuid.rfc4122',
  'io.jwt.decode_verify',
  'io.jwt.encode_sign',
  'io.jwt.encode_sign_raw',
  'test.sleep',
  'internal.print',
  'trace',
])

/** What every node that has rules reads. */
export function readsOf(tree: RuleNode, at: RulesAt): ReadonlyMap<RuleNode, Reads> {
  const byFunction = new Map<string, RuleNode>()
  for (const [node, rules] of at) {
    if (rules.some((rule) => rule.args !== undefined)) byFunction.set(functionName(node.path), node)
  }
  const reads = new Map<RuleNode, Reads>()
  for (const [node, rules] of at) reads.set(node, readsOfRules(rules, tree, at, byFunction))
  return reads
}

function readsOfRules(
  rules: readonly ResolvedRule[],
  tree: RuleNode,
  at: RulesAt,
  byFunction: ReadonlyMap<string, RuleNode>,
): Reads {
  const nodes = new Set<RuleNode>()
  let changing = false
  let replacing = false
  const call = (name: string): void => {
    const node = byFunction.get(name)
    if (node !== undefined) nodes.add(node)
    else if (changingBuiltins.has(name)) changing = true
  }
  for (const rule of rules) {
    walkRule(rule, {
      expr: (expr) => {
        if (expr.with.length > 0) replacing = true
        if (expr.kind === 'call') call(expr.name)
      },
      term: (term) => {
        if (term.kind === 'call') call(term.name.replace(functionMark, ''))
        if (term.kind !== 'ref' || term.head.kind !== 'var') return
        if (term.head.name === 'input') changing = true
        if (term.head.name === 'data') reach(tree, term.parts, at, nodes)
      },
    })
  }
  return { nodes, changing, replacing }
}

/** Adds every node with rules that a ref may reach: a variable may stand for any key. */
function reach(node: RuleNode, parts: readonly Term[], at: RulesAt, into: Set<RuleNode>): void {
  const [part, ...rest] = parts
  if (part === undefined) return below(node, at, into)
  const children =
    part.kind === 'scalar'
      ? [node.child(part.value)].filter((child) => child !== undefined)
      : node.children.values()
  for (const child of children) {
    const rules = at.get(child)
    if (rules !== undefined) {
      into.add(child)
      if (!rules.some((rule) => rule.dynamic.length > 0)) continue
      below(child, at, into)
    }
    reach(child, rest, at, into)
  }
}

function below(node: RuleNode, at: RulesAt, into: Set<RuleNode>): void {
  if (at.has(node)) into.add(node)
  for (const child of node.children.values()) below(child, at, into)
}

/** Nodes that read themselves, each with the way it goes. */
export function cycles(reads: ReadonlyMap<RuleNode, Reads>): RuleNode[][] {
  const suspects = inOrTowardsCycles(reads)
  const found: RuleNode[][] = []
  for (const start of reads.keys()) {
    if (!suspects.has(start)) continue
    const way = wayBack(start, reads)
    if (way !== undefined) found.push(way)
    if (found.length === maxCycles) break
  }
  return found
}

const maxCycles = 10

/** What is left when nodes that read nothing are taken away again and again. */
function inOrTowardsCycles(reads: ReadonlyMap<RuleNode, Reads>): ReadonlySet<RuleNode> {
  const open = new Map<RuleNode, number>()
  const readers = new Map<RuleNode, RuleNode[]>()
  const settled: RuleNode[] = []
  for (const [node, { nodes }] of reads) {
    open.set(node, nodes.size)
    if (nodes.size === 0) settled.push(node)
    for (const read of nodes) {
      const list = readers.get(read)
      if (list === undefined) readers.set(read, [node])
      else list.push(node)
    }
  }
  for (const node of settled) {
    open.delete(node)
    for (const reader of readers.get(node) ?? []) {
      const left = (open.get(reader) ?? 0) - 1
      open.set(reader, left)
      if (left === 0) settled.push(reader)
    }
  }
  return new Set(open.keys())
}

/** The shortest way from a node through what it reads back to itself. */
function wayBack(start: RuleNode, reads: ReadonlyMap<RuleNode, Reads>): RuleNode[] | undefined {
  const from = new Map<RuleNode, RuleNode>()
  const queue = [start]
  for (let node = queue.shift(); node !== undefined; node = queue.shift()) {
    for (const next of reads.get(node)?.nodes ?? []) {
      if (next === start) {
        const way = [start]
        for (
          let step: RuleNode | undefined = node;
          step !== undefined && step !== start;
          step = from.get(step)
        )
          way.unshift(step)
        return [start, ...way]
      }
      if (from.has(next)) continue
      from.set(next, node)
      queue.push(next)
    }
  }
  return undefined
}

/** Nodes whose value is the same for every input, as long as the data stays. */
export function stableNodes(reads: ReadonlyMap<RuleNode, Reads>): ReadonlySet<RuleNode> {
  const unstable = new Set<RuleNode>()
  const readers = new Map<RuleNode, RuleNode[]>()
  for (const [node, { nodes, changing, replacing }] of reads) {
    if (changing || replacing) unstable.add(node)
    for (const read of nodes) {
      const list = readers.get(read)
      if (list === undefined) readers.set(read, [node])
      else list.push(node)
    }
  }
  for (const node of unstable) for (const reader of readers.get(node) ?? []) unstable.add(reader)
  return new Set([...reads.keys()].filter((node) => !unstable.has(node)))
}
