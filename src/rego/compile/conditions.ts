/**
 * What a rule demands of input, or of a function's operands, in a form the rule index understands: a
 * place and the scalar that must be there. Only demands without which the rule certainly fails count,
 * so a rule with an `else` demands nothing.
 */

import { Decimal } from '../numbers.ts'
import type { Condition, Probe } from '../run/rule-index.ts'
import type { Term } from '../syntax/tree.ts'
import type { Value } from '../values.ts'
import type { ResolvedRule } from './resolve.ts'

/** A place that a variable or a term stands for. */
interface Spot {
  readonly operand: number | undefined
  readonly path: readonly (string | number)[]
}

const knownConditions = new WeakMap<ResolvedRule, readonly Condition[]>()

/** The demands of a rule, found once. */
export function conditionsOf(rule: ResolvedRule): readonly Condition[] {
  let conditions = knownConditions.get(rule)
  if (conditions === undefined) knownConditions.set(rule, (conditions = findConditions(rule)))
  return conditions
}

function findConditions(rule: ResolvedRule): readonly Condition[] {
  if (rule.otherwise !== undefined) return []
  const found: Condition[] = []
  const known = new Map<string, Spot>()
  rule.args?.forEach((arg, operand) => demand(arg, { operand, path: [] }, known, found))
  for (const expr of rule.body) {
    if (expr.kind !== 'call' || expr.negated || expr.with.length > 0 || expr.operands.length !== 2)
      continue
    if (expr.name !== 'eq' && expr.name !== 'assign' && expr.name !== 'equal') continue
    const [left, right] = expr.operands as readonly [Term, Term]
    const leftSpot = spotOf(left, known)
    const rightSpot = spotOf(right, known)
    if (leftSpot !== undefined) demand(right, leftSpot, known, found)
    else if (rightSpot !== undefined) demand(left, rightSpot, known, found)
  }
  return found
}

/** Notes what it takes for the value at a place to match a term. */
function demand(term: Term, spot: Spot, known: Map<string, Spot>, found: Condition[]): void {
  switch (term.kind) {
    case 'scalar':
      if (!(term.value instanceof Decimal))
        found.push({ probe: probeOf(spot, 'value'), value: term.value })
      break
    case 'var':
      if (!known.has(term.name)) known.set(term.name, spot)
      break
    case 'array':
      found.push({ probe: probeOf(spot, 'length'), value: term.items.length })
      term.items.forEach((item, at) => {
        const inner = { operand: spot.operand, path: [...spot.path, at] }
        if (item.kind === 'scalar' || item.kind === 'array') demand(item, inner, known, found)
      })
      break
    default:
  }
}

function spotOf(term: Term, known: ReadonlyMap<string, Spot>): Spot | undefined {
  if (term.kind === 'var') return known.get(term.name)
  if (term.kind !== 'ref' || term.head.kind !== 'var') return undefined
  const base =
    term.head.name === 'input' ? { operand: undefined, path: [] } : known.get(term.head.name)
  if (base === undefined) return undefined
  const path = [...base.path]
  for (const part of term.parts) {
    const key: Value | undefined = part.kind === 'scalar' ? part.value : undefined
    if (typeof key !== 'string' && typeof key !== 'number') return undefined
    path.push(key)
  }
  return { operand: base.operand, path }
}

/** Equal places are one object, as ten thousand rules ask the same few. */
const probes = new Map<string, WeakRef<Probe>>()

function probeOf(spot: Spot, what: Probe['what']): Probe {
  const { operand, path } = spot
  const key = JSON.stringify([operand ?? null, path, what])
  const known = probes.get(key)?.deref()
  if (known !== undefined) return known
  const probe: Probe = { operand, path, what, key }
  probes.set(key, new WeakRef(probe))
  return probe
}
