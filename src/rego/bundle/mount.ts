/**
 * Puts documents together into one: each at the path of the folder that it is in, as OPA does for `data.json`. Two
 * documents may share objects on their way but not a value.
 */

type Mapping = Record<string, unknown>

/** A document and the keys that lead to where it belongs. */
export interface Mounted {
  readonly path: readonly string[]
  readonly value: unknown
}

/** Whether it is a JSON object; a number that is too wide for JavaScript is none. */
export function isMapping(value: unknown): value is Mapping {
  return (
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
  )
}

/**
 * Adds a document to `data`, which is changed.
 *
 * @returns the path of the value that two documents give, or undefined when all is well
 */
export function mount(data: Mapping, { path, value }: Mounted): readonly string[] | undefined {
  let wrapped = value
  for (const key of path.toReversed()) wrapped = own({}, key, wrapped)
  return isMapping(wrapped) ? merge(data, wrapped, []) : path
}

function merge(into: Mapping, from: Mapping, at: readonly string[]): readonly string[] | undefined {
  for (const [key, value] of Object.entries(from)) {
    const known = Object.hasOwn(into, key) ? into[key] : undefined
    if (!Object.hasOwn(into, key)) own(into, key, isMapping(value) ? copyOf(value) : value)
    else if (!isMapping(known) || !isMapping(value)) return [...at, key]
    else {
      const taken = merge(known, value, [...at, key])
      if (taken !== undefined) return taken
    }
  }
  return undefined
}

function copyOf(value: Mapping): Mapping {
  const copy: Mapping = {}
  merge(copy, value, [])
  return copy
}

/** Gives an object a member of its own, `__proto__` included. */
function own(target: Mapping, key: string, value: unknown): Mapping {
  return Object.defineProperty(target, key, {
    value,
    enumerable: true,
    configurable: true,
    writable: true,
  })
}
