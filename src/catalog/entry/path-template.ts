/**
 * Path templates such as `/v1/charges/{id}` and an index that finds the one that a path matches.
 *
 * Literal beats mixed (`report.{format}`) beats `{one}` beats `{rest*}`, segment by segment with backtracking, so the
 * most exact template wins whatever the order in the file. Paths that two parties could read in two ways (encoded
 * slashes, dot segments) match nothing.
 */

/** One segment of a template. */
export type TemplateSegment =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'parameter'; readonly name: string }
  | {
      readonly kind: 'mixed'
      readonly text: string
      readonly parts: readonly string[]
      readonly names: readonly string[]
    }
  | { readonly kind: 'rest'; readonly name: string }

/** The segments of a template, or a sentence that says what is wrong with it. */
export const parseTemplate = (template: string): readonly TemplateSegment[] | string => {
  if (!template.startsWith('/')) return 'a path template starts with /'
  if (/[?#\s\\]/.test(template)) return 'a path template has no query, fragment, space or backslash'
  const texts = template.slice(1).split('/')
  const segments: TemplateSegment[] = []
  const names = new Set<string>()
  for (const [index, text] of texts.entries()) {
    const segment = parseSegment(text)
    if (typeof segment === 'string') return segment
    if (segment.kind === 'rest' && index !== texts.length - 1)
      return `{${segment.name}*} stands only at the end`
    for (const name of namesOf(segment)) {
      if (names.has(name)) return `{${name}} stands twice in the template`
      names.add(name)
    }
    segments.push(segment)
  }
  return segments
}

const namesOf = (segment: TemplateSegment): readonly string[] => {
  if (segment.kind === 'literal') return []
  return segment.kind === 'mixed' ? segment.names : [segment.name]
}

const parseSegment = (text: string): TemplateSegment | string => {
  const whole = /^\{([^{}*]+)(\*)?\}$/.exec(text)
  if (whole)
    return whole[2] ? { kind: 'rest', name: whole[1]! } : { kind: 'parameter', name: whole[1]! }
  if (!/[{}]/.test(text)) {
    const decoded = decodeSegment(text)
    return decoded === undefined
      ? `segment ${JSON.stringify(text)} is ambiguous`
      : { kind: 'literal', text: decoded }
  }
  const pieces = text.split(/\{([^{}]+)\}/)
  if (pieces.some((piece, index) => index % 2 === 0 && /[{}]/.test(piece)))
    return `braces in ${JSON.stringify(text)} do not match`
  const parts = pieces.filter((_, index) => index % 2 === 0)
  if (parts.slice(1, -1).includes(''))
    return `parameters in ${JSON.stringify(text)} need a character between them`
  return { kind: 'mixed', text, parts, names: pieces.filter((_, index) => index % 2 === 1) }
}

const decodeSegment = (text: string): string | undefined => {
  if (text === '.' || text === '..') return undefined
  if (!text.includes('%') && !text.includes('\\')) return text
  try {
    const decoded = decodeURIComponent(text)
    return /[/\\\p{Cc}]/u.test(decoded) || /^\.\.?$/.test(decoded) || decoded.includes('%')
      ? undefined
      : decoded
  } catch {
    return undefined
  }
}

/** Decoded segments of a request path without its query, or undefined when it can be read in two ways. */
export const pathSegments = (path: string): readonly string[] | undefined => {
  if (!path.startsWith('/') || /[?#\\]/.test(path)) return undefined
  const segments = path.slice(1).split('/').map(decodeSegment)
  if (segments.some((segment) => segment === undefined)) return undefined
  return segments as string[]
}

const matchMixed = (
  segment: TemplateSegment & { kind: 'mixed' },
  text: string,
): string[] | undefined => {
  const { parts } = segment
  if (!text.startsWith(parts[0]!)) return undefined
  const values: string[] = []
  let from = parts[0]!.length
  for (const [index, part] of parts.entries()) {
    if (index === 0) continue
    const last = index === parts.length - 1
    const at = last ? text.length - part.length : text.indexOf(part, from + 1)
    if (at <= from || !text.startsWith(part, at)) return undefined
    values.push(text.slice(from, at))
    from = at + part.length
  }
  return values
}

interface Node<T> {
  readonly literals: Map<string, Node<T>>
  readonly mixed: {
    readonly segment: TemplateSegment & { kind: 'mixed' }
    readonly node: Node<T>
  }[]
  parameter?: Node<T>
  rest?: Map<string, Leaf<T>>
  readonly leaves: Map<string, Leaf<T>>
}

interface Leaf<T> {
  readonly value: T
  readonly segments: readonly TemplateSegment[]
}

const node = <T>(): Node<T> => ({ literals: new Map(), mixed: [], leaves: new Map() })

/** What a path and method found. */
export type TemplateMatch<T> =
  | {
      readonly kind: 'match'
      readonly value: T
      readonly parameters: Readonly<Record<string, string>>
    }
  | { readonly kind: 'method'; readonly allowed: readonly string[] }
  | { readonly kind: 'none' }

/** Templates by method and path. */
export class TemplateIndex<T> {
  readonly #root = node<T>()

  /** Adds a template; false when the same method and shape is already there. */
  add(method: string, segments: readonly TemplateSegment[], value: T): boolean {
    let at = this.#root
    for (const segment of segments) {
      if (segment.kind === 'rest')
        return addLeaf((at.rest ??= new Map()), method, { value, segments })
      at = descend(at, segment)
    }
    return addLeaf(at.leaves, method, { value, segments })
  }

  /** Finds the most exact template for decoded `segments` that has `method`, else the methods of those that fit. */
  find(method: string, segments: readonly string[]): TemplateMatch<T> {
    const allowed = new Set<string>()
    const leaf = search(this.#root, segments, 0, method, allowed)
    if (leaf)
      return { kind: 'match', value: leaf.value, parameters: parametersOf(leaf.segments, segments) }
    return allowed.size > 0 ? { kind: 'method', allowed: [...allowed].sort() } : { kind: 'none' }
  }
}

const addLeaf = <T>(leaves: Map<string, Leaf<T>>, method: string, leaf: Leaf<T>): boolean => {
  if (leaves.has(method)) return false
  leaves.set(method, leaf)
  return true
}

const descend = <T>(at: Node<T>, segment: Exclude<TemplateSegment, { kind: 'rest' }>): Node<T> => {
  if (segment.kind === 'parameter') return (at.parameter ??= node())
  if (segment.kind === 'mixed') {
    const shape = segment.parts.join('{}')
    const known = at.mixed.find((one) => one.segment.parts.join('{}') === shape)
    if (known) return known.node
    const fresh = { segment, node: node<T>() }
    at.mixed.push(fresh)
    at.mixed.sort((a, b) => b.segment.parts.join('').length - a.segment.parts.join('').length)
    return fresh.node
  }
  const known = at.literals.get(segment.text)
  if (known) return known
  const fresh = node<T>()
  at.literals.set(segment.text, fresh)
  return fresh
}

const take = <T>(
  leaves: Map<string, Leaf<T>> | undefined,
  method: string,
  allowed: Set<string>,
): Leaf<T> | undefined => {
  const leaf = leaves?.get(method)
  if (!leaf) for (const other of leaves?.keys() ?? []) allowed.add(other)
  return leaf
}

const search = <T>(
  at: Node<T>,
  segments: readonly string[],
  index: number,
  method: string,
  allowed: Set<string>,
): Leaf<T> | undefined => {
  if (index === segments.length) return take(at.leaves, method, allowed)
  const text = segments[index]!
  const literal = at.literals.get(text)
  const byLiteral = literal && search(literal, segments, index + 1, method, allowed)
  if (byLiteral) return byLiteral
  for (const { segment, node: below } of at.mixed) {
    const byMixed = matchMixed(segment, text) && search(below, segments, index + 1, method, allowed)
    if (byMixed) return byMixed
  }
  const byParameter =
    text !== '' && at.parameter
      ? search(at.parameter, segments, index + 1, method, allowed)
      : undefined
  if (byParameter) return byParameter
  return text === '' ? undefined : take(at.rest, method, allowed)
}

const parametersOf = (
  template: readonly TemplateSegment[],
  segments: readonly string[],
): Readonly<Record<string, string>> => {
  const parameters: Record<string, string> = {}
  for (const [index, segment] of template.entries()) {
    if (segment.kind === 'parameter') parameters[segment.name] = segments[index]!
    if (segment.kind === 'rest') parameters[segment.name] = segments.slice(index).join('/')
    if (segment.kind !== 'mixed') continue
    const values = matchMixed(segment, segments[index]!) ?? []
    for (const [at, name] of segment.names.entries()) parameters[name] = values[at] ?? ''
  }
  return parameters
}
