/** Builds a schema from its document, and refuses one that does not hold together (October 2021, §3). */
import { quoteGo } from '../go/quote.ts'
import {
  GraphqlError,
  innerName,
  positionOf,
  typeText,
  type DefinitionNode,
  type DirectiveDefinitionNode,
  type DirectiveNode,
  type FieldNode,
  type SchemaDocument,
  type SchemaNode,
  type TypeNode,
} from './nodes.ts'
import { prelude } from './prelude.ts'

/** A definition with its extensions merged in. */
export interface TypeDefinition {
  readonly kind: string
  readonly name: string
  readonly builtIn: boolean
  readonly source: DefinitionNode
  readonly directives: DirectiveNode[]
  readonly interfaces: string[]
  readonly fields: FieldNode[]
  readonly types: string[]
  readonly enumValues: string[]
}

export interface Schema {
  readonly types: ReadonlyMap<string, TypeDefinition>
  readonly directives: ReadonlyMap<string, DirectiveDefinitionNode>
  /** Root types by operation: `query`, `mutation`, `subscription`. */
  readonly roots: ReadonlyMap<string, TypeDefinition>
  /** Names of the object types that a type stands for. */
  readonly possibleTypes: ReadonlyMap<string, ReadonlySet<string>>
}

const redefinable = new Set(['include', 'skip', 'deprecated', 'specifiedBy'])

/** @throws GraphqlError */
export function buildSchema(document: SchemaDocument): Schema {
  const builder = new Builder()
  builder.add(prelude(), 'built-in')
  builder.add(document, 'own')
  const schema = builder.schema(document)
  new Checker(schema).run()
  return builder.withInferredRoots(schema, document)
}

function fail(message: string, at: object): never {
  throw new GraphqlError(message, positionOf(at))
}

class Builder {
  readonly #types = new Map<string, TypeDefinition>()
  readonly #directives = new Map<string, DirectiveDefinitionNode>()

  add(document: SchemaDocument, origin: 'built-in' | 'own'): void {
    for (const definition of document.Definitions ?? []) {
      if (this.#types.has(definition.Name))
        fail(`Cannot redeclare type ${definition.Name}.`, definition)
      this.#types.set(definition.Name, empty(definition, origin))
      this.#merge(definition)
    }
    for (const extension of document.Extensions ?? []) this.#merge(extension)
    for (const directive of document.Directives ?? []) {
      if (this.#directives.has(directive.Name) && !redefinable.has(directive.Name)) {
        fail(`Cannot redeclare directive ${directive.Name}.`, directive)
      }
      this.#directives.set(directive.Name, directive)
    }
  }

  #merge(part: DefinitionNode): void {
    const type = this.#types.get(part.Name) ?? empty(part, 'own')
    this.#types.set(part.Name, type)
    if (type.kind !== part.Kind) {
      fail(
        `Cannot extend type ${part.Name} because the base type is a ${type.kind}, not ${part.Kind}.`,
        part,
      )
    }
    type.directives.push(...(part.Directives ?? []))
    type.interfaces.push(...(part.Interfaces ?? []))
    type.fields.push(...(part.Fields ?? []))
    type.types.push(...(part.Types ?? []))
    type.enumValues.push(...(part.EnumValues ?? []).map(({ Name }) => Name))
  }

  schema(document: SchemaDocument): Schema {
    const second = document.Schema?.[1]
    if (second !== undefined) {
      fail('Cannot have multiple schema entry points, consider schema extensions instead.', second)
    }
    const roots = new Map<string, TypeDefinition>()
    for (const entry of [...(document.Schema ?? []), ...(document.SchemaExtension ?? [])])
      this.#roots(entry, roots)
    return {
      types: this.#types,
      directives: this.#directives,
      roots,
      possibleTypes: this.#possible(),
    }
  }

  #roots(entry: SchemaNode, roots: Map<string, TypeDefinition>): void {
    for (const root of entry.OperationTypes ?? []) {
      const type = this.#types.get(root.Type)
      if (type === undefined) {
        fail(
          `Schema root ${root.Operation} refers to a type ${root.Type} that does not exist.`,
          root,
        )
      }
      roots.set(root.Operation, type)
    }
  }

  #possible(): Map<string, Set<string>> {
    const possible = new Map<string, Set<string>>()
    const add = (type: string, member: string): void => {
      const known = possible.get(type)
      if (known === undefined) possible.set(type, new Set([member]))
      else known.add(member)
    }
    for (const type of this.#types.values()) {
      if (type.kind === 'UNION') for (const member of type.types) add(type.name, member)
      if (type.kind === 'OBJECT' || type.kind === 'INPUT_OBJECT') add(type.name, type.name)
      for (const parent of type.interfaces) add(parent, type.name)
    }
    return possible
  }

  /** Without a schema definition the types of these names are the roots; the query root can be introspected. */
  withInferredRoots(schema: Schema, document: SchemaDocument): Schema {
    const roots = new Map(schema.roots)
    if ((document.Schema ?? []).length === 0) {
      for (const [operation, name] of [
        ['query', 'Query'],
        ['mutation', 'Mutation'],
        ['subscription', 'Subscription'],
      ] as const) {
        const type = schema.types.get(name)
        if (type !== undefined && !roots.has(operation)) roots.set(operation, type)
      }
    }
    roots.get('query')?.fields.push(...introspection)
    return { ...schema, roots }
  }
}

