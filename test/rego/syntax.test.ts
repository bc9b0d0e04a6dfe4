/** Text to trees and back: printing a module and parsing it again gives the same tree. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { parseModule } from '../../src/rego/syntax/parse.ts'
import { printModule } from '../../src/rego/syntax/print.ts'
import type { Module } from '../../src/rego/syntax/tree.ts'
import { vectors } from '../support/vectors.ts'
import { loadCases } from '../conformance/cases.ts'

const options = { version: 'v1', experimental: 'all' } as const
const cases = vectors('opa-cases/v1')

describe('parse after print is the identity', () => {
  test.skipIf(cases === undefined)('for every module of the conformance cases', () => {
    for (const { fields, note } of cases === undefined ? [] : loadCases(cases)) {
      for (const text of (fields['modules'] as string[] | undefined) ?? []) {
        const module = parseModule('m.rego', text, options)
        expect(bare(parseModule('m.rego', printModule(module), options)), note).toBe(bare(module))
      }
    }
  })

  test('for terms of any shape', () => {
    fc.assert(
      fc.property(term, (text) => {
        const module = parseModule('m.rego', `package m\n\np := ${text}\n`, options)
        expect(bare(parseModule('m.rego', printModule(module), options))).toBe(bare(module))
      }),
    )
  })
})

const term: fc.Arbitrary<string> = fc.letrec<{ term: string }>((tie) => ({
  term: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(
      'x',
      '_',
      'null',
      'true',
      '1',
      '-2.5',
      '1e3',
      '"text"',
      '`raw`',
      'input.a["b c"]',
      'data.x[y].z',
    ),
    fc.array(tie('term'), { maxLength: 3 }).map((items) => `[${items.join(', ')}]`),
    fc.array(tie('term'), { minLength: 1, maxLength: 3 }).map((items) => `{${items.join(', ')}}`),
    fc
      .array(fc.tuple(tie('term'), tie('term')), { maxLength: 3 })
      .map((pairs) => `{${pairs.map((pair) => pair.join(': ')).join(', ')}}`),
    fc
      .tuple(
        tie('term'),
        fc.constantFrom('+', '-', '*', '/', '%', '&', '==', '!=', '<', '>='),
        tie('term'),
      )
      .map((parts) => `(${parts.join(' ')})`),
    fc.tuple(tie('term'), tie('term')).map(([item, list]) => `(${item} in ${list})`),
    fc.array(tie('term'), { maxLength: 3 }).map((operands) => `f.g(${operands.join(', ')})`),
    fc.tuple(tie('term'), tie('term')).map(([head, from]) => `[${head} | x := ${from}]`),
    fc.tuple(tie('term'), tie('term')).map(([key, one]) => `{${key}: ${one} | some x, y in z}`),
    tie('term').map((inner) => `$"before {${inner}} \\{after}"`),
  ),
})).term

/** A tree without places, and with one name for all wildcards. */
function bare(module: Module): string {
  const hidden = new Set(['at', 'endRow', 'comments', 'annotations', 'braces'])
  return JSON.stringify(module, (key, value: unknown) => {
    if (hidden.has(key)) return undefined
    if (typeof value === 'bigint') return `${value}n`
    return typeof value === 'string' && /^\$\d+$/.test(value) ? '_' : value
  })
}
