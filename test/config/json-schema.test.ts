/** The schema that editors use says the same as the parser that the sidecar uses. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { parse } from 'yaml'
import { describe, expect, it } from 'vitest'
import { wholeConfig } from './fixture.ts'

const schema = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../schema/sallyport.schema.json'), 'utf8'),
) as object
const accepts = new Ajv2020({ strict: false }).compile(schema)

const valueWith = (from: string, to: string): unknown => {
  expect(wholeConfig).toContain(from)
  return parse(wholeConfig.replace(from, to))
}

describe('the JSON Schema', () => {
  it('accepts a whole configuration', () => {
    expect(accepts(parse(wholeConfig)), JSON.stringify(accepts.errors)).toBe(true)
  })

  it.each([
    ['an unknown key', 'timeout: 5s', 'timout: 5s'],
    ['a number for a duration', 'timeout: 5s', 'timeout: 5'],
    ['a word that is not one of the choices', 'mode: enforce', 'mode: enforced'],
    ['a missing name', '    - name: read-order\n      path', '    - path'],
    ['an address without a port', '127.0.0.1:8080', '127.0.0.1'],
  ])('refuses %s', (_, from, to) => {
    expect(accepts(valueWith(from, to))).toBe(false)
  })
})
