/**
 * Renders a parsed Go template. A key that is missing renders as `<undefined>`, as OPA has it.
 *
 * The text is bounded, and every node costs steps, so that nested ranges end.
 */
import { isNumber, numberToText, toBigInt, toDouble } from '../../numbers.ts'
import { toJson } from '../../value-text.ts'
import {
  compare,
  isArray,
  isObject,
  objectEntries,
  objectGet,
  objectSize,
  RegoSet,
  type Value,
} from '../../values.ts'
import { formatFloat } from '../go/float.ts'
import { resultLimit } from '../operand.ts'
import { callFunction, isTruthy } from './functions.ts'
import { TemplateError, type Node, type Operand, type Pipeline, type Template } from './tree.ts'

/** A missing key: renders as `<undefined>`, and is false. */
export const missing = undefined

const callLimit = 1000
const rangeLimit = 1_000_000

type Scope = { name: string; value: Value | undefined }[]

/** @throws TemplateError */
export function renderTemplate(
  template: Template,
  data: Value,
  spend: (steps: number) => void,
): string {
  const renderer = new Renderer(template, spend)
  const document = toJson(data)
  renderer.list(template.nodes, document, [{ name: '$', value: document }], 0)
  return renderer.text()
}

class Renderer {
  readonly #template: Template
  readonly #spend: (steps: number) => void
  readonly #parts: string[] = []
  #size = 0

  constructor(template: Template, spend: (steps: number) => void) {
    this.#template = template
    this.#spend = spend
  }

  text(): string {
    return this.#parts.join('')
  }

  #write(text: string): void {
    this.#parts.push(text)
    this.#size += text.length
    if (this.#size > resultLimit) throw new TemplateError('template: the text is too long')
  }

  /** What ended the list before its end: a break or a continue. */
  list(
    nodes: readonly Node[],
    dot: Value | undefined,
    scope: Scope,
    depth: number,
  ): 'break' | 'continue' | undefined {
    const known = scope.length
    for (const node of nodes) {
      this.#spend(1)
      const ended = this.#node(node, dot, scope, depth)
      if (ended === undefined) continue
      scope.length = known
      return ended
    }
    scope.length = known
    return undefined
  }

