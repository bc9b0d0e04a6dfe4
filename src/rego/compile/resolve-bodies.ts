/** Names in bodies and terms; the work of `resolve.ts` below the level of rules. */

import { call, operatorName } from '../syntax/parse-terms.ts'
import type {
  Body,
  CallExpr,
  TermExpr,
  Expr,
  Place,
  RefTerm,
  SomeInExpr,
  Term,
  VarTerm,
  With,
} from '../syntax/tree.ts'
import type { Globals } from './globals.ts'
import type { NameSource } from './names.ts'
import { signatures } from '../builtins/signatures.ts'
import { functionMark } from './names.ts'
import { kindName, mapped, patternVars, settled } from './patterns.ts'
import { Scope } from './scope.ts'
import { isExpr, isRoot, termVars } from './variables.ts'

const builtinNames = new Set(signatures.map(([name]) => name))

type Fault = (message: string, at: Place) => void

export class BodyResolver {
  readonly #globals: Globals
  readonly #names: NameSource
  readonly #fault: Fault
  readonly #strict: 'strict' | 'lenient'

  constructor(globals: Globals, names: NameSource, fault: Fault, strict: 'strict' | 'lenient') {
    this.#globals = globals
    this.#names = names
    this.#fault = fault
    this.#strict = strict
  }

  /** A function's argument: its variables are declared. */
  argument(term: Term, scope: Scope, ruleAt: Place): Term {
    if (term.kind === 'ref' && term.parts.length === 0 && term.head.kind === 'var') {
      const { name } = term.head
      this.#fault(`args must not shadow ${name} (use a different variable name)`, ruleAt)
    }
    for (const [name, at] of patternVars(term)) {
      if (!scope.locals.has(name) && !name.startsWith('$')) {
        scope.declare(name, this.#names.local(name), 'argument', at)
      }
    }
    const resolved = this.term(term, scope)
    for (const [name] of patternVars(term)) {
      const local = scope.locals.get(name)
      if (local !== undefined) local.uses -= 1
    }
    return resolved
  }

  /** Notes the names a body declares, so that none of them is taken for a global. */
  declareBody(body: Body, scope: Scope): void {
    for (const expr of body) {
      if (expr.kind === 'some') for (const { name } of expr.names) scope.coming.add(name)
      if (expr.kind === 'some-in') {
        const inDomain = termVars(expr.domain)
        for (const pattern of [expr.key, expr.value]) {
          if (pattern === undefined) continue
          for (const [name] of patternVars(pattern)) if (!inDomain.has(name)) scope.coming.add(name)
        }
      }
      if (expr.kind === 'call' && expr.name === 'assign') {
        for (const [name] of patternVars(expr.operands[0] as Term)) scope.coming.add(name)
      }
    }
  }

  /** A body in a scope of its own. */
  nested(body: Body, scope: Scope): { body: Body; scope: Scope } {
    const inner = new Scope(scope)
    this.declareBody(body, inner)
    return { body: this.body(body, inner), scope: inner }
  }

  body(body: Body, scope: Scope): Body {
    const resolved: Expr[] = []
    for (const expr of body) {
      const one = this.#expr(expr, scope)
      if (one !== undefined) resolved.push(one)
    }
    if (resolved.length === 0) {
      const at = body[0]?.at ?? 0
      resolved.push({
        kind: 'term',
        term: { kind: 'scalar', value: true, at },
        negated: false,
        with: [],
        at,
      })
    }
    return settled(resolved, body)
  }

  /** Complaints about what a scope declared and nobody read. */
  finish(scope: Scope, level: 'rule' | 'nested'): void {
    for (const [written, local] of scope.locals) {
      if (local.uses > 0 || written.startsWith('$')) continue
      if (local.kind === 'declared') this.#fault(`declared var ${written} unused`, local.at)
      if (this.#strict !== 'strict') continue
      if (local.kind === 'assigned') this.#fault(`assigned var ${written} unused`, local.at)
      if (local.kind === 'argument' && level === 'rule') {
        this.#fault(
          `unused argument ${written}. (hint: use _ (wildcard variable) instead)`,
          local.at,
        )
      }
    }
  }

  #expr(expr: Expr, scope: Scope): Expr | undefined {
    switch (expr.kind) {
      case 'some':
        for (const { name } of expr.names) this.#declare(name, 'declared', expr.at, scope)
        return undefined
      case 'some-in':
        return this.#someIn(expr, scope)
      case 'call':
        if (expr.name === 'assign') return this.#assign(expr, scope)
        return this.#call(expr, scope)
      case 'term':
        return this.#statement(expr, scope)
      case 'every': {
        const domain = this.term(expr.domain, scope)
        const inner = new Scope(scope)
        const key = expr.key === undefined ? undefined : this.#loopVar(expr.key, inner)
        const value = this.#loopVar(expr.value, inner)
        const body = this.nested(expr.body, inner)
        this.finish(body.scope, 'nested')
        this.finish(inner, 'nested')
        return { ...expr, domain, key, value, body: body.body, with: this.#withs(expr.with, scope) }
      }
      case 'not': {
        const { body, scope: inner } = this.nested(expr.body, scope)
        this.finish(inner, 'nested')
        return { ...expr, body, with: this.#withs(expr.with, scope) }
      }
      case 'logic': {
        const left = this.nested(expr.left, scope)
        const right = this.nested(expr.right, scope)
        this.finish(left.scope, 'nested')
        this.finish(right.scope, 'nested')
        return { ...expr, left: left.body, right: right.body, with: this.#withs(expr.with, scope) }
      }
    }
  }

  #call(expr: CallExpr, scope: Scope): Expr {
    const name = this.#operator(expr.name, scope)
    const operands = mapped(expr.operands, (operand) => this.term(operand, scope))
    const withs = this.#withs(expr.with, scope)
    const same = name === expr.name && operands === expr.operands && withs === expr.with
    return same ? expr : { ...expr, name, operands, with: withs }
  }

  #statement(expr: TermExpr, scope: Scope): Expr {
    const term = this.term(expr.term, scope)
    const withs = this.#withs(expr.with, scope)
    return term === expr.term && withs === expr.with ? expr : { ...expr, term, with: withs }
  }

  #loopVar(term: VarTerm, scope: Scope): VarTerm {
    if (term.name.startsWith('$')) return term
    const name = this.#names.local(term.name)
    scope.declare(term.name, name, 'iterated', term.at)
    return { ...term, name }
  }

