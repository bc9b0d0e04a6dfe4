/**
 * A position in a list of tokens, with the keywords that are in force there and the wording of syntax
 * errors. The parsers of terms, expressions and rules are built on it.
 */

import type { Token, TokenKind } from './scan.ts'
import { packPlace, type Place } from './tree.ts'

/** A mistake in the text. Light, since the parser also uses it to try one reading before another. */
export class SyntaxFault {
  readonly message: string
  readonly at: Place

  constructor(message: string, at: Place) {
    this.message = message
    this.at = at
  }
}

const always = [
  'package',
  'import',
  'as',
  'default',
  'else',
  'not',
  'some',
  'with',
  'null',
  'true',
  'false',
]
const sinceV1 = ['in', 'every', 'contains', 'if']

/** The words that are keywords before any import. */
export function keywordsOf(version: 'v0' | 'v1'): ReadonlySet<string> {
  return new Set(version === 'v1' ? [...always, ...sinceV1] : always)
}

/** The words that `import future.keywords` adds, by version. */
export const futureKeywords = { v0: sinceV1, v1: sinceV1, later: ['not', 'and', 'or'] } as const

const maxDepth = 1200

export class Cursor {
  /** Keywords in force; imports add to them. */
  readonly keywords: Set<string>
  /** Words imported from `future.keywords` that change what a keyword means. */
  readonly future = new Set<string>()
  protected tokens: readonly Token[]
  protected index = 0
  #wildcards = { count: 0 }
  #depth = 0

  constructor(tokens: readonly Token[], keywords: ReadonlySet<string>) {
    this.tokens = tokens
    this.keywords = new Set(keywords)
  }

  protected get token(): Token {
    return this.tokens[this.index] as Token
  }

  protected get next(): Token {
    return (this.tokens[this.index + 1] ?? this.tokens[this.tokens.length - 1]) as Token
  }

  /** Where the last consumed token ended. */
  protected get lastEnd(): number {
    return this.tokens[this.index - 1]?.end ?? 0
  }

  protected get lastRow(): number {
    return this.tokens[this.index - 1]?.row ?? 1
  }

  protected here(): Place {
    return packPlace(this.token.row, this.token.col)
  }

  protected advance(): Token {
    const token = this.token
    if (token.kind !== 'eof') this.index += 1
    return token
  }

  protected is(kind: TokenKind): boolean {
    return this.token.kind === kind
  }

  /** True when the token is this keyword, in force, and not the first word of a ref (`if.x`). */
  protected isKeyword(word: string): boolean {
    const token = this.token
    return (
      token.kind === 'identifier' &&
      token.text === word &&
      this.keywords.has(word) &&
      !this.startsRef()
    )
  }

  /** True for any keyword that is in force. */
  protected atKeyword(): boolean {
    const token = this.token
    return token.kind === 'identifier' && this.keywords.has(token.text) && !this.startsRef()
  }

  /** A word directly followed by a dot or a bracket is a name, whatever the word. */
  protected startsRef(): boolean {
    const next = this.next
    return (next.kind === '.' || next.kind === '[') && next.start === this.token.end
  }

  /** True when the token follows the last one without space. */
  protected adjacent(): boolean {
    return this.token.start === this.lastEnd
  }

  protected expect(kind: TokenKind, note: string): Token {
    if (!this.is(kind)) this.unexpected(note)
    return this.advance()
  }

  protected wildcard(): string {
    const name = `$${this.#wildcards.count}`
    this.#wildcards.count += 1
    return name
  }

  /** A name that no source text can hold. */
  protected shareNames(other: Cursor): void {
    this.#wildcards = other.#wildcards
    for (const word of other.keywords) this.keywords.add(word)
    for (const word of other.future) this.future.add(word)
  }

  /** Runs a parse one level deeper; refuses text that nests too deep for the stack. */
  protected deeper<T>(parse: () => T): T {
    if (this.#depth >= maxDepth) throw new SyntaxFault('max recursion depth reached', this.here())
    this.#depth += 1
    try {
      return parse()
    } finally {
      this.#depth -= 1
    }
  }

  /** Runs a parse; when it fails, goes back to where it began and returns undefined. */
  protected attempt<T>(parse: () => T): T | undefined {
    const start = this.index
    const wildcards = this.#wildcards.count
    try {
      return parse()
    } catch (fault) {
      if (!(fault instanceof SyntaxFault)) throw fault
      this.index = start
      this.#wildcards.count = wildcards
      return undefined
    }
  }

  protected fault(message: string, at = this.here()): never {
    throw new SyntaxFault(message, at)
  }

  /** The complaint about a token that may not stand here. */
  protected unexpected(note = ''): never {
    const token = this.token
    if (token.kind === 'illegal') this.fault(token.text)
    const keyword = token.kind === 'identifier' && this.keywords.has(token.text)
    const name = keyword ? token.text : token.kind
    const what = `unexpected ${name} ${keyword ? 'keyword' : 'token'}`
    this.fault(note === '' ? what : `${what}: ${note}`)
  }
}
