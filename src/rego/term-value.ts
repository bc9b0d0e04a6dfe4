/** The value of a Rego text that holds a ground term, such as an input with sets or numbers as keys. */

import { parseTerm } from './syntax/parse.ts'
import type { Term } from './syntax/tree.ts'
import { makeObject, RegoSet, type Value } from './values.ts'

/** Reads a term of scalars and collections; throws `RegoErrors`, or an error for anything else. */
export function evaluateTerm(text: string): Value {
  return valueOf(parseTerm(text))
}

function valueOf(term: Term): Value {
  switch (term.kind) {
    case 'scalar':
      return term.value
    case 'array':
      return term.items.map(valueOf)
    case 'set':
      return new RegoSet(term.items.map(valueOf))
    case 'object':
      return makeObject(term.entries.map(([key, value]) => [valueOf(key), valueOf(value)] as const))
    default:
      throw new TypeError(`the term holds a ${term.kind}, which has no value by itself`)
  }
}
