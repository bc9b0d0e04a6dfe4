/** Values: one total order, texts that come back, numbers that keep every digit. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import {
  add,
  compareNumbers,
  div,
  mul,
  numberToText,
  parseNumber,
  type RegoNumber,
} from '../../src/rego/numbers.ts'
import { evaluateTerm } from '../../src/rego/term-value.ts'
import { fromJson, toJson, toJsonText, toTerm } from '../../src/rego/value-text.ts'
import {
  compare,
  compareStrings,
  equals,
  makeObject,
  RegoSet,
  type Value,
} from '../../src/rego/values.ts'

const number = fc.oneof(
  fc.integer(),
  fc
    .bigInt({ min: -(10n ** 30n), max: 10n ** 30n })
    .map((value) => parseNumber(String(value)) as RegoNumber),
  fc
    .double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 })
    .map((value) => parseNumber(plainDigits(value)) as RegoNumber),
)
const scalar: fc.Arbitrary<Value> = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.string({ unit: 'grapheme' }),
  number,
)
const value: fc.Arbitrary<Value> = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    scalar,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(tie('value'), { maxLength: 4 }).map((items) => new RegoSet(items)),
    fc
      .array(fc.tuple(tie('value'), tie('value')), { maxLength: 4 })
      .map((entries) => makeObject(entries)),
  ),
})).value

function plainDigits(double: number): string {
  return String(double === 0 ? 0 : double)
}

describe('the order of values', () => {
  test('is total: antisymmetric and transitive, and equal means equal', () => {
    fc.assert(
      fc.property(value, value, value, (a, b, c) => {
        expect(Math.sign(compare(a, b))).toBe(-Math.sign(compare(b, a)) + 0)
        if (compare(a, b) <= 0 && compare(b, c) <= 0) expect(compare(a, c)).toBeLessThanOrEqual(0)
        expect(equals(a, b)).toBe(compare(a, b) === 0)
      }),
    )
  })

  test('goes by type, then by value', () => {
    const ordered = [
      'null',
      'false',
      'true',
      '-1',
      '2',
      '"a"',
      '"b"',
      '[]',
      '[1]',
      '{}',
      '{"a": 1}',
      'set()',
      '{1}',
    ]
    const values = ordered.map(evaluateTerm)
    expect([...values].reverse().sort(compare)).toEqual(values)
  })

  test('of strings goes by code point', () => {
    expect(compareStrings('\u{1F600}', '\uFFFD')).toBeGreaterThan(0)
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (a, b) => {
        expect(Math.sign(compareStrings(a, b))).toBe(
          Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))),
        )
      }),
    )
  })
})

describe('a value comes back', () => {
  test('from its Rego text', () => {
    fc.assert(
      fc.property(printable(value), (one) => {
        expect(equals(evaluateTerm(toTerm(one)), one)).toBe(true)
      }),
    )
  })

  test('from its JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (document) => {
        const one = fromJson(document)
        expect(equals(fromJson(JSON.parse(toJsonText(one))), one)).toBe(true)
        expect(equals(toJson(one), one)).toBe(true)
      }),
    )
  })
})

/** Go writes some characters as escapes that JSON has not. */
function printable(arbitrary: fc.Arbitrary<Value>): fc.Arbitrary<Value> {
  return arbitrary.filter((one) => !/\\[axvU]/.test(toTerm(one)))
}

describe('numbers', () => {
  const sums: readonly (readonly [
    (a: RegoNumber, b: RegoNumber) => RegoNumber,
    string,
    string,
    string,
  ])[] = [
    [add, '0.1', '0.2', '0.3'],
    [add, '9007199254740991', '1', '9007199254740992'],
    [
      mul,
      '99999999999999999999',
      '99999999999999999999',
      '9999999999999999999800000000000000000001',
    ],
    [div, '1', '3', '0.33333333333333333334'],
    [div, '1700000000123456789', '1000000000', '1700000000.123456789'],
    [div, '10', '4', '2.5'],
    [mul, '1.5', '2', '3'],
  ]
  for (const [operation, a, b, result] of sums) {
    test(`${operation.name} of ${a} and ${b} is ${result}`, () => {
      expect(
        numberToText(operation(parseNumber(a) as RegoNumber, parseNumber(b) as RegoNumber)),
      ).toBe(result)
    })
  }

  test('come back from their text', () => {
    fc.assert(
      fc.property(number, (one) => {
        expect(compareNumbers(parseNumber(numberToText(one)) as RegoNumber, one)).toBe(0)
      }),
    )
  })

  test('divide by powers of ten as they do by way of the wide mantissa', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 999_999_999_999 }),
        fc.integer({ min: 1, max: 6 }),
        (top, power) => {
          const quotient = div(top, 10 ** power)
          expect(compareNumbers(quotient, parseNumber(`${top}e-${power}`) as RegoNumber)).toBe(0)
        },
      ),
    )
  })
})
