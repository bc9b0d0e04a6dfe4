/**
 * The syntax tree of Rego: modules, rules, expressions and terms, as the parser makes it and as the
 * stages of the compiler rewrite it. Places are packed into one number (`at`), since a bundle of ten
 * thousand rules has half a million nodes; `place` unpacks it.
 */

import type { Scalar } from '../values.ts'

/** Row and column in one small integer, columns up to 4095; zero when a node was made up by the compiler. */
export type Place = number

export function packPlace(row: number, col: number): Place {
  return row * 4096 + Math.min(col, 4095)
}

export function placeRow(at: Place): number {
  return Math.floor(at / 4096)
}

export function placeCol(at: Place): number {
  return at % 4096
}

export interface ScalarTerm {
  readonly kind: 'scalar'
  readonly value: Scalar
  readonly at: Place
}

export interface VarTerm {
  readonly kind: 'var'
  readonly name: string
  readonly at: Place
}

/** `head[part].part…`; the head is a var, a call or a literal, parts after a dot are strings. */
export interface RefTerm {
  readonly kind: 'ref'
  readonly head: Term
  readonly parts: readonly Term[]
  readonly at: Place
}

export interface ArrayTerm {
  readonly kind: 'array'
  readonly items: readonly Term[]
  readonly at: Place
}

export interface SetTerm {
  readonly kind: 'set'
  readonly items: readonly Term[]
  readonly at: Place
}

export interface ObjectTerm {
  readonly kind: 'object'
  readonly entries: readonly (readonly [Term, Term])[]
  readonly at: Place
}

/** A comprehension; `key` is there for objects only. */
export interface ComprehensionTerm {
  readonly kind: 'comprehension'
  readonly of: 'array' | 'set' | 'object'
  readonly key: Term | undefined
  readonly value: Term
  readonly body: Body
  readonly at: Place
}

/** A call; `name` is the dotted operator, resolved to `data.…` for a function of the policy. */
export interface CallTerm {
  readonly kind: 'call'
  readonly name: string
  readonly operands: readonly Term[]
  readonly at: Place
}

/** `$"…{expr}…"`: text and interpolated expressions in turn. */
export interface TemplateTerm {
  readonly kind: 'template'
  readonly parts: readonly (string | Term | Expr)[]
  readonly raw: boolean
  readonly at: Place
}

export type Term =
  | ScalarTerm
  | VarTerm
  | RefTerm
  | ArrayTerm
  | SetTerm
  | ObjectTerm
  | ComprehensionTerm
  | CallTerm
  | TemplateTerm

export interface With {
  readonly target: Term
  readonly value: Term
  readonly at: Place
}

/** The `with` of an expression that has none; one list for all of them. */
export const noWiths: readonly With[] = []

interface ExprBase {
  readonly negated: boolean
  readonly with: readonly With[]
  readonly at: Place
}

export interface TermExpr extends ExprBase {
  readonly kind: 'term'
  readonly term: Term
}

/** A call that stands as a statement, `a = b` and `a := b` (`eq`, `assign`) included. */
export interface CallExpr extends ExprBase {
  readonly kind: 'call'
  /** Made by the compiler from a call inside a term; the last operand takes the result. */
  readonly nested?: true
  readonly name: string
  readonly operands: readonly Term[]
}

/** `some x, y`. */
export interface SomeExpr extends ExprBase {
  readonly kind: 'some'
  readonly names: readonly VarTerm[]
}

/** `some k, v in xs`. */
export interface SomeInExpr extends ExprBase {
  readonly kind: 'some-in'
  readonly key: Term | undefined
  readonly value: Term
  readonly domain: Term
}

export interface EveryExpr extends ExprBase {
  readonly kind: 'every'
  readonly key: VarTerm | undefined
  readonly value: VarTerm
  readonly domain: Term
  readonly body: Body
}

/** `not { … }`, and every `not` under `future.keywords.not`. */
export interface NotExpr extends ExprBase {
  readonly kind: 'not'
  readonly body: Body
  readonly braces: boolean
}

/** `a and b`, `a or b`; an operand in braces is a body of its own. */
export interface LogicExpr extends ExprBase {
  readonly kind: 'logic'
  readonly operator: 'and' | 'or'
  readonly left: Body
  readonly right: Body
  readonly braces: readonly [left: boolean, right: boolean]
}

export type Expr = TermExpr | CallExpr | SomeExpr | SomeInExpr | EveryExpr | NotExpr | LogicExpr
export type Body = readonly Expr[]

/** `p`, `p(x)`, `p[k] := v`, `p contains x`, `a.b[c].d := v`. */
export interface Head {
  /** The name as written: a var and its parts. */
  readonly ref: RefTerm
  readonly args: readonly Term[] | undefined
  /** The member of a set rule; undefined for every other rule. */
  readonly member: Term | undefined
  readonly value: Term | undefined
  readonly assign: boolean
  readonly at: Place
}

export interface Rule {
  readonly head: Head
  readonly body: Body
  readonly otherwise: Rule | undefined
  readonly isDefault: boolean
  /** What was written, for the checks of Rego v1 and for printing. */
  readonly written: { readonly keywordIf: boolean; readonly body: boolean; readonly value: boolean }
  readonly at: Place
  /** Row of the last line. */
  readonly endRow: number
}

export interface Import {
  readonly path: RefTerm
  readonly alias: string | undefined
  readonly at: Place
}

/** A metadata block; `value` is the parsed YAML in OPA's shape. */
export interface Annotation {
  readonly scope: 'rule' | 'document' | 'package' | 'subpackages'
  readonly value: { readonly [key: string]: unknown }
  readonly at: Place
  /** The row of the statement it belongs to. */
  readonly row: number
}

export interface Comment {
  readonly text: string
  readonly row: number
  readonly col: number
}

export type RegoVersion = 'v0' | 'v1'

export interface Module {
  readonly file: string
  readonly version: RegoVersion
  /** `data.a.b` as a ref. */
  readonly package: RefTerm
  readonly imports: readonly Import[]
  readonly rules: readonly Rule[]
  readonly annotations: readonly Annotation[]
  readonly comments: readonly Comment[]
}
