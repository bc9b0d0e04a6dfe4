/**
 * Validates a query against a schema (October 2021, §5): operations, fragments, fields, arguments and directives.
 * Values are in `values.ts`, variables in `variables.ts`, conflicts between fields in `overlap.ts`.
 */
import {
  typeText,
  innerName,
  positionOf,
  type ArgumentNode,
  type DirectiveNode,
  type FieldNode,
  type FragmentNode,
  type OperationNode,
  type QueryDocument,
  type SelectionNode,
} from './nodes.ts'
import { composite, fieldOf, type Finding, type Report, type Spend } from './findings.ts'
import { checkOverlaps } from './overlap.ts'
import type { Schema, TypeDefinition } from './schema.ts'
import { checkValue } from './values.ts'
import { Variables } from './variables.ts'

/** What is wrong with the query, in the order of the text; empty when nothing is. */
export function validateQuery(
  schema: Schema,
  document: QueryDocument,
  spend: Spend,
): readonly Finding[] {
  const findings: Finding[] = []
  const report: Report = (message, at) => findings.push({ message, position: positionOf(at) })
  new Validator(schema, document, report, spend).run()
  checkOverlaps(schema, document, report, spend)
  return findings
}

class Validator {
  readonly #schema: Schema
  readonly #document: QueryDocument
  readonly #fragments: ReadonlyMap<string, FragmentNode>
  readonly #report: Report
  readonly #spend: Spend
  readonly #variables: Variables
  readonly #spreads = new Map<string, Set<string>>()
  /** The operation or fragment that is being walked. */
  #owner = ''

