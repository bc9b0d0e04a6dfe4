/**
 * The shape of JSON without its values: names of members and kinds of values, merged over many documents.
 *
 * For discovery. Names that could be values themselves (identifiers, addresses, anything long) are not kept; an object
 * with many or such names becomes a map. Depth and width are bounded.
 */

/** What was seen at one place. */
export interface Shape {
  /** Documents (or items) that had something here. */
  readonly seen: number
  readonly kinds: Readonly<
    Partial<
      Record<'string' | 'integer' | 'number' | 'boolean' | 'null' | 'object' | 'array', number>
    >
  >
  readonly members?: Readonly<Record<string, Shape>>
  /** Values of an object that is used as a map. */
  readonly values?: Shape
  readonly items?: Shape
}

const deepest = 12
const mostMembers = 60
const mostItems = 20

/** A name that a person gave to a field, and not somebody's data. */
export const isFieldName = (name: string): boolean =>
  name.length <= 40 &&
  /^[$@]?[A-Za-z_][A-Za-z_.-]*$/.test(name.replace(shortNumber, '')) &&
  !/^(sk|pk|rk|whsec|gh[a-z]|xox[a-z]|AKIA|eyJ)[_-]?/.test(name.length > 12 ? name : '')

/** `line2`, `address_1`: a short word with a short number. */
const shortNumber = /(?<=^[A-Za-z]{1,12}_?)\d{1,2}$/

const nothing: Shape = { seen: 0, kinds: {} }

/** `shape` with one more value. */
export const addValue = (shape: Shape | undefined, value: unknown, depth = 0): Shape => {
  const before = shape ?? nothing
  const kind = kindOf(value)
  const grown: Shape = {
    ...before,
    seen: before.seen + 1,
    kinds: { ...before.kinds, [kind]: (before.kinds[kind] ?? 0) + 1 },
  }
  if (depth >= deepest || typeof value !== 'object' || value === null) return grown
  if (Array.isArray(value)) {
    return {
      ...grown,
      items: value
        .slice(0, mostItems)
        .reduce<Shape>((items, item) => addValue(items, item, depth + 1), before.items ?? nothing),
    }
  }
  return addMembers(grown, Object.entries(value), depth)
}

const addMembers = (
  shape: Shape,
  entries: readonly (readonly [string, unknown])[],
  depth: number,
): Shape => {
  const names = entries.map(([name]) => name)
  const known = shape.members ?? {}
  const isMap =
    shape.values !== undefined ||
    names.some((name) => !isFieldName(name)) ||
    new Set([...names, ...Object.keys(known)]).size > mostMembers
  if (isMap) {
    const start = shape.values ?? Object.values(known).reduce<Shape>(mergeShapes, nothing)
    const { members: _, ...rest } = shape
    return {
      ...rest,
      values: entries
        .slice(0, mostMembers)
        .reduce<Shape>((values, [, value]) => addValue(values, value, depth + 1), start),
    }
  }
  const members = { ...known }
  for (const [name, value] of entries) members[name] = addValue(members[name], value, depth + 1)
  return { ...shape, members }
}

const kindOf = (value: unknown): keyof Shape['kinds'] => {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value as 'string' | 'boolean' | 'object'
}

/** What both shapes saw together. */
export const mergeShapes = (a: Shape, b: Shape): Shape => {
  const kinds: Record<string, number> = { ...a.kinds }
  for (const [kind, count] of Object.entries(b.kinds)) kinds[kind] = (kinds[kind] ?? 0) + count
  const merged: { -readonly [K in keyof Shape]: Shape[K] } = { seen: a.seen + b.seen, kinds }
  const values = a.values && b.values ? mergeShapes(a.values, b.values) : (a.values ?? b.values)
  const items = a.items && b.items ? mergeShapes(a.items, b.items) : (a.items ?? b.items)
  if (items) merged.items = items
  if (values)
    merged.values = [a.members, b.members]
      .flatMap((members) => Object.values(members ?? {}))
      .reduce(mergeShapes, values)
  else if (a.members ?? b.members) {
    const members: Record<string, Shape> = { ...a.members }
    for (const [name, shape] of Object.entries(b.members ?? {}))
      members[name] = members[name] ? mergeShapes(members[name], shape) : shape
    merged.members = members
  }
  return merged
}

/** A JSON Schema 2020-12 that every value seen fits: kinds, members, and what was there each time. */
export const schemaOf = (shape: Shape): Readonly<Record<string, unknown>> => {
  const kinds = Object.keys(shape.kinds).filter(
    (kind) => kind !== 'integer' || shape.kinds.number === undefined,
  )
  const schema: Record<string, unknown> = { type: kinds.length === 1 ? kinds[0] : kinds.sort() }
  if (shape.items && shape.items.seen > 0) schema['items'] = schemaOf(shape.items)
  if (shape.values && shape.values.seen > 0) schema['additionalProperties'] = schemaOf(shape.values)
  if (shape.members) {
    schema['properties'] = Object.fromEntries(
      Object.entries(shape.members).map(([name, member]) => [name, schemaOf(member)]),
    )
    const objects = shape.kinds.object ?? 0
    const always = Object.entries(shape.members).filter(([, member]) => member.seen >= objects)
    if (always.length > 0) schema['required'] = always.map(([name]) => name)
  }
  return schema
}
