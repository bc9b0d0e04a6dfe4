/**
 * Packages, imports and rules. A rule without a body, a set rule of Rego v0 (`p[x] { … }`) and the
 * chained bodies of v0 come out in the same shape as today's rules.
 */

import { futureKeywords, SyntaxFault } from './cursor.ts'
import type { ParseOptions } from './parse.ts'
import { ExprParser, isSetLiteral } from './parse-exprs.ts'
import { operatorName, termKind } from './parse-terms.ts'
import type { Token } from './scan.ts'
import {
  noWiths,
  type Body,
  type Head,
  type Import,
  type Place,
  type RefTerm,
  type RegoVersion,
  type Rule,
  type Term,
  type VarTerm,
} from './tree.ts'

export interface Statement {
  readonly kind: 'package' | 'import' | 'rule'
  readonly row: number
}

export class RuleParser extends ExprParser {
  #version: RegoVersion
  readonly #options: ParseOptions
  readonly #faults: SyntaxFault[] = []

  constructor(tokens: readonly Token[], keywords: ReadonlySet<string>, options: ParseOptions) {
    super(tokens, keywords)
    this.#version = options.version
    this.#options = options
    for (const word of options.forced ?? []) this.future.add(word)
  }

  query(): Body {
    while (this.isKeyword('import')) this.parseImport()
    const body = this.parseBody('eof')
    return body
  }

  term(): Term {
    const term = this.parseInfix()
    if (!this.is('eof')) this.unexpected()
    return term
  }

  *moduleSteps() {
    const statements: Statement[] = []
    if (this.is('eof')) this.fault('empty module')
    if (!this.isKeyword('package')) this.fault('package expected')
    statements.push({ kind: 'package', row: this.token.row })
    const path = this.#parsePackage()
    const imports: Import[] = []
    const rules: Rule[] = []
    while (!this.is('eof')) {
      yield
      const row = this.token.row
      if (this.isKeyword('import')) {
        imports.push(this.parseImport())
        statements.push({ kind: 'import', row })
        continue
      }
      if (this.isKeyword('package')) this.unexpected()
      for (const rule of this.#parseRules()) rules.push(rule)
      statements.push({ kind: 'rule', row })
    }
    const version = this.#version
    return { version, package: path, imports, rules, statements, faults: this.#faults }
  }

  #parsePackage(): RefTerm {
    this.advance()
    if (!this.is('identifier') || this.atKeyword()) this.unexpected('expected ident')
    const at = this.here()
    const term = this.#asPath(this.parseTerm())
    const head: VarTerm = { kind: 'var', name: 'data', at }
    const first = (term.head as VarTerm).name
    for (const part of term.parts) {
      if (part.kind !== 'scalar' || typeof part.value !== 'string')
        this.fault('unexpected token: expecting string', part.at)
    }
    return { kind: 'ref', head, parts: [{ kind: 'scalar', value: first, at }, ...term.parts], at }
  }

  #asPath(term: Term): RefTerm {
    if (term.kind === 'var') return { kind: 'ref', head: term, parts: [], at: term.at }
    if (term.kind === 'ref' && term.head.kind === 'var') return term
    return this.unexpected('expected path')
  }

  protected parseImport(): Import {
    const at = this.here()
    this.advance()
    if (!this.is('identifier') || this.atKeyword()) this.unexpected('expected ident')
    const path = this.#asPath(this.parseTerm())
    const root = (path.head as VarTerm).name
    for (const part of path.parts) {
      if (part.kind !== 'scalar' || typeof part.value !== 'string') {
        this.fault(
          `unexpected import path, must begin with one of: {data, future, input, rego}, got: ${root} (hint: if this is unexpected, try updating OPA)`,
          path.at,
        )
      }
    }
    if (!['data', 'input', 'future', 'rego'].includes(root)) {
      this.fault(
        `unexpected import path, must begin with one of: {data, future, input, rego}, got: ${root} (hint: if this is unexpected, try updating OPA)`,
        path.at,
      )
    }
    let alias: string | undefined
    if (this.isKeyword('as')) {
      this.advance()
      if (!this.is('identifier') || this.atKeyword()) this.unexpected('expected var')
      alias = this.advance().text
    }
    if (root === 'future') this.#importFuture(path, alias)
    else if (root === 'rego') this.#importRego(path, alias)
    else this.#checkImportName(path, alias)
    return { path, alias, at }
  }

