import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { JsonScanner, scanJson } from '../../../src/catalog/distrust/json-scanner.ts'

const limits = { depth: 8, keys: 100 }
const scan = (text: string | Buffer, within = limits) => scanJson(Buffer.from(text), within)?.reason

describe('the strict JSON scanner', () => {
  it.each([
    '{}',
    '[]',
    'null',
    ' true\n',
    '0',
    '-0.5e+10',
    '"a\\u00e9\\n"',
    '{"a":[1,{"b":null}],"c":"é😀"}',
    '\uFEFF{"a":1}',
    '"\\ud83d\\ude00"',
    '[0,1e5,-1,1.5E-3]',
    '{"":1,"a":{"":2}}',
  ])('passes %s', (text) => {
    expect(scan(text)).toBeUndefined()
  })

  it.each([
    ['nothing', '', 'json-malformed'],
    ['only space', '  ', 'json-malformed'],
    ['a trailing comma', '[1,]', 'json-malformed'],
    ['a trailing comma in an object', '{"a":1,}', 'json-malformed'],
    ['a second document', '{} {}', 'json-malformed'],
    ['an open object', '{"a":1', 'json-malformed'],
    ['crossed brackets', '[}', 'json-malformed'],
    ['a single quote', "{'a':1}", 'json-malformed'],
    ['a bare key', '{a:1}', 'json-malformed'],
    ['a leading zero', '01', 'json-malformed'],
    ['a plus sign', '+1', 'json-malformed'],
    ['a dot without digits', '1.', 'json-malformed'],
    ['an exponent without digits', '1e', 'json-malformed'],
    ['a hexadecimal number', '0x10', 'json-malformed'],
    ['NaN', 'NaN', 'json-malformed'],
    ['Infinity', '-Infinity', 'json-malformed'],
    ['a comment', '{/*x*/}', 'json-malformed'],
    ['a line end in a text', '"a\nb"', 'json-malformed'],
    ['an unknown escape', '"\\x41"', 'json-malformed'],
    ['a broken escape', '"\\u12g4"', 'json-malformed'],
    ['a half literal', 'tru', 'json-malformed'],
    ['HTML', '<html></html>', 'json-malformed'],
    ['a NUL after the end', '{}\0', 'json-malformed'],
    ['a duplicate key', '{"a":1,"a":2}', 'json-duplicate-key'],
    ['a duplicate key behind an escape', '{"a":1,"\\u0061":2}', 'json-duplicate-key'],
    ['a duplicate key in a nested object', '[{"x":{"é":1,"\\u00e9":2}}]', 'json-duplicate-key'],
    [
      'a duplicate key behind a surrogate pair',
      '{"😀":1,"\\ud83d\\ude00":2}',
      'json-duplicate-key',
    ],
    ['__proto__', '{"__proto__":{"admin":true}}', 'json-prototype-key'],
    ['an escaped __proto__', '{"\\u005f_proto_\\u005F":1}', 'json-prototype-key'],
    ['constructor', '{"a":{"constructor":{"prototype":{}}}}', 'json-prototype-key'],
    ['half of a surrogate pair', '"\\ud800"', 'invalid-utf8'],
    ['the other half', '"\\udc00"', 'invalid-utf8'],
    ['a pair in the wrong order', '"\\udc00\\ud800"', 'invalid-utf8'],
    ['half a pair and an escape', '"\\ud800\\n"', 'invalid-utf8'],
  ])('refuses %s', (_, text, reason) => {
    expect(scan(text)).toBe(reason)
  })

  it.each([
    ['a lone continuation', [0x80]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['an overlong three bytes', [0xe0, 0x80, 0xaf]],
    ['an encoded surrogate', [0xed, 0xa0, 0x80]],
    ['a point beyond Unicode', [0xf4, 0x90, 0x80, 0x80]],
    ['a cut sequence', [0xe2, 0x82]],
    ['latin-1', [0xe9]],
    ['0xff', [0xff]],
  ])('refuses %s', (_, bytes) => {
    expect(scan(Buffer.from([0x22, ...bytes, 0x22]))).toBe('invalid-utf8')
  })

  it('holds depth and key count to the member', () => {
    expect(scan('['.repeat(8) + ']'.repeat(8))).toBeUndefined()
    expect(scan('['.repeat(9) + ']'.repeat(9))).toBe('json-depth')
    expect(scan('['.repeat(1_000_000))).toBe('json-depth')
    const object = (count: number): string =>
      `{${Array.from({ length: count }, (_, index) => `"k${index}":0`).join(',')}}`
    expect(scan(object(100))).toBeUndefined()
    expect(scan(object(101))).toBe('json-keys')
    expect(scan(`[${'{"a":1},'.repeat(100)}{"a":1}]`)).toBe('json-keys')
    expect(scan(`{"${'k'.repeat(9_000)}":1}`)).toBe('json-keys')
  })

  it('says where, and nothing of the content', () => {
    expect(scanJson(Buffer.from('{"secret@example":1,"secret@example":2}'), limits)).toEqual({
      reason: 'json-duplicate-key',
      detail: 'a member name that stands twice in its object, at byte 35',
      offset: 35,
    })
  })

  it('agrees with JSON.parse on any value, however it is cut', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), fc.integer({ min: 1, max: 7 }), (value, step) => {
        const text = Buffer.from(JSON.stringify(value))
        const scanner = new JsonScanner({ depth: 64, keys: 10_000 })
        for (let at = 0; at < text.length; at += step) scanner.push(text.subarray(at, at + step))
        const reason = scanner.end()?.reason
        const named = /"(__proto__|constructor)":/.test(text.toString())
        return named ? true : reason === undefined
      }),
      { numRuns: 300 },
    )
  })

  it('accepts no mutation that JSON.parse refuses', () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ maxDepth: 4 }),
        fc.nat(),
        fc.integer({ min: 0, max: 255 }),
        (value, at, byte) => {
          const bytes = Buffer.from(JSON.stringify(value))
          bytes[at % bytes.length] = byte
          if (scanJson(bytes, { depth: 64, keys: 10_000 })) return true
          JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
          return true
        },
      ),
      { numRuns: 2_000 },
    )
  })
})
