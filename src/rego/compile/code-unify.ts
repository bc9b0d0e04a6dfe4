/**
 * Unification to closures. Which side binds which is known when the policy is compiled, so an equation
 * falls apart into assignments, comparisons and destructurings, taken in an order in which each can
 * be done. Sets never take values apart.
 */

import type { Frame } from '../run/documents.ts'
import type { Term } from '../syntax/tree.ts'
import { equals, isArray, isObject, objectGet, objectSize, type Value } from '../values.ts'
import { lookupOrdinary } from '../run/lookup.ts'
import type { BodyCode, Link, ValueOf } from './coder.ts'
import { codeRef } from './code-refs.ts'
import { codeInner, groundTerm, isGround } from './code-terms.ts'

/** One equation still to be solved. */
type Pair = readonly [Term, Term]

/** Links for `left = right`. */
export function codeUnify(code: BodyCode, left: Term, right: Term): void {
  if (bindsWhole(code, left, right) || bindsWhole(code, right, left)) return
  solve(code, [[codeInner(code, left), codeInner(code, right)]])
}

/** `x = ref` with x free: the ref's values go straight to x. */
function bindsWhole(code: BodyCode, target: Term, ref: Term): boolean {
  if (target.kind !== 'var' || code.bound.has(target.name) || ref.kind !== 'ref') return false
  if (isGround(ref, code.bound)) return false
  const slot = code.slots.temporary()
  codeRef(code, ref, slot)
  if (code.bound.has(target.name)) {
    codeMatch(code, target, slot)
    return true
  }
  code.slots.name(target.name, slot)
  code.bound.add(target.name)
  return true
}

/** Links that match a pattern against the value in a slot. */
export function codeMatch(code: BodyCode, pattern: Term, slot: number): void {
  const name = `\u0002${slot}`
  code.slots.name(name, slot)
  code.bound.add(name)
  solve(code, [[pattern, { kind: 'var', name, at: pattern.at }]])
}

function solve(code: BodyCode, equations: readonly Pair[]): void {
  let pending = [...equations]
  while (pending.length > 0) {
    const waiting: Pair[] = []
    const before = pending.length
    let solved = 0
    for (const pair of pending) {
      const parts = solveOne(code, pair)
      if (parts === undefined) waiting.push(pair)
      else {
        solved += 1
        waiting.push(...parts)
      }
    }
    pending = waiting
    if (solved === 0 && waiting.length === before) return alias(code, waiting)
  }
}

/** Two free variables that nothing binds are one variable. */
function alias(code: BodyCode, pairs: readonly Pair[]): void {
  for (const [left, right] of pairs) {
    if (left.kind === 'var' && right.kind === 'var')
      code.slots.name(left.name, code.slots.of(right.name))
  }
}

/** Solves an equation or splits it; undefined when it has to wait for another. */
function solveOne(code: BodyCode, [left, right]: Pair): Pair[] | undefined {
  const leftGround = isGround(left, code.bound)
  const rightGround = isGround(right, code.bound)
  if (leftGround && rightGround) {
    compareTerms(code, left, right)
    return []
  }
  if (left.kind === 'array' && right.kind === 'array') {
    if (left.items.length !== right.items.length) return never(code)
    return left.items.map((item, at) => [item, right.items[at] as Term] as const)
  }
  if (left.kind === 'object' && right.kind === 'object') return splitObjects(code, left, right)
  if (rightGround) return destructure(code, left, right)
  if (leftGround) return destructure(code, right, left)
  if (left.kind !== right.kind && left.kind !== 'var' && right.kind !== 'var') return never(code)
  return undefined
}

function never(code: BodyCode): Pair[] {
  code.links.push(() => () => false)
  return []
}

function splitObjects(
  code: BodyCode,
  left: Term & { kind: 'object' },
  right: Term & { kind: 'object' },
): Pair[] | undefined {
  if (left.entries.length !== right.entries.length) return never(code)
  const pairs: Pair[] = []
  for (const [key, value] of left.entries) {
    const match = right.entries.find(
      ([other]) =>
        key.kind === 'scalar' && other.kind === 'scalar' && equals(key.value, other.value),
    )
    if (match === undefined) return splitByValue(code, left, right)
    pairs.push([value, match[1]])
  }
  return pairs
}

/** Objects whose keys are computed: one of them has to be known as a value. */
function splitByValue(code: BodyCode, left: Term, right: Term): Pair[] | undefined {
  if (isGround(right, code.bound)) return destructure(code, left, right)
  if (isGround(left, code.bound)) return destructure(code, right, left)
  return undefined
}

