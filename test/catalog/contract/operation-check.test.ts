import { describe, expect, it } from 'vitest'
import { matchOperation } from '../../../src/catalog/catalog.ts'
import { mayBacktrackForever } from '../../../src/catalog/pattern-safety.ts'
import { cardsEntry } from '../../support/card-api.ts'
import { cardsYaml, catalogOf, entryOf } from '../../support/catalog.ts'

const json = [['content-type', 'application/json; charset=utf-8']] as const
const check = (version: '3.0.3' | '3.1.0', id: string) =>
  cardsEntry('', version).operations.find((one) => one.id === id)!.check!
const places = (violations: readonly { place: string; rule: string }[]): string[] =>
  violations.map((one) => `${one.place} ${one.rule}`)

describe.each(['3.1.0', '3.0.3'] as const)('a contract in OpenAPI %s', (version) => {
  const request = (id: string, changes: object) =>
    places(
      check(version, id).request({
        parameters: {},
        query: '',
        headers: [],
        body: Buffer.alloc(0),
        ...changes,
      }),
    )
  const response = (
    id: string,
    status: number,
    body: unknown,
    headers: readonly (readonly [string, string])[] = json,
  ) =>
    places(
      check(version, id).response({
        status,
        headers,
        body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
      }),
    )
  const charge = {
    id: 'ch_1',
    amount: 1,
    currency: 'eur',
    note: null,
    metadata: { a: 'b' },
    parent: { id: 'ch_0', amount: 2 },
  }
  const post = { headers: json, body: Buffer.from(JSON.stringify({ amount: 1, secret: 's' })) }

  it('puts the base path of the server in front of the template', () => {
    const entry = cardsEntry('', version)
    expect(matchOperation(entry, 'GET', '/v1/charges/ch_1')).toMatchObject({
      kind: 'operation',
      operation: { id: 'getCharge' },
    })
    expect(matchOperation(entry, 'GET', '/charges/ch_1').kind).toBe('refused')
  })

  it.each([
    [
      'a plain listing',
      'listCharges',
      {
        headers: [['x-api-version', '2026-11']],
        query: 'limit=10&expand=card&expand=customer&created[gte]=5',
      },
    ],
    ['a body', 'createCharge', post],
    [
      'a form',
      'createCharge',
      {
        headers: [['content-type', 'application/x-www-form-urlencoded']],
        body: Buffer.from('amount=12&card[number]=4242'),
      },
    ],
    ['a path parameter', 'getCharge', { parameters: { id: 'ch_1' } }],
    ['a body that is not held', 'createCharge', { ...post, body: undefined }],
  ])('passes a request with %s', (_, id, changes) => {
    expect(request(id, changes)).toEqual([])
  })

  it.each([
    ['a missing header', 'listCharges', {}, ['header required']],
    [
      'a header against its pattern',
      'listCharges',
      { headers: [['X-API-Version', 'latest']] },
      ['header pattern'],
    ],
    [
      'a query value out of range',
      'listCharges',
      { headers: [['x-api-version', '2026-11']], query: 'limit=1000' },
      ['query maximum'],
    ],
    [
      'a query value of the wrong type',
      'listCharges',
      { headers: [['x-api-version', '2026-11']], query: 'limit=ten' },
      ['query type'],
    ],
    [
      'a list item that is not named',
      'listCharges',
      { headers: [['x-api-version', '2026-11']], query: 'expand=secrets' },
      ['query enum'],
    ],
    [
      'a deep object of the wrong type',
      'listCharges',
      { headers: [['x-api-version', '2026-11']], query: 'created[gte]=x' },
      ['query type'],
    ],
    [
      'a query parameter that is not named',
      'listCharges',
      { headers: [['x-api-version', '2026-11']], query: 'debug=1' },
      ['query undeclared'],
    ],
    [
      'a path parameter against its pattern',
      'getCharge',
      { parameters: { id: '1' } },
      ['path pattern'],
    ],
    ['a missing body', 'createCharge', { headers: json }, ['body required']],
    [
      'a body of another type',
      'createCharge',
      { headers: [['content-type', 'text/plain']], body: Buffer.from('x') },
      ['content-type undeclared'],
    ],
    [
      'a body without a required member',
      'createCharge',
      { headers: json, body: Buffer.from('{"amount":1}') },
      ['body required'],
    ],
    [
      'a form with a field that is not named',
      'createCharge',
      {
        headers: [['content-type', 'application/x-www-form-urlencoded']],
        body: Buffer.from('amount=1&x=2'),
      },
      ['body additionalProperties'],
    ],
    [
      'a form that reaches a prototype',
      'createCharge',
      {
        headers: [['content-type', 'application/x-www-form-urlencoded']],
        body: Buffer.from('amount=1&card[__proto__][a]=2'),
      },
      ['body form'],
    ],
    [
      'a body where none is named',
      'getCharge',
      { parameters: { id: 'ch_1' }, headers: json, body: Buffer.from('{}') },
      ['body undeclared'],
    ],
  ])('finds a request with %s', (_, id, changes, expected) => {
    expect(request(id, changes)).toEqual(expected)
  })

  it('passes answers that keep the contract', () => {
    expect(response('getCharge', 200, charge)).toEqual([])
    expect(response('getCharge', 204, '')).toEqual([])
    expect(response('listCharges', 200, [charge], [...json, ['X-Total', '1']])).toEqual([])
    expect(
      response('createCharge', 402, { title: 'declined' }, [
        ['content-type', 'application/problem+json'],
      ]),
    ).toEqual([])
  })

  it.each([
    ['a missing member', 200, { id: 'ch_1' }, ['body required']],
    ['a wrong type', 200, { ...charge, amount: '1' }, ['body type']],
    ['a value at an exclusive bound', 200, { ...charge, amount: 0 }, ['body exclusiveMinimum']],
    ['a value outside an enumeration', 200, { ...charge, currency: 'gbp' }, ['body enum']],
    ['null where it is not allowed', 200, { ...charge, id: null }, ['body type']],
    ['too many items', 200, { ...charge, lines: [{}, {}, {}, {}] }, ['body maxItems']],
    [
      'a fault below a recursive reference',
      200,
      { ...charge, parent: { id: 1, amount: 1 } },
      ['body type'],
    ],
    ['a fault in a free member', 200, { ...charge, metadata: { a: 1 } }, ['body type']],
    ['a status that is not named', 500, charge, ['status undeclared']],
  ])('finds an answer with %s', (_, status, body, expected) => {
    expect(response('getCharge', status, body)).toEqual(expected)
  })

  it('finds a missing answer header and another content type', () => {
    expect(response('listCharges', 200, [charge])).toEqual(['header required'])
    expect(response('getCharge', 200, '<p>', [['content-type', 'text/html']])).toEqual([
      'content-type undeclared',
    ])
  })

  it('never shows a value in a violation', () => {
    const violations = check(version, 'getCharge').response({
      status: 200,
      headers: json,
      body: Buffer.from('{"id":"sk_secret","amount":"sk_secret","metadata":{"sk_secret":1}}'),
    })
    expect(JSON.stringify(violations)).not.toContain('sk_secret')
  })

  it('strips what is not named, at every depth, and leaves free members alone', () => {
    const value = {
      ...charge,
      internal: 1,
      parent: { id: 'x', amount: 1, debug: {} },
      lines: [{ label: 'a', extra: 1 }],
    }
    expect(check(version, 'getCharge').strip({ status: 200, headers: json }, value)).toEqual({
      value: { ...charge, parent: { id: 'x', amount: 1 }, lines: [{ label: 'a' }] },
      dropped: 3,
    })
    expect(check(version, 'getCharge').strip({ status: 200, headers: json }, charge).value).toBe(
      charge,
    )
  })
})

