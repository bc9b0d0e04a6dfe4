import { expect, test } from 'vitest'
import { call, refusal } from './call.ts'
import { toPlain } from './plain.ts'

test('bytes that are no text survive decoding and encoding', () => {
  const text = call('base64.decode', '/wDYQQ==')!
  expect(call('hex.encode', text)).toBe('ff00d841')
  expect(call('base64.encode', text)).toBe('/wDYQQ==')
  expect(call('count', text)).toBe(4)
})

test('base64 is refused at the byte where it is wrong', () => {
  expect(refusal('base64.decode', 'abc')).toMatch(/illegal base64 data at input byte 0/)
  expect(refusal('base64.decode', 'abcd=')).toMatch(/input byte 4/)
  expect(refusal('base64.decode', 'ab=c')).toMatch(/input byte 2/)
  expect(call('base64.is_valid', 'YWI=\n')).toBe(true)
  expect(call('base64url.decode', 'YWI')).toBe('ab')
  expect(refusal('base64url.decode', 'a')).toMatch(/illegal base64url string: a/)
  expect(refusal('hex.decode', 'fg')).toMatch(/invalid byte: U\+0067 'g'/)
  expect(refusal('hex.decode', 'fff')).toMatch(/odd length hex string/)
})

test('query strings are read and written as forms', () => {
  expect(call('urlquery.encode', 'a b&ü/')).toBe('a+b%26%C3%BC%2F')
  expect(call('urlquery.decode', 'a+b%26')).toBe('a b&')
  expect(refusal('urlquery.decode', '%zz')).toMatch(/invalid URL escape "%zz"/)
  expect(toPlain(call('urlquery.decode_object', 'a=1&b&a=2'))).toEqual({ a: ['1', '2'], b: [''] })
  expect(refusal('urlquery.decode_object', 'a=1;b=2')).toMatch(
    /invalid semicolon separator in query/,
  )
  expect(call('urlquery.encode_object', { b: ['x', 'y'], a: '1' })).toBe('a=1&b=x&b=y')
})

test('a URI is taken apart, and a bad one is named', () => {
  expect(toPlain(call('uri.parse', 'HTTPS://u:p@[::1]:8443/a%2Fb?q#f'))).toEqual({
    scheme: 'https',
    hostname: '::1',
    port: '8443',
    path: '/a/b',
    raw_path: '/a%2Fb',
    raw_query: 'q',
    fragment: 'f',
  })
  expect(refusal('uri.parse', 'http://[::1/')).toMatch(/missing ']' in host/)
  expect(refusal('uri.parse', 'a:b/c\n')).toMatch(/invalid control character/)
  expect(call('uri.is_valid', '1:2')).toBe(false)
  expect(call('uri.is_valid', '')).toBe(false)
})

test('addresses and blocks follow Go', () => {
  expect(call('net.cidr_contains', '10.0.0.0/8', '::ffff:10.1.2.3')).toBe(true)
  expect(call('net.cidr_contains', '10.0.0.0/8', '10.0.0.0/7')).toBe(false)
  expect(call('net.cidr_is_valid', '10.0.0.01/8')).toBe(false)
  expect(call('net.cidr_intersects', '10.0.0.0/8', '10.1.0.0/16')).toBe(true)
  expect(refusal('net.cidr_contains', '10.0.0.0/33', '10.0.0.1')).toMatch(
    /invalid CIDR address: 10.0.0.0\/33/,
  )
  expect(refusal('net.lookup_ip_addr', 'example.com')).toMatch(/not allowed/)
  expect(
    toPlain(call('net.cidr_contains_matches', { a: '10.0.0.0/8' }, ['10.1.1.1', '11.1.1.1'])),
  ).toEqual([['a', 0]])
  expect(toPlain(call('net.cidr_merge', ['10.0.0.0/25', '10.0.0.128/25', 'fe80::/64']))).toEqual([
    '10.0.0.0/24',
    'fe80::/64',
  ])
})

test('identifiers are the same within a query and differ by key', () => {
  expect(toPlain(call('uuid.parse', '{00000000-0000-4000-8000-000000000000}'))).toEqual({
    version: 4,
    variant: 'RFC4122',
  })
  expect(refusal('uuid.parse', 'x')).toMatch(/invalid UUID format/)
  expect(call('rand.intn', 'a', 0)).toBe(0)
  expect(call('rand.intn', 'a', -10)).toBe(5)
})

test('versions and amounts are read exactly', () => {
  expect(call('semver.compare', '1.0.0-rc.1', '1.0.0-rc.11')).toBe(-1)
  expect(call('semver.compare', '1.0.0', '1.0.0-rc')).toBe(1)
  expect(call('semver.is_valid', '1.2')).toBe(false)
  expect(call('units.parse', '0.1m')).toBe(0.0001)
  expect(call('units.parse_bytes', '1.1KiB')).toBe(1126)
  expect(refusal('units.parse', '10x')).toMatch(/unit x not recognized/)
})
