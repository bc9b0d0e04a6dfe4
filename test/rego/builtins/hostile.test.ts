import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BuiltinError } from '../../../src/rego/builtins/builtin.ts'
import { builtins } from '../../../src/rego/builtins/registry.ts'
import type { Value } from '../../../src/rego/values.ts'
import { aContext } from './call.ts'

const context = aContext()

/** Texts that readers of small languages stumble over, and pieces of them put together. */
const pieces = [
  '{{',
  '}}',
  '{',
  '}',
  '[',
  ']',
  '(',
  ')',
  '*',
  '**',
  '?',
  '\\',
  '!',
  '-',
  '"',
  "'",
  '`',
  '%',
  '%d',
  '%[9]*.*q',
  '$1',
  ':',
  '&a',
  '*a',
  '<<',
  '|',
  '>',
  '#',
  '\n',
  '\t',
  ',',
  '.',
  '..',
  '...',
  '@',
  '=',
  '~1',
  '/',
  '//',
  '::',
  '0',
  '1e9',
  'query',
  'type A',
  'on',
  'range',
  'if',
  'end',
  'else',
  'define "x"',
  '-----BEGIN ',
  'CERTIFICATE-----',
  'eyJhbGciOiJIUzI1NiJ9',
  '2006',
  'Jan',
  '05.000',
  'MST',
  '-07:00',
  '😀',
  '\ud800',
  '\udcff',
  '\0',
  'é',
  'null',
  'true',
  'a',
  'b',
]
const text = fc.oneof(
  fc.string(),
  fc.array(fc.constantFrom(...pieces), { maxLength: 12 }).map((parts) => parts.join('')),
)
const operand: fc.Arbitrary<Value> = fc.oneof(
  { weight: 6, arbitrary: text },
  fc.integer(),
  fc.constantFrom<Value>(null, true, 2n ** 80n, 0.1, [], {}, ['a', '.'], { a: 'b' }),
  fc.dictionary(text, fc.oneof(text, fc.integer()), { maxKeys: 3 }) as fc.Arbitrary<Value>,
  fc.array(text, { maxLength: 3 }),
)

test.each([...builtins.values()].map((builtin) => [builtin.name, builtin] as const))(
  '%s answers or refuses whatever it is given',
  (_, builtin) => {
    const operands = fc.tuple(...builtin.args.map(() => operand))
    fc.assert(
      fc.property(operands, (given) => {
        try {
          builtin.run(context, ...given)
        } catch (error) {
          expect(error).toBeInstanceOf(BuiltinError)
        }
      }),
      { numRuns: Number(process.env['HOSTILE_RUNS'] ?? 25) },
    )
  },
)
