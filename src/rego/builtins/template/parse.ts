/** Parses Go's template syntax: text, and actions in `{{` and `}}`. */
import { parseNumber } from '../../numbers.ts'
import { TemplateError, type Node, type Operand, type Pipeline, type Template } from './tree.ts'

interface Token {
  readonly kind: 'text' | 'action'
  readonly text: string
}

const depthLimit = 200

/** @throws TemplateError */
export function parseTemplate(source: string): Template {
  return new Parser(split(source)).template()
}

/** Text and actions in turn; `{{-` and `-}}` take the white space beside them. */
function split(source: string): readonly Token[] {
  const tokens: Token[] = []
  let at = 0
  let trimNext = false
  while (at < source.length) {
    const open = source.indexOf('{{', at)
    const end = open < 0 ? source.length : open
    const trimsLeft = /^\{\{-\s/.test(source.slice(open, open + 4)) && open >= 0
    let text = source.slice(at, end)
    if (trimNext) text = text.trimStart()
    if (trimsLeft) text = text.trimEnd()
    trimNext = false
    if (text !== '') tokens.push({ kind: 'text', text })
    if (open < 0) break
    const start = open + (trimsLeft ? 3 : 2)
    const close = endOfAction(source, start)
    let body = source.slice(start, close)
    if (/\s-$/.test(body)) {
      trimNext = true
      body = body.slice(0, -1)
    }
    tokens.push({ kind: 'action', text: body.trim() })
    at = close + 2
  }
  return tokens
}

function endOfAction(source: string, start: number): number {
  let at = start
  const comment = /^\s*\/\*/.exec(source.slice(start, start + 100))
  if (comment !== null) {
    const end = source.indexOf('*/', start)
    if (end < 0) throw new TemplateError('template: template:1: unclosed comment')
    at = end + 2
  }
  for (; at < source.length; at++) {
    const character = source[at]
    if (character === '"' || character === '`' || character === "'") {
      at = endOfQuote(source, at)
    } else if (source.startsWith('}}', at)) return at
  }
  throw new TemplateError('template: template:1: unclosed action')
}

function endOfQuote(source: string, start: number): number {
  const quote = source[start]
  for (let at = start + 1; at < source.length; at++) {
    if (source[at] === '\\' && quote !== '`') at++
    else if (source[at] === quote) return at
  }
  throw new TemplateError('template: template:1: unterminated quoted string')
}

class Parser {
  readonly #tokens: readonly Token[]
  readonly #definitions = new Map<string, readonly Node[]>()
  #at = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  template(): Template {
    const { nodes, end } = this.#list(0)
    if (end !== '') throw new TemplateError(`template: template:1: unexpected {{${end}}}`)
    return { nodes, definitions: this.#definitions }
  }

  /** Nodes up to an `end` or `else` action, which is given back. */
  #list(depth: number): { nodes: readonly Node[]; end: string } {
    if (depth > depthLimit) throw new TemplateError('template: template:1: nested too deeply')
    const nodes: Node[] = []
    while (this.#at < this.#tokens.length) {
      const token = this.#tokens[this.#at++]!
      if (token.kind === 'text') {
        nodes.push({ kind: 'text', text: token.text })
        continue
      }
      const word = /^[a-z]+(?=\s|$)/.exec(token.text)?.[0] ?? ''
      const rest = token.text.slice(word.length).trim()
      if (word === 'end' || word === 'else') return { nodes, end: token.text }
      const node = this.#action(word, rest, token.text, depth)
      if (node !== undefined) nodes.push(node)
    }
    return { nodes, end: '' }
  }

  #action(word: string, rest: string, text: string, depth: number): Node | undefined {
    switch (word) {
      case 'if':
      case 'with':
      case 'range':
        return this.#block(word, rest, depth)
      case 'break':
      case 'continue':
        return { kind: word }
      case 'define':
        this.#define(rest, depth)
        return undefined
      case 'block':
        return this.#blockTemplate(rest, depth)
      case 'template':
        return this.#call(rest)
      default:
        if (text.startsWith('/*')) return undefined
        if (text === '') throw new TemplateError('template: template:1: missing value for command')
        return { kind: 'action', pipeline: parsePipeline(text) }
    }
  }

  #block(kind: 'if' | 'with' | 'range', rest: string, depth: number): Node {
    if (rest === '') throw new TemplateError(`template: template:1: missing value for ${kind}`)
    const pipeline = parsePipeline(rest)
    const { nodes: body, end } = this.#list(depth + 1)
    return { kind, pipeline, body, otherwise: this.#otherwise(end, depth) }
  }

  #otherwise(end: string, depth: number): readonly Node[] {
    if (end === 'end') return []
    const chained = /^else\s+(if|with)\s+(.+)$/s.exec(end)
    if (chained !== null) return [this.#block(chained[1] as 'if' | 'with', chained[2]!, depth + 1)]
    if (end !== 'else') throw new TemplateError('template: template:1: unexpected EOF')
    const { nodes, end: last } = this.#list(depth + 1)
    if (last !== 'end') throw new TemplateError('template: template:1: unexpected EOF')
    return nodes
  }

  #define(rest: string, depth: number): void {
    const name = templateName(rest)
    const { nodes, end } = this.#list(depth + 1)
    if (end !== 'end') throw new TemplateError('template: template:1: unexpected EOF')
    this.#definitions.set(name, nodes)
  }

  #blockTemplate(rest: string, depth: number): Node {
    const call = this.#call(rest)
    const { nodes, end } = this.#list(depth + 1)
    if (end !== 'end') throw new TemplateError('template: template:1: unexpected EOF')
    this.#definitions.set(templateName(rest), nodes)
    return call
  }

  #call(rest: string): Node {
    const quoted = /^(?:"(?:[^"\\]|\\.)*"|`[^`]*`)/.exec(rest)?.[0] ?? ''
    const argument = rest.slice(quoted.length).trim()
    const pipeline = argument === '' ? undefined : parsePipeline(argument)
    return { kind: 'template', name: templateName(rest), pipeline }
  }
}

