/**
 * Text to tokens. Keywords are plain identifiers here, since imports decide which words are keywords;
 * a template string is one token that holds the tokens of its expressions. A mistake is a token of
 * kind `illegal`: the parser reports it when, and only when, it gets there.
 */

import { atOnce, type Steps } from '../run/slices.ts'
import type { Comment } from './tree.ts'

export type TokenKind =
  'identifier' | 'number' | 'string' | 'template' | 'illegal' | 'eof' | Punctuation

export type Punctuation =
  | '['
  | ']'
  | '('
  | ')'
  | '{'
  | '}'
  | ','
  | ':'
  | ';'
  | '.'
  | 'assign'
  | 'eq'
  | 'equal'
  | 'neq'
  | 'lt'
  | 'lte'
  | 'gt'
  | 'gte'
  | 'plus'
  | 'minus'
  | 'mul'
  | 'div'
  | 'rem'
  | 'and'
  | 'or'

export interface Token {
  readonly kind: TokenKind
  /** The identifier, the number's text, the string's value or the message of an illegal token. */
  readonly text: string
  readonly row: number
  readonly col: number
  readonly start: number
  readonly end: number
  /** A line ended between this token and the one before. */
  readonly afterNewline: boolean
  /** For a template: its texts and the tokens of its expressions, in turn. */
  readonly parts?: readonly (string | readonly Token[])[]
  readonly raw?: boolean
}

const pairs: Readonly<Record<string, Punctuation>> = {
  ':=': 'assign',
  '==': 'equal',
  '!=': 'neq',
  '<=': 'lte',
  '>=': 'gte',
}

const singles: Readonly<Record<string, Punctuation>> = {
  '[': '[',
  ']': ']',
  '(': '(',
  ')': ')',
  '{': '{',
  '}': '}',
  ',': ',',
  ':': ':',
  ';': ';',
  '.': '.',
  '=': 'eq',
  '<': 'lt',
  '>': 'gt',
  '+': 'plus',
  '-': 'minus',
  '*': 'mul',
  '/': 'div',
  '%': 'rem',
  '&': 'and',
  '|': 'or',
}

const identifierPattern = /[A-Za-z_][A-Za-z0-9_]*/y
const numberPattern = /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y

/** Every token of a text, an `eof` token last, and its comments. */
export function scan(text: string): { tokens: readonly Token[]; comments: readonly Comment[] } {
  return atOnce(scanSteps(text))
}

/** The same in steps. */
export function* scanSteps(
  text: string,
): Steps<{ tokens: readonly Token[]; comments: readonly Comment[] }> {
  const scanner = new Scanner(text)
  const tokens = yield* scanner.steps(false)
  return { tokens, comments: scanner.comments }
}

const tokensOfStep = 256

class Scanner {
  readonly comments: Comment[] = []
  readonly #text: string
  #at = 0
  #row = 1
  #lineStart = 0
  #newline = false

  constructor(text: string) {
    this.#text = text
    if (text.charCodeAt(0) === 0xfeff) this.#at = this.#lineStart = 1
  }

  /** Tokens up to the end, or up to the brace that closes a template's expression. */
  tokens(insideTemplate: boolean): Token[] {
    return atOnce(this.steps(insideTemplate))
  }