  #node(
    node: Node,
    dot: Value | undefined,
    scope: Scope,
    depth: number,
  ): 'break' | 'continue' | undefined {
    switch (node.kind) {
      case 'text':
        this.#write(node.text)
        return undefined
      case 'action': {
        const value = this.#pipeline(node.pipeline, dot, scope)
        if (node.pipeline.variables.length === 0) this.#write(printed(value))
        return undefined
      }
      case 'break':
      case 'continue':
        return node.kind
      case 'template':
        this.#call(node.name, node.pipeline, dot, scope, depth)
        return undefined
      case 'range':
        return this.#range(node, dot, scope, depth)
      default: {
        const known = scope.length
        const value = this.#pipeline(node.pipeline, dot, scope)
        const inner = node.kind === 'with' ? value : dot
        const ended = isTruthy(value)
          ? this.list(node.body, inner, scope, depth)
          : this.list(node.otherwise, dot, scope, depth)
        scope.length = known
        return ended
      }
    }
  }

  #call(
    name: string,
    pipeline: Pipeline | undefined,
    dot: Value | undefined,
    scope: Scope,
    depth: number,
  ): void {
    const nodes = this.#template.definitions.get(name)
    if (nodes === undefined)
      throw new TemplateError(`template: no template "${name}" associated with template "template"`)
    if (depth > callLimit) throw new TemplateError('template: exceeded maximum template depth')
    const value = pipeline === undefined ? null : this.#pipeline(pipeline, dot, scope)
    this.list(nodes, value, [{ name: '$', value }], depth + 1)
  }

  #range(
    node: Node & { readonly kind: 'if' | 'with' | 'range' },
    dot: Value | undefined,
    scope: Scope,
    depth: number,
  ): undefined {
    const known = scope.length
    const { variables } = node.pipeline
    const collection = this.#commands(node.pipeline.commands, dot, scope)
    const items = itemsOf(collection)
    if (items.length === 0) {
      this.list(node.otherwise, dot, scope, depth)
      return
    }
    for (const [key, value] of items) {
      if (variables.length === 1) scope.push({ name: variables[0]!, value })
      if (variables.length === 2)
        scope.push({ name: variables[0]!, value: key }, { name: variables[1]!, value })
      const ended = this.list(node.body, value, scope, depth)
      scope.length = known
      if (ended === 'break') break
    }
  }

  #pipeline(pipeline: Pipeline, dot: Value | undefined, scope: Scope): Value | undefined {
    const value = this.#commands(pipeline.commands, dot, scope)
    for (const name of pipeline.variables) {
      const found =
        pipeline.assigns === 'set' ? scope.findLast((entry) => entry.name === name) : undefined
      if (pipeline.assigns === 'set' && found === undefined)
        throw new TemplateError(`template: undefined variable "${name}"`)
      if (found === undefined) scope.push({ name, value })
      else found.value = value
    }
    return value
  }

  #commands(
    commands: Pipeline['commands'],
    dot: Value | undefined,
    scope: Scope,
  ): Value | undefined {
    let value: Value | undefined
    commands.forEach((command, index) => {
      value = this.#command(command, dot, scope, index === 0 ? [] : [value])
    })
    return value
  }

  #command(
    [first, ...rest]: readonly Operand[],
    dot: Value | undefined,
    scope: Scope,
    piped: readonly (Value | undefined)[],
  ): Value | undefined {
    this.#spend(1)
    if (first!.kind === 'function') {
      const operands = rest.map((operand) => () => this.#operand(operand, dot, scope))
      return callFunction(first!.name, [...operands, ...piped.map((value) => () => value)])
    }
    if (rest.length > 0 || piped.length > 0)
      throw new TemplateError("template: can't give argument to non-function")
    return this.#operand(first!, dot, scope)
  }

  #operand(operand: Operand, dot: Value | undefined, scope: Scope): Value | undefined {
    switch (operand.kind) {
      case 'literal':
        return operand.value
      case 'dot':
        return dot
      case 'field':
        return walk(dot, operand.path)
      case 'variable': {
        const found = scope.findLast((entry) => entry.name === operand.name)
        if (found === undefined)
          throw new TemplateError(`template: undefined variable "${operand.name}"`)
        return walk(found.value, operand.path)
      }
      case 'function':
        return callFunction(operand.name, [])
      case 'pipeline':
        return walk(this.#commands(operand.pipeline.commands, dot, scope), operand.path)
    }
  }
}

function walk(value: Value | undefined, path: readonly string[]): Value | undefined {
  let current = value
  for (const name of path) {
    if (current === missing || current === null) {
      throw new TemplateError(`template: template: nil data; no entry for key "${name}"`)
    }
    if (!isObject(current))
      throw new TemplateError(`template: template: can't evaluate field ${name}`)
    current = objectGet(current, name)
  }
  return current
}

function itemsOf(value: Value | undefined): readonly (readonly [Value, Value])[] {
  if (value === undefined || value === null) return []
  if (isArray(value)) return value.map((element, index) => [index, element])
  if (value instanceof RegoSet) return value.sorted().map((element, index) => [index, element])
  if (isObject(value)) return objectEntries(value).map((entry) => [entry.key, entry.value])
  const count = isNumber(value) ? toBigInt(value) : undefined
  if (count === undefined || count > BigInt(rangeLimit))
    throw new TemplateError("template: range can't iterate over value")
  return Array.from({ length: Math.max(0, Number(count)) }, (_, index) => [index, index])
}

/** A value as Go's `%v` prints the JSON document that it is. */
export function printed(value: Value | undefined): string {
  if (value === undefined) return '<undefined>'
  if (value === null) return '<no value>'
  return inner(value)
}

function inner(value: Value): string {
  if (value === null) return '<nil>'
  if (typeof value === 'string') return value
  if (typeof value === 'boolean') return String(value)
  if (isNumber(value)) {
    return toBigInt(value) === undefined
      ? formatFloat(toDouble(value), 'g', -1)
      : numberToText(value)
  }
  if (isArray(value)) return `[${value.map(inner).join(' ')}]`
  if (!isObject(value)) return ''
  if (objectSize(value) === 0) return 'map[]'
  const entries = [...objectEntries(value)].sort((a, b) => compare(a.key, b.key))
  return `map[${entries.map((entry) => `${inner(entry.key)}:${inner(entry.value)}`).join(' ')}]`
}
