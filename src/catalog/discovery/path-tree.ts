/**
 * Path templates inferred from paths: what looks like an identifier, and where many siblings were seen, is a parameter.
 *
 * Keeps no segment that could be somebody's data: only plain words survive as literals (`looksStatic`).
 */

/** A word that a programmer wrote: `charges`, `PhoneNumbers`, `Messages.json`, `v1`, `oauth2`, `list-items`. */
export const looksStatic = (segment: string): boolean => {
  if (segment === '') return true
  if (segment.length > 32) return false
  if (/^v\d{1,3}(\.\d{1,3}){0,2}$/.test(segment)) return true
  const [word = '', extension, ...rest] = segment.split('.')
  if (rest.length > 0 || (extension !== undefined && !/^[a-z]{2,5}\d?$/.test(extension)))
    return false
  const parts = word.split(/[-_]/)
  return parts.every(
    (part) =>
      /^([a-z]{1,20}|[a-z]{1,5}\d|([A-Z]?[a-z]{2,20})([A-Z][a-z]{1,20}){0,4})$/.test(part) &&
      !/[bcdfghjklmnpqrstvwxz]{5}/i.test(part),
  )
}

/** More different literals than this below one node are values, whatever they look like. */
export const mostSiblings = 12

/** A node; `T` is kept per method. */
export interface PathNode<T> {
  readonly literals: Record<string, PathNode<T>>
  parameter?: PathNode<T>
  /** All siblings are values from now on. */
  collapsed?: 'yes'
  readonly methods: Record<string, T>
}

/** An empty tree. */
export const pathNode = <T>(): PathNode<T> => ({
  literals: Object.create(null) as Record<string, PathNode<T>>,
  methods: Object.create(null) as Record<string, T>,
})

/** Finds or makes the place of `segments`; `merge` joins what was kept when siblings become one parameter. */
export const placeOf = <T>(
  root: PathNode<T>,
  segments: readonly string[],
  merge: (a: T, b: T) => T,
): PathNode<T> => {
  let at = root
  for (const segment of segments) {
    if (!looksStatic(segment) || (at.collapsed && segment !== '')) {
      at = at.parameter ??= pathNode<T>()
      continue
    }
    const known = at.literals[segment]
    if (known) {
      at = known
      continue
    }
    if (segment !== '' && Object.keys(at.literals).length >= mostSiblings) {
      collapse(at, merge)
      at = at.parameter ??= pathNode<T>()
      continue
    }
    at = at.literals[segment] = pathNode<T>()
  }
  return at
}

/** All literal children become one parameter. */
const collapse = <T>(node: PathNode<T>, merge: (a: T, b: T) => T): void => {
  node.collapsed = 'yes'
  const parameter = (node.parameter ??= pathNode<T>())
  for (const [name, child] of Object.entries(node.literals)) {
    if (name === '') continue
    mergeNodes(parameter, child, merge)
    delete node.literals[name]
  }
}

const mergeNodes = <T>(into: PathNode<T>, from: PathNode<T>, merge: (a: T, b: T) => T): void => {
  for (const [method, value] of Object.entries(from.methods)) {
    const known = into.methods[method]
    into.methods[method] = known === undefined ? value : merge(known, value)
  }
  if (from.parameter) mergeNodes((into.parameter ??= pathNode<T>()), from.parameter, merge)
  for (const [name, child] of Object.entries(from.literals))
    mergeNodes((into.literals[name] ??= pathNode<T>()), child, merge)
}

/** All templates with what is kept for each method, in order of path. */
export const templatesOf = <T>(
  root: PathNode<T>,
): readonly { readonly method: string; readonly template: string; readonly value: T }[] =>
  walk(root, [], [])

const walk = <T>(
  node: PathNode<T>,
  path: readonly string[],
  names: readonly string[],
): readonly { method: string; template: string; value: T }[] => {
  const here = Object.entries(node.methods).map(([method, value]) => ({
    method,
    template: `/${path.join('/')}`,
    value,
  }))
  const literals = Object.entries(node.literals).sort(([a], [b]) => (a < b ? -1 : 1))
  const below = literals.flatMap(([name, child]) => walk(child, [...path, name], names))
  if (!node.parameter) return [...here, ...below]
  const name = parameterName(path.at(-1) ?? '', names)
  return [...here, ...below, ...walk(node.parameter, [...path, `{${name}}`], [...names, name])]
}

const parameterName = (before: string, taken: readonly string[]): string => {
  const word =
    before.startsWith('{') || /^(v\d.*)?$/.test(before)
      ? ''
      : before
          .split('.')[0]!
          .replaceAll('-', '_')
          .replace(/ies$/, 'y')
          .replace(/(?<=[^s])s$/, '')
          .toLowerCase()
  const base = word === '' ? 'id' : `${word}_id`
  for (let count = 1; ; count++) {
    const name = count === 1 ? base : `${base}_${count}`
    if (!taken.includes(name)) return name
  }
}