  #declare(
    name: string,
    kind: 'declared' | 'assigned' | 'iterated',
    at: Place,
    scope: Scope,
  ): void {
    if (name.startsWith('$')) return
    const known = scope.locals.get(name)
    if (known?.kind === 'argument') {
      return this.#fault(`arg ${name} redeclared`, at)
    }
    if (known !== undefined)
      return this.#fault(
        `var ${name} ${known.kind === 'assigned' ? 'assigned' : 'declared'} above`,
        at,
      )
    if (scope.seen.has(name)) return this.#fault(`var ${name} referenced above`, at)
    if (isRoot(name)) {
      return this.#fault(`variables must not shadow ${name} (use a different variable name)`, at)
    }
    scope.declare(name, this.#names.local(name), kind, at)
  }

  #assign(expr: Expr & { kind: 'call' }, scope: Scope): Expr {
    const [left, right] = expr.operands as readonly [Term, Term]
    if (expr.negated) this.#fault('cannot assign vars inside negated expression', expr.at)
    const value = this.term(right, scope)
    const withs = this.#withs(expr.with, scope)
    this.#assignTargets(left, scope)
    const target = this.#withoutCounting(left, scope)
    return { ...expr, name: 'assign', operands: [target, value], with: withs }
  }

  #assignTargets(target: Term, scope: Scope): void {
    switch (target.kind) {
      case 'var':
        return this.#declare(target.name, 'assigned', target.at, scope)
      case 'array':
        return target.items.forEach((item) => this.#assignTargets(item, scope))
      case 'object':
        return target.entries.forEach(([, value]) => this.#assignTargets(value, scope))
      case 'scalar':
        return undefined
      case 'ref':
        if (target.parts.length === 0 && target.head.kind === 'var') {
          return this.#declare(target.head.name, 'assigned', target.at, scope)
        }
        return this.#fault('cannot assign to ref', target.at)
      default:
        return this.#fault(`cannot assign to ${kindName(target)}`, target.at)
    }
  }

  /** Resolves a pattern of declarations without counting it as a use of them. */
  #withoutCounting(pattern: Term, scope: Scope): Term {
    const before = new Map([...scope.locals].map(([name, local]) => [name, local.uses]))
    const resolved = this.term(pattern, scope)
    for (const [name] of patternVars(pattern)) {
      const local = scope.locals.get(name)
      if (local !== undefined) local.uses = before.get(name) ?? 0
    }
    return resolved
  }

  #someIn(expr: SomeInExpr, scope: Scope): Expr {
    const inDomain = termVars(expr.domain)
    const domain = this.term(expr.domain, scope)
    const withs = this.#withs(expr.with, scope)
    const patterns = expr.key === undefined ? [expr.value] : [expr.key, expr.value]
    for (const pattern of patterns) {
      for (const [name, at] of patternVars(pattern)) {
        if (inDomain.has(name) || name.startsWith('$')) continue
        this.#declare(name, 'iterated', at, scope)
      }
    }
    const value = this.#withoutCounting(expr.value, scope)
    const key: Term =
      expr.key === undefined
        ? { kind: 'var', name: this.#names.generated(), at: expr.at }
        : this.#withoutCounting(expr.key, scope)
    const element: RefTerm =
      domain.kind === 'ref'
        ? { ...domain, parts: domain.parts.concat(key) }
        : { kind: 'ref', head: domain, parts: [key], at: domain.at }
    return {
      kind: 'call',
      name: 'eq',
      operands: [value, element],
      negated: false,
      with: withs,
      at: expr.at,
    }
  }

  #withs(withs: readonly With[], scope: Scope): readonly With[] {
    if (withs.length === 0) return withs
    return withs.map((item) => ({
      ...item,
      target:
        item.target.kind === 'var' ? this.#withName(item.target) : this.term(item.target, scope),
      value: this.#withValue(item.value, scope),
    }))
  }

  /** What `with` puts in place: a term, or a built-in by its name. */
  #withValue(value: Term, scope: Scope): Term {
    const name = operatorName(value)
    const first = name?.split('.')[0] ?? ''
    const isName = name !== undefined && builtinNames.has(name) && scope.find(first) === undefined
    if (isName && !this.#globals.refs.has(first))
      return call(`${functionMark}${name}`, [], value.at)
    return value.kind === 'var' ? this.#withName(value, scope) : this.term(value, scope)
  }

  /** A bare name in `with`: a function or a rule, else a built-in that stays a name. */
  #withName(term: VarTerm, scope?: Scope): Term {
    const local = scope?.find(term.name)
    if (local !== undefined) return { ...term, name: local }
    const known = this.#globals.refs.get(term.name)
    if (known === undefined) return term
    this.#globals.used.add(term.name)
    return { ...known, at: term.at }
  }

  #operator(name: string, scope: Scope): string {
    const [first, ...rest] = name.split('.') as [string, ...string[]]
    const local = scope.find(first)
    // A variable is no function: its name inside the compiler names none either.
    if (local !== undefined) return [local, ...rest].join('.')
    const known = this.#globals.refs.get(first)
    if (known === undefined) return name
    this.#globals.used.add(first)
    return [operatorName(known) ?? first, ...rest].join('.')
  }

  term(term: Term, scope: Scope): Term {
    switch (term.kind) {
      case 'scalar':
        return term
      case 'var':
        return this.#variable(term, scope)
      case 'ref': {
        const parts = mapped(term.parts, (part) => this.term(part, scope))
        const head = this.term(term.head, scope)
        if (parts === term.parts && head === term.head) return term
        if (head.kind === 'ref') return { ...head, parts: head.parts.concat(parts), at: term.at }
        return { ...term, head, parts }
      }
      case 'array':
      case 'set': {
        const items = mapped(term.items, (item) => this.term(item, scope))
        return items === term.items ? term : { ...term, items }
      }
      case 'object':
        return {
          ...term,
          entries: term.entries.map(
            ([key, value]) => [this.term(key, scope), this.term(value, scope)] as const,
          ),
        }
      case 'call':
        return call(
          this.#operator(term.name, scope),
          term.operands.map((operand) => this.term(operand, scope)),
          term.at,
        )
      case 'comprehension': {
        const { body, scope: inner } = this.nested(term.body, scope)
        const key = term.key === undefined ? undefined : this.term(term.key, inner)
        const value = this.term(term.value, inner)
        this.finish(inner, 'nested')
        return { ...term, key, value, body }
      }
      case 'template':
        return { ...term, parts: term.parts.map((part) => this.#templatePart(part, scope)) }
    }
  }

  #variable(term: VarTerm, scope: Scope): Term {
    const local = scope.find(term.name)
    if (local !== undefined) return { ...term, name: local }
    if (scope.isComing(term.name)) return term
    const known = this.#globals.refs.get(term.name)
    if (known === undefined) return term
    this.#globals.used.add(term.name)
    return { ...known, at: term.at }
  }

  /** An interpolated expression becomes the set of its values: none, one, or a mistake. */
  #templatePart(part: string | Term | Expr, scope: Scope): string | Term {
    if (typeof part === 'string') return part
    if (!isExpr(part)) return this.term(part, scope)
    const { at } = part
    const term =
      part.kind === 'term'
        ? part.term
        : part.kind === 'call'
          ? call(part.name, part.operands, at)
          : undefined
    if (term === undefined || part.negated) {
      this.#fault('invalid template-string expression', at)
      return ''
    }
    if (term.kind === 'scalar') return term
    if (term.kind === 'var') {
      const value = this.term(term, scope)
      if (value.kind === 'var' && part.with.length === 0) return { kind: 'set', items: [value], at }
    }
    const inner = new Scope(scope)
    const value: VarTerm = { kind: 'var', name: this.#names.generated(), at }
    const operands = [value, this.term(term, inner)] as const
    const body: Body = [
      {
        kind: 'call',
        name: 'eq',
        operands,
        negated: false,
        with: this.#withs(part.with, scope),
        at,
      },
    ]
    return { kind: 'comprehension', of: 'set', key: undefined, value, body, at }
  }
}
