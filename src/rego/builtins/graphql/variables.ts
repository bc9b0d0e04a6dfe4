/** Variables of operations (October 2021, §5.8): declared once, of input types, used, and used where they fit. */
import {
  innerName,
  typeText,
  valueKinds,
  type FieldNode,
  type OperationNode,
  type TypeNode,
  type ValueNode,
  type VariableNode,
} from './nodes.ts'
import { isCompatible, type Schema } from './schema.ts'
import type { Report } from './findings.ts'

interface Use {
  readonly value: ValueNode
  readonly name: string
  /** The type of the place, where it is known, and whether the place has a default of its own. */
  readonly type: TypeNode | undefined
  readonly hasDefault: boolean
}

const inputKinds = new Set(['SCALAR', 'ENUM', 'INPUT_OBJECT'])

export class Variables {
  readonly #schema: Schema
  readonly #report: Report
  readonly #uses = new Map<string, Use[]>()

  constructor(schema: Schema, report: Report) {
    this.#schema = schema
    this.#report = report
  }

  declare(operation: OperationNode): void {
    const seen = new Set<string>()
    for (const variable of operation.VariableDefinitions ?? []) {
      const name = variable.Variable
      if (seen.has(name)) this.#report(`There can be only one variable named "$${name}".`, variable)
      seen.add(name)
      const type = this.#schema.types.get(innerName(variable.Type))
      if (type === undefined) this.#report(`Unknown type "${innerName(variable.Type)}".`, variable)
      else if (!inputKinds.has(type.kind)) {
        this.#report(
          `Variable "$${name}" cannot be non-input type "${typeText(variable.Type)}".`,
          variable,
        )
      }
    }
  }

  /** Notes the variables that a value of an argument uses. */
  use(owner: string, value: ValueNode, argument: FieldNode | undefined): void {
    this.#note(owner, value, argument?.Type, argument?.DefaultValue !== undefined)
  }

  #note(owner: string, value: ValueNode, type: TypeNode | undefined, hasDefault: boolean): void {
    if (value.Kind === valueKinds.variable) {
      const use = { value, name: value.Raw ?? '', type, hasDefault }
      this.#uses.set(owner, [...(this.#uses.get(owner) ?? []), use])
      return
    }
    const definition = type === undefined ? undefined : this.#schema.types.get(innerName(type))
    for (const child of value.Children ?? []) {
      if (child.Value === undefined) continue
      const field =
        value.Kind === valueKinds.object
          ? definition?.fields.find(({ Name }) => Name === child.Name)
          : undefined
      const inner = value.Kind === valueKinds.list ? (type?.Elem ?? type) : field?.Type
      this.#note(owner, child.Value, inner, field?.DefaultValue !== undefined)
    }
  }

  /** `owners` are the operation and the fragments that it reaches. */
  checkOperation(operation: OperationNode, owners: ReadonlySet<string>): void {
    const declared = new Map(
      (operation.VariableDefinitions ?? []).map((variable) => [variable.Variable, variable]),
    )
    const used = new Set<string>()
    const name = operation.Name ?? ''
    const where = name === '' ? '' : ` by operation "${name}"`
    for (const use of [...owners].flatMap((owner) => this.#uses.get(owner) ?? [])) {
      used.add(use.name)
      const variable = declared.get(use.name)
      if (variable === undefined)
        this.#report(`Variable "$${use.name}" is not defined${where}.`, use.value)
      else this.#checkPlace(variable, use)
    }
    for (const variable of declared.values()) {
      if (used.has(variable.Variable)) continue
      const place = name === '' ? '' : ` in operation "${name}"`
      this.#report(`Variable "$${variable.Variable}" is never used${place}.`, variable)
    }
  }

  #checkPlace(variable: VariableNode, use: Use): void {
    if (use.type === undefined) return
    const hasDefault = use.hasDefault || isValue(variable.DefaultValue)
    const place =
      hasDefault && use.type.NonNull === true ? { ...use.type, NonNull: false } : use.type
    if (isCompatible(variable.Type, place)) return
    this.#report(
      `Variable "$${use.name}" of type "${typeText(variable.Type)}" used in position expecting type "${typeText(use.type)}".`,
      use.value,
    )
  }
}

function isValue(value: ValueNode | undefined): boolean {
  return value !== undefined && value.Kind !== valueKinds.null
}