  #checkImportName(path: RefTerm, alias: string | undefined): void {
    if (alias !== undefined || path.parts.length === 0) return
    const last = path.parts[path.parts.length - 1] as Term
    if (last.kind !== 'scalar' || typeof last.value !== 'string' || !this.keywords.has(last.value))
      return
    const fix = 'hint: import a different path or use an alias'
    this.fault(
      `unexpected import path, must not end with a keyword, got: ${last.value} (${fix})`,
      last.at,
    )
  }

  #importFuture(path: RefTerm, alias: string | undefined): void {
    const [, second, third] = (operatorName(path) ?? '').split('.')
    if (second !== 'keywords') this.fault('invalid import, must be `future.keywords`', path.at)
    if (alias !== undefined) this.fault('`future` imports cannot be aliased', path.at)
    const later = futureKeywords.later.filter(
      (word) => word === 'not' || this.#options.experimental === 'all',
    )
    const known: readonly string[] = [...futureKeywords[this.#version], ...later]
    const chosen = third === undefined ? futureKeywords[this.#version] : [third]
    for (const word of chosen) {
      if (!known.includes(word)) {
        this.fault(`unexpected keyword, must be one of [${[...known].sort().join(' ')}]`, path.at)
      }
      if (later.includes(word as 'not')) this.future.add(word)
      else this.keywords.add(word)
      // `every` cannot be written without `in`.
      if (word === 'every') this.keywords.add('in')
    }
  }

  #importRego(path: RefTerm, alias: string | undefined): void {
    const name = operatorName(path)
    if (name !== 'rego.v1') this.fault(`invalid import \`${name}\`, must be \`rego.v1\``, path.at)
    if (this.#version === 'v1') return
    if (alias !== undefined) this.fault('`rego` imports cannot be aliased', path.at)
    this.#version = 'v1'
    for (const word of futureKeywords.v0) this.keywords.add(word)
  }

  #parseRules(): Rule[] {
    const at = this.here()
    const isDefault = this.isKeyword('default')
    if (this.isKeyword('contains')) this.fault('contains keyword cannot be used for rule name')
    if (isDefault) this.advance()
    if (!this.is('identifier') || (this.atKeyword() && this.token.text !== 'contains')) {
      if (this.atKeyword()) this.fault(`unexpected ${this.token.text} keyword`)
      if (this.is('illegal')) this.unexpected()
      if (this.is('number') || this.is('string'))
        this.fault(`${this.token.kind} cannot be used for rule name`)
      this.fault(
        isDefault
          ? 'unexpected token: expected rule head name'
          : `unexpected ${this.token.kind} token`,
      )
    }
    const { head, contains } = this.#parseHead(isDefault)
    if (isDefault) return [this.#finishDefault(head, at)]
    const keywordIf = this.isKeyword('if')
    const shaped = this.#shapeHead(head, contains, keywordIf)
    const hasBody = keywordIf || this.is('{')
    this.#checkVersionOne(shaped, { contains, keywordIf, hasBody }, at)
    let body: Body = [trueExpr(at)]
    if (keywordIf) {
      this.advance()
      body = this.#parseIfBody()
    } else if (this.is('{')) body = this.#parseBraces()
    else if (head.value === undefined && head.member === undefined) this.#bareHead(head)
    const written = { keywordIf, body: hasBody, value: head.value !== undefined }
    if (!hasBody && this.isKeyword('else')) this.fault('unexpected else keyword')
    const otherwise = this.#parseElse(shaped)
    const endRow = this.lastRow
    const rule: Rule = { head: shaped, body, otherwise, isDefault: false, written, at, endRow }
    return [rule, ...this.#chained(rule)]
  }

  /** Further bodies may follow the first one. */
  #chained(rule: Rule): Rule[] {
    const rules: Rule[] = []
    while (rule.written.body && this.is('{')) {
      if (rule.otherwise !== undefined) this.fault('expected else keyword')
      const at = this.here()
      const body = this.#parseBraces()
      rules.push({ ...rule, body, at, endRow: this.lastRow })
    }
    return rules
  }

  /** `p` or `p[x]` alone: a member of a set in v0 when it has a key, nothing otherwise. */
  #bareHead(head: Head): void {
    if (this.#version === 'v0' && head.ref.parts.length === 1) return
    if (head.args !== undefined) return
    if (this.is('eof') || this.token.afterNewline) {
      if (head.ref.parts.length > 0) return
      this.fault('var cannot be used for rule name', head.at)
    }
    this.unexpected()
  }

  #parseBraces(): Body {
    this.advance()
    const body = this.parseBody('}')
    this.advance()
    return body
  }

  #parseIfBody(): Body {
    if (!this.is('{')) return [this.parseLiteral()]
    const literal = this.attempt(() => {
      const expr = this.parseLiteral()
      if (isSetLiteral(expr) || !(this.token.afterNewline || this.#endsRule())) this.unexpected()
      return expr
    })
    return literal === undefined ? this.#parseBraces() : [literal]
  }

  #endsRule(): boolean {
    return this.is('eof') || this.is('identifier') || this.is(';')
  }

  #parseHead(isDefault: boolean): { head: Head; contains: boolean } {
    const at = this.here()
    const written = this.parseFinish(this.parseVar())
    const { ref, args } = this.#headRef(written)
    const name = (ref.head as VarTerm).name
    const base = { ref, args, at, assign: false, member: undefined, value: undefined }
    if (this.isKeyword('contains')) {
      if (args !== undefined) {
        this.unexpected(
          `the contains keyword can only be used with multi-value rule definitions (e.g., ${name} contains <VALUE> { ... })`,
        )
      }
      this.advance()
      return { head: { ...base, member: this.parseInfix() }, contains: true }
    }
    const assign = this.is('assign')
    if (!assign && !this.is('eq')) {
      if (isDefault) this.fault('illegal default rule (must have a value)', at)
      return { head: base, contains: false }
    }
    this.advance()
    if (this.is('eof'))
      this.unexpected(`expected rule value term (e.g., ${name} := <VALUE> { ... })`)
    return { head: { ...base, assign, value: this.parseInfix() }, contains: false }
  }

  #headRef(term: Term): { ref: RefTerm; args: readonly Term[] | undefined } {
    if (term.kind === 'var')
      return { ref: { kind: 'ref', head: term, parts: [], at: term.at }, args: undefined }
    if (term.kind === 'ref' && term.head.kind === 'var') return { ref: term, args: undefined }
    if (term.kind !== 'call') return this.fault('unexpected rule head', term.at)
    const [first, ...rest] = term.name.split('.')
    const head: VarTerm = { kind: 'var', name: first as string, at: term.at }
    const parts = rest.map((word): Term => ({ kind: 'scalar', value: word, at: term.at }))
    return { ref: { kind: 'ref', head, parts, at: term.at }, args: term.operands }
  }

  /** Gives a head without value its `true`, and reads the set rules of Rego v0. */
  #shapeHead(head: Head, contains: boolean, keywordIf: boolean): Head {
    if (contains || head.value !== undefined) return head
    const { ref } = head
    if (!keywordIf && head.args === undefined && ref.parts.length === 1) {
      return { ...head, ref: { ...ref, parts: [] }, member: ref.parts[0] }
    }
    return { ...head, value: { kind: 'scalar', value: true, at: head.at } }
  }

  #checkVersionOne(
    head: Head,
    rule: { contains: boolean; keywordIf: boolean; hasBody: boolean },
    at: Place,
  ): void {
    if (this.#version === 'v0') return
    if (head.member !== undefined && !rule.contains) {
      this.#faults.push(new SyntaxFault('`contains` keyword is required for partial set rules', at))
    }
    if (rule.hasBody && !rule.keywordIf) {
      this.#faults.push(new SyntaxFault('`if` keyword is required before rule body', at))
    }
  }

  #finishDefault(head: Head, at: Place): Rule {
    this.#checkDefaultValue(head.value as Term, at)
    const seen = new Set<string>()
    for (const arg of head.args ?? []) {
      if (arg.kind !== 'var')
        this.fault(`illegal default rule (arguments cannot contain ${termKind(arg)})`, at)
      if (seen.has(arg.name))
        this.fault(`illegal default rule (arguments cannot be repeated ${arg.name})`, at)
      seen.add(arg.name)
    }
    const written = { keywordIf: false, body: false, value: true }
    return {
      head,
      body: [trueExpr(at)],
      otherwise: undefined,
      isDefault: true,
      written,
      at,
      endRow: this.lastRow,
    }
  }

  #checkDefaultValue(value: Term, at: Place): void {
    switch (value.kind) {
      case 'ref':
      case 'var':
      case 'call':
        return this.fault(`illegal default rule (value cannot contain ${value.kind})`, at)
      case 'array':
      case 'set':
        return value.items.forEach((item) => this.#checkDefaultValue(item, at))
      case 'object':
        return value.entries.flat().forEach((item) => this.#checkDefaultValue(item, at))
      default:
    }
  }

  #parseElse(head: Head): Rule | undefined {
    if (!this.isKeyword('else')) return undefined
    const at = this.here()
    if (head.member !== undefined) this.fault('else keyword cannot be used on multi-value rules')
    if (!head.ref.parts.every((part) => part.kind === 'scalar')) {
      this.fault('else keyword cannot be used on rules with variables in head')
    }
    this.advance()
    let value: Term = { kind: 'scalar', value: true, at }
    let assign = false
    const hasValue = this.is('assign') || this.is('eq')
    if (hasValue) {
      assign = this.advance().kind === 'assign'
      value = this.parseInfix()
    } else if (!this.is('{') && !this.isKeyword('if'))
      this.unexpected('expected else value term or rule body')
    const keywordIf = this.isKeyword('if')
    const hasBody = keywordIf || this.is('{')
    if (hasBody && !keywordIf && this.#version === 'v1') {
      this.#faults.push(new SyntaxFault('`if` keyword is required before rule body', at))
    }
    let body: Body = [trueExpr(at)]
    if (keywordIf) {
      this.advance()
      if (this.is('eof')) this.unexpected('rule body expected')
      body = this.#parseIfBody()
    } else if (hasBody) body = this.#parseBraces()
    const otherwise = hasBody ? this.#parseElse(head) : undefined
    const written = { keywordIf, body: hasBody, value: hasValue }
    return {
      head: { ...head, value, assign, at },
      body,
      otherwise,
      isDefault: false,
      written,
      at,
      endRow: this.lastRow,
    }
  }
}

function trueExpr(at: Place): Body[number] {
  return {
    kind: 'term',
    term: { kind: 'scalar', value: true, at },
    negated: false,
    with: noWiths,
    at,
  }
}
