/**
 * The rule index: from what input (or an operand) holds at a few places to the rules that can still
 * match, in time that does not grow with the number of rules. A tree asks one place after another,
 * most telling first; rules that demand nothing there are kept aside and always come along. It only
 * ever leaves out rules that certainly fail.
 */

import type { Value } from '../values.ts'
import type { RuleCode } from './documents.ts'
import { lookup } from './lookup.ts'

/** A place to look at: a path into input or an operand, and the value or length found there. */
export interface Probe {
  readonly operand: number | undefined
  readonly path: readonly (string | number)[]
  readonly what: 'value' | 'length'
  /** Equal for equal places. */
  readonly key: string
}

export interface Condition {
  readonly probe: Probe
  /** A scalar that a Map tells apart as Rego does. */
  readonly value: Value
}

/** A rule as the index sees it; `code` makes the rule ready to run when it is first a candidate. */
export interface Indexed {
  readonly order: number
  readonly conditions: readonly Condition[]
  readonly code: () => RuleCode
}

const smallEnough = 2
const noConditions: readonly Condition[] = []
const none: readonly RuleCode[] = []

interface Leaf {
  readonly rules: readonly Indexed[]
  codes: readonly RuleCode[] | undefined
}

interface Branch {
  readonly probe: Probe
  readonly children: ReadonlyMap<unknown, Tree>
  readonly others: Tree | undefined
}

type Tree = Leaf | Branch

export class RuleIndex {
  readonly #root: Tree

  constructor(rules: readonly Indexed[]) {
    this.#root = plant(rules)
  }

  /** The rules that may match, in the order of the policy. */
  candidates(
    input: Value | undefined,
    operands: readonly Value[] | undefined,
  ): readonly RuleCode[] {
    let tree: Tree = this.#root
    while ('probe' in tree) {
      const found = tree.children.get(probeValue(tree.probe, input, operands))
      if (found !== undefined && tree.others !== undefined) return gather(tree, input, operands)
      const next: Tree | undefined = found ?? tree.others
      if (next === undefined) return none
      tree = next
    }
    return codesOf(tree)
  }
}

function codesOf(leaf: Leaf): readonly RuleCode[] {
  leaf.codes ??= leaf.rules.map((rule) => rule.code())
  return leaf.codes
}

/** Candidates from several branches, put back in order. */
function gather(
  tree: Tree,
  input: Value | undefined,
  operands: readonly Value[] | undefined,
): readonly RuleCode[] {
  const rules: Indexed[] = []
  const visit = (part: Tree): void => {
    if (!('probe' in part)) {
      rules.push(...part.rules)
      return
    }
    const found = part.children.get(probeValue(part.probe, input, operands))
    if (found !== undefined) visit(found)
    if (part.others !== undefined) visit(part.others)
  }
  visit(tree)
  return rules.sort((a, b) => a.order - b.order).map((rule) => rule.code())
}

/** What is at a place: a value, or the length of an array. */
export function probeValue(
  probe: Probe,
  input: Value | undefined,
  operands: readonly Value[] | undefined,
): unknown {
  let value: Value | undefined = probe.operand === undefined ? input : operands?.[probe.operand]
  const { path } = probe
  for (let at = 0; at < path.length; at += 1) {
    if (value === undefined) return undefined
    value = lookup(value, path[at] as Value)
  }
  if (probe.what === 'length') return Array.isArray(value) ? value.length : undefined
  return value
}

function plant(rules: readonly Indexed[]): Tree {
  const probe = rules.length > smallEnough ? bestProbe(rules) : undefined
  if (probe === undefined) return { rules: rules.map(bare), codes: undefined }
  const groups = new Map<unknown, Indexed[]>()
  const others: Indexed[] = []
  for (const rule of rules) {
    const condition = rule.conditions.find((one) => one.probe.key === probe.key)
    const rest = rule.conditions.filter((one) => one.probe.key !== probe.key)
    const smaller = { order: rule.order, conditions: rest, code: rule.code }
    if (condition === undefined) others.push(smaller)
    else {
      const group = groups.get(condition.value)
      if (group === undefined) groups.set(condition.value, [smaller])
      else group.push(smaller)
    }
  }
  const children = new Map<unknown, Tree>()
  for (const [value, group] of groups) children.set(value, plant(group))
  return { probe, children, others: others.length === 0 ? undefined : plant(others) }
}

/** A rule at the end of the tree, where its demands no longer matter. */
function bare({ order, code }: Indexed): Indexed {
  return { order, conditions: noConditions, code }
}

/** The place that leaves the fewest rules to look at in the worst case. */
function bestProbe(rules: readonly Indexed[]): Probe | undefined {
  const tallies = new Map<
    string,
    { readonly probe: Probe; readonly counts: Map<unknown, number>; total: number; worst: number }
  >()
  for (const { conditions } of rules) {
    for (const { probe, value } of conditions) {
      let tally = tallies.get(probe.key)
      if (tally === undefined)
        tallies.set(probe.key, (tally = { probe, counts: new Map(), total: 0, worst: 0 }))
      const count = (tally.counts.get(value) ?? 0) + 1
      tally.counts.set(value, count)
      tally.total += 1
      if (count > tally.worst) tally.worst = count
    }
  }
  let best: Probe | undefined
  let left = rules.length
  for (const { probe, total, worst } of tallies.values()) {
    const remaining = rules.length - total + worst
    if (remaining < left) {
      best = probe
      left = remaining
    }
  }
  return best
}
