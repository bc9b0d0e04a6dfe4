/**
 * Names of variables inside the compiler. A declared local gets a name that no source text can hold,
 * so that two variables of one rule never meet by accident; what the author wrote stays readable.
 */

const mark = '\u0001'

/** Begins the name of a built-in that stands as a value, in `with f as g`. */
export const functionMark = '\u0003'

/** Hands out names; one per rule or query. */
export class NameSource {
  #count = 0

  /** A name for a declared variable. */
  local(written: string): string {
    this.#count += 1
    return `${written}${mark}${this.#count}`
  }

  /** A name for a value the compiler keeps between two expressions. */
  generated(): string {
    this.#count += 1
    return `${mark}${this.#count}`
  }
}

/** What the author wrote; empty for a generated name, `_` for a wildcard. */
export function writtenName(name: string): string {
  if (name.startsWith('$')) return '_'
  const at = name.indexOf(mark)
  return at < 0 ? name : name.slice(0, at)
}

export function isGenerated(name: string): boolean {
  return name.startsWith(mark)
}

export function isWildcard(name: string): boolean {
  return name.startsWith('$')
}
