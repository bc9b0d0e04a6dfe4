/** Set algebra: the operators `&`, `|` and the functions over sets of sets. `-` is with the numbers. */
import { RegoSet, type Value } from '../values.ts'
import { setOperand, type FunctionTable } from './operand.ts'

/** The members of `left` that `right` lacks. */
export function difference(left: RegoSet, right: RegoSet): RegoSet {
  const result = new RegoSet()
  for (const member of left.members()) if (!right.has(member)) result.add(member)
  return result
}

function intersection(left: RegoSet, right: RegoSet): RegoSet {
  const [small, large] = left.size <= right.size ? [left, right] : [right, left]
  const result = new RegoSet()
  for (const member of small.members()) if (large.has(member)) result.add(member)
  return result
}

function union(left: RegoSet, right: RegoSet): RegoSet {
  const result = new RegoSet(left.members())
  for (const member of right.members()) result.add(member)
  return result
}

function unionAll(sets: RegoSet): RegoSet {
  const result = new RegoSet()
  for (const set of sets) for (const member of setOperand(set, 1).members()) result.add(member)
  return result
}

function intersectAll(sets: RegoSet): RegoSet {
  let result: RegoSet | undefined
  for (const set of sets) {
    const next = setOperand(set, 1)
    result = result === undefined ? next : intersection(result, next)
  }
  return result ?? new RegoSet()
}

type Combine = (left: RegoSet, right: RegoSet) => RegoSet

function infix(combine: Combine): (context: unknown, left?: Value, right?: Value) => RegoSet {
  return (_, left, right) => combine(setOperand(left!, 1), setOperand(right!, 2))
}

export const setFunctions: FunctionTable = {
  and: infix(intersection),
  or: infix(union),
  set_diff: infix(difference),
  intersection: (_, sets) => intersectAll(setOperand(sets, 1)),
  union: (_, sets) => unionAll(setOperand(sets, 1)),
}
