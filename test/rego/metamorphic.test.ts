/**
 * Changes of a policy that must not change what it decides: the order of expressions in a body, the
 * names of variables, one rule made two, an expression moved into a function.
 */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { compileBundle } from '../../src/rego/policy.ts'
import { toJson, toTerm } from '../../src/rego/value-text.ts'

const runs = { numRuns: 150 }

/** Expressions over input and a few variables, each safe once the declarations before it are there. */
const sources = [
  'some a in input.xs',
  'some i, b in input.xs',
  'c := input.n + 1',
  'some role in data.roles[input.user]',
  'd := [e | some e in input.xs; e > 1]',
  '[f, g] = input.pair',
  '{"k": h} = input.object',
]
const declared: Readonly<Record<string, readonly string[]>> = {
  'some a in input.xs': ['a'],
  'some i, b in input.xs': ['i', 'b'],
  'c := input.n + 1': ['c'],
  'some role in data.roles[input.user]': ['role'],
  'd := [e | some e in input.xs; e > 1]': ['d'],
  '[f, g] = input.pair': ['f', 'g'],
  '{"k": h} = input.object': ['h'],
}
const conditions: readonly (readonly [needs: readonly string[], text: string])[] = [
  [[], 'input.n > 0'],
  [[], 'not input.blocked'],
  [['a'], 'a > 1'],
  [['a', 'b'], 'a != b'],
  [['i'], 'i < 2'],
  [['c'], 'c % 2 == 0'],
  [['role'], 'startswith(role, "w")'],
  [['d'], 'count(d) > 1'],
  [['f', 'g'], 'f < g'],
  [['h'], 'h == input.n'],
  [['a', 'c'], 'a == c'],
  [['a'], 'not a in input.banned'],
  [['d', 'a'], 'every x in d { x >= a }'],
]

const body = fc
  .record({
    sources: fc.subarray(sources),
    conditions: fc.subarray([...conditions]),
  })
  .map((parts) => {
    const names = new Set(parts.sources.flatMap((source) => declared[source] ?? []))
    const usable = parts.conditions.filter(([needs]) => needs.every((name) => names.has(name)))
    return { lines: [...parts.sources, ...usable.map(([, text]) => text)], names: [...names] }
  })
  .filter(({ lines }) => lines.length > 0)

const input = fc.record({
  xs: fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 5 }),
  n: fc.integer({ min: -1, max: 4 }),
  user: fc.constantFrom('ann', 'bob', 'eve'),
  pair: fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 })),
  object: fc.oneof(
    fc.record({ k: fc.integer({ min: 0, max: 3 }) }),
    fc.constant({ k: 1, other: 2 }),
  ),
  banned: fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 2 }),
  blocked: fc.constantFrom(undefined, false, true),
})

const data = { roles: { ann: ['reader', 'writer'], bob: ['watcher'] } }

/** The document of a package, as text. */
function decide(text: string, value: unknown): string {
  const policy = compileBundle({ modules: [{ file: 'p.rego', text }], data })
  const decision = policy.prepare('data.p').decide(JSON.parse(JSON.stringify(value)))
  return decision.error?.code ?? toTerm(toJson(decision.value ?? null))
}

function ruleOf(lines: readonly string[], names: readonly string[]): string {
  return `package p\nr contains [${names.join(', ')}] if {\n${lines.map((line) => `\t${line}\n`).join('')}}\n`
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
