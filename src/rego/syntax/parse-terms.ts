/**
 * Terms: scalars, names, refs, calls, collections, comprehensions, template strings, and the infix
 * operators with their precedence. Bodies belong to the parser of expressions, which extends this one.
 */

import { parseNumber } from '../numbers.ts'
import { Cursor } from './cursor.ts'
import type { Punctuation, Token, TokenKind } from './scan.ts'
import { type Body, type Expr, type Place, type RefTerm, type Term } from './tree.ts'

/** Operators from loose to tight; each level associates to the left. */
const levels: readonly ReadonlySet<TokenKind>[] = [
  new Set<Punctuation>(['equal', 'neq', 'lt', 'gt', 'lte', 'gte']),
  new Set<Punctuation>(['or']),
  new Set<Punctuation>(['and']),
  new Set<Punctuation>(['plus', 'minus']),
  new Set<Punctuation>(['mul', 'div', 'rem']),
]

export abstract class TermParser extends Cursor {
  protected abstract parseBody(end: Punctuation): Body
  protected abstract parseTemplateExpr(tokens: readonly Token[]): Expr

  /** A term with any operators, `x in xs` and `k, v in xs` included. */
  protected parseInfix(): Term {
    return this.deeper(() => this.#parseIn(undefined, true))
  }

  /** The same where a comma ends the term. */
  protected parseInfixInList(from?: Term): Term {
    return this.deeper(() => this.#parseIn(from, false))
  }

  #parseIn(from: Term | undefined, pairs: boolean): Term {
    let left = this.#parseLevel(0, from)
    for (;;) {
      const pair = pairs && this.is(',') ? this.attempt(() => this.#parsePair(left)) : undefined
      if (pair !== undefined) left = pair
      else if (this.isKeyword('in')) {
        this.advance()
        const right = this.#parseLevel(0, undefined)
        left = call('internal.member_2', [left, right], left.at)
      } else return left
    }
  }

  #parsePair(key: Term): Term {
    this.advance()
    const value = this.#parseLevel(0, undefined)
    if (!this.isKeyword('in')) this.unexpected()
    this.advance()
    return call('internal.member_3', [key, value, this.#parseLevel(0, undefined)], key.at)
  }

  #parseLevel(level: number, from: Term | undefined): Term {
    const operators = levels[level]
    if (operators === undefined) return from ?? this.parseTerm()
    let left = this.#parseLevel(level + 1, from)
    while (operators.has(this.token.kind)) {
      const operator = this.advance().kind
      left = call(operator, [left, this.#parseLevel(level + 1, undefined)], left.at)
    }
    return left
  }

  /** A term without infix operators. */
  protected parseTerm(): Term {
    return this.deeper(() => this.parseFinish(this.#parsePrimary()))
  }

  #parsePrimary(): Term {
    const at = this.here()
    const token = this.token
    switch (token.kind) {
      case 'identifier':
        return this.#parseWord(at)
      case 'string':
        this.advance()
        return { kind: 'scalar', value: token.text, at }
      case 'number':
      case 'minus':
      case '.':
        return this.#parseNumber(at)
      case 'template':
        return this.#parseTemplate(at)
      case '[':
        return this.#parseArray(at)
      case '{':
        return this.#parseBraces(at)
      case '(': {
        this.advance()
        const inner = this.parseInfix()
        if (!this.is(')')) this.fault('non-terminated expression')
        this.advance()
        return inner
      }
      default:
        return this.unexpected()
    }
  }

  #parseWord(at: Place): Term {
    const word = this.token.text
    if (this.atKeyword() && word !== 'contains') {
      if (word === 'true' || word === 'false' || word === 'null') {
        this.advance()
        return { kind: 'scalar', value: word === 'null' ? null : word === 'true', at }
      }
      this.unexpected()
    }
    return this.parseVar()
  }

  protected parseVar(): Term {
    const at = this.here()
    const word = this.advance().text
    return { kind: 'var', name: word === '_' ? this.wildcard() : word, at }
  }

  #parseNumber(at: Place): Term {
    let text = ''
    if (this.is('minus')) {
      this.advance()
      text = '-'
    }
    if (this.is('.')) {
      this.advance()
      text += '0.'
    }
    if (!this.is('number')) this.unexpected('expected number')
    const digits = this.token.text
    if (!text.endsWith('.') && /^0\d/.test(digits)) this.unexpected('expected number')
    const value = parseNumber(`${text}${digits}`)
    if (value === undefined) this.fault('number too big')
    this.advance()
    return { kind: 'scalar', value, at }
  }

  #parseTemplate(at: Place): Term {
    const token = this.advance()
    const parts = (token.parts ?? []).map((part) => {
      if (typeof part === 'string') return part
      return this.parseTemplateExpr(part)
    })
    return { kind: 'template', parts, raw: token.raw === true, at }
  }

  /** What may follow a term without space: parts of a ref, and the operands of a call. */
  protected parseFinish(head: Term): Term {
    let term = head
    while (this.adjacent() && (this.is('.') || this.is('[') || this.is('('))) {
      if (term.kind === 'scalar' || term.kind === 'template') {
        const what = term.kind === 'template' ? 'templatestring' : scalarName(term.value)
        this.fault(`illegal ref (head cannot be ${what})`, head.at)
      }
      term = this.is('(') ? this.#parseCall(term) : this.#parsePart(term)
    }
    if (term.kind === 'var' && (term.name === 'input' || term.name === 'data')) {
      return { kind: 'ref', head: term, parts: [], at: term.at }
    }
    return term
  }

  #parsePart(term: Term): RefTerm {
    const dot = this.advance().kind === '.'
    const at = this.here()
    let part: Term
    if (dot) {
      if (!this.is('identifier')) this.unexpected('expected identifier')
      part = { kind: 'scalar', value: this.advance().text, at }
    } else {
      part = this.parseInfix()
      this.expect(']', 'expected [')
    }
    if (term.kind === 'ref') return { ...term, parts: term.parts.concat(part) }
    return { kind: 'ref', head: term, parts: [part], at: term.at }
  }

  #parseCall(operator: Term): Term {
    const name = operatorName(operator)
    if (name === undefined) this.unexpected()
    this.advance()
    const operands = this.parseList(')')
    if (name === 'set' && operands.length === 0) return { kind: 'set', items: [], at: operator.at }
    return call(name, operands, operator.at)
  }

