import { expect, test } from 'vitest'
import { builtins, engineBuiltins } from '../../../src/rego/builtins/registry.ts'
import { signatures } from '../../../src/rego/builtins/signatures.ts'
import { BuiltinError } from '../../../src/rego/builtins/builtin.ts'
import { RegoSet, type Value } from '../../../src/rego/values.ts'
import { aContext, call, callIn, refusal } from './call.ts'

test('every declared function is here or with the engine, and none is twice', () => {
  const names = signatures.map(([name]) => name)
  expect(names).toHaveLength(206)
  expect(new Set(names).size).toBe(206)
  expect(names.filter((name) => !builtins.has(name) && !engineBuiltins.has(name))).toEqual([])
})

const samples: readonly Value[] = [
  null,
  true,
  -1,
  0.5,
  2n ** 70n,
  '',
  '\udcff {[(*+\\',
  [],
  [null, 1, 'a', ['b']],
  {},
  { a: null, op: 'add', path: '/x', url: 1 },
  new RegoSet([1, 'a']),
]

test('no operand of any type makes a function throw anything but its own error', () => {
  for (const builtin of builtins.values()) {
    for (let index = 0; index < samples.length * 4; index++) {
      const operands = builtin.args.map(
        (_, at) => samples[(index * (at + 1) + at) % samples.length]!,
      )
      try {
        builtin.run(aContext(), ...operands)
      } catch (error) {
        expect(
          error,
          `${builtin.name}(${JSON.stringify(operands, (_, v) => String(v))})`,
        ).toBeInstanceOf(BuiltinError)
      }
    }
  }
})

test('a value that is nested too deeply is an error of the call', () => {
  let deep: Value = []
  for (let index = 0; index < 200_000; index++) deep = [deep]
  expect(refusal('json.marshal', deep)).toMatch(/nested too deeply/)
  expect(refusal('json.unmarshal', '['.repeat(200_000))).toMatch(/eval_builtin_error/)
})

test('the budget of the query ends a call from inside', () => {
  class Spent extends Error {}
  let steps = 0
  const context = aContext({
    spend: (cost) => {
      steps += cost
      if (steps > 1000) throw new Spent()
    },
  })
  expect(() => callIn(context, 'numbers.range', 1, 100_000)).toThrow(Spent)
  expect(() => callIn(context, 'net.cidr_expand', '10.0.0.0/14')).toThrow(Spent)
  expect(call('numbers.range', 3, 1)).toEqual([3, 2, 1])
})

test('what would be too large is refused at once', () => {
  expect(refusal('numbers.range', 1, 10n ** 30n)).toMatch(/range has more than/)
  expect(refusal('bits.lsh', 1, 10_000_000_000)).toMatch(/shift count/)
  expect(refusal('net.cidr_expand', '::/0')).toMatch(/block has more than/)
  expect(refusal('units.parse', '1e999999')).toMatch(/exponent too large/)
  expect(call('bits.rsh', -5, 10n ** 30n)).toBe(-1)
})

test('long texts of one kind of character end in time', () => {
  const long = 300_000
  expect(refusal('to_number', `${'1'.repeat(long)}x`)).toMatch(/invalid syntax/)
  expect(refusal('units.parse', `${'1'.repeat(long)}..`)).toMatch(/could not parse amount/)
  expect(call('strings.render_template', `${' '.repeat(long)}x{{- 1}}`, {})).toHaveLength(long + 2)
  expect(call('crypto.parse_private_keys', '-----BEGIN A-----\n'.repeat(long / 10))).toEqual([])
  expect(call('trim_space', `${' '.repeat(long)}x${' '.repeat(long)}`)).toBe('x')
  expect(call('regex.match', '(.*)*x', 'a'.repeat(long))).toBe(false)
  expect(call('regex.globs_match', `[${'ab'.repeat(500)}]*`, `[${'cd'.repeat(500)}]*`)).toBe(false)
  let square: Value = 3
  const multiply = (): void => {
    for (let index = 0; index < 40; index++) square = call('mul', square, square)!
  }
  expect(multiply).toThrow(/more than 1000000 bits/)
})
