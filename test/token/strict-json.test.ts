import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseStrictJson, StrictJsonError } from '../../src/token/strict-json.ts'

const parse = (text: string | Buffer, depth = 32): unknown =>
  parseStrictJson(Buffer.from(text as string), depth)

describe('strict JSON', () => {
  it('reads what JSON.parse reads, to the same value', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 8 }), fc.boolean(), (text, pretty) => {
        // Integers that a double cannot hold are refused, which is a rule of its own below.
        fc.pre(!/\d{16}/.test(text))
        const spaced = pretty ? JSON.stringify(JSON.parse(text), undefined, '\t') : text
        expect(parse(spaced)).toEqual(JSON.parse(spaced))
      }),
    )
  })

  it('never accepts what JSON.parse refuses', () => {
    fc.assert(
      fc.property(
        fc.json({ maxDepth: 4 }),
        fc.nat(),
        fc.string({ maxLength: 2 }),
        (text, at, insert) => {
          const broken =
            text.slice(0, at % (text.length + 1)) +
            insert +
            text.slice((at + 1) % (text.length + 1))
          let accepted: unknown
          try {
            accepted = parse(broken)
          } catch (error) {
            expect(error).toBeInstanceOf(StrictJsonError)
            return
          }
          expect(accepted).toEqual(JSON.parse(broken))
        },
      ),
      { numRuns: 2_000 },
    )
  })

  it.each([
    ['a member twice', '{"a":1,"a":1}'],
    ['a member twice, once escaped', '{"a":1,"\\u0061":1}'],
    ['a member twice inside', '{"a":{"b":1,"b":2}}'],
    ['an infinite number', '{"a":1e999}'],
    ['an integer that a double cannot hold', '{"a":9007199254740993}'],
    ['NaN', 'NaN'],
    ['a leading zero', '01'],
    ['a trailing comma', '[1,]'],
    ['text after the value', '{} {}'],
    ['a comment', '{/**/}'],
    ['a control character in a string', '"\u0001"'],
    ['half a surrogate pair', '"\\ud800"'],
    ['a byte order mark', '\ufeff{}'],
    ['nothing', ''],
    ['an open string', '"a'],
    ['an open object', '{"a":1'],
    ['an unquoted member', '{a:1}'],
    ['an unknown escape', '"\\x41"'],
    ['a short unicode escape', '"\\u12"'],
  ])('refuses %s', (_name, text) => {
    expect(() => parse(text)).toThrow(StrictJsonError)
  })

  it('refuses bytes that are not UTF-8', () => {
    expect(() => parseStrictJson(Buffer.from([0x22, 0xc0, 0x80, 0x22]), 32)).toThrow('not UTF-8')
    expect(() => parseStrictJson(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), 32)).toThrow(
      'not UTF-8',
    )
  })

  it('reads nesting up to the limit and refuses one level more', () => {
    expect(parse(`${'['.repeat(32)}${']'.repeat(32)}`)).toBeInstanceOf(Array)
    expect(() => parse(`${'['.repeat(33)}${']'.repeat(33)}`)).toThrow('nested deeper than 32')
    expect(() => parse('['.repeat(500_000))).toThrow('nested deeper than 32')
  })

  it('keeps a member called __proto__ as a plain member', () => {
    const value = parse('{"__proto__":{"admin":true}}') as Record<string, unknown>
    expect(Object.hasOwn(value, '__proto__')).toBe(true)
    expect((value as { admin?: unknown }).admin).toBeUndefined()
  })

  it('says nothing of the text in its message', () => {
    try {
      parse('{"secret-canary":1,"secret-canary":2}')
    } catch (error) {
      expect((error as Error).message).not.toContain('canary')
    }
  })
})
