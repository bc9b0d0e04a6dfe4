/**
 * Types, coarsely: which kinds of value a term can have. Kinds are bits; what is not known can be
 * anything. The check refuses only what certainly fails: two sides of an equation that share no
 * kind, and an operand whose kinds a built-in never takes.
 */

import { signatures } from '../builtins/signatures.ts'
import type { Term } from '../syntax/tree.ts'
import { typeName, type TypeName } from '../values.ts'

/** A set of kinds of value. */
export type Kinds = number

const bits: Readonly<Record<TypeName, Kinds>> = {
  null: 1,
  boolean: 2,
  number: 4,
  string: 8,
  array: 16,
  object: 32,
  set: 64,
}

export const anything: Kinds = 127

export interface Signature {
  readonly operands: readonly Kinds[]
  readonly result: Kinds
}

const parsed = new Map<string, Signature>()

/** The kinds a built-in takes and gives; undefined for a function of the policy. */
export function signatureOf(name: string): Signature | undefined {
  if (parsed.size === 0) {
    for (const [one, operands, result] of signatures) {
      parsed.set(one, {
        operands: operands.map(kindsOfDeclaration),
        result: kindsOfDeclaration(result),
      })
    }
  }
  return parsed.get(name)
}

/** The kinds in a declaration such as `array[any]|set[any]`; commas and bars inside brackets are skipped. */
function kindsOfDeclaration(text: string): Kinds {
  let kinds = 0
  let depth = 0
  let word = ''
  const finish = (): void => {
    if (word.startsWith('...')) kinds |= anything
    else if (word in bits) kinds |= bits[word as TypeName]
    else if (word !== '') kinds |= anything
    word = ''
  }
  for (const character of text) {
    if (depth === 0 && character === '|') finish()
    else if (character === '[' || character === '<') {
      // A bracket without a word before it is an array of fixed length.
      if (depth === 0 && word === '') kinds |= bits.array
      depth += 1
    } else if (character === ']' || character === '>') depth -= 1
    else if (depth === 0) word += character
  }
  finish()
  return kinds
}

/** The kinds of a term, variables as far as they are known. */
export function kindsOf(term: Term, known: ReadonlyMap<string, Kinds>): Kinds {
  switch (term.kind) {
    case 'scalar':
      return bits[typeName(term.value)]
    case 'var':
      return known.get(term.name) ?? anything
    case 'array':
    case 'set':
    case 'object':
      return bits[term.kind]
    case 'comprehension':
      return bits[term.of]
    case 'template':
      return bits.string
    default:
      return anything
  }
}
