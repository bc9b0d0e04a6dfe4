/**
 * Finds the tests of modules: rules whose name begins with `test_`, and `todo_test_` for those to be written. Two
 * tests of one name in one package get numbers; a test over many cases (`test_f[name] if …`) notes each case that it
 * comes to, so that a case without a result can be named.
 */

import { walkBody } from '../compile/walk-tree.ts'
import {
  placeCol,
  placeRow,
  type Expr,
  type Module,
  type Rule,
  type Term,
  type VarTerm,
} from '../syntax/tree.ts'
import type { Location } from '../errors.ts'

/** The built-in that a test over cases calls with the names of its case. */
export const caseNote = 'internal.test_case'

/** One test. */
export interface TestRule {
  /** `data.shop_test`. */
  readonly package: string
  /** `test_allows`; with `#01` behind it when it is the second of its name. */
  readonly name: string
  readonly location: Location
  readonly kind: 'one' | 'cases'
  readonly todo: boolean
}

/** The tests of the modules, and the modules as they must be compiled to run them. */
export function findTests(modules: readonly Module[]): {
  readonly tests: readonly TestRule[]
  readonly modules: readonly Module[]
} {
  const tests = new Map<string, TestRule>()
  const counts = new Map<string, number>()
  const prepared = modules.map((module) => {
    const home = packageName(module)
    const rules = module.rules.map((rule) => {
      const written = nameOf(rule)
      if (!/^(?:todo_)?test_/.test(written) || rule.head.args !== undefined) return rule
      const kind = rule.head.ref.parts.length > 0 ? 'cases' : 'one'
      const key = `${home}.${written}`
      const count = counts.get(key) ?? 0
      if (!rule.isDefault) counts.set(key, count + 1)
      const name = kind === 'cases' || count === 0 ? written : `${written}#${pad(count)}`
      const location = { file: module.file, row: placeRow(rule.at), col: placeCol(rule.at) }
      const todo = written.startsWith('todo_')
      if (!tests.has(`${home}.${name}`))
        tests.set(`${home}.${name}`, { package: home, name, location, kind, todo })
      return kind === 'cases' ? notingCases(rule) : renamed(rule, name)
    })
    return { ...module, rules }
  })
  return { tests: [...tests.values()], modules: prepared }
}

/** `data.shop.orders` for `package shop.orders`. */
export function packageName(module: Module): string {
  return ['data', ...module.package.parts.map(textOf)].join('.')
}

function pad(count: number): string {
  return String(count).padStart(2, '0')
}

function nameOf(rule: Rule): string {
  return (rule.head.ref.head as VarTerm).name
}

function textOf(term: Term): string {
  return term.kind === 'scalar' ? String(term.value) : ''
}

function renamed(rule: Rule, name: string): Rule {
  if (name === nameOf(rule)) return rule
  const head: VarTerm = { ...(rule.head.ref.head as VarTerm), name }
  return { ...rule, head: { ...rule.head, ref: { ...rule.head.ref, head } } }
}

/** The rule with a note of its case put where the variables of the case are known. */
function notingCases(rule: Rule): Rule {
  const names = rule.head.ref.parts.filter((part) => part.kind === 'var').map(({ name }) => name)
  const at = names.map((name) => rule.body.findIndex((expr) => mentions(expr, name)) + 1)
  const note: Expr = {
    kind: 'call',
    name: caseNote,
    operands: [{ kind: 'array', items: rule.head.ref.parts, at: rule.at }],
    negated: false,
    with: [],
    at: 0,
  }
  return { ...rule, body: rule.body.toSpliced(Math.max(0, ...at), 0, note) }
}

function mentions(expr: Expr, name: string): boolean {
  if (expr.kind === 'some') return expr.names.some((each) => each.name === name)
  if (expr.kind === 'some-in')
    return [expr.key, expr.value].some((each) => each !== undefined && holds(each, name))
  let found = false
  walkBody([expr], { term: (term) => void (found ||= term.kind === 'var' && term.name === name) })
  return found
}

function holds(term: Term, name: string): boolean {
  if (term.kind === 'var') return term.name === name
  if (term.kind === 'array') return term.items.some((item) => holds(item, name))
  if (term.kind === 'object') return term.entries.some(([, value]) => holds(value, name))
  return false
}