/** Takes a known value apart by a pattern with free variables. */
function destructure(code: BodyCode, pattern: Term, known: Term): Pair[] | undefined {
  const valueOf = groundTerm(code, known)
  if (pattern.kind === 'var') {
    assign(code, code.slots.of(pattern.name), valueOf)
    code.bound.add(pattern.name)
    return []
  }
  if (pattern.kind === 'array') return destructureArray(code, pattern, valueOf)
  if (pattern.kind !== 'object') return never(code)
  if (!pattern.entries.every(([key]) => isGround(key, code.bound))) return undefined
  return destructureObject(code, pattern, valueOf)
}

function assign(code: BodyCode, slot: number, valueOf: ValueOf): void {
  code.links.push((next) => (frame) => {
    const value = valueOf(frame)
    if (value === undefined) return false
    frame[slot] = value
    return next(frame)
  })
}

function destructureArray(
  code: BodyCode,
  pattern: Term & { kind: 'array' },
  valueOf: ValueOf,
): Pair[] {
  const size = pattern.items.length
  const slots = pattern.items.map(() => code.slots.temporary())
  code.links.push((next) => (frame) => {
    const value = valueOf(frame)
    if (!isArray(value) || value.length !== size) return false
    for (let at = 0; at < size; at += 1) frame[slots[at] as number] = value[at]
    return next(frame)
  })
  return pattern.items.map((item, at) => [item, slotTerm(code, slots[at] as number, item)] as const)
}

function destructureObject(
  code: BodyCode,
  pattern: Term & { kind: 'object' },
  valueOf: ValueOf,
): Pair[] {
  const keys = pattern.entries.map(([key]) => groundTerm(code, key))
  const slots = pattern.entries.map(() => code.slots.temporary())
  const size = pattern.entries.length
  code.links.push((next) => (frame) => {
    const value = valueOf(frame)
    if (!isObject(value) || objectSize(value) !== size) return false
    for (let at = 0; at < size; at += 1) {
      const key = (keys[at] as ValueOf)(frame)
      const member = key === undefined ? undefined : objectGet(value, key)
      if (member === undefined) return false
      frame[slots[at] as number] = member
    }
    return next(frame)
  })
  return pattern.entries.map(
    ([, item], at) => [item, slotTerm(code, slots[at] as number, item)] as const,
  )
}

/** A variable that stands for a slot. */
export function slotTerm(code: BodyCode, slot: number, like: Term): Term {
  const name = `\u0002${slot}`
  code.slots.name(name, slot)
  code.bound.add(name)
  return { kind: 'var', name, at: like.at }
}

function compareTerms(code: BodyCode, left: Term, right: Term): void {
  code.links.push(equalityLink(groundTerm(code, left), groundTerm(code, right)))
}

/** The link that goes on when both values exist and are equal. */
export function equalityLink(left: ValueOf, right: ValueOf): Link {
  if (left.member !== undefined) return memberLink(left.member, right)
  if (right.member !== undefined) return memberLink(right.member, left)
  const test = equality(left, right)
  return (next) => (frame) => test(frame) && next(frame)
}

/** `x.name == value`, which loops over objects consist of, in one step. */
function memberLink(
  { slot, name }: { readonly slot: number; readonly name: string },
  other: ValueOf,
): Link {
  return (next) => (frame) => {
    const value = frame[slot]
    const a = value === undefined ? undefined : lookupOrdinary(value, name)
    if (a === undefined) return false
    const b = other(frame)
    return b !== undefined && (a === b || (typeof a !== 'string' && equals(a, b))) && next(frame)
  }
}

/** True when both values exist and are equal. */
export function equality(left: ValueOf, right: ValueOf): (frame: Frame) => boolean {
  if (isPlainScalar(left.constant) && !isPlainScalar(right.constant)) return equality(right, left)
  const wanted = right.constant
  if (isPlainScalar(wanted) && left.constant === undefined) return (frame) => left(frame) === wanted
  return (frame) => {
    const a = left(frame)
    if (a === undefined) return false
    const b = right(frame)
    return b !== undefined && equals(a, b)
  }
}

/** A constant that `===` compares rightly with every value. */
function isPlainScalar(value: Value | undefined): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true
  return typeof value === 'number' && Math.abs(value) <= Number.MAX_SAFE_INTEGER
}
