import { describe, expect, it } from 'vitest'
import { readHttp2RequestHead } from '../../../src/wire/http2/request-head.ts'
import type { WireErrorCode } from '../../../src/wire/wire-error.ts'
import type { RequestRules } from '../../../src/wire/http1/request-head.ts'

const rules: RequestRules = {
  maxHead: 16_384,
  maxTarget: 8_192,
  mode: 'server',
  target: { scheme: 'https', maxSegments: 256, slashes: 'keep' },
  fields: { maxCount: 100, underscores: 'refuse', repeats: 'refuse' },
}
const usual = [':method', 'GET', ':scheme', 'https', ':authority', 'app', ':path', '/a?b']
const codeOf = (raw: readonly string[], end: 'with-head' | 'with-body' = 'with-head') => {
  try {
    readHttp2RequestHead(raw, end, rules)
    return undefined
  } catch (error) {
    return (error as { code: WireErrorCode }).code
  }
}

describe('the head of a request over HTTP/2', () => {
  it('has the canonical form that HTTP/1.1 gives', () => {
    const head = readHttp2RequestHead([...usual, 'x-a', '1', 'te', 'trailers'], 'with-head', rules)
    expect(head).toMatchObject({ method: 'GET', version: '2', framing: { kind: 'none' } })
    expect(head.target).toMatchObject({ authority: 'app', path: '/a', query: 'b' })
    expect([...head.headers]).toEqual([['x-a', '1']])
  })

  it('takes host for a missing :authority, and one that says the same in other letters', () => {
    const without = usual.filter((_, index) => index !== 4 && index !== 5)
    expect(codeOf([...without, 'host', 'app'])).toBeUndefined()
    expect(codeOf([...usual, 'host', 'APP:443'])).toBeUndefined()
    expect(codeOf([...usual, 'host', 'app:444'])).toBe('authority-mismatch')
    expect(codeOf(without)).toBe('host')
  })

  it('is refused for control bytes, even if a session let them through', () => {
    for (const bad of ['\r\n', '\n', '\r', '\0', '\x7f'])
      for (const at of [1, 3, 5, 7])
        expect(codeOf(usual.map((text, i) => (i === at ? text + bad + 'x' : text)))).toBe(
          'malformed',
        )
    expect(codeOf([...usual, 'x-a\r\nx-b', '1'])).toBe('malformed')
    expect(codeOf([...usual, 'x-a', '1\r\nx-b: 2'])).toBe('malformed')
  })

  it('is refused when the length and the end disagree', () => {
    expect(codeOf([...usual, 'content-length', '5'])).toBe('ambiguous-length')
    expect(codeOf([...usual, 'content-length', '5'], 'with-body')).toBeUndefined()
    expect(codeOf([...usual, 'content-length', '0'])).toBeUndefined()
  })

  it('is refused when it is too large or has too many fields', () => {
    expect(codeOf([...usual, 'x-a', 'a'.repeat(17_000)])).toBe('headers-too-large')
    const many = Array.from({ length: 120 }, (_, i) => [`x-${i}`, '1']).flat()
    expect(codeOf([...usual, ...many])).toBe('headers-too-large')
  })
})
