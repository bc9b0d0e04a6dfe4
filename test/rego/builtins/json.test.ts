import { expect, test } from 'vitest'
import { call, refusal } from './call.ts'
import { RegoSet, toPlain } from './plain.ts'

test('JSON keeps every digit and escapes as Go does', () => {
  expect(call('json.marshal', { b: new RegoSet([2, 1]), a: '<&>' })).toBe(
    '{"a":"\\u003c\\u0026\\u003e","b":[1,2]}',
  )
  expect(call('json.unmarshal', '12345678901234567890')).toBe(12345678901234567890n)
  expect(call('json.marshal', call('json.unmarshal', '[0.10000000000000000001]')!)).toBe(
    '[0.10000000000000000001]',
  )
  expect(refusal('json.unmarshal', '{"a":1,}')).toMatch(
    /looking for beginning of object key string/,
  )
  expect(refusal('json.unmarshal', '[1')).toMatch(/unexpected end of JSON input/)
  expect(call('json.unmarshal', '{"__proto__": 1}')).toHaveProperty(['__proto__'], 1)
})

test('YAML is read as version 1.1 without own types', () => {
  expect(toPlain(call('yaml.unmarshal', 'a: yes\nb: 2020-01-01\nc: 0x10\n1: x'))).toEqual({
    a: true,
    b: '2020-01-01',
    c: 16,
    1: 'x',
  })
  expect(call('yaml.marshal', { b: [1, 'true'], a: 'x' })).toBe('a: x\nb:\n- 1\n- "true"\n')
  expect(refusal('yaml.unmarshal', '[1,2,3')).toMatch(/yaml: line 1: did not find/)
})

test('a small YAML text cannot stand for a huge document', () => {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
  for (let index = 1; index < 9; index++) {
    lines.push(
      `a${index}: &a${index} [${Array(10)
        .fill(`*a${index - 1}`)
        .join(', ')}]`,
    )
  }
  expect(refusal('yaml.unmarshal', lines.join('\n'))).toMatch(/eval_builtin_error: yaml.unmarshal/)
  expect(call('yaml.is_valid', lines.join('\n'))).toBe(false)
})

test('paths are kept or dropped', () => {
  const document = { a: { b: 1, c: [1, 2, 3] }, d: 4 }
  expect(toPlain(call('json.filter', document, ['a/c/1', ['d']]))).toEqual({ a: { c: [2] }, d: 4 })
  expect(toPlain(call('json.remove', document, new RegoSet(['/a/c/0', 'a/b'])))).toEqual({
    a: { c: [2, 3] },
    d: 4,
  })
  expect(refusal('json.remove', [], [])).toBe(
    'eval_type_error: json.remove: operand 1 must be object but got array',
  )
})

test('a patch is applied whole or gives no result', () => {
  const patch = (document: never, ...operations: never[]) =>
    toPlain(call('json.patch', document, operations))
  expect(patch({ a: [1, 2] } as never, { op: 'add', path: '/a/-', value: 3 } as never)).toEqual({
    a: [1, 2, 3],
  })
  expect(patch({ a: 1 } as never, { op: 'move', from: '/a', path: '/b' } as never)).toEqual({
    b: 1,
  })
  expect(patch({ a: 1 } as never, { op: 'test', path: '/a', value: 2 } as never)).toBeUndefined()
  expect(patch([1] as never, { op: 'remove', path: '/01' } as never)).toBeUndefined()
  expect(patch([1] as never, { op: 'add', path: '/2', value: 1 } as never)).toBeUndefined()
})

test("a document is judged by a schema in the validator's words", () => {
  const schema = {
    type: 'object',
    required: ['id'],
    properties: {
      id: { type: 'integer', minimum: 1 },
      name: { type: 'string', pattern: '^a', maxLength: 3 },
    },
    additionalProperties: false,
  }
  expect(call('json.match_schema', { id: 1, name: 'ab' }, schema)).toEqual([true, []])
  const [valid, errors] = toPlain(
    call('json.match_schema', { id: 0, name: 'xxxx', z: 1 }, schema),
  ) as [boolean, { error: string }[]]
  expect(valid).toBe(false)
  expect(errors.map(({ error }) => error).sort()).toEqual([
    '(root): Additional property z is not allowed',
    'id: Must be greater than or equal to 1',
    "name: Does not match pattern '^a'",
    'name: String length must be less than or equal to 3',
  ])
})

test('a schema that cannot be used is refused, and nothing is fetched', () => {
  expect(call('json.verify_schema', { $ref: '#/definitions/x', definitions: { x: {} } })).toEqual([
    true,
    null,
  ])
  expect(call('json.verify_schema', { $ref: 'https://example.com/schema' })).toEqual([
    false,
    'jsonschema: Reference https://example.com/schema must be canonical',
  ])
  expect(call('json.verify_schema', { pattern: '(?=a)' })).toEqual([
    false,
    'jsonschema: pattern must be a valid regex',
  ])
  expect(refusal('json.match_schema', {}, { $ref: '#' })).toMatch(/nested too deeply/)
})