const named = (name: string, nonNull: boolean): TypeNode => ({ NamedType: name, NonNull: nonNull })

const introspection: readonly FieldNode[] = [
  { Name: '__schema', Type: named('__Schema', true) },
  {
    Name: '__type',
    Type: named('__Type', false),
    Arguments: [{ Name: 'name', Type: named('String', true) }],
  },
]

function empty(definition: DefinitionNode, origin: 'built-in' | 'own'): TypeDefinition {
  return {
    kind: definition.Kind,
    name: definition.Name,
    builtIn: origin === 'built-in' || definition.BuiltIn === true,
    source: definition,
    directives: [],
    interfaces: [],
    fields: [],
    types: [],
    enumValues: [],
  }
}

const outputKinds = ['SCALAR', 'OBJECT', 'INTERFACE', 'UNION', 'ENUM']
const inputKinds = ['SCALAR', 'ENUM', 'INPUT_OBJECT']

function checkName(name: string, at: object): void {
  if (name.startsWith('__')) {
    fail(`Name "${name}" must not begin with "__", which is reserved by GraphQL introspection.`, at)
  }
}

class Checker {
  readonly #schema: Schema

  constructor(schema: Schema) {
    this.#schema = schema
  }

  run(): void {
    const { types, directives } = this.#schema
    for (const name of [...types.keys()].sort()) this.#type(types.get(name)!)
    for (const name of [...directives.keys()].sort()) this.#directive(directives.get(name)!)
  }