function templateName(text: string): string {
  const quoted = /^(?:"(?:[^"\\]|\\.)*"|`[^`]*`)/.exec(text)?.[0]
  if (quoted === undefined)
    throw new TemplateError('template: template:1: unexpected token in template clause')
  return unquote(quoted)
}

const word =
  /\s*(?:(\$[A-Za-z0-9_]*(?:\.[\p{L}_][\p{L}\p{Nd}_]*)*)|((?:\.[\p{L}_][\p{L}\p{Nd}_]*)+)|(\.)(?![\p{L}\p{Nd}_])|("(?:[^"\\]|\\.)*"|`[^`]*`|'(?:[^'\\]|\\.)+')|([+-]?(?:0[xXoObB])?[0-9][0-9a-fA-F_.]*(?:[eE][+-]?[0-9]+)?)|([\p{L}_][\p{L}\p{Nd}_]*)|(\|)|(\()|(\))|(:=)|(=)|(,))/uy

function parsePipeline(text: string): Pipeline {
  const reader = new PipelineReader(text)
  const pipeline = reader.pipeline(0)
  reader.end()
  return pipeline
}

class PipelineReader {
  readonly #text: string
  #at = 0
  #peeked: RegExpExecArray | undefined

  constructor(text: string) {
    this.#text = text
  }

