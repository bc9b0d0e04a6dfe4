/** What the checks of a query share: how they report, how they pay, and how a field of a type is found. */
import type { FieldNode, Position } from './nodes.ts'
import type { TypeDefinition } from './schema.ts'

export interface Finding {
  readonly message: string
  readonly position: Position | undefined
}

/** Pays for work, see the built-in's context. */
export type Spend = (steps: number) => void

export type Report = (message: string, at: object) => void

/** Kinds of types that have fields or members. */
export const composite: ReadonlySet<string> = new Set(['OBJECT', 'INTERFACE', 'UNION'])

/** The definition of a field of a type; every composite type has its name. */
export function fieldOf(type: TypeDefinition | undefined, name: string): FieldNode | undefined {
  if (type === undefined) return undefined
  if (name === '__typename' && composite.has(type.kind)) {
    return { Name: name, Type: { NamedType: 'String', NonNull: true } }
  }
  return type.fields.find((field) => field.Name === name)
}
