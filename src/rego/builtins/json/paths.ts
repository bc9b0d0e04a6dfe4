/** Paths of `json.filter`, `json.remove` and `json.patch`: JSON pointers, or arrays of any values. */
import {
  isArray,
  isObject,
  objectEntries,
  RegoObject,
  RegoSet,
  typeName,
  type Value,
} from '../../values.ts'
import { elementsOf, failOperand, failType } from '../operand.ts'

/** A tree of paths: each key leads further, or ends a path (null). */
type PathTree = RegoObject

/** The segments of one path. Ends the call when it is neither text nor an array. */
export function pathSegments(path: Value): readonly Value[] {
  if (typeof path === 'string') {
    if (path === '') return []
    return path
      .replace(/^\/+/, '')
      .split('/')
      .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
  }
  if (isArray(path)) return path
  return failOperand(
    2,
    `must be one of {set, array} containing string paths or array of path segments but got ${typeName(path)}`,
  )
}

/** The paths of an array or set as a tree; a path that another one starts with ends there. */
export function pathTree(paths: Value): PathTree {
  const list = elementsOf(paths) ?? failType(2, paths, 'set', 'array')
  const root = new RegoObject()
  for (const segments of list.map(pathSegments)) insert(root, segments)
  return root
}

function insert(root: RegoObject, segments: readonly Value[]): void {
  let node = root
  for (const key of segments.slice(0, -1)) {
    const child = node.get(key)
    if (child === null) return
    if (child instanceof RegoObject) node = child
    else {
      const next = new RegoObject()
      node.set(key, next)
      node = next
    }
  }
  const last = segments.at(-1)
  if (last !== undefined) node.set(last, null)
}

/** What of `value` the tree names. */
export function keepPaths(value: Value, tree: Value): Value {
  if (!(tree instanceof RegoObject)) return value
  if (isArray(value)) {
    return value.flatMap((element, index) => {
      const branch = tree.get(String(index))
      return branch === undefined ? [] : [keepPaths(element, branch)]
    })
  }
  if (value instanceof RegoSet) {
    const kept = new RegoSet()
    for (const element of value) {
      const branch = tree.get(element)
      if (branch !== undefined) kept.add(keepPaths(element, branch))
    }
    return kept
  }
  if (!isObject(value)) return value
  const kept = new RegoObject()
  for (const { key, value: member } of objectEntries(value)) {
    const branch = tree.get(key)
    if (branch !== undefined) kept.set(key, keepPaths(member, branch))
  }
  return kept
}

/** `value` without what the tree names; undefined when nothing is left of it. */
export function dropPaths(value: Value, tree: Value | undefined): Value | undefined {
  if (tree === null) return undefined
  if (!(tree instanceof RegoObject)) return value
  if (isArray(value)) {
    const rest: Value[] = []
    value.forEach((element, index) => push(rest, dropPaths(element, tree.get(String(index)))))
    return rest
  }
  if (value instanceof RegoSet) {
    const rest: Value[] = []
    for (const element of value) push(rest, dropPaths(element, tree.get(element)))
    return new RegoSet(rest)
  }
  if (!isObject(value)) return value
  const rest = new RegoObject()
  for (const { key, value: member } of objectEntries(value)) {
    const left = dropPaths(member, tree.get(key))
    if (left !== undefined) rest.set(key, left)
  }
  return rest
}

function push(list: Value[], value: Value | undefined): void {
  if (value !== undefined) list.push(value)
}
