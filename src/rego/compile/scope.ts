/** A scope of declared variables: the names a body, a function or an `every` brings in. */

import type { Place } from '../syntax/tree.ts'

/** `iterated` is what `some … in` and `every` declare, which nobody has to read. */
export type Declaration = 'argument' | 'declared' | 'assigned' | 'iterated'

interface Local {
  readonly name: string
  readonly kind: Declaration
  readonly at: Place
  uses: number
}

export class Scope {
  readonly parent: Scope | undefined
  readonly locals = new Map<string, Local>()
  /** Names this body will declare, here or further down. */
  readonly coming = new Set<string>()
  /** Names that were read before any declaration. */
  readonly seen = new Set<string>()

  constructor(parent: Scope | undefined) {
    this.parent = parent
  }

  declare(written: string, name: string, kind: Declaration, at: Place): void {
    this.locals.set(written, { name, kind, at, uses: 0 })
  }

  /** The declared variable a name stands for; counts as a use. */
  find(written: string): string | undefined {
    for (let scope: Scope | undefined = this; scope !== undefined; scope = scope.parent) {
      const local = scope.locals.get(written)
      if (local !== undefined) {
        local.uses += 1
        return local.name
      }
      scope.seen.add(written)
    }
    return undefined
  }

  /** True when some body around will declare the name, so that it is no global here. */
  isComing(written: string): boolean {
    for (let scope: Scope | undefined = this; scope !== undefined; scope = scope.parent) {
      if (scope.coming.has(written)) return true
    }
    return false
  }
}
