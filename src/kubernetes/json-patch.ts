/** Additions as the operations of a JSON Patch (RFC 6902), which is how an admission webhook says what to change. */
import type { Addition } from './plan.ts'
import { isMapping, valueAt, type Mapping, type Path } from './pod.ts'

/** One operation. */
export interface Operation {
  readonly op: 'add' | 'replace'
  /** A JSON Pointer (RFC 6901). */
  readonly path: string
  readonly value: unknown
}

const pointer = (path: Path): string =>
  path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')

const operationsOf = (pod: Mapping, addition: Addition): readonly Operation[] => {
  const { path } = addition
  const missing = path.findIndex((_, index) => {
    const found = valueAt(pod, path.slice(0, index + 1))
    return found === undefined || found === null
  })
  if (missing >= 0) {
    const content: unknown = 'items' in addition ? addition.items : addition.entries
    const value = path
      .slice(missing + 1)
      .reduceRight<unknown>((inner, key) => ({ [key]: inner }), content)
    return [{ op: 'add', path: pointer(path.slice(0, missing + 1)), value }]
  }
  if ('items' in addition) {
    return addition.items
      .toReversed()
      .map((value) => ({ op: 'add', path: pointer([...path, 0]), value }))
  }
  return Object.entries(addition.entries).map(([key, value]) => ({
    op: 'add',
    path: pointer([...path, key]),
    value,
  }))
}

/** The operations that make the additions. Those inside lists come before those that move the items of such a list. */
export const patchOf = (pod: Mapping, additions: readonly Addition[]): readonly Operation[] =>
  additions.flatMap((addition) => operationsOf(pod, addition))

/** The operations that put `after` in place of `before`, by its two parts. */
export const replacementOf = (before: Mapping, after: Mapping): readonly Operation[] =>
  ['metadata', 'spec'].map((part) => ({
    op: isMapping(before[part]) ? 'replace' : 'add',
    path: pointer([part]),
    value: after[part] ?? {},
  }))