  constructor(schema: Schema, document: QueryDocument, report: Report, spend: Spend) {
    this.#schema = schema
    this.#document = document
    this.#report = report
    this.#spend = spend
    this.#fragments = new Map(
      (document.Fragments ?? []).map((fragment) => [fragment.Name, fragment]),
    )
    this.#variables = new Variables(schema, report)
  }

  run(): void {
    const operations = this.#document.Operations ?? []
    const fragments = this.#document.Fragments ?? []
    this.#names(operations, fragments)
    operations.forEach((operation, index) => {
      this.#owner = `operation ${index}`
      this.#operation(operation)
    })
    for (const fragment of fragments) {
      this.#owner = fragment.Name
      this.#fragment(fragment)
    }
    this.#cycles(fragments)
    operations.forEach((operation, index) => {
      const reached = this.#reachable(`operation ${index}`)
      this.#variables.checkOperation(operation, reached)
    })
    this.#unused(operations.length, fragments)
  }

  #names(operations: readonly OperationNode[], fragments: readonly FragmentNode[]): void {
    const seen = new Set<string>()
    for (const operation of operations) {
      const name = operation.Name ?? ''
      if (name === '' && operations.length > 1) {
        this.#report('This anonymous operation must be the only defined operation.', operation)
      }
      if (name !== '' && seen.has(name))
        this.#report(`There can be only one operation named "${name}".`, operation)
      seen.add(name)
    }
    const known = new Set<string>()
    for (const fragment of fragments) {
      if (known.has(fragment.Name))
        this.#report(`There can be only one fragment named "${fragment.Name}".`, fragment)
      known.add(fragment.Name)
    }
  }

  #operation(operation: OperationNode): void {
    const root = this.#schema.roots.get(operation.Operation)
    if (root === undefined) {
      this.#report(`Schema does not support operation type "${operation.Operation}"`, operation)
    }
    this.#variables.declare(operation)
    for (const variable of operation.VariableDefinitions ?? []) {
      this.#directives(variable.Directives, 'VARIABLE_DEFINITION')
      if (variable.DefaultValue !== undefined) {
        checkValue(this.#schema, variable.DefaultValue, variable.Type, this.#report)
      }
    }
    this.#directives(operation.Directives, operation.Operation.toUpperCase())
    if (operation.Operation === 'subscription' && (operation.SelectionSet ?? []).length > 1) {
      const name = operation.Name ?? ''
      const subject = name === '' ? 'Anonymous Subscription' : `Subscription "${name}"`
      this.#report(`${subject} must select only one top level field.`, operation)
    }
    this.#selections(operation.SelectionSet, root)
  }

  #fragment(fragment: FragmentNode): void {
    this.#directives(fragment.Directives, 'FRAGMENT_DEFINITION')
    const type = this.#condition(fragment.TypeCondition, fragment, `Fragment "${fragment.Name}"`)
    this.#selections(fragment.SelectionSet, type)
  }

  /** The type that a fragment is for. */
  #condition(name: string, at: object, subject: string): TypeDefinition | undefined {
    const type = this.#schema.types.get(name)
    if (type === undefined) this.#report(`Unknown type "${name}".`, at)
    else if (!composite.has(type.kind)) {
      this.#report(`${subject} cannot condition on non composite type "${name}".`, at)
    }
    return type
  }

  #selections(
    selections: readonly SelectionNode[] | undefined,
    parent: TypeDefinition | undefined,
  ): void {
    for (const selection of selections ?? []) {
      this.#spend(1)
      if (selection.Alias !== undefined) this.#field(selection, parent)
      else if (selection.Name !== undefined) this.#spread(selection, selection.Name, parent)
      else this.#inline(selection, parent)
    }
  }

  #field(field: SelectionNode, parent: TypeDefinition | undefined): void {
    const name = field.Name ?? ''
    this.#directives(field.Directives, 'FIELD')
    const definition = fieldOf(parent, name)
    if (definition === undefined) {
      if (parent !== undefined && composite.has(parent.kind)) {
        this.#report(`Cannot query field "${name}" on type "${parent.name}".`, field)
      }
      this.#arguments(field.Arguments, undefined, '')
      this.#selections(field.SelectionSet, undefined)
      return
    }
    this.#arguments(field.Arguments, definition.Arguments ?? [], `field "${parent!.name}.${name}"`)
    this.#required(field.Arguments, definition.Arguments, field, `Field "${name}"`)
    const type = this.#schema.types.get(innerName(definition.Type))
    const isLeaf = type !== undefined && !composite.has(type.kind)
    const selects = (field.SelectionSet ?? []).length > 0
    const shown = typeText(definition.Type)
    if (isLeaf && selects) {
      this.#report(
        `Field "${name}" must not have a selection since type "${shown}" has no subfields.`,
        field,
      )
    }
    if (type !== undefined && !isLeaf && !selects) {
      this.#report(
        `Field "${name}" of type "${shown}" must have a selection of subfields. Did you mean "${name} { ... }"?`,
        field,
      )
    }
    this.#selections(field.SelectionSet, type)
  }

  #spread(spread: SelectionNode, name: string, parent: TypeDefinition | undefined): void {
    this.#directives(spread.Directives, 'FRAGMENT_SPREAD')
    const fragment = this.#fragments.get(name)
    if (fragment === undefined) {
      this.#report(`Unknown fragment "${name}".`, spread)
      return
    }
    const known = this.#spreads.get(this.#owner)
    if (known === undefined) this.#spreads.set(this.#owner, new Set([name]))
    else known.add(name)
    this.#overlaps(
      parent,
      this.#schema.types.get(fragment.TypeCondition),
      spread,
      `Fragment "${name}"`,
    )
  }

  #inline(inline: SelectionNode, parent: TypeDefinition | undefined): void {
    this.#directives(inline.Directives, 'INLINE_FRAGMENT')
    const name = inline.TypeCondition ?? ''
    const type = name === '' ? parent : this.#condition(name, inline, 'Fragment')
    this.#overlaps(parent, type, inline, 'Fragment')
    this.#selections(inline.SelectionSet, type)
  }

  /** A fragment must be for a type that the place may have. */
  #overlaps(
    parent: TypeDefinition | undefined,
    type: TypeDefinition | undefined,
    at: object,
    subject: string,
  ): void {
    if (parent === undefined || type === undefined || parent.name === type.name) return
    if (!composite.has(parent.kind) || !composite.has(type.kind)) return
    const places = this.#schema.possibleTypes.get(parent.name) ?? new Set<string>()
    const members = this.#schema.possibleTypes.get(type.name) ?? new Set<string>()
    if ([...members].some((member) => places.has(member))) return
    this.#report(
      `${subject} cannot be spread here as objects of type "${parent.name}" can never be of type "${type.name}".`,
      at,
    )
  }

  #arguments(
    given: readonly ArgumentNode[] | undefined,
    known: readonly FieldNode[] | undefined,
    subject: string,
  ): void {
    const seen = new Set<string>()
    for (const argument of given ?? []) {
      if (seen.has(argument.Name))
        this.#report(`There can be only one argument named "${argument.Name}".`, argument)
      seen.add(argument.Name)
      const definition = known?.find(({ Name }) => Name === argument.Name)
      if (known !== undefined && definition === undefined) {
        this.#report(`Unknown argument "${argument.Name}" on ${subject}.`, argument)
      }
      if (argument.Value === undefined) continue
      this.#variables.use(this.#owner, argument.Value, definition)
      if (definition !== undefined)
        checkValue(this.#schema, argument.Value, definition.Type, this.#report)
    }
  }

  #required(
    given: readonly ArgumentNode[] | undefined,
    known: readonly FieldNode[] | undefined,
    at: object,
    subject: string,
  ): void {
    for (const argument of known ?? []) {
      if (argument.Type.NonNull !== true || argument.DefaultValue !== undefined) continue
      if ((given ?? []).some(({ Name }) => Name === argument.Name)) continue
      const type = typeText(argument.Type)
      this.#report(
        `${subject} argument "${argument.Name}" of type "${type}" is required, but it was not provided.`,
        at,
      )
    }
  }

  #directives(directives: readonly DirectiveNode[] | undefined, place: string): void {
    const seen = new Set<string>()
    for (const directive of directives ?? []) {
      const name = directive.Name
      const definition = this.#schema.directives.get(name)
      if (definition === undefined) {
        this.#report(`Unknown directive "@${name}".`, directive)
        this.#arguments(directive.Arguments, undefined, '')
        continue
      }
      if (!(definition.Locations ?? []).includes(place)) {
        this.#report(`Directive "@${name}" may not be used on ${place}.`, directive)
      }
      if (seen.has(name) && definition.IsRepeatable !== true) {
        this.#report(`The directive "@${name}" can only be used once at this location.`, directive)
      }
      seen.add(name)
      this.#arguments(directive.Arguments, definition.Arguments ?? [], `directive "@${name}"`)
      this.#required(directive.Arguments, definition.Arguments, directive, `Directive "@${name}"`)
    }
  }

  /** Names of the fragments that an operation or fragment reaches, and its own. */
  #reachable(owner: string): ReadonlySet<string> {
    const reached = new Set<string>([owner])
    for (const name of reached) for (const next of this.#spreads.get(name) ?? []) reached.add(next)
    return reached
  }

  #cycles(fragments: readonly FragmentNode[]): void {
    for (const fragment of fragments) {
      this.#spend(1)
      const path = this.#pathBack(fragment.Name)
      if (path === undefined) continue
      const via = path.map((name) => `"${name}"`).join(', ')
      this.#report(
        `Cannot spread fragment "${fragment.Name}" within itself${via === '' ? '' : ` via ${via}`}.`,
        fragment,
      )
      return
    }
  }

  /** The fragments on a way from a fragment back to itself. */
  #pathBack(start: string): readonly string[] | undefined {
    const open: (readonly string[])[] = [[start]]
    const seen = new Set<string>()
    for (let path = open.pop(); path !== undefined; path = open.pop()) {
      for (const next of this.#spreads.get(path.at(-1)!) ?? []) {
        if (next === start) return path.slice(1)
        if (seen.has(next)) continue
        seen.add(next)
        open.push([...path, next])
      }
    }
    return undefined
  }

  #unused(operations: number, fragments: readonly FragmentNode[]): void {
    const used = new Set<string>()
    for (let index = 0; index < operations; index++) {
      for (const name of this.#reachable(`operation ${index}`)) used.add(name)
    }
    for (const fragment of fragments) {
      if (!used.has(fragment.Name))
        this.#report(`Fragment "${fragment.Name}" is never used.`, fragment)
    }
  }
}
