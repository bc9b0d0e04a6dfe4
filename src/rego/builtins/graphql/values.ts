/** Whether a literal value fits the type of its place (October 2021, §5.6). Variables are judged elsewhere. */
import { quoteGo } from '../go/quote.ts'
import { typeText, valueKinds, type ChildNode, type TypeNode, type ValueNode } from './nodes.ts'
import type { Schema, TypeDefinition } from './schema.ts'
import type { Report } from './findings.ts'

const depthLimit = 500

export function checkValue(
  schema: Schema,
  value: ValueNode,
  type: TypeNode,
  report: Report,
  depth = 0,
): void {
  if (value.Kind === valueKinds.variable || depth > depthLimit) return
  if (value.Kind === valueKinds.null) {
    if (type.NonNull === true)
      report(`Expected value of type "${typeText(type)}", found null.`, value)
    return
  }
  if (type.Elem !== undefined) {
    const items = value.Kind === valueKinds.list ? (value.Children ?? []) : [{ Value: value }]
    for (const item of items) {
      if (item.Value !== undefined) checkValue(schema, item.Value, type.Elem, report, depth + 1)
    }
    return
  }
  const definition = schema.types.get(type.NamedType ?? '')
  if (definition === undefined) return
  if (definition.kind === 'INPUT_OBJECT')
    checkObject(schema, value, definition, type, report, depth)
  else if (definition.kind === 'ENUM') checkEnum(value, definition, type, report)
  else if (definition.kind === 'SCALAR' && !isScalar(definition, value))
    unexpected(value, type, report)
}

function unexpected(value: ValueNode, type: TypeNode, report: Report): void {
  report(`Expected value of type "${typeText(type)}", found ${valueText(value)}.`, value)
}

const scalarKinds: Readonly<Record<string, readonly number[]>> = {
  Int: [valueKinds.int],
  Float: [valueKinds.int, valueKinds.float],
  String: [valueKinds.string, valueKinds.block],
  Boolean: [valueKinds.boolean],
  ID: [valueKinds.int, valueKinds.string],
}

/** A scalar of a schema's own takes every value. */
function isScalar(definition: TypeDefinition, value: ValueNode): boolean {
  if (!definition.builtIn || !Object.hasOwn(scalarKinds, definition.name)) return true
  return scalarKinds[definition.name]!.includes(value.Kind ?? -1)
}

function checkEnum(
  value: ValueNode,
  definition: TypeDefinition,
  type: TypeNode,
  report: Report,
): void {
  const name = value.Raw ?? ''
  if (value.Kind !== valueKinds.enum) {
    report(`Enum "${typeText(type)}" cannot represent non-enum value: ${valueText(value)}.`, value)
  } else if (!definition.enumValues.includes(name)) {
    report(`Value "${name}" does not exist in "${definition.name}" enum.`, value)
  }
}

function checkObject(
  schema: Schema,
  value: ValueNode,
  definition: TypeDefinition,
  type: TypeNode,
  report: Report,
  depth: number,
): void {
  if (value.Kind !== valueKinds.object) {
    unexpected(value, type, report)
    return
  }
  const children = value.Children ?? []
  const seen = new Map<string, ChildNode>()
  for (const child of children) {
    const name = child.Name ?? ''
    if (seen.has(name)) report(`There can be only one input field named "${name}".`, value)
    seen.set(name, child)
    const field = definition.fields.find(({ Name }) => Name === name)
    if (field === undefined)
      report(`Field "${name}" is not defined by type "${definition.name}".`, child)
    else if (child.Value !== undefined)
      checkValue(schema, child.Value, field.Type, report, depth + 1)
  }
  for (const field of definition.fields) {
    if (field.Type.NonNull !== true || field.DefaultValue !== undefined || seen.has(field.Name))
      continue
    const shown = typeText(field.Type)
    report(
      `Field "${definition.name}.${field.Name}" of required type "${shown}" was not provided.`,
      value,
    )
  }
}

function valueText(value: ValueNode): string {
  const raw = value.Raw ?? ''
  switch (value.Kind) {
    case valueKinds.variable:
      return `$${raw}`
    case valueKinds.string:
    case valueKinds.block:
      return quoteGo(raw)
    case valueKinds.list:
      return `[${(value.Children ?? []).map((child) => valueText(child.Value ?? {})).join(',')}]`
    case valueKinds.object:
      return `{${(value.Children ?? []).map((child) => `${child.Name}:${valueText(child.Value ?? {})}`).join(',')}}`
    default:
      return raw
  }
}