  *steps(insideTemplate: boolean): Steps<Token[]> {
    const tokens: Token[] = []
    let depth = 0
    for (;;) {
      this.#skipSpace()
      if (this.#at >= this.#text.length) break
      if (insideTemplate && this.#text[this.#at] === '}' && depth === 0) break
      const token = this.#next()
      if (token.kind === '{') depth += 1
      if (token.kind === '}') depth -= 1
      tokens.push(token)
      if (tokens.length % tokensOfStep === 0) yield
    }
    const end = this.#token('eof', 'eof', this.#at, this.#at)
    // The end of the text is where its last character is.
    tokens.push({ ...end, col: end.col - 1 })
    return tokens
  }

  #next(): Token {
    const start = this.#at
    const character = this.#text[start] as string
    if (character === '"') return this.#string(start)
    if (character === '`') return this.#rawString(start)
    if (character === '$' && /["`]/.test(this.#text[start + 1] ?? '')) return this.#template(start)
    identifierPattern.lastIndex = start
    const word = identifierPattern.exec(this.#text)
    if (word !== null) return this.#take('identifier', word[0], word[0].length)
    numberPattern.lastIndex = start
    const number = numberPattern.exec(this.#text)
    if (number !== null) return this.#number(number[0])
    const pair = pairs[this.#text.slice(start, start + 2)]
    if (pair !== undefined) return this.#take(pair, pair, 2)
    const single = singles[character]
    if (single !== undefined) return this.#take(single, single, 1)
    const point = String.fromCodePoint(this.#text.codePointAt(start) ?? 0)
    return this.#take('illegal', 'illegal token', point.length)
  }

  #take(kind: TokenKind, text: string, length: number): Token {
    const start = this.#at
    this.#at += length
    return this.#token(kind, text, start, this.#at)
  }

  #token(kind: TokenKind, text: string, start: number, end: number, more?: Partial<Token>): Token {
    const afterNewline = this.#newline
    this.#newline = false
    return {
      kind,
      text,
      row: this.#row,
      col: this.#column(start),
      start,
      end,
      afterNewline,
      ...more,
    }
  }

  /** Columns count code points. */
  #column(offset: number): number {
    let column = offset - this.#lineStart + 1
    for (let at = this.#lineStart; at < offset; at += 1) {
      const unit = this.#text.charCodeAt(at)
      if (unit >= 0xdc00 && unit < 0xe000) column -= 1
    }
    return column
  }

  #skipSpace(): void {
    for (;;) {
      const character = this.#text[this.#at]
      if (character === '\n') this.#newLine()
      else if (character === '#') this.#comment()
      else if (character === ' ' || character === '\t' || character === '\r') this.#at += 1
      else return
    }
  }

  #newLine(): void {
    this.#at += 1
    this.#row += 1
    this.#lineStart = this.#at
    this.#newline = true
  }

  #comment(): void {
    const end = this.#text.indexOf('\n', this.#at)
    const stop = end < 0 ? this.#text.length : end
    const text = this.#text.slice(this.#at + 1, stop).replace(/\r$/, '')
    this.comments.push({ text, row: this.#row, col: this.#column(this.#at) })
    this.#at = stop
  }

  #number(text: string): Token {
    const token = this.#take('number', text, text.length)
    const next = this.#text[this.#at] ?? ''
    if (!/[A-Za-z_]/.test(next)) return token
    return { ...token, kind: 'illegal', text: 'illegal number format' }
  }

  #string(start: number): Token {
    let at = start + 1
    for (;;) {
      const character = this.#text[at]
      if (character === undefined || character === '\n') {
        return this.#take('illegal', 'non-terminated string', at - start)
      }
      if (character === '"') break
      at += character === '\\' ? 2 : 1
    }
    const literal = this.#text.slice(start, at + 1)
    const value = unescape(literal.slice(1, -1))
    if (value === undefined)
      return this.#take('illegal', `illegal string literal: ${literal}`, literal.length)
    return this.#take('string', value, literal.length)
  }

  #rawString(start: number): Token {
    const end = this.#text.indexOf('`', start + 1)
    if (end < 0)
      return this.#take('illegal', 'non-terminated raw string', this.#text.length - start)
    const token = this.#take('string', this.#text.slice(start + 1, end), end + 1 - start)
    this.#countLines(start, end)
    return { ...token, raw: true }
  }

  #countLines(from: number, to: number): void {
    for (
      let at = this.#text.indexOf('\n', from);
      at >= 0 && at < to;
      at = this.#text.indexOf('\n', at + 1)
    ) {
      this.#row += 1
      this.#lineStart = at + 1
    }
  }

  #template(start: number): Token {
    const raw = this.#text[start + 1] === '`'
    const quote = raw ? '`' : '"'
    const opening = this.#token('template', '', start, start, { raw })
    const parts: (string | readonly Token[])[] = []
    this.#at = start + 2
    let piece = this.#at
    for (;;) {
      const character = this.#text[this.#at]
      if (character === undefined || (character === '\n' && !raw)) {
        return { ...opening, kind: 'illegal', text: 'non-terminated string', end: this.#at }
      }
      if (character === '\n') this.#newLine()
      else if (character === '\\') this.#at += raw && this.#text[this.#at + 1] !== '{' ? 1 : 2
      else if (character === '{' || character === quote) {
        const text = templateText(this.#text.slice(piece, this.#at), raw)
        if (text === undefined)
          return { ...opening, kind: 'illegal', text: 'illegal string literal', end: this.#at }
        if (text !== '') parts.push(text)
        this.#at += 1
        if (character === quote) break
        parts.push(this.tokens(true))
        this.#at += 1
        piece = this.#at
      } else this.#at += 1
    }
    this.#newline = false
    return { ...opening, parts, end: this.#at }
  }
}

function templateText(text: string, raw: boolean): string | undefined {
  if (raw) return text.replaceAll('\\{', '{')
  return unescape(text.replace(/\\[^]/g, (escape) => (escape === '\\{' ? '{' : escape)))
}

/** The value of a string's inside; undefined when JSON would not accept it. */
function unescape(text: string): string | undefined {
  if (!text.includes('\\') && !/[\x00-\x1f]/.test(text)) return text
  try {
    return JSON.parse(`"${text}"`) as string
  } catch {
    return undefined
  }
}
