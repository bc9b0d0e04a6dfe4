import { describe, expect, it } from 'vitest'
import { findToken, placesOf } from '../../../src/token/user/find-token.ts'
import { codeOf, headersOf, providerOf } from '../../support/tokens.ts'

const places = placesOf([
  ['main', providerOf()],
  ['partner', providerOf({ from_headers: [{ name: 'X-Partner-Token' }] })],
])

describe('finding the user token', () => {
  it.each([
    ['after Bearer', { authorization: 'Bearer abc' }],
    ['after bearer in lower case', { authorization: 'bearer abc' }],
    ['after several blanks', { authorization: 'Bearer   abc' }],
    ['in a header of a provider', { 'x-partner-token': 'abc' }],
  ])('finds it %s', (_name, headers) => {
    expect(findToken(headersOf(headers), places)?.token).toBe('abc')
  })

  it('says which providers look where it was found', () => {
    expect(findToken(headersOf({ authorization: 'Bearer a' }), places)?.providers).toEqual(['main'])
    expect(findToken(headersOf({ 'x-partner-token': 'a' }), places)?.providers).toEqual(['partner'])
  })

  it('finds none in the query, a cookie or another header', () => {
    const headers = headersOf({
      cookie: 'access_token=abc',
      'x-access-token': 'abc',
      'proxy-authorization': 'Bearer abc',
    })
    expect(findToken(headers, places)).toBeUndefined()
  })

  it.each([
    ['two Authorization headers', { authorization: ['Bearer a', 'Bearer b'] }, 'ambiguous'],
    ['the same token twice', { authorization: ['Bearer a', 'Bearer a'] }, 'ambiguous'],
    ['tokens in two headers', { authorization: 'Bearer a', 'x-partner-token': 'b' }, 'ambiguous'],
    ['two tokens in one header', { authorization: 'Bearer a, Bearer b' }, 'malformed'],
    ['two words after Bearer', { authorization: 'Bearer a b' }, 'malformed'],
    ['another scheme', { authorization: 'Basic dTpw' }, 'malformed'],
    ['a scheme that starts like Bearer', { authorization: 'Bearerabc' }, 'malformed'],
    ['a token without a scheme', { authorization: 'abc.def.ghi' }, 'malformed'],
    ['Bearer and nothing', { authorization: 'Bearer' }, 'malformed'],
    ['an empty header', { authorization: '' }, 'malformed'],
    ['an empty header of a provider', { 'x-partner-token': '' }, 'malformed'],
  ])('refuses %s', async (_name, headers, code) => {
    expect(await codeOf(() => findToken(headersOf(headers), places))).toBe(code)
  })
})