describe('a contract by JSON Schema', () => {
  const yaml = cardsYaml().replace(
    '  - POST /v1/charges\n',
    '  - { method: POST, path: /v1/charges, request_schema: in.schema.json, response_schema: out.schema.json }\n',
  )
  const schemas = {
    'in.schema.json': '{"type":"object","required":["amount"]}',
    'out.schema.json':
      '{"$defs":{"id":{"type":"string"}},"properties":{"id":{"$ref":"#/$defs/id"}}}',
  }

  it('judges both bodies', () => {
    const operation = entryOf(yaml, schemas).operations[1]!
    const check = operation.check!
    expect(
      places(
        check.request({
          parameters: {},
          query: 'any=1',
          headers: json,
          body: Buffer.from('{"amount":1}'),
        }),
      ),
    ).toEqual([])
    expect(
      places(check.request({ parameters: {}, query: '', headers: json, body: Buffer.from('{}') })),
    ).toEqual(['body required'])
    expect(
      places(check.response({ status: 200, headers: json, body: Buffer.from('{"id":1}') })),
    ).toEqual(['body type'])
    expect(places(check.response({ status: 503, headers: [], body: Buffer.from('x') }))).toEqual([])
  })

  it.each([
    ['a remote reference', '{"$ref":"https://vendor.example/s.json"}'],
    ['a pattern that may never end', '{"pattern":"^(a+)+$"}'],
    ['something that is no schema', '[]'],
    ['an unknown type', '{"type":"text"}'],
    ['broken JSON', '{'],
  ])('refuses %s at load', (_, schema) => {
    const { problems } = catalogOf({ 'cards.yaml': yaml, ...schemas, 'in.schema.json': schema })
    expect(problems.length).toBeGreaterThan(0)
    expect(problems[0]!.setting).toMatch(/^operations\[1\]/)
  })

  it('tells patterns that may never end from those that do', () => {
    expect(
      ['(a+)+', '(a*)*b', '([a-z]+)*', '((a|b)+c?)+', '(x{2,})+', '(?:a+){3,}'].filter(
        mayBacktrackForever,
      ),
    ).toHaveLength(6)
    expect(
      ['^a+$', '(ab)+', '[(+)]+', '\\(a+\\)+', '(a|b)*c+', '^(\\d{4})-(\\d{2})$', '(a+)?'].filter(
        mayBacktrackForever,
      ),
    ).toEqual([])
  })
})

