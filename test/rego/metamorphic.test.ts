/**
 * Changes of a policy that must not change what it decides: the order of expressions in a body, the
 * names of variables, one rule made two, an expression moved into a function.
 */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { compileBundle } from '../../src/rego/policy.ts'
import { toJson, toTerm } from '../../src/rego/value-text.ts'
import { body, conditions, data, input, ruleOf } from './random-policies.ts'

const runs = { numRuns: 150 }

/** The document of a package, as text. */
function decide(text: string, value: unknown): string {
  const policy = compileBundle({ modules: [{ file: 'p.rego', text }], data })
  const decision = policy.prepare('data.p').decide(JSON.parse(JSON.stringify(value)))
  return decision.error?.code ?? toTerm(toJson(decision.value ?? null))
}

describe('the result stays the same', () => {
  test('when unifications and conditions of a body change places', () => {
    fc.assert(
      fc.property(body, input, fc.infiniteStream(fc.nat()), ({ lines, names }, value, order) => {
        // Declarations have to stand before their use, so only the rest moves, to anywhere behind them.
        const fixed = lines.filter((line) => /^some |:=/.test(line))
        const rest = lines.filter((line) => !fixed.includes(line))
        const keyed = rest.map((line) => [order.next().value as number, line] as const)
        const moved = [...fixed, ...keyed.sort((a, b) => a[0] - b[0]).map(([, line]) => line)]
        expect(decide(ruleOf(moved, names), value)).toBe(
          decide(ruleOf([...fixed, ...rest], names), value),
        )
      }),
      runs,
    )
  })

  test('when conditions come before what binds their variables by unification', () => {
    fc.assert(
      fc.property(input, (value) => {
        const one =
          'package p\nr contains [f, g] if {\n\t[f, g] = input.pair\n\tf < g\n\tg > input.n\n}\n'
        const other =
          'package p\nr contains [f, g] if {\n\tg > input.n\n\tf < g\n\t[f, g] = input.pair\n}\n'
        expect(decide(other, value)).toBe(decide(one, value))
      }),
      runs,
    )
  })

  test('when variables get other names', () => {
    fc.assert(
      fc.property(body, input, ({ lines, names }, value) => {
        const renamed = (text: string): string =>
          text.replaceAll(/(?<![.\w"])([a-i]|role)(?![\w"])/g, (name) => `renamed_${name}`)
        const text = ruleOf(lines.map(renamed), names.map(renamed))
        expect(decide(text, value)).toBe(decide(ruleOf(lines, names), value))
      }),
      runs,
    )
  })

  test('when a rule is split in two by a condition and its opposite', () => {
    fc.assert(
      fc.property(body, input, ({ lines, names }, value) => {
        const split = ['input.n > 1', 'not input.n > 1'].map((condition) =>
          ruleOf([condition, ...lines], names).replace('package p\n', ''),
        )
        expect(decide(`package p\n${split.join('\n')}`, value)).toBe(
          decide(ruleOf(lines, names), value),
        )
      }),
      runs,
    )
  })

  test('when a condition moves into a function', () => {
    const movable = conditions.filter(([needs]) => needs.length > 0)
    fc.assert(
      fc.property(
        body,
        input,
        fc.constantFrom(...movable),
        ({ lines, names }, value, [needs, text]) => {
          fc.pre(needs.every((name) => names.includes(name)))
          const inline = ruleOf([...lines, text], names)
          const moved = `${ruleOf([...lines, `holds(${needs.join(', ')})`], names)}\nholds(${needs.join(', ')}) if ${text}\n`
          expect(decide(moved, value)).toBe(decide(inline, value))
        },
      ),
      runs,
    )
  })

  test('when other rules of the same name are there that cannot match', () => {
    fc.assert(
      fc.property(body, input, ({ lines, names }, value) => {
        const others = Array.from(
          { length: 5 },
          (_, at) => `r contains ${at} if input.user == "nobody${at}"`,
        )
        const text = `${ruleOf(lines, names)}${others.join('\n')}\n`
        expect(decide(text, value)).toBe(decide(ruleOf(lines, names), value))
      }),
      runs,
    )
  })
})
