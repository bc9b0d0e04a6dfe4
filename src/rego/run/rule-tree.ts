/**
 * The tree of virtual documents, shaped like `data`. A node holds a document where rules begin;
 * `TreeCursor` walks base data and this tree at once, for refs whose path is known only at run time
 * and for questions about whole packages.
 */

import {
  compare,
  isObject,
  keyOf,
  objectEntries,
  RegoObject,
  type Key,
  type Value,
} from '../values.ts'
import type { Document } from './documents.ts'
import { lookupBase } from './lookup.ts'
import type { Runtime } from './runtime.ts'

export class RuleNode {
  readonly path: readonly Value[]
  readonly children = new Map<Key, RuleNode>()
  /** The document whose rules are named by this node. */
  document: Document | undefined

  constructor(path: readonly Value[]) {
    this.path = path
  }

  child(key: Value): RuleNode | undefined {
    return this.children.get(keyOf(key))
  }

  ensure(key: Value): RuleNode {
    const found = this.child(key)
    if (found !== undefined) return found
    const made = new RuleNode([...this.path, key])
    this.children.set(keyOf(key), made)
    return made
  }
}

/** A place in both trees: rules below `node`, base data below `base`. Never leaves the engine. */
export class TreeCursor {
  readonly node: RuleNode
  readonly base: Value | undefined
  readonly runtime: Runtime

  constructor(runtime: Runtime, node: RuleNode, base: Value | undefined) {
    this.runtime = runtime
    this.node = node
    this.base = base
  }

  /** The document under a key, or a cursor into the trees below it. */
  step(key: Value): Value | TreeCursor | undefined {
    const child = this.node.child(key)
    const base = this.base === undefined ? undefined : lookupBase(this.base, key)
    if (child === undefined || this.runtime.replaced(child.path)) return base
    if (child.document !== undefined) {
      return child.document.kind === 'function' ? undefined : child.document.evaluate()
    }
    return new TreeCursor(this.runtime, child, base)
  }

  /** Keys of both trees, in order. */
  keys(): Value[] {
    const keys = new Map<Key, Value>()
    if (isObject(this.base))
      for (const { key } of objectEntries(this.base)) keys.set(keyOf(key), key)
    for (const [key, child] of this.node.children) {
      if (!keys.has(key)) keys.set(key, child.path[child.path.length - 1] as Value)
    }
    return [...keys.values()].sort(compare)
  }

  /** Everything below, rules over base data; undefined leaves are left out. */
  materialize(): Value {
    if (this.base !== undefined && !isObject(this.base)) {
      if (this.node.children.size === 0) return this.base
    }
    const result = new RegoObject()
    for (const key of this.keys()) {
      const value = settle(this.step(key))
      const base = this.base === undefined ? undefined : lookupBase(this.base, key)
      if (value !== undefined) result.set(key, base === undefined ? value : overlay(base, value))
    }
    return result
  }
}

/** A cursor's value; any other value is itself. */
export function settle(value: Value | TreeCursor | undefined): Value | undefined {
  return value instanceof TreeCursor ? value.materialize() : value
}

/** Base data over what rules make at the same place: objects key by key, else the data stays. */
function overlay(base: Value, virtual: Value): Value {
  if (base === virtual || !isObject(virtual) || !isObject(base)) return base
  const result = new RegoObject()
  for (const { key, value } of objectEntries(virtual)) result.set(key, value)
  for (const { key, value } of objectEntries(base)) {
    const other = result.get(key)
    result.set(key, other === undefined ? value : overlay(value, other))
  }
  return result
}
