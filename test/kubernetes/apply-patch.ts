/** Applies the `add` and `replace` of a JSON Patch (RFC 6902) as the API server does: a missing parent is an error. */

/** One operation of a patch. */
export interface PatchOperation {
  readonly op: 'add' | 'replace'
  readonly path: string
  readonly value: unknown
}

type Container = Record<string, unknown> | unknown[]

/** A copy of `value` with the operations applied in order. */
export const applyPatch = (value: unknown, operations: readonly PatchOperation[]): unknown => {
  const result = structuredClone(value)
  for (const { op, path, value: next } of operations) {
    const keys = path
      .split('/')
      .slice(1)
      .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))
    const last = keys.pop()!
    let parent = result as Container
    for (const key of keys) {
      const below = (parent as Record<string, unknown>)[key]
      if (typeof below !== 'object' || below === null) throw new Error(`${path}: no ${key}`)
      parent = below as Container
    }
    if (op === 'replace' && !Object.hasOwn(parent, last)) throw new Error(`${path} is not there`)
    if (Array.isArray(parent)) parent.splice(Number(last), op === 'add' ? 0 : 1, next)
    else parent[last] = next
  }
  return result
}
