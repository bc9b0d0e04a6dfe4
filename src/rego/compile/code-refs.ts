/**
 * Refs to closures: from input, from data and the rules that extend it, from variables and from
 * literals. Steps with known keys are taken at once; a step with a free variable visits every key.
 */

import type { Document, Frame } from '../run/documents.ts'
import { isOrdinaryName, lookup, lookupBase, lookupOrdinary, lookupString } from '../run/lookup.ts'
import { settle, TreeCursor, type RuleNode } from '../run/rule-tree.ts'
import type { Runtime } from '../run/runtime.ts'
import type { RefTerm, Term } from '../syntax/tree.ts'
import { isArray, isObject, objectEntries, RegoSet, type Value } from '../values.ts'
import { toTerm } from '../value-text.ts'
import type { BodyCode, Program, ValueOf } from './coder.ts'
import { codeInner, codeTerm, groundTerm, isGround } from './code-terms.ts'
import { isGenerated } from './names.ts'
import { codeMatch } from './code-unify.ts'

/** Where a ref starts: its first value, the parts still to walk, and whether rules lie below. */
interface Source {
  readonly valueOf: ValueOf
  readonly parts: readonly Term[]
  readonly cursor: boolean
}

/** A ref without free variables. */
export function groundRef(code: BodyCode, ref: RefTerm): ValueOf {
  const source = sourceOf(code, ref)
  const keys = source.parts.map((part) => groundTerm(code, part))
  if (source.cursor) return cursorPath(source.valueOf, keys)
  return valuePath(source.valueOf, keys)
}

/** A ref with free variables: links that leave each value it reaches in a slot. */
export function codeRef(code: BodyCode, ref: RefTerm, into: number): void {
  const head = isGround(ref.head, code.bound) ? ref.head : codeInner(code, ref.head)
  const source = sourceOf(code, { ...ref, head })
  let { valueOf } = source
  let keys: ValueOf[] = []
  source.parts.forEach((part, index) => {
    const isPattern = part.kind === 'array' || part.kind === 'object' || part.kind === 'var'
    const key = isPattern ? part : codeInner(code, part)
    if (isGround(key, code.bound)) {
      keys.push(groundTerm(code, key))
      return
    }
    const last = index === source.parts.length - 1
    const out = last && !source.cursor ? into : code.slots.temporary()
    visit(
      code,
      source.cursor ? cursorPath(valueOf, keys, 'keep') : valuePath(valueOf, keys),
      key,
      out,
    )
    valueOf = (frame) => frame[out]
    keys = []
  })
  const rest = source.cursor ? cursorPath(valueOf, keys) : valuePath(valueOf, keys)
  if (keys.length === 0 && !source.cursor) return
  code.links.push((next) => (frame) => {
    const value = rest(frame)
    if (value === undefined) return false
    frame[into] = value
    return next(frame)
  })
}

/** Links that visit every key of a value and bind or match it. */
function visit(code: BodyCode, valueOf: ValueOf, key: Term, out: number): void {
  code.single = false
  const { runtime } = code.program
  const isVar = key.kind === 'var'
  // The key of `some x in xs` has a name that nothing can read.
  const isUnread = isVar && isGenerated(key.name)
  const slot = isVar ? code.slots.of(key.name) : code.slots.temporary()
  if (isVar) code.bound.add(key.name)
  code.links.push((next) => (frame) => {
    const value = valueOf(frame) as Value | TreeCursor | undefined
    if (typeof value !== 'object' || value === null) return false
    if (isArray(value as Value)) {
      const items = value as readonly Value[]
      // A short array is paid for at once; a long one as it goes, so that its budget can end it.
      const isLong = items.length > 256
      if (!isLong) runtime.spend(items.length)
      if (!isLong && isUnread) {
        for (let at = 0; at < items.length; at += 1) {
          frame[out] = items[at]
          if (next(frame)) return true
        }
        return false
      }
      for (let at = 0; at < items.length; at += 1) {
        if (isLong) runtime.tick()
        frame[slot] = at
        frame[out] = items[at]
        if (next(frame)) return true
      }
      return false
    }
    if (value instanceof RegoSet) {
      for (const member of value.sorted()) {
        runtime.tick()
        frame[slot] = member
        frame[out] = member
        if (next(frame)) return true
      }
      return false
    }
    if (value instanceof TreeCursor) {
      for (const name of value.keys()) {
        runtime.tick()
        const child = value.step(name)
        if (child === undefined) continue
        frame[slot] = name
        frame[out] = child as Value
        if (next(frame)) return true
      }
      return false
    }
    if (!isObject(value)) return false
    for (const entry of objectEntries(value)) {
      runtime.tick()
      frame[slot] = entry.key
      frame[out] = entry.value
      if (next(frame)) return true
    }
    return false
  })
  if (!isVar) codeMatch(code, codeInner(code, key), slot)
}

function sourceOf(code: BodyCode, ref: RefTerm): Source {
  const { head, parts } = ref
  if (head.kind !== 'var') return { valueOf: codeTerm(code, head), parts, cursor: false }
  if (head.name === 'input') return inputSource(code.program, parts)
  if (head.name === 'data') return dataSource(code, parts)
  return { valueOf: groundTerm(code, head), parts, cursor: false }
}

