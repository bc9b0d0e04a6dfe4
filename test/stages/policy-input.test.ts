import { describe, expect, it } from 'vitest'
import { parseQuery } from '../../src/stages/policy-input.ts'
import { startInboundSidecar } from '../support/inbound-sidecar.ts'

describe('the query in the policy input', () => {
  it('gives every parameter as a list, in order', () => {
    expect({ ...parseQuery('a=1&b=2&a=3') }).toEqual({ a: ['1', '3'], b: ['2'] })
  })

  it.each([
    ['a=%2526', { a: ['%26'] }],
    ['a=1+2', { a: ['1 2'] }],
    ['a', { a: [''] }],
    ['a=%zz', { a: ['%zz'] }],
    ['', {}],
  ])('decodes %s once', (query, expected) => {
    expect({ ...parseQuery(query) }).toEqual(expected)
  })

  it('keeps a parameter called __proto__ a parameter', () => {
    expect(parseQuery('__proto__=1')['__proto__']).toEqual(['1'])
    expect(({} as Record<string, unknown>)['0']).toBeUndefined()
  })
})

describe('headers in the policy input', () => {
  it('shows every value of a repeated header, and of none that was forged', async () => {
    const mesh = await startInboundSidecar({
      routes: '    - {name: any, methods: [GET], path: "/"}',
      policy: `default allow := false
allow if {
	input.request.headers["x-role"] == ["user", "admin"]
	input.attributes.request.http.headers["x-role"] == "user,admin"
	not input.request.headers["x-spiffe-id"]
}`,
    })
    const twice = await mesh.get('/', ['X-Role: user', 'X-Role: admin', 'X-Spiffe-Id: forged'])
    const once = await mesh.get('/', ['X-Role: user'])
    expect([twice.status, once.status]).toEqual([200, 403])
    await mesh.stop()
  })
})