  /** Terms up to the closing token, which is consumed; a comma may come before it. */
  protected parseList(end: Punctuation, first: readonly Term[] = []): Term[] {
    const terms = [...first]
    while (!this.is(end)) {
      terms.push(this.parseInfixInList())
      if (this.is(',')) this.advance()
      else if (!this.is(end)) this.unexpected(`expected "," or "${end}"`)
    }
    this.advance()
    return terms.slice()
  }

  #parseArray(at: Place): Term {
    this.advance()
    if (this.is(']'))
      return this.parseList(']').length === 0 ? { kind: 'array', items: [], at } : this.unexpected()
    const mayBeComprehension = !this.is(',')
    if (!mayBeComprehension) this.advance()
    const head = this.parseTerm()
    if (this.is('or') && mayBeComprehension) {
      const body = this.#tryComprehension(']')
      if (body !== undefined) {
        return { kind: 'comprehension', of: 'array', key: undefined, value: head, body, at }
      }
    }
    return { kind: 'array', items: this.#restOfList(head, ']'), at }
  }

  #restOfList(head: Term, end: Punctuation): Term[] {
    const first = this.parseInfixInList(head)
    if (this.is(',')) this.advance()
    else if (!this.is(end)) this.unexpected(`expected "," or "${end}"`)
    return this.parseList(end, [first])
  }

  /** The body after a bar; when a comma shows that it was a union in a list, undefined. */
  #tryComprehension(end: Punctuation): Body | undefined {
    const start = this.index
    let reached = start
    const body = this.attempt(() => {
      this.advance()
      try {
        const parsed = this.parseBody(end)
        this.expect(end, `expected ${end}`)
        return parsed
      } finally {
        reached = this.index
      }
    })
    if (body !== undefined || this.tokens[reached]?.kind === ',') return body
    this.index = start
    this.advance()
    const parsed = this.parseBody(end)
    this.expect(end, `expected ${end}`)
    return parsed
  }

  #parseBraces(at: Place): Term {
    this.advance()
    if (this.is('}')) {
      this.advance()
      return { kind: 'object', entries: [], at }
    }
    const mayBeComprehension = !this.is(',')
    if (!mayBeComprehension) this.advance()
    let head = this.parseTerm()
    if (this.is('or') && mayBeComprehension) {
      const body = this.#tryComprehension('}')
      if (body !== undefined) {
        return { kind: 'comprehension', of: 'set', key: undefined, value: head, body, at }
      }
    }
    if (this.is(':')) return this.#parseObject(head, mayBeComprehension, at)
    head = this.parseInfixInList(head)
    if (this.is(':')) return this.#parseObject(head, mayBeComprehension, at)
    if (!this.is('}') && !this.is(',')) this.unexpected('non-terminated set')
    return { kind: 'set', items: this.#restOfList(head, '}'), at }
  }

  #parseObject(key: Term, mayBeComprehension: boolean, at: Place): Term {
    this.advance()
    let value = this.parseTerm()
    if (this.is('or') && mayBeComprehension) {
      const body = this.#tryComprehension('}')
      if (body !== undefined) return { kind: 'comprehension', of: 'object', key, value, body, at }
    }
    value = this.parseInfixInList(value)
    const entries: (readonly [Term, Term])[] = [[key, value]]
    if (!this.is('}') && !this.is(',')) this.unexpected('non-terminated object')
    while (this.is(',')) {
      this.advance()
      if (this.is('}')) break
      const nextKey = this.parseInfixInList()
      this.expect(':', 'expected ":"')
      entries.push([nextKey, this.parseInfixInList()])
      if (!this.is(',') && !this.is('}')) this.unexpected('expected "," or "}"')
    }
    this.advance()
    return { kind: 'object', entries: entries.slice(), at }
  }
}

export function call(name: string, operands: readonly Term[], at: Place): Term {
  return { kind: 'call', name, operands, at }
}

/** The dotted name of an operator; undefined when it is no plain name. */
export function operatorName(term: Term): string | undefined {
  if (term.kind === 'var') return term.name
  if (term.kind !== 'ref' || term.head.kind !== 'var') return undefined
  const words = [term.head.name]
  for (const part of term.parts) {
    if (part.kind !== 'scalar' || typeof part.value !== 'string') return undefined
    words.push(part.value)
  }
  return words.join('.')
}

function scalarName(value: unknown): string {
  return value === null
    ? 'null'
    : typeof value === 'bigint' || typeof value === 'object'
      ? 'number'
      : typeof value
}

/** The kind of a term as messages name it: that of the value for a scalar. */
export function termKind(term: Term): string {
  return term.kind === 'scalar' ? scalarName(term.value) : term.kind
}
