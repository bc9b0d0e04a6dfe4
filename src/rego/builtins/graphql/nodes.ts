/**
 * Syntax trees of GraphQL documents, with the field names that policies know from OPA.
 *
 * Trees are plain objects, so that a tree made by a policy is as good as one that was parsed; lists that are empty are
 * absent. Where a node stood in its text is kept beside the tree.
 */

export interface Position {
  readonly line: number
  readonly column: number
}

/** A document that cannot be parsed or does not hold, and where. */
export class GraphqlError extends Error {
  readonly position: Position | undefined

  constructor(message: string, position: Position | undefined) {
    super(message)
    this.position = position
  }
}

export interface TypeNode {
  readonly NamedType?: string
  readonly Elem?: TypeNode
  readonly NonNull?: boolean
}

export interface ValueNode {
  readonly Raw?: string
  readonly Children?: readonly ChildNode[]
  /** See {@link valueKinds}. */
  readonly Kind?: number
  readonly ExpectedTypeHasDefault?: boolean
}

export interface ChildNode {
  readonly Name?: string
  readonly Value?: ValueNode
}

export const valueKinds = {
  variable: 0,
  int: 1,
  float: 2,
  string: 3,
  block: 4,
  boolean: 5,
  null: 6,
  enum: 7,
  list: 8,
  object: 9,
} as const

export interface ArgumentNode {
  readonly Name: string
  readonly Value?: ValueNode
}

export interface DirectiveNode {
  readonly Name: string
  readonly Arguments?: readonly ArgumentNode[]
  readonly Location?: string
}

/** A field has an alias; a spread has a name and no alias; an inline fragment has neither. */
export interface SelectionNode {
  readonly Alias?: string
  readonly Name?: string
  readonly Arguments?: readonly ArgumentNode[]
  readonly Directives?: readonly DirectiveNode[]
  readonly SelectionSet?: readonly SelectionNode[]
  readonly TypeCondition?: string
}

export interface VariableNode {
  readonly Variable: string
  readonly Type: TypeNode
  readonly DefaultValue?: ValueNode
  readonly Directives?: readonly DirectiveNode[]
  readonly Used?: boolean
}

export interface OperationNode {
  readonly Operation: string
  readonly Name?: string
  readonly VariableDefinitions?: readonly VariableNode[]
  readonly Directives?: readonly DirectiveNode[]
  readonly SelectionSet?: readonly SelectionNode[]
}

export interface FragmentNode {
  readonly Name: string
  readonly VariableDefinition?: readonly VariableNode[]
  readonly TypeCondition: string
  readonly Directives?: readonly DirectiveNode[]
  readonly SelectionSet?: readonly SelectionNode[]
}

export interface QueryDocument {
  readonly Operations?: readonly OperationNode[]
  readonly Fragments?: readonly FragmentNode[]
}

/** A field or an argument of a definition. */
export interface FieldNode {
  readonly Name: string
  readonly Description?: string
  readonly Arguments?: readonly FieldNode[]
  readonly DefaultValue?: ValueNode
  readonly Type: TypeNode
  readonly Directives?: readonly DirectiveNode[]
}

export interface EnumValueNode {
  readonly Name: string
  readonly Description?: string
  readonly Directives?: readonly DirectiveNode[]
}

export interface DefinitionNode {
  readonly Kind: string
  readonly Name: string
  readonly Description?: string
  readonly Directives?: readonly DirectiveNode[]
  readonly Interfaces?: readonly string[]
  readonly Fields?: readonly FieldNode[]
  readonly Types?: readonly string[]
  readonly EnumValues?: readonly EnumValueNode[]
  readonly BuiltIn?: boolean
}

export interface DirectiveDefinitionNode {
  readonly Name: string
  readonly Description?: string
  readonly Arguments?: readonly FieldNode[]
  readonly Locations?: readonly string[]
  readonly IsRepeatable?: boolean
}

export interface SchemaNode {
  readonly Description?: string
  readonly Directives?: readonly DirectiveNode[]
  readonly OperationTypes?: readonly { readonly Operation: string; readonly Type: string }[]
}

export interface SchemaDocument {
  readonly Schema?: readonly SchemaNode[]
  readonly SchemaExtension?: readonly SchemaNode[]
  readonly Directives?: readonly DirectiveDefinitionNode[]
  readonly Definitions?: readonly DefinitionNode[]
  readonly Extensions?: readonly DefinitionNode[]
}

const positions = new WeakMap<object, Position>()

/** Makes a node without its undefined fields and empty lists, and notes where it stood. */
export function node<T extends object>(
  position: Position | undefined,
  fields: { [K in keyof T]: T[K] | undefined },
): T {
  const kept = Object.entries(fields).filter(
    ([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0),
  )
  const made = Object.fromEntries(kept) as T
  if (position !== undefined) positions.set(made, position)
  return made
}

export function positionOf(made: object): Position | undefined {
  return positions.get(made)
}

export function typeText(type: TypeNode): string {
  const inner = type.Elem === undefined ? (type.NamedType ?? '') : `[${typeText(type.Elem)}]`
  return type.NonNull === true ? `${inner}!` : inner
}

/** The named type inside lists. */
export function innerName(type: TypeNode): string {
  return type.Elem === undefined ? (type.NamedType ?? '') : innerName(type.Elem)
}
