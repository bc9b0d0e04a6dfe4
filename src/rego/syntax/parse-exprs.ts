/**
 * Expressions and bodies: literals with `not`, `some`, `every`, `with`, and the `and`/`or` that
 * `future.keywords` brings.
 */

import { keywordsOf } from './cursor.ts'
import { TermParser } from './parse-terms.ts'
import type { Punctuation, Token } from './scan.ts'
import { noWiths } from './tree.ts'
import type { Body, Expr, LogicExpr, Place, Term, VarTerm, With } from './tree.ts'

export class ExprParser extends TermParser {
  /** Literals up to the closing token, which is not consumed. */
  protected override parseBody(end: Punctuation | 'eof'): Body {
    // Lists are copied when they are done, since a list that grew holds room for more.
    return this.deeper(() => {
      if (this.is(end)) this.fault('found empty body')
      const body: Expr[] = []
      for (;;) {
        body.push(this.parseLiteral())
        if (this.is(';')) {
          this.advance()
          if (this.is(end)) return body.slice()
          continue
        }
        if (this.is(end)) return body.slice()
        if (!this.token.afterNewline) this.unexpected(`expected \\n or ; or ${end}`)
      }
    })
  }

  protected parseLiteral(): Expr {
    const literal = this.#parseLogic('or')
    return this.isKeyword('with')
      ? { ...literal, with: [...literal.with, ...this.#parseWith()] }
      : literal
  }

  #parseLogic(operator: 'and' | 'or'): Expr {
    const operand = () => (operator === 'or' ? this.#parseLogic('and') : this.#parseOperand())
    if (!this.future.has('and') && !this.future.has('or')) return this.#parsePlain()
    let left = operand()
    while (this.future.has(operator) && this.#atWord(operator)) {
      this.advance()
      left = joinLogic(operator, left, operand())
    }
    return left
  }

  #atWord(word: string): boolean {
    return this.is('identifier') && this.token.text === word && !this.startsRef()
  }

  /** One side of `and` or `or`: an expression, a group in parentheses, or a body in braces. */
  #parseOperand(): Expr {
    if (this.is('(')) return this.#parseGroup(() => this.#parsePlain())
    if (!this.is('{')) return this.#parsePlain()
    const at = this.here()
    const start = this.index
    const plain = this.attempt(() => this.#parsePlain())
    if (plain !== undefined && !isSetLiteral(plain)) return plain
    const end = this.index
    this.index = start
    const body = this.attempt(() => this.#parseBraced())
    if (body !== undefined && (this.#atWord('and') || this.#atWord('or')))
      return bracedOperand(body, at)
    // A body after `or` or `and` needs no further operator behind it.
    if (body !== undefined && this.#followsLogic(start)) return bracedOperand(body, at)
    this.index = plain === undefined ? start : end
    return plain ?? this.#parsePlain()
  }

  /** An expression that begins with a parenthesis, or a literal in parentheses. */
  #parseGroup(parse: () => Expr): Expr {
    const plain = this.attempt(parse)
    if (plain !== undefined) return plain
    const group = this.attempt(() => {
      this.advance()
      const literal = this.parseLiteral()
      this.expect(')', 'expected )')
      return literal
    })
    return group ?? parse()
  }

  #followsLogic(index: number): boolean {
    const before = this.tokens[index - 1]
    return before?.kind === 'identifier' && (before.text === 'and' || before.text === 'or')
  }

  #parseBraced(): Body {
    this.expect('{', 'expected {')
    const body = this.parseBody('}')
    this.expect('}', 'expected }')
    return body
  }

  #parsePlain(): Expr {
    const at = this.here()
    if (this.isKeyword('not')) return this.#parseNot(at)
    if (this.isKeyword('some')) return this.#parseSome(at)
    if (this.isKeyword('every')) return this.#parseEvery(at)
    return this.#parseExpr(at, false)
  }

  #parseNot(at: Place): Expr {
    this.advance()
    if (this.isKeyword('some')) this.unexpected("illegal negation of 'some'")
    if (this.isKeyword('every')) this.unexpected("illegal negation of 'every'")
    if (!this.future.has('not')) return this.#parseNegated(at)
    const start = this.index
    const plain = this.attempt(() =>
      this.isKeyword('not')
        ? this.#parsePlain()
        : this.#parseGroup(() => this.#parseExpr(this.here(), false)),
    )
    if (plain !== undefined && !(isSetLiteral(plain) && this.tokens[start]?.kind === '{')) {
      return { kind: 'not', body: [plain], braces: false, negated: false, with: noWiths, at }
    }
    this.index = start
    const body = this.#parseBraced()
    return { kind: 'not', body, braces: true, negated: false, with: noWiths, at }
  }

