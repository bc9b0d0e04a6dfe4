/**
 * Check: what can be said against a policy before its bodies are put in order. Unknown functions and
 * operand counts, rules that cannot stand side by side, names that must not be shadowed, targets of
 * `with`, calls that Rego v1 no longer has. Messages are OPA's.
 */

import { signatures } from '../builtins/signatures.ts'
import type { ErrorList, Location } from '../errors.ts'
import type { RuleNode } from '../run/rule-tree.ts'
import { operatorName } from '../syntax/parse-terms.ts'
import { printTerm } from '../syntax/print.ts'
import {
  placeCol,
  placeRow,
  type Expr,
  type Module,
  type Place,
  type RefTerm,
  type Term,
  type With,
} from '../syntax/tree.ts'
import type { RulesAt } from './build.ts'
import { cycles, type Reads } from './dependencies.ts'
import { writtenName } from './names.ts'
import type { Globals } from './globals.ts'
import type { Arity } from './outputs.ts'
import type { ResolvedRule } from './resolve.ts'
import { toTerm } from '../value-text.ts'
import type { Value } from '../values.ts'
import { isRoot } from './variables.ts'
import { walkRule } from './walk-tree.ts'

const builtinNames = new Set(signatures.map(([name]) => name))

const deprecated = new Set([
  'all',
  'any',
  'cast_array',
  'cast_boolean',
  'cast_null',
  'cast_object',
  'cast_set',
  'cast_string',
  'net.cidr_overlap',
  're_match',
  'set_diff',
])

/** Checks every rule by itself. */
export function checkRules(
  rules: readonly ResolvedRule[],
  tree: RuleNode,
  at: RulesAt,
  arity: Arity,
  errors: ErrorList,
): void {
  for (const rule of rules) {
    const { file, version } = rule.module
    const where = (place: Place): Location => ({ file, row: placeRow(place), col: placeCol(place) })
    const name = rule.source.head.ref.head.kind === 'var' ? rule.source.head.ref.head.name : ''
    if (isRoot(name) && version === 'v1') {
      const message = `rules must not shadow ${name} (use a different rule name)`
      errors.add('rego_compile_error', message, where(rule.source.at))
    }
    const replacing = new Set<Term>()
    walkRule(rule, {
      term: (term) => {
        if (term.kind === 'ref' && !replacing.has(term))
          checkReference(term, tree, at, errors, where)
      },
      expr: (expr) => {
        for (const { target, value } of expr.with) replacing.add(target).add(value)
        for (const item of expr.with) checkTarget(item, tree, at, arity, errors, where)
        if (expr.kind === 'call') checkCall(expr, version, arity, errors, where)
      },
    })
  }
}

function checkCall(
  expr: Expr & { kind: 'call' },
  version: 'v0' | 'v1',
  arity: Arity,
  errors: ErrorList,
  where: (place: Place) => Location,
): void {
  const { name, operands } = expr
  const expected = arity(name)
  if (name === 'internal.print') return
  if (expected === undefined) {
    errors.add('rego_type_error', `undefined function ${writtenName(name)}`, where(expr.at))
    return
  }
  if (version === 'v1' && deprecated.has(name)) {
    errors.add(
      'rego_type_error',
      `deprecated built-in function calls in expression: ${name}`,
      where(expr.at),
    )
  }
  const isNested = expr.nested === true
  const got = isNested ? operands.length - 1 : operands.length
  if (got === expected || (!isNested && got === expected + 1)) return
  const plural = got === 1 ? '' : 's'
  const message = builtinNames.has(name)
    ? `${name}: arity mismatch`
    : `function ${name} has arity ${expected}, got ${got} argument${plural}`
  errors.add('rego_type_error', message, where(expr.at))
}

/** A function is no document: it can be called and, in `with`, replaced. */
function checkReference(
  ref: RefTerm,
  tree: RuleNode,
  at: RulesAt,
  errors: ErrorList,
  where: (place: Place) => Location,
): void {
  if (ref.head.kind !== 'var' || ref.head.name !== 'data') return
  let node: RuleNode | undefined = tree
  for (const part of ref.parts) {
    node = part.kind === 'scalar' ? node.child(part.value) : undefined
    if (node === undefined) return
    const rules = at.get(node)
    if (rules === undefined) continue
    if (rules[0]?.args !== undefined) {
      const message = `function ${printTerm(ref)} used as reference, not called`
      errors.add('rego_type_error', message, where(ref.at))
    }
    return
  }
}

