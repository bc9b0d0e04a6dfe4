/** What the parsers of queries and schemas share: tokens, lists, names, values, directives and types. */
import { Lexer, tokenText, type Token } from './lexer.ts'
import {
  GraphqlError,
  node,
  valueKinds,
  type ArgumentNode,
  type ChildNode,
  type DirectiveNode,
  type Position,
  type TypeNode,
  type ValueNode,
} from './nodes.ts'
import { quoteGo } from '../go/quote.ts'

/** Whether variables may stand in a value. */
export type Constness = 'constant' | 'with variables'

const depthLimit = 500

const scalarKinds = new Map([
  ['Int', valueKinds.int],
  ['Float', valueKinds.float],
  ['String', valueKinds.string],
  ['BlockString', valueKinds.block],
])

export class Reader {
  readonly #lexer: Lexer
  #peeked: Token | undefined
  #depth = 0
  #previous: Token | undefined

  constructor(text: string) {
    this.#lexer = new Lexer(text)
  }

  peek(): Token {
    this.#peeked ??= this.#lexer.read()
    return this.#peeked
  }

  get previous(): Token | undefined {
    return this.#previous
  }

  position(): Position {
    return this.peek().position
  }

  next(): Token {
    const token = this.peek()
    if (token.error !== undefined) throw token.error
    this.#peeked = undefined
    this.#previous = token
    return token
  }

  fail(message: string, token = this.peek()): never {
    throw new GraphqlError(message, token.position)
  }

  unexpected(token = this.peek()): never {
    return this.fail(`Unexpected ${tokenText(token)}`, token)
  }

  is(kind: string): boolean {
    return this.peek().kind === kind
  }

  isWord(word: string): boolean {
    return this.peek().value === word && this.is('Name')
  }

  skip(kind: string): boolean {
    if (!this.is(kind)) return false
    this.next()
    return true
  }

  expect(kind: string): Token {
    if (this.is(kind)) return this.next()
    return this.fail(`Expected ${kind}, found ${this.peek().kind}`)
  }

  expectWord(word: string): void {
    if (this.isWord(word)) this.next()
    else this.fail(`Expected ${quoteGo(word)}, found ${tokenText(this.peek())}`)
  }

  name(): string {
    return this.expect('Name').value
  }

  /** Zero or more in brackets, or nothing at all. */
  many<T>(open: string, close: string, read: () => T): T[] {
    const items: T[] = []
    if (!this.skip(open)) return items
    this.nested(() => {
      while (!this.is(close)) items.push(read())
    })
    this.next()
    return items
  }

  /** One or more in brackets, or nothing at all. */
  some<T>(open: string, close: string, read: () => T): T[] {
    if (!this.is(open)) return []
    this.next()
    if (this.is(close)) this.fail(`expected at least one definition, found ${this.peek().kind}`)
    const items: T[] = []
    this.nested(() => {
      while (!this.is(close)) items.push(read())
    })
    this.next()
    return items
  }

  nested<T>(read: () => T): T {
    if (++this.#depth > depthLimit) this.fail('document is nested too deeply')
    const result = read()
    this.#depth--
    return result
  }

  variable(): string {
    this.expect('$')
    return this.name()
  }

  value(constness: Constness): ValueNode {
    const token = this.peek()
    const { position } = token
    if (token.kind === '[') return this.#list(constness, position)
    if (token.kind === '{') return this.#object(constness, position)
    if (token.kind === '$') {
      if (constness === 'constant') this.unexpected()
      return valueNode(position, this.variable(), valueKinds.variable)
    }
    const kind = token.kind === 'Name' ? wordKind(token.value) : scalarKinds.get(token.kind)
    if (kind === undefined) this.unexpected()
    this.next()
    return valueNode(position, token.value, kind)
  }

  #list(constness: Constness, position: Position): ValueNode {
    const children = this.many('[', ']', () =>
      node<ChildNode>(undefined, { Name: '', Value: this.value(constness) }),
    )
    return valueNode(position, '', valueKinds.list, children)
  }

  #object(constness: Constness, position: Position): ValueNode {
    const children = this.many('{', '}', () => {
      const at = this.position()
      const name = this.name()
      this.expect(':')
      return node<ChildNode>(at, { Name: name, Value: this.value(constness) })
    })
    return valueNode(position, '', valueKinds.object, children)
  }

  arguments(constness: Constness): ArgumentNode[] {
    return this.many('(', ')', () => {
      const position = this.position()
      const name = this.name()
      this.expect(':')
      return node<ArgumentNode>(position, { Name: name, Value: this.value(constness) })
    })
  }

  directives(constness: Constness): DirectiveNode[] {
    const directives: DirectiveNode[] = []
    while (this.skip('@')) {
      const position = this.position()
      const name = this.name()
      const given = this.arguments(constness)
      directives.push(node<DirectiveNode>(position, { Name: name, Arguments: given, Location: '' }))
    }
    return directives
  }

  type(): TypeNode {
    const position = this.position()
    if (!this.skip('[')) {
      const name = this.name()
      return node<TypeNode>(position, { NamedType: name, Elem: undefined, NonNull: this.skip('!') })
    }
    const element = this.nested(() => this.type())
    this.expect(']')
    return node<TypeNode>(position, { NamedType: '', Elem: element, NonNull: this.skip('!') })
  }
}

function wordKind(word: string): number {
  if (word === 'true' || word === 'false') return valueKinds.boolean
  return word === 'null' ? valueKinds.null : valueKinds.enum
}

function valueNode(
  position: Position,
  raw: string,
  kind: number,
  children: readonly ChildNode[] = [],
): ValueNode {
  return node<ValueNode>(position, {
    Raw: raw,
    Children: children,
    Kind: kind,
    ExpectedTypeHasDefault: false,
  })
}