  /** The classic negation: of one expression, or of a group where there are groups. */
  #parseNegated(at: Place): Expr {
    if (!this.is('(') || !(this.future.has('and') || this.future.has('or')))
      return this.#parseExpr(at, true)
    return { ...this.#parseGroup(() => this.#parseExpr(at, true)), negated: true, at }
  }

  #parseExpr(at: Place, negated: boolean): Expr {
    const left = this.parseInfix()
    const kind = this.token.kind
    if (kind === 'assign' || kind === 'eq') {
      this.advance()
      const right = this.parseInfix()
      return { kind: 'call', name: kind, operands: [left, right], negated, with: noWiths, at }
    }
    if (left.kind === 'call') {
      return { kind: 'call', name: left.name, operands: left.operands, negated, with: noWiths, at }
    }
    return { kind: 'term', term: left, negated, with: noWiths, at }
  }

  #parseWith(): With[] {
    const list: With[] = []
    while (this.isKeyword('with')) {
      const at = this.here()
      this.advance()
      if (!this.is('identifier') || this.atKeyword()) this.unexpected('expected ident')
      const target = this.parseTerm()
      if (target.kind !== 'ref' && target.kind !== 'var')
        this.unexpected('expected with target path')
      if (!this.isKeyword('as')) this.unexpected('expected as keyword')
      this.advance()
      list.push({ target, value: this.parseInfix(), at })
    }
    return list
  }

  #parseSome(at: Place): Expr {
    this.advance()
    const start = this.index
    const term = this.attempt(() => this.parseInfix())
    if (term?.kind === 'call') {
      const [first, second, third] = term.operands
      const base = { kind: 'some-in', negated: false, with: noWiths, at } as const
      if (term.name === 'internal.member_2') {
        return { ...base, key: undefined, value: first as Term, domain: second as Term }
      }
      if (term.name === 'internal.member_3') {
        return { ...base, key: first as Term, value: second as Term, domain: third as Term }
      }
      this.unexpected('expected `x in xs` or `x, y in xs` expression')
    }
    this.index = start
    const names: VarTerm[] = []
    for (;;) {
      if (!this.is('identifier') || this.atKeyword()) this.unexpected('expected var')
      names.push(this.parseVar() as VarTerm)
      if (!this.is(',')) break
      this.advance()
    }
    return { kind: 'some', names, negated: false, with: noWiths, at }
  }

  #parseEvery(at: Place): Expr {
    this.advance()
    const term = this.parseInfix()
    const wanted = 'expected `x[, y] in xs { ... }` expression'
    if (term.kind !== 'call' || !term.name.startsWith('internal.member_')) this.unexpected(wanted)
    const operands = term.operands
    const key = operands.length === 3 ? operands[0] : undefined
    const value = operands[operands.length - 2] as Term
    const domain = operands[operands.length - 1] as Term
    if (key !== undefined && key.kind !== 'var') this.unexpected('expected key to be a variable')
    if (value.kind !== 'var') this.unexpected('expected value to be a variable')
    if (!this.is('{')) this.unexpected('missing body')
    const body = this.#parseBraced()
    return { kind: 'every', key, value, domain, body, negated: false, with: noWiths, at }
  }

  protected override parseTemplateExpr(tokens: readonly Token[]): Expr {
    const inner = new ExprParser(tokens, keywordsOf('v0'))
    inner.shareNames(this)
    if (inner.is('eof')) inner.fault('invalid template-string expression: expected expression')
    const expr = inner.parseLiteral()
    if (!inner.is('eof')) inner.unexpected('expected }')
    return expr
  }
}

export function isSetLiteral(expr: Expr): boolean {
  return expr.kind === 'term' && expr.term.kind === 'set' && !expr.negated && expr.with.length === 0
}

/** A body in braces on its way into `joinLogic`. */
function bracedOperand(body: Body, at: Place): Expr {
  return {
    kind: 'logic',
    operator: 'and',
    left: body,
    right: [],
    braces: [true, false],
    negated: false,
    with: noWiths,
    at,
  }
}

function joinLogic(operator: 'and' | 'or', left: Expr, right: Expr): LogicExpr {
  const [leftBody, leftBraces] = operandBody(left)
  const [rightBody, rightBraces] = operandBody(right)
  return {
    kind: 'logic',
    operator,
    left: leftBody,
    right: rightBody,
    braces: [leftBraces, rightBraces],
    negated: false,
    with: noWiths,
    at: left.at,
  }
}

function operandBody(expr: Expr): readonly [Body, boolean] {
  if (expr.kind === 'logic' && expr.right.length === 0) return [expr.left, true]
  return [[expr], false]
}
