/**
 * The annotations of a rule: its own, those of its document, of its package and of the packages above,
 * in the shape `rego.metadata.chain()` returns.
 */

import { placeRow, type Annotation, type Module } from '../syntax/tree.ts'
import { fromJson } from '../value-text.ts'
import { makeObject, type Value } from '../values.ts'
import { packageKey } from './globals.ts'
import type { ResolvedRule } from './resolve.ts'

export class Metadata {
  readonly #modules: readonly Module[]

  constructor(modules: readonly Module[]) {
    this.#modules = modules
  }

  /** The annotations of the rule itself; an empty object when it has none. */
  rule(rule: ResolvedRule | undefined): Value {
    const own = rule === undefined ? undefined : ruleAnnotation(rule.module, rule)
    return own === undefined ? makeObject([]) : fromJson(own.value)
  }

  /** The rule, with its annotations if any, then every annotation around it, nearest first. */
  chain(rule: ResolvedRule | undefined): Value {
    if (rule === undefined) return []
    const path = rule.path
    const own = ruleAnnotation(rule.module, rule)
    const entries: Value[] = [entry(path, own)]
    const packagePath = packageKey(rule.module).split('\0')
    for (const module of this.#modules) {
      for (const annotation of module.annotations) {
        if (annotation.scope === 'document' && documentOf(module, annotation) === pathKey(path)) {
          entries.push(entry(path, annotation))
        }
      }
    }
    for (let size = packagePath.length; size > 0; size -= 1) {
      const at = packagePath.slice(0, size)
      const scopes = size === packagePath.length ? ['package', 'subpackages'] : ['subpackages']
      for (const scope of scopes) entries.push(...this.#packageEntries(at, scope))
    }
    return entries
  }

  #packageEntries(path: readonly string[], scope: string): Value[] {
    return this.#modules
      .filter((module) => packageKey(module) === path.join('\0'))
      .flatMap((module) => module.annotations.filter((annotation) => annotation.scope === scope))
      .map((annotation) => entry(path, annotation))
  }
}

function entry(path: readonly Value[], annotation: Annotation | undefined): Value {
  const pairs: [string, Value][] = [['path', [...path]]]
  if (annotation !== undefined) pairs.push(['annotations', fromJson(annotation.value)])
  return makeObject(pairs)
}

function ruleAnnotation(module: Module, rule: ResolvedRule): Annotation | undefined {
  const row = placeRow(rule.source.at)
  return module.annotations
    .filter((annotation) => annotation.scope === 'rule' && annotation.row === row)
    .at(-1)
}

/** The path of the rule that a document annotation stands before. */
function documentOf(module: Module, annotation: Annotation): string | undefined {
  const rule = module.rules.find((candidate) => placeRow(candidate.at) === annotation.row)
  if (rule === undefined || rule.head.ref.head.kind !== 'var') return undefined
  const parts = rule.head.ref.parts.map((part) =>
    part.kind === 'scalar' ? String(part.value) : undefined,
  )
  const known = parts.findIndex((part) => part === undefined)
  const name = [rule.head.ref.head.name, ...(known < 0 ? parts : parts.slice(0, known))]
  return [packageKey(module), ...name].join('\0')
}

function pathKey(path: readonly Value[]): string {
  return path.map((part) => (typeof part === 'string' ? part : JSON.stringify(part))).join('\0')
}