describe('a contract with many schemas that refer to each other', () => {
  const count = 300
  const schemas = Object.fromEntries(
    Array.from({ length: count }, (_, index) => [
      `S${index}`,
      {
        type: 'object',
        properties: {
          next: { $ref: `#/components/schemas/S${(index + 1) % count}` },
          n: { type: 'integer' },
        },
      },
    ]),
  )
  const paths = Object.fromEntries(
    Array.from({ length: 60 }, (_, index) => [
      `/r${index}`,
      {
        get: {
          responses: {
            200: {
              content: {
                'application/json': { schema: { $ref: `#/components/schemas/S${index}` } },
              },
            },
          },
        },
      },
    ]),
  )
  const document = JSON.stringify({ openapi: '3.1.0', paths, components: { schemas } })
  const yaml = cardsYaml().replace(/operations:\n(.*\n){2}/, 'operations: { openapi: many.json }\n')

  it('is compiled once per schema, however they are chained', () => {
    const entry = entryOf(yaml, { 'many.json': document })
    expect(entry.operations).toHaveLength(60)
    const check = entry.operations.find((one) => one.template === '/r7')!.check!
    const body = (n: unknown) => Buffer.from(JSON.stringify({ next: { next: { n } } }))
    expect(check.response({ status: 200, headers: json, body: body(1) })).toEqual([])
    expect(check.response({ status: 200, headers: json, body: body('x') })).toMatchObject([
      { name: '/next/next/n', rule: 'type' },
    ])
  })

  it('still counts what a reference evaluated', () => {
    const closed = JSON.stringify({
      openapi: '3.1.0',
      paths: {
        '/a': {
          get: {
            responses: {
              200: {
                content: {
                  'application/json': {
                    schema: {
                      allOf: [{ $ref: '#/components/schemas/Base' }],
                      properties: { b: true },
                      unevaluatedProperties: false,
                    },
                  },
                },
              },
            },
          },
        },
      },
      components: { schemas: { Base: { properties: { a: { type: 'string' } } } } },
    })
    const check = entryOf(yaml, { 'many.json': closed }).operations[0]!.check!
    const rules = (text: string) =>
      check.response({ status: 200, headers: json, body: Buffer.from(text) }).map((one) => one.rule)
    expect(rules('{"a":"x","b":1}')).toEqual([])
    expect(rules('{"a":"x","c":1}')).toEqual(['unevaluatedProperties'])
    expect(check.strip({ status: 200, headers: json }, { a: 'x', c: 1 })).toEqual({
      value: { a: 'x' },
      dropped: 1,
    })
  })
})
