/** The canonical target: what routing, policy and forwarding read. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { forwardedTarget, readAuthority, readSegments, readTarget } from '../../src/wire/target.ts'

const rules = { scheme: 'http', maxSegments: 256, slashes: 'keep' } as const
const read = (text: string, host = 'a', method = 'GET') => readTarget(method, text, host, rules)

describe('targets', () => {
  it('keep the path as it came and give the segments decoded once', () => {
    const target = read('/orders/a%20b/%E2%82%AC;v=1?x=%2F&y', 'Shop.Example:80')
    expect(target).toMatchObject({
      form: 'origin',
      authority: 'shop.example',
      host: 'shop.example',
      port: 80,
      path: '/orders/a%20b/%E2%82%AC;v=1',
      query: 'x=%2F&y',
      segments: ['orders', 'a b', '€;v=1'],
    })
    expect(forwardedTarget(target)).toBe('/orders/a%20b/%E2%82%AC;v=1?x=%2F&y')
  })

  it.each([
    ['/', [''], '/'],
    ['/a/', ['a', ''], '/a/'],
    ['//a', ['', 'a'], '//a'],
    ['/a?', ['a'], '/a?'],
    ['/?', [''], '/?'],
    ['/a??b', ['a'], '/a??b'],
  ])('forward %s as it came', (text, segments, forwarded) => {
    const target = read(text)
    expect(target.segments).toEqual(segments)
    expect(forwardedTarget(target)).toBe(forwarded)
  })

  it.each([
    ['http://a', '/'],
    ['http://a?b', '/?b'],
    ['HTTP://A:80/b?c', '/b?c'],
    ['http://a./b', '/b'],
  ])('in absolute-form %s become %s', (text, forwarded) => {
    const target = read(text)
    expect(target.form).toBe('absolute')
    expect(target.authority).toBe('a')
    expect(forwardedTarget(target)).toBe(forwarded)
  })

  it('in absolute-form take the default port of their own scheme', () => {
    expect(read('https://a/b', 'a:443')).toMatchObject({
      scheme: 'https',
      authority: 'a',
      port: 443,
    })
    expect(() => read('https://a/b', 'a:80')).toThrowError(
      expect.objectContaining({ code: 'authority-mismatch' }),
    )
  })

  it('have segments that spell the path, and nothing that could climb out of it', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^\/[\x21-\x7e]{0,30}$/), (path) => {
        let segments: readonly string[]
        try {
          segments = readSegments(path, 256)
        } catch (error) {
          expect(error).toMatchObject({ code: 'path' })
          return
        }
        expect(decodeURIComponent(path)).toBe(`/${segments.join('/')}`)
        for (const segment of segments) {
          expect(segment).not.toMatch(/^\.\.?(;|$)|[/\\\0]/)
          expect(
            new URL(`http://a${path.startsWith('//') ? '/.' : ''}${path}`).pathname,
          ).not.toContain('/../')
        }
        // What a browser's parser makes of the path is the path.
        if (!path.startsWith('//')) expect(new URL(path, 'http://a').pathname).toBe(path)
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('authorities', () => {
  it.each([
    ['A.Example', 'http', 'a.example', 80],
    ['a.example.', 'http', 'a.example', 80],
    ['a:80', 'http', 'a', 80],
    ['a:80', 'https', 'a:80', 80],
    ['a:443', 'https', 'a', 443],
    ['[::1]', 'http', '[::1]', 80],
    ['[0:0::1]:8080', 'http', '[::1]:8080', 8080],
    ['127.0.0.1:1', 'http', '127.0.0.1:1', 1],
  ] as const)('%s over %s is %s', (text, scheme, authority, port) => {
    expect(readAuthority(text, scheme)).toMatchObject({ text: authority, port })
    // The second time from memory.
    expect(readAuthority(text, scheme)).toMatchObject({ text: authority, port })
  })

  it('are read back as themselves', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-zA-Z0-9.:[\]-]{1,30}$/), (text) => {
        let first
        try {
          first = readAuthority(text, 'https')
        } catch (error) {
          expect(error).toMatchObject({ code: 'host' })
          return
        }
        expect(readAuthority(first.text, 'https')).toEqual(first)
        expect(new URL(`https://${first.text}`).host).toBe(first.text)
      }),
      { numRuns: 2_000 },
    )
  })
})
