/**
 * Fields that share a name in a response must be the same field (October 2021, §5.3.2).
 *
 * Fragments are followed, so a small query can stand for a large one; each field costs steps, and beyond a bound the
 * query is refused.
 */
import {
  innerName,
  typeText,
  type ArgumentNode,
  type FieldNode,
  type FragmentNode,
  type QueryDocument,
  type SelectionNode,
  type ValueNode,
} from './nodes.ts'
import type { Schema, TypeDefinition } from './schema.ts'
import { fieldOf, type Report, type Spend } from './findings.ts'

interface Found {
  readonly parent: TypeDefinition | undefined
  readonly field: SelectionNode
  readonly definition: FieldNode | undefined
}

const fieldLimit = 200_000

export function checkOverlaps(
  schema: Schema,
  document: QueryDocument,
  report: Report,
  spend: Spend,
): void {
  const check = new OverlapCheck(schema, document, report, spend)
  for (const operation of document.Operations ?? []) {
    check.set([[operation.SelectionSet ?? [], schema.roots.get(operation.Operation)]])
  }
}

type Sets = readonly (readonly [readonly SelectionNode[], TypeDefinition | undefined])[]

class OverlapCheck {
  readonly #schema: Schema
  readonly #fragments: ReadonlyMap<string, FragmentNode>
  readonly #report: Report
  readonly #spend: Spend
  #fields = 0

  constructor(schema: Schema, document: QueryDocument, report: Report, spend: Spend) {
    this.#schema = schema
    this.#report = report
    this.#spend = spend
    this.#fragments = new Map(
      (document.Fragments ?? []).map((fragment) => [fragment.Name, fragment]),
    )
  }

  /** Selections that are merged into one object of the response. */
  set(sets: Sets): void {
    const found = new Map<string, Found[]>()
    const visited = new Set<string>()
    for (const [selections, parent] of sets) this.#collect(selections, parent, found, visited)
    for (const [name, fields] of found) {
      if (fields.some((other, index) => index > 0 && this.#conflicts(name, fields, other, index)))
        return
      const inner = fields.filter(({ field }) => (field.SelectionSet ?? []).length > 0)
      if (inner.length === 0) continue
      this.set(
        inner.map(({ field, definition }) => [field.SelectionSet!, this.#typeOf(definition)]),
      )
    }
  }

  #typeOf(definition: FieldNode | undefined): TypeDefinition | undefined {
    return definition === undefined ? undefined : this.#schema.types.get(innerName(definition.Type))
  }

  #collect(
    selections: readonly SelectionNode[],
    parent: TypeDefinition | undefined,
    found: Map<string, Found[]>,
    visited: Set<string>,
  ): void {
    for (const selection of selections) {
      this.#spend(1)
      if (++this.#fields > fieldLimit) throw new RangeError('query is too complex')
      if (selection.Alias !== undefined) {
        const entry = {
          parent,
          field: selection,
          definition: fieldOf(parent, selection.Name ?? ''),
        }
        const known = found.get(selection.Alias)
        if (known === undefined) found.set(selection.Alias, [entry])
        else known.push(entry)
        continue
      }
      const fragment =
        selection.Name === undefined ? undefined : this.#fragments.get(selection.Name)
      if (selection.Name !== undefined && (fragment === undefined || visited.has(selection.Name)))
        continue
      if (selection.Name !== undefined) visited.add(selection.Name)
      const condition = fragment?.TypeCondition ?? selection.TypeCondition ?? ''
      const type = condition === '' ? parent : this.#schema.types.get(condition)
      this.#collect(fragment?.SelectionSet ?? selection.SelectionSet ?? [], type, found, visited)
    }
  }

  /** Compares a field with those before it that it may meet; says what differs. */
  #conflicts(name: string, fields: readonly Found[], other: Found, index: number): boolean {
    const reason = fields
      .slice(0, Math.min(index, 8))
      .map((first) => difference(first, other))
      .find((text) => text !== undefined)
    if (reason === undefined) return false
    this.#report(
      `Fields "${name}" conflict because ${reason}. Use different aliases on the fields to fetch both if this was intentional.`,
      other.field,
    )
    return true
  }
}

function difference(a: Found, b: Found): string | undefined {
  const excludeEachOther =
    a.parent?.kind === 'OBJECT' && b.parent?.kind === 'OBJECT' && a.parent.name !== b.parent.name
  if (!excludeEachOther) {
    if (a.field.Name !== b.field.Name)
      return `"${a.field.Name}" and "${b.field.Name}" are different fields`
    if (argumentText(a.field.Arguments) !== argumentText(b.field.Arguments))
      return 'they have differing arguments'
  }
  if (a.definition === undefined || b.definition === undefined) return undefined
  const left = shape(a.definition)
  const right = shape(b.definition)
  return left === right
    ? undefined
    : `they return conflicting types "${typeText(a.definition.Type)}" and "${typeText(b.definition.Type)}"`
}

/** The type as far as a response shows it: composite types may differ, lists and nulls and scalars may not. */
function shape(definition: FieldNode): string {
  return typeText(definition.Type).replace(/[A-Za-z_]\w*/, (name) =>
    leaves.has(name) ? name : 'object',
  )
}

const leaves = new Set(['Int', 'Float', 'String', 'Boolean', 'ID'])

function argumentText(list: readonly ArgumentNode[] | undefined): string {
  return (list ?? [])
    .map(({ Name, Value }) => `${Name}:${valueText(Value)}`)
    .sort()
    .join(',')
}

function valueText(value: ValueNode | undefined): string {
  const children = (value?.Children ?? []).map(
    (child) => `${child.Name ?? ''}=${valueText(child.Value)}`,
  )
  return `${value?.Kind}(${JSON.stringify(value?.Raw ?? '')}${children.join(',')})`
}