  #directive(directive: DirectiveDefinitionNode): void {
    checkName(directive.Name, directive)
    this.#arguments(directive.Arguments ?? [], directive.Name)
  }

  #type(type: TypeDefinition): void {
    const at = type.source
    for (const field of type.fields) {
      checkName(field.Name, field)
      this.#reference(field.Type)
      this.#arguments(field.Arguments ?? [])
      const place = type.kind === 'INPUT_OBJECT' ? 'INPUT_FIELD_DEFINITION' : 'FIELD_DEFINITION'
      this.#directives(field.Directives ?? [], place)
    }
    for (const member of type.types) {
      const found = this.#schema.types.get(member)
      if (found === undefined) fail(`Undefined type ${quoteGo(member)}.`, at)
      if (found.kind !== 'OBJECT') fail(`${type.kind} type ${quoteGo(member)} must be OBJECT.`, at)
    }
    for (const parent of type.interfaces) this.#implements(type, parent)
    this.#contents(type)
    const seen = new Set<string>()
    for (const field of type.fields) {
      if (seen.has(field.Name))
        fail(`Field ${type.name}.${field.Name} can only be defined once.`, field)
      seen.add(field.Name)
    }
    if (!type.builtIn) checkName(type.name, at)
    this.#directives(type.directives, type.kind)
  }

  #contents(type: TypeDefinition): void {
    const { kind, name, source } = type
    if (kind === 'OBJECT' || kind === 'INTERFACE') {
      if (type.fields.length === 0) fail(`${kind} ${name}: must define one or more fields.`, source)
      this.#fieldKinds(type, outputKinds)
    } else if (kind === 'INPUT_OBJECT') {
      if (type.fields.length === 0)
        fail(`${kind} ${name}: must define one or more input fields.`, source)
      this.#fieldKinds(type, inputKinds)
    } else if (kind === 'ENUM') {
      if (type.enumValues.length === 0)
        fail(`${kind} ${name}: must define one or more unique enum values.`, source)
      const wrong = type.enumValues.find((value) => ['true', 'false', 'null'].includes(value))
      if (wrong !== undefined) fail(`${kind} ${name}: non-enum value ${wrong}.`, source)
    }
  }

  #fieldKinds(type: TypeDefinition, kinds: readonly string[]): void {
    for (const field of type.fields) {
      const found = this.#schema.types.get(innerName(field.Type))
      if (found === undefined || kinds.includes(found.kind)) continue
      const subject =
        kinds === inputKinds ? `${found.kind} ${field.Name}` : `${type.kind} ${type.name}`
      fail(`${subject}: field must be one of ${kinds.join(', ')}.`, field)
    }
  }

  #reference(type: TypeNode): void {
    const name = innerName(type)
    if (!this.#schema.types.has(name)) fail(`Undefined type ${name}.`, type)
  }

  #arguments(list: readonly FieldNode[], currentDirective?: string): void {
    for (const argument of list) {
      checkName(argument.Name, argument)
      this.#reference(argument.Type)
      const found = this.#schema.types.get(innerName(argument.Type))!
      if (!inputKinds.includes(found.kind)) {
        fail(
          `cannot use ${typeText(argument.Type)} as argument ${argument.Name} because ${found.kind} is not a valid input type`,
          argument,
        )
      }
      this.#directives(argument.Directives ?? [], 'ARGUMENT_DEFINITION', currentDirective)
    }
  }

  #directives(list: readonly DirectiveNode[], place: string, currentDirective?: string): void {
    for (const directive of list) {
      checkName(directive.Name, directive)
      if (directive.Name === currentDirective)
        fail(`Directive ${directive.Name} cannot refer to itself.`, directive)
      const definition = this.#schema.directives.get(directive.Name)
      if (definition === undefined) fail(`Undefined directive ${directive.Name}.`, directive)
      if (!(definition.Locations ?? []).includes(place)) {
        fail(`Directive ${directive.Name} is not applicable on ${place}.`, directive)
      }
    }
  }

  #implements(type: TypeDefinition, name: string): void {
    const parent = this.#schema.types.get(name)
    const at = type.source
    if (parent === undefined) fail(`Undefined type ${quoteGo(name)}.`, at)
    if (parent.kind !== 'INTERFACE')
      fail(`${quoteGo(name)} is a non interface type ${parent.kind}.`, at)
    const prefix = `For ${type.name} to implement ${name}`
    for (const required of parent.fields) {
      const found = type.fields.find((field) => field.Name === required.Name)
      if (found === undefined) fail(`${prefix} it must have a field called ${required.Name}.`, at)
      if (!this.#isCovariant(required.Type, found.Type)) {
        fail(
          `${prefix} the field ${required.Name} must have type ${typeText(required.Type)}.`,
          found,
        )
      }
      checkArguments(prefix, required, found)
    }
    for (const ancestor of parent.interfaces) {
      if (type.interfaces.includes(ancestor)) continue
      if (ancestor === type.name) {
        fail(
          `Type ${type.name} cannot implement ${name} because it would create a circular reference.`,
          at,
        )
      }
      fail(`Type ${type.name} must implement ${ancestor} because it is implemented by ${name}.`, at)
    }
  }

  #isCovariant(required: TypeNode, actual: TypeNode): boolean {
    if (required.NonNull === true && actual.NonNull !== true) return false
    if (required.Elem !== undefined) {
      return actual.Elem !== undefined && this.#isCovariant(required.Elem, actual.Elem)
    }
    if (actual.Elem !== undefined) return false
    if (required.NamedType === actual.NamedType) return true
    return (
      this.#schema.possibleTypes.get(required.NamedType ?? '')?.has(actual.NamedType ?? '') === true
    )
  }
}

function checkArguments(prefix: string, required: FieldNode, found: FieldNode): void {
  const name = required.Name
  for (const wanted of required.Arguments ?? []) {
    const given = (found.Arguments ?? []).find((argument) => argument.Name === wanted.Name)
    if (given === undefined) {
      fail(
        `${prefix} the field ${name} must have the same arguments but it is missing ${wanted.Name}.`,
        found,
      )
    }
    if (!isCompatible(wanted.Type, given.Type)) {
      fail(
        `${prefix} the field ${name} must have the same arguments but ${wanted.Name} has the wrong type.`,
        given,
      )
    }
  }
  for (const extra of found.Arguments ?? []) {
    const isKnown = (required.Arguments ?? []).some((argument) => argument.Name === extra.Name)
    if (isKnown || extra.Type.NonNull !== true || extra.DefaultValue !== undefined) continue
    fail(
      `${prefix} any additional arguments on ${name} must be optional or have a default value but ${extra.Name} is required.`,
      extra,
    )
  }
}

/** Whether a value of `type` may stand where `position` is expected: equal, or stricter about null. */
export function isCompatible(type: TypeNode, position: TypeNode): boolean {
  if (
    type.NamedType !== position.NamedType &&
    (type.Elem === undefined || position.Elem === undefined)
  )
    return false
  if (type.Elem !== undefined && position.Elem === undefined) return false
  if (type.Elem !== undefined && !isCompatible(type.Elem, position.Elem!)) return false
  return position.NonNull !== true || type.NonNull === true
}
