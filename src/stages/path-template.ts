/**
 * Path templates such as `/orders/{id}` and `/files/{rest*}`, matched over the canonical segments of a request.
 *
 * A trie: the time to match depends on the depth of the path, not on the number of templates. A literal segment
 * beats `{name}`, which beats `{name*}`. Templates are checked when they are added; matching never throws.
 */

/** What a template matched: the value that was stored and the segments that its names took. */
export interface TemplateMatch<T> {
  readonly value: T
  readonly params: Readonly<Record<string, string>>
}

interface Node<T> {
  readonly literals: Map<string, Node<T>>
  parameter: Node<T> | undefined
  rest: Leaf<T> | undefined
  leaf: Leaf<T> | undefined
}

interface Leaf<T> {
  readonly names: readonly string[]
  readonly value: T
}

const emptyNode = <T>(): Node<T> => ({
  literals: new Map(),
  parameter: undefined,
  rest: undefined,
  leaf: undefined,
})

const noParams: Readonly<Record<string, string>> = Object.freeze({})
const parameterPattern = /^\{([A-Za-z_][A-Za-z0-9_]*)(\*?)\}$/

/** What is wrong with a template, or undefined: for the configuration check. */
export const templateProblem = (template: string): string | undefined => {
  if (!template.startsWith('/')) return 'a path template starts with /'
  const parts = template.slice(1).split('/')
  const names = new Set<string>()
  for (const [index, part] of parts.entries()) {
    const parameter = parameterPattern.exec(part)
    if (parameter === null) {
      if (/[{}*?#]/.test(part)) return `${part} is not a whole segment such as {id} or {rest*}`
      continue
    }
    if (parameter[2] === '*' && index !== parts.length - 1)
      return `${part} must be the last segment`
    if (names.has(parameter[1]!)) return `the name ${parameter[1]} stands twice`
    names.add(parameter[1]!)
  }
  return undefined
}

/** Templates with a value each. */
export class TemplateIndex<T> {
  readonly #root = emptyNode<T>()

  /**
   * Adds a template.
   * @returns the value that stands at an equal template already, and then adds nothing
   */
  add(template: string, value: T): T | undefined {
    const names: string[] = []
    let node = this.#root
    for (const part of template.slice(1).split('/')) {
      const parameter = parameterPattern.exec(part)
      if (parameter === null) {
        const next = node.literals.get(part) ?? emptyNode<T>()
        node.literals.set(part, next)
        node = next
        continue
      }
      names.push(parameter[1]!)
      if (parameter[2] === '*') {
        if (node.rest !== undefined) return node.rest.value
        node.rest = { names, value }
        return undefined
      }
      node.parameter ??= emptyNode<T>()
      node = node.parameter
    }
    if (node.leaf !== undefined) return node.leaf.value
    node.leaf = { names, value }
    return undefined
  }

  /** The best match for the segments of a path (`/a/b` is `['a', 'b']`, `/` is `['']`), or undefined. */
  match(segments: readonly string[]): TemplateMatch<T> | undefined {
    const taken: string[] = []
    const leaf = descend(this.#root, segments, 0, taken)
    if (leaf === undefined) return undefined
    if (leaf.names.length === 0) return { value: leaf.value, params: noParams }
    const params: Record<string, string> = {}
    for (const [index, name] of leaf.names.entries()) params[name] = taken[index]!
    return { value: leaf.value, params }
  }
}

const descend = <T>(
  node: Node<T>,
  segments: readonly string[],
  index: number,
  taken: string[],
): Leaf<T> | undefined => {
  if (index === segments.length) return node.leaf
  const segment = segments[index]!
  const literal = node.literals.get(segment)
  if (literal !== undefined) {
    const leaf = descend(literal, segments, index + 1, taken)
    if (leaf !== undefined) return leaf
  }
  if (node.parameter !== undefined && segment !== '') {
    const mark = taken.length
    taken.push(segment)
    const leaf = descend(node.parameter, segments, index + 1, taken)
    if (leaf !== undefined) return leaf
    taken.length = mark
  }
  if (node.rest === undefined) return undefined
  taken.push(segments.slice(index).join('/'))
  return node.rest
}