function checkTarget(
  item: With,
  tree: RuleNode,
  at: RulesAt,
  arity: Arity,
  errors: ErrorList,
  where: (place: Place) => Location,
): void {
  const name = operatorName(item.target)
  if (name === undefined || name === 'input' || name.startsWith('input.')) return
  if (name === 'walk' || name === 'print' || name === 'trace') {
    const what =
      name === 'walk' ? 'target must not be a relation' : 'target must not be a void function'
    errors.add(
      'rego_compile_error',
      `with keyword replacing built-in function: ${what}`,
      where(item.target.at),
    )
    return
  }
  if (name.startsWith('internal.')) {
    const message = `with keyword replacing built-in function: replacement of internal function "${name}" invalid`
    errors.add('rego_compile_error', message, where(item.target.at))
    return
  }
  if (name !== 'data' && !name.startsWith('data.')) {
    if (arity(name) !== undefined) return
    const message = 'with keyword target must reference existing input, data, or a function'
    errors.add('rego_type_error', message, where(item.target.at))
    return
  }
  let node: RuleNode | undefined = tree
  const keys = item.target.kind === 'ref' ? item.target.parts : []
  keys.forEach((key, index) => {
    node = node === undefined || key.kind !== 'scalar' ? undefined : node.child(key.value)
    if (node === undefined || index === keys.length - 1 || !at.has(node)) return
    errors.add(
      'rego_compile_error',
      'with keyword cannot partially replace virtual document(s)',
      where(item.target.at),
    )
  })
}

/** Checks the rules of one name against each other, and names against packages and longer names. */
export function checkConflicts(
  modules: readonly Module[],
  tree: RuleNode,
  at: RulesAt,
  errors: ErrorList,
): void {
  for (const [node, rules] of at) {
    const first = rules[0] as ResolvedRule
    const kinds = new Set(rules.map(kindOf))
    const arities = new Set(rules.map((rule) => rule.args?.length ?? 0))
    const name = pathText(node.path)
    if (kinds.size > 1 || arities.size > 1) {
      errors.add('rego_type_error', `conflicting rules ${name} found`, locationOf(first))
    }
    const defaults = rules.filter((rule) => rule.isDefault)
    if (defaults.length > 1) {
      const places = defaults
        .map((rule) => `${locationOf(rule).file}:${locationOf(rule).row}`)
        .join(', ')
      errors.add(
        'rego_type_error',
        `multiple default rules ${name} found at ${places}`,
        locationOf(defaults[0] as ResolvedRule),
      )
    }
    if (rules.some((rule) => rule.dynamic.length > 0)) continue
    const inside: string[] = []
    for (const child of node.children.values()) collectNames(child, at, inside)
    if (inside.length > 0) {
      errors.add(
        'rego_type_error',
        `rule ${name} conflicts with:\n${inside.join('\n')}`,
        locationOf(first),
      )
    }
  }
  for (const module of modules) checkPackage(module, tree, at, errors)
}

function checkPackage(module: Module, tree: RuleNode, at: RulesAt, errors: ErrorList): void {
  let node: RuleNode | undefined = tree
  for (const part of module.package.parts)
    node = part.kind === 'scalar' ? node?.child(part.value) : undefined
  const rules = node === undefined ? undefined : at.get(node)
  if (rules === undefined || node === undefined) return
  const place = locationOf(rules[0] as ResolvedRule)
  const path = node.path.map(String).join('.')
  const message = `package ${path} conflicts with rule data.${path} defined at ${place.file}:${place.row}`
  const { at: packageAt } = module.package
  errors.add('rego_type_error', message, {
    file: module.file,
    row: placeRow(packageAt),
    col: placeCol(packageAt),
  })
}

function collectNames(node: RuleNode, at: RulesAt, into: string[]): void {
  const rule = at.get(node)?.[0]
  if (rule !== undefined)
    into.push(`  rule ${pathText(node.path)} at ${locationOf(rule).file}:${locationOf(rule).row}`)
  for (const child of node.children.values()) collectNames(child, at, into)
}

/** A path below `data` as it would be written. */
function pathText(path: readonly Value[]): string {
  const parts = path.map((key) =>
    typeof key === 'string' && /^\w+$/.test(key) ? `.${key}` : `[${toTerm(key)}]`,
  )
  return `data${parts.join('')}`
}

function kindOf(rule: ResolvedRule): string {
  if (rule.args !== undefined) return 'function'
  if (rule.member !== undefined) return rule.dynamic.length > 0 ? 'object of sets' : 'set'
  return 'value'
}

export function locationOf(rule: ResolvedRule): Location {
  const { at } = rule.source
  return { file: rule.module.file, row: placeRow(at), col: placeCol(at) }
}

/** Refuses rules that need themselves. */
export function checkRecursion(
  reads: ReadonlyMap<RuleNode, Reads>,
  at: RulesAt,
  errors: ErrorList,
): void {
  for (const way of cycles(reads)) {
    const [start] = way as [RuleNode]
    const names = way.map((node) => pathText(node.path))
    const rule = at.get(start)?.[0] as ResolvedRule
    errors.add(
      'rego_recursion_error',
      `rule ${names[0]} is recursive: ${names.join(' -> ')}`,
      locationOf(rule),
    )
  }
}

/** Refuses imports nobody uses; part of the strict checks. */
export function checkImports(module: Module, globals: Globals, errors: ErrorList): void {
  for (const [name, at] of globals.imports) {
    if (globals.used.has(name)) continue
    const path = globals.refs.get(name)
    const text = path === undefined ? name : (operatorName(path) ?? name)
    const alias = text.endsWith(`.${name}`) || text === name ? '' : ` as ${name}`
    errors.add('rego_compile_error', `import ${text}${alias} unused`, {
      file: module.file,
      row: placeRow(at),
      col: placeCol(at),
    })
  }
}
