/** Patterns and lists of terms: what a pattern binds, and lists that stay themselves when nothing in them changes. */

import type { Place, Term } from '../syntax/tree.ts'

/** The list with every item changed; the list itself when no item changes. */
export function mapped<T>(items: readonly T[], change: (item: T) => T): readonly T[] {
  let changed: T[] | undefined
  for (const [at, item] of items.entries()) {
    const next = change(item)
    if (changed === undefined && next !== item) changed = items.slice(0, at)
    changed?.push(next)
  }
  return changed?.slice() ?? items
}

/** The variables a pattern would bind, with their places: not those in refs, calls or closures. */
export function patternVars(term: Term): (readonly [string, Place])[] {
  switch (term.kind) {
    case 'var':
      return [[term.name, term.at]]
    case 'array':
      return term.items.flatMap(patternVars)
    case 'object':
      return term.entries.flatMap(([, value]) => patternVars(value))
    default:
      return []
  }
}

/** The kind of a term, as messages name it. */
export function kindName(term: Term): string {
  return term.kind === 'comprehension' ? `${term.of}comprehension` : term.kind
}

/** A list that was made anew, or the one it was made from when nothing in it is new. */
export function settled<T>(made: readonly T[], from: readonly T[]): readonly T[] {
  const same = made.length === from.length && made.every((item, at) => item === from[at])
  return same ? from : made.slice()
}
