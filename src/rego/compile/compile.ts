/**
 * The compiler: modules in, a program out. Stages in order: globals, resolve, expand, check, order,
 * build. Each stage reports all its mistakes before the next begins.
 */

import type { Builtin } from '../builtins/builtin.ts'
import { signatures } from '../builtins/signatures.ts'
import { ErrorList } from '../errors.ts'
import type { FunctionDocument } from '../run/documents.ts'
import type { RuleNode } from '../run/rule-tree.ts'
import type { Runtime } from '../run/runtime.ts'
import { piecesOf, type Steps } from '../run/slices.ts'
import type { Trace } from '../run/trace.ts'
import { operatorName } from '../syntax/parse-terms.ts'
import type { Body, Module } from '../syntax/tree.ts'
import { buildDocuments, functionName, placeRules, type RulesAt } from './build.ts'
import { checkConflicts, checkImports, checkRecursion, checkRules } from './check.ts'
import { checkTypes } from './check-types.ts'
import { CallMaker, type Print } from './code-calls.ts'
import type { Program } from './coder.ts'
import { conditionsOf } from './conditions.ts'
import { readsOf, stableNodes } from './dependencies.ts'
import { expandRule } from './expand.ts'
import { globalsOf, packageKey, ruleNames } from './globals.ts'
import { Metadata } from './metadata.ts'
import { orderRule } from './order-rules.ts'
import type { Arity } from './outputs.ts'
import { resolveRules, type ResolvedRule } from './resolve.ts'

export interface CompileOptions {
  readonly strict: 'strict' | 'lenient'
  readonly builtins: ReadonlyMap<string, Builtin>
  /** Where `print` goes; without it, calls of print are left out. */
  readonly print: Print | undefined
  readonly trace?: Trace | undefined
}

export interface Compiled {
  readonly program: Program
  readonly tree: RuleNode
  readonly rules: readonly ResolvedRule[]
  readonly at: RulesAt
}

/** Compiles parsed modules, in steps; throws `RegoErrors`. */
export function* compileSteps(
  modules: readonly Module[],
  runtime: Runtime,
  options: CompileOptions,
): Steps<Compiled> {
  const errors = new ErrorList()
  const names = ruleNames(modules)
  const rules: ResolvedRule[] = []
  for (const module of modules) {
    const globals = globalsOf(module, names, errors)
    const print = options.print === undefined ? 'erase' : 'keep'
    for (const piece of piecesOf(module.rules)) {
      const resolved = resolveRules(module, piece, globals, { strict: options.strict, errors })
      for (const rule of resolved) rules.push(expandRule(rule, print))
      yield
    }
    if (options.strict === 'strict') checkImports(module, globals, errors)
  }
  errors.throwIfAny()
  const { tree, at } = placeRules(rules)
  yield
  const arity = arityOf(rules, options.builtins)
  checkConflicts(modules, tree, at, errors)
  for (const piece of piecesOf(rules)) {
    checkRules(piece, tree, at, arity, errors)
    yield
  }
  errors.throwIfAny()
  const ordered: ResolvedRule[] = []
  for (const piece of piecesOf(rules)) {
    for (const rule of piece) ordered.push(orderRule(rule, arity, errors))
    yield
  }
  errors.throwIfAny()
  const placed = placeRules(ordered)
  yield
  const reads = readsOf(placed.tree, placed.at)
  yield
  checkRecursion(reads, placed.at, errors)
  for (const piece of piecesOf(ordered)) {
    checkTypes(piece, errors)
    yield
  }
  errors.throwIfAny()
  for (const module of modules) placePackage(placed.tree, module)
  const functions = new Map<string, FunctionDocument>()
  for (const piece of piecesOf(ordered)) {
    for (const rule of piece) conditionsOf(rule)
    yield
  }
  const mocked = mockedNames(ordered)
  yield
  const calls = new CallMaker(
    runtime,
    options.builtins,
    functions,
    mocked,
    options.print ?? (() => undefined),
  )
  const program: Program = {
    runtime,
    tree: placed.tree,
    arity,
    calls,
    metadata: new Metadata(modules),
    inputPaths: new Map(),
    trace: options.trace,
  }
  buildDocuments(() => program, placed.tree, placed.at, functions, stableNodes(reads))
  return { program, tree: placed.tree, rules: ordered, at: placed.at }
}

/** Operand counts of the built-ins, whether they are there or not. */
const declared = new Map(signatures.map(([name, args]) => [name, args.length]))

function arityOf(rules: readonly ResolvedRule[], builtins: ReadonlyMap<string, Builtin>): Arity {
  const own = new Map<string, number>()
  for (const rule of rules)
    if (rule.args !== undefined) own.set(functionName(rule.path), rule.args.length)
  return (name) => own.get(name) ?? declared.get(name) ?? builtins.get(name)?.args.length
}

/** A package is an object even when nothing in it is defined. */
function placePackage(tree: RuleNode, module: Module): void {
  let node = tree
  for (const key of packageKey(module).split('\0')) node = node.ensure(key)
}

/** Every function name that some `with` replaces. */
function mockedNames(rules: readonly ResolvedRule[]): Set<string> {
  const names = new Set<string>()
  for (const first of rules) {
    for (let rule: ResolvedRule | undefined = first; rule !== undefined; rule = rule.otherwise) {
      collectTargets(rule.body, names)
    }
  }
  return names
}

/** Adds the targets of every `with` in a body, closures included. */
export function collectTargets(body: unknown, names: Set<string>): void {
  if (Array.isArray(body)) {
    for (const item of body) collectTargets(item, names)
    return
  }
  if (typeof body !== 'object' || body === null) return
  const node = body as { readonly [key: string]: unknown; readonly with?: Body[number]['with'] }
  for (const item of node.with ?? []) names.add(operatorName(item.target) ?? '')
  for (const key of [
    'body',
    'left',
    'right',
    'term',
    'operands',
    'with',
    'value',
    'key',
    'domain',
    'items',
    'entries',
    'parts',
    'head',
  ]) {
    if (node[key] !== undefined) collectTargets(node[key], names)
  }
}