/** A ref into input: its known keys are looked up once per state of the query, for all rules. */
function inputSource(program: Program, parts: readonly Term[]): Source {
  const { runtime, inputPaths } = program
  const known = parts.findIndex((part) => part.kind !== 'scalar')
  const keys = parts
    .slice(0, known < 0 ? parts.length : known)
    .map((part) => (part.kind === 'scalar' ? part.value : null))
  if (keys.length === 0) return { valueOf: () => runtime.input, parts, cursor: false }
  const name = toTerm(keys)
  let valueOf = inputPaths.get(name)
  if (valueOf === undefined) inputPaths.set(name, (valueOf = inputPath(runtime, keys)))
  return { valueOf, parts: parts.slice(keys.length), cursor: false }
}

function inputPath(runtime: Runtime, keys: readonly Value[]): ValueOf {
  const step = keys.every((key) => typeof key === 'string' && isOrdinaryName(key))
    ? (lookupOrdinary as typeof lookup)
    : lookup
  let epoch = 0
  let value: Value | undefined
  return () => {
    if (runtime.epoch === epoch) return value
    epoch = runtime.epoch
    value = runtime.input
    for (let at = 0; at < keys.length && value !== undefined; at += 1) {
      value = step(value, keys[at] as Value)
    }
    return value
  }
}

/** Follows the known keys of a ref from `data` through the tree of rules. */
function dataSource(code: BodyCode, parts: readonly Term[]): Source {
  const { runtime, tree } = code.program
  let node = tree
  const path: Value[] = []
  for (const [index, part] of parts.entries()) {
    if (part.kind !== 'scalar') break
    path.push(part.value)
    const child = node.child(part.value)
    const rest = parts.slice(index + 1)
    if (child === undefined) return baseSource(runtime, path, rest)
    if (child.document !== undefined) {
      return { valueOf: documentValue(runtime, child, child.document), parts: rest, cursor: false }
    }
    node = child
  }
  const base = path.length === 0 ? () => runtime.data : basePath(runtime, path)
  const valueOf = (frame: Frame) => {
    const value = base(frame)
    if (runtime.replaced(path)) return value
    return new TreeCursor(runtime, node, value) as unknown as Value
  }
  return { valueOf, parts: parts.slice(path.length), cursor: true }
}

/** A ref that meets no rule: its known keys are looked up once per state of the data. */
function baseSource(runtime: Runtime, path: readonly Value[], rest: readonly Term[]): Source {
  const known = rest.findIndex((part) => part.kind !== 'scalar')
  const more = known < 0 ? rest : rest.slice(0, known)
  const keys = more.map((part) => (part.kind === 'scalar' ? part.value : null))
  return {
    valueOf: basePath(runtime, [...path, ...keys]),
    parts: rest.slice(more.length),
    cursor: false,
  }
}

function documentValue(runtime: Runtime, node: RuleNode, document: Document): ValueOf {
  const base = basePath(runtime, node.path)
  return (frame) => {
    if (runtime.targets !== undefined && runtime.replaced(node.path)) return base(frame)
    return document.evaluate()
  }
}

/** A path in base data; the value is kept as long as the data stays the same. */
function basePath(runtime: Runtime, path: readonly Value[]): ValueOf {
  const keys = [...path]
  let root: Value | undefined
  let known: Value | undefined
  return () => {
    if (runtime.data === root) return known
    let value: Value | undefined = runtime.data
    for (const key of keys) {
      value = lookupBase(value, key)
      if (value === undefined) break
    }
    root = runtime.data
    known = value
    return value
  }
}

/** Steps through the rules and the data below a cursor. */
function cursorPath(
  source: ValueOf,
  keys: readonly ValueOf[],
  end: 'settle' | 'keep' = 'settle',
): ValueOf {
  return (frame) => {
    let value = source(frame) as Value | TreeCursor | undefined
    for (const key of keys) {
      if (value === undefined) return undefined
      const name = key(frame)
      if (name === undefined) return undefined
      value = value instanceof TreeCursor ? value.step(name) : lookup(value, name)
    }
    return end === 'settle' ? settle(value) : (value as Value | undefined)
  }
}

/** Steps through a value; the common short paths of constant strings get closures of their own. */
export function valuePath(source: ValueOf, keys: readonly ValueOf[]): ValueOf {
  if (keys.length === 0) return source
  const [first, ...rest] = keys as [ValueOf, ...ValueOf[]]
  return valuePath(valueStep(source, first), rest)
}

function valueStep(source: ValueOf, key: ValueOf): ValueOf {
  const name = key.constant
  const { slot } = source
  if (typeof name === 'string' && slot !== undefined && isOrdinaryName(name)) {
    const valueOf: ValueOf = (frame) => {
      const value = frame[slot]
      return value === undefined ? undefined : lookupOrdinary(value, name)
    }
    valueOf.member = { slot, name }
    return valueOf
  }
  if (typeof name === 'string') {
    return (frame) => {
      const value = source(frame)
      return value === undefined ? undefined : lookupString(value, name)
    }
  }
  return (frame) => {
    const value = source(frame)
    if (value === undefined) return undefined
    const found = key(frame)
    return found === undefined ? undefined : lookup(value, found)
  }
}