  #peek(): RegExpExecArray | undefined {
    if (this.#peeked !== undefined) return this.#peeked
    if (this.#text.slice(this.#at).trim() === '') return undefined
    word.lastIndex = this.#at
    const match = word.exec(this.#text)
    if (match === null)
      throw new TemplateError(`template: template:1: unexpected character in command`)
    this.#peeked = match
    return match
  }

  #next(): RegExpExecArray | undefined {
    const match = this.#peek()
    if (match !== undefined) this.#at = match.index + match[0].length
    this.#peeked = undefined
    return match
  }

  end(): void {
    if (this.#peek() !== undefined)
      throw new TemplateError('template: template:1: unexpected token in command')
  }

  pipeline(depth: number): Pipeline {
    if (depth > depthLimit) throw new TemplateError('template: template:1: nested too deeply')
    const { variables, assigns } = this.#variables()
    const commands: Operand[][] = [this.#command(depth)]
    while (this.#peek()?.[7] !== undefined) {
      this.#next()
      commands.push(this.#command(depth))
    }
    return { variables, assigns, commands }
  }

  #variables(): { variables: readonly string[]; assigns: 'declare' | 'set' } {
    const match = /^\s*(\$[A-Za-z0-9_]+)(?:\s*,\s*(\$[A-Za-z0-9_]+))?\s*(:?=)/.exec(
      this.#text.slice(this.#at),
    )
    if (match === null) return { variables: [], assigns: 'declare' }
    this.#at += match[0].length
    this.#peeked = undefined
    const variables = match[2] === undefined ? [match[1]!] : [match[1]!, match[2]]
    return { variables, assigns: match[3] === ':=' ? 'declare' : 'set' }
  }

  #command(depth: number): Operand[] {
    const operands: Operand[] = []
    for (let match = this.#peek(); match !== undefined; match = this.#peek()) {
      if (match[7] !== undefined || match[9] !== undefined) break
      this.#next()
      operands.push(this.#operand(match, depth))
    }
    if (operands.length === 0)
      throw new TemplateError('template: template:1: missing value for command')
    return operands
  }

  #operand(match: RegExpExecArray, depth: number): Operand {
    const [, variable, field, dot, quoted, number, name, , open] = match
    if (variable !== undefined) {
      const [first = '', ...path] = variable.split('.')
      return { kind: 'variable', name: first, path }
    }
    if (field !== undefined) return { kind: 'field', path: field.slice(1).split('.') }
    if (dot !== undefined) return { kind: 'dot' }
    if (quoted !== undefined) return { kind: 'literal', value: literal(quoted) }
    if (number !== undefined) return { kind: 'literal', value: numberLiteral(number) }
    if (open !== undefined) return this.#group(depth)
    if (name === 'true' || name === 'false') return { kind: 'literal', value: name === 'true' }
    if (name === 'nil') return { kind: 'literal', value: null }
    if (name !== undefined) return { kind: 'function', name }
    throw new TemplateError('template: template:1: unexpected token in operand')
  }

  #group(depth: number): Operand {
    const pipeline = this.pipeline(depth + 1)
    if (this.#next()?.[9] === undefined)
      throw new TemplateError('template: template:1: unclosed left paren')
    const fields = /^(?:\.[\p{L}_][\p{L}\p{Nd}_]*)+/u.exec(this.#text.slice(this.#at))?.[0] ?? ''
    this.#at += fields.length
    return { kind: 'pipeline', pipeline, path: fields === '' ? [] : fields.slice(1).split('.') }
  }
}

function literal(quoted: string): string | number {
  const text = unquote(quoted)
  return quoted.startsWith("'") ? text.codePointAt(0)! : text
}

function numberLiteral(text: string) {
  const plain = text.replaceAll('_', '').replace(/^\+/, '')
  const prefixed = /^-?0[xXoObB]/.test(plain)
  const number = prefixed && plain.startsWith('0') ? Number(plain) : parseNumber(plain)
  if (number === undefined || Number.isNaN(number)) {
    throw new TemplateError(`template: template:1: bad number syntax: "${text}"`)
  }
  return number
}

/** Go's escapes are JSON's and a few more. */
function unquote(quoted: string): string {
  const body = quoted.slice(1, -1)
  if (quoted.startsWith('`')) return body
  return body.replace(
    /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))/gs,
    (_, byte?: string, short?: string, long?: string, octal?: string, single?: string) => {
      const hex = byte ?? short ?? long
      if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16))
      if (octal !== undefined) return String.fromCodePoint(Number.parseInt(octal, 8))
      return singles[single!] ?? single!
    },
  )
}

const singles: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
}
