/**
 * What the names of a module stand for outside its rules: the rules of its package (in any file) and
 * its imports.
 */

import { ErrorList } from '../errors.ts'
import {
  placeCol,
  placeRow,
  type Module,
  type Place,
  type RefTerm,
  type Term,
  type VarTerm,
} from '../syntax/tree.ts'

export interface Globals {
  /** Name to the ref it stands for. */
  readonly refs: ReadonlyMap<string, RefTerm>
  /** Import names, for the check on unused imports. */
  readonly imports: ReadonlyMap<string, Place>
  readonly used: Set<string>
}

export function packageKey(module: Module): string {
  return module.package.parts
    .map((part) => (part.kind === 'scalar' ? String(part.value) : ''))
    .join('\0')
}

/** The names of all packages' rules: package to rule names. */
export function ruleNames(modules: readonly Module[]): ReadonlyMap<string, ReadonlySet<string>> {
  const names = new Map<string, Set<string>>()
  for (const module of modules) {
    const key = packageKey(module)
    let known = names.get(key)
    if (known === undefined) names.set(key, (known = new Set()))
    for (const rule of module.rules) known.add((rule.head.ref.head as VarTerm).name)
  }
  return names
}

/** The globals of a module; double and shadowing imports go to the errors. */
export function globalsOf(
  module: Module,
  names: ReadonlyMap<string, ReadonlySet<string>>,
  errors: ErrorList,
): Globals {
  const refs = new Map<string, RefTerm>()
  for (const name of names.get(packageKey(module)) ?? []) refs.set(name, inPackage(module, name))
  const imports = new Map<string, Place>()
  const firstPath = new Map<string, string>()
  for (const { path, alias, at } of module.imports) {
    const root = (path.head as VarTerm).name
    if (root === 'future' || root === 'rego') continue
    const last = path.parts[path.parts.length - 1]
    const name = alias ?? (last?.kind === 'scalar' ? String(last.value) : root)
    const text = [
      root,
      ...path.parts.map((part) => (part.kind === 'scalar' ? String(part.value) : '')),
    ].join('.')
    if (module.version === 'v1' && imports.has(name)) {
      const location = { file: module.file, row: placeRow(at), col: placeCol(at) }
      errors.add(
        'rego_compile_error',
        `import must not shadow import ${firstPath.get(name) ?? text}`,
        location,
      )
    }
    if (!imports.has(name)) firstPath.set(name, alias === undefined ? text : `${text} as ${alias}`)
    imports.set(name, at)
    refs.set(name, path)
  }
  return { refs, imports, used: new Set() }
}

function inPackage(module: Module, name: string): RefTerm {
  const part: Term = { kind: 'scalar', value: name, at: 0 }
  return { ...module.package, parts: [...module.package.parts, part] }
}
