import { expect, test } from 'vitest'
import { aContext, call, callIn, refusal } from './call.ts'
import { toPlain } from './plain.ts'

const schema = `
  type Query { user(id: ID!, first: Int = 10): User }
  type User { name: String, friends(role: Role): [User!]! }
  enum Role { ADMIN GUEST }
`

test('a query holds against its schema', () => {
  expect(
    call(
      'graphql.is_valid',
      'query($i: ID!) { user(id: $i) { name friends(role: ADMIN) { name } } }',
      schema,
    ),
  ).toBe(true)
  expect(
    call(
      'graphql.is_valid',
      '{ a: user(id: 1) { __typename } __schema { types { name } } }',
      schema,
    ),
  ).toBe(true)
})

test.each([
  ['{ user(id: 1) { age } }', 'Cannot query field "age" on type "User"'],
  [
    '{ user { name } }',
    'Field "user" argument "id" of type "ID!" is required, but it was not provided',
  ],
  ['{ user(id: 1, x: 2) { name } }', 'Unknown argument "x" on field "Query.user"'],
  ['{ user(id: 1) }', 'must have a selection of subfields'],
  [
    '{ user(id: 1) { name { x } } }',
    'must not have a selection since type "String" has no subfields',
  ],
  [
    '{ user(id: 1) { friends(role: OTHER) { name } } }',
    'Value "OTHER" does not exist in "Role" enum',
  ],
  ['{ user(id: $i) { name } }', 'Variable "$i" is not defined'],
  ['query($i: ID!) { user(id: 1) { name } }', 'Variable "$i" is never used'],
  ['query($i: Int) { user(id: $i) { name } }', 'used in position expecting type "ID!"'],
  [
    '{ user(id: 1) { ...F } } fragment F on User { ...F }',
    'Cannot spread fragment "F" within itself',
  ],
  ['{ user(id: 1) { ...G } }', 'Unknown fragment "G"'],
  ['{ user(id: 1) { name name: __typename } }', 'Fields "name" conflict'],
  ['mutation { x }', 'Schema does not support operation type "mutation"'],
  ['{ user(id: 1) { name @nope } }', 'Unknown directive "@nope"'],
])('refuses %s', (query, reason) => {
  expect(refusal('graphql.parse', query, schema)).toContain(reason)
  expect(call('graphql.is_valid', query, schema)).toBe(false)
})

test('fragments that grow without end cost steps', () => {
  const fragments = Array.from({ length: 40 }, (_, index) => {
    const next = `...F${index + 1}`
    return `fragment F${index} on User { a: friends { ${next} } b: friends { ${next} } }`
  })
  const query = `{ user(id: 1) { ...F0 } } ${fragments.join(' ')} fragment F40 on User { name }`
  expect(refusal('graphql.parse', query, schema)).toMatch(/too large or nested too deeply/)
})

test('a syntax tree may come from a policy, and a bad one is no crash', () => {
  const tree = call('graphql.parse_schema', schema)!
  expect(
    call('graphql.is_valid', call('graphql.parse_query', '{ user(id: 1) { name } }')!, tree),
  ).toBe(true)
  expect(call('graphql.is_valid', { Operations: 1 }, tree)).toBe(false)
  expect(
    refusal('graphql.parse', { Operations: [{ SelectionSet: 'x' }] }, { Definitions: 5 }),
  ).toMatch(/eval_builtin_error/)
})

test('schemas that do not hold together are refused', () => {
  expect(call('graphql.schema_is_valid', schema)).toBe(true)
  expect(call('graphql.schema_is_valid', 'type A { b: B }')).toBe(false)
  expect(
    call('graphql.schema_is_valid', 'type A implements I { a: Int } interface I { b: Int }'),
  ).toBe(false)
  expect(refusal('graphql.parse_schema', 'type A {')).toBe(
    'eval_builtin_error: graphql.parse_schema: Expected Name, found <EOF> in GraphQL string at location 1:9',
  )
})

test('templates render values and control flow', () => {
  const render = (template: string, data: never): unknown =>
    call('strings.render_template', template, data)
  expect(
    render('{{range $i, $n := .names}}{{if $i}}, {{end}}{{$n}}{{end}}', {
      names: ['a', 'b'],
    } as never),
  ).toBe('a, b')
  expect(
    render('{{with .a}}{{.b | printf "%q"}}{{else}}none{{end}}', { a: { b: 'x' } } as never),
  ).toBe('"x"')
  expect(render('a {{- /* note */ -}} b {{.missing}}', {} as never)).toBe('ab <undefined>')
  expect(
    render('{{if and .a (gt .n 2)}}yes{{else if eq .n 2}}two{{end}}', { a: 1, n: 2 } as never),
  ).toBe('two')
  expect(
    render('{{define "t"}}[{{.}}]{{end}}{{template "t" .x}} {{.m}}', {
      x: 1,
      m: { b: 1, a: 2 },
    } as never),
  ).toBe('[1] map[a:2 b:1]')
})

test('templates that do not parse or do not end are errors', () => {
  expect(refusal('strings.render_template', '{{.a', {})).toMatch(/unclosed action/)
  expect(refusal('strings.render_template', '{{if .a}}', {})).toMatch(/unexpected EOF/)
  expect(refusal('strings.render_template', '{{nope 1}}', {})).toMatch(
    /function "nope" not defined/,
  )
  expect(
    refusal('strings.render_template', '{{define "t"}}{{template "t"}}{{end}}{{template "t"}}', {}),
  ).toMatch(/template depth|nested too deeply/)
  expect(refusal('strings.render_template', '{{range 9999999999}}x{{end}}', {})).toMatch(
    /can't iterate/,
  )
})

test('a request is signed for AWS', () => {
  const config = {
    aws_access_key: 'A',
    aws_secret_access_key: 'S',
    aws_service: 's3',
    aws_region: 'us-east-1',
  }
  const result = toPlain(
    call(
      'providers.aws.sign_req',
      { method: 'get', url: 'http://example.com' },
      config,
      1451311705000000000n,
    ),
  )
  expect(result).toMatchObject({
    headers: { host: 'example.com', 'x-amz-date': '20151228T140825Z' },
  })
  expect(refusal('providers.aws.sign_req', { method: 'get' }, config, 0)).toBe(
    'eval_type_error: providers.aws.sign_req: operand 1 missing required request parameters(s): {"url"}',
  )
})

test('a request leaves only through the hook', () => {
  const request = { method: 'get', url: 'http://example.com' }
  expect(refusal('http.send', request)).toMatch(/requests are switched off/)
  expect(refusal('http.send', { ...request, bad: 1 })).toBe(
    'eval_type_error: http.send: operand 1 invalid request parameters(s): {"bad"}',
  )
  const context = aContext({ httpSend: () => ({ status_code: 200 }) })
  expect(callIn(context, 'http.send', request)).toEqual({ status_code: 200 })
})
