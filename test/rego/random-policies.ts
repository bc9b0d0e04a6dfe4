/** Policies and inputs made at random: bodies whose conditions fit the variables they declare. */

import fc from 'fast-check'

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
export const conditions: readonly (readonly [needs: readonly string[], text: string])[] = [
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

export const body = fc
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

export const input = fc.record({
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

/** The base document that the policies read. */
export const data = { roles: { ann: ['reader', 'writer'], bob: ['watcher'] } }

/** A set rule of package `p` with a body of these lines, whose members are the values of the names. */
export function ruleOf(lines: readonly string[], names: readonly string[]): string {
  return `package p\nr contains [${names.join(', ')}] if {\n${lines.map((line) => `\t${line}\n`).join('')}}\n`
}
