import { describe, expect, it } from 'vitest'
import { problemText } from '../../src/catalog/entry/problem.ts'
import { cardsYaml, catalogOf } from '../support/catalog.ts'

const problems = (files: Record<string, string>): string[] =>
  catalogOf(files).problems.map(problemText)

describe('loading the catalog', () => {
  it('loads a valid entry with its defaults', () => {
    const { catalog, problems: found } = catalogOf({ 'cards.yaml': cardsYaml() })
    expect(found).toEqual([])
    expect(catalog.get('cards')).toMatchObject({
      lifecycle: 'production',
      connect: 'originate',
      propagation: 'strip',
      review_mode: 'warn',
      distrust: { json_depth: 64, response_size: 10 * 1024 ** 2, decompression_ratio: 100 },
      redirects: { mode: 'enforce', targets: [] },
      tls: { min_version: '1.2' },
    })
  })

  it('reports everything that is wrong at once, with places', () => {
    const text = `name: cards
owner: group:payments
purposes: typo
callers: [payments]
hosts: ['*.com', 'a b.example']
operations:
  - get /x
review_by: soon
lifecycle: productoin
`
    expect(problems({ 'cards.yaml': text })).toEqual([
      'apis/cards.yaml:1:1: purpose: expected a string, got nothing (add it)',
      'apis/cards.yaml:9:12: lifecycle: expected one of experimental, production, deprecated, retired, got "productoin" (did you mean production?)',
      'apis/cards.yaml:4:11: callers[0]: expected a SPIFFE ID such as spiffe://shop.test/payments, or one that ends in /*, got "payments"',
      'apis/cards.yaml:7:5: operations[0]: expected a method and a path template, such as POST /v1/charges/{id}, got "get /x"',
      'apis/cards.yaml:8:12: review_by: expected a date such as 2027-02-01, got "soon" (add it)'.replace(
        ' (add it)',
        '',
      ),
      'apis/cards.yaml:3:1: purposes: expected a known key, got "purposes" (did you mean purpose?)',
    ])
  })

  it.each([
    ['a wildcard over a whole top-level domain', "hosts: ['*.example']"],
    ['a wildcard in the middle', "hosts: ['api.*.example.com']"],
    ['a bare star', "hosts: ['*']"],
    ['an address that is not allowed as one', "hosts: ['192.0.2.1']"],
    ['an address in another spelling', "hosts: ['0x7f.1']"],
    ['a port out of range', "hosts: ['a.example:70000']"],
  ])('refuses %s as a host', (_, line) => {
    const text = cardsYaml().replace(/hosts: .*/, line)
    expect(problems({ 'cards.yaml': text })).toEqual([expect.stringContaining('hosts[0]')])
  })

  it('accepts an address that the entry declares as one', () => {
    const text = cardsYaml('ip_literals: allow-declared\n').replace(
      /hosts: .*/,
      "hosts: ['192.0.2.1', '[2001:DB8::1]:8443']",
    )
    const { catalog } = catalogOf({ 'cards.yaml': text })
    expect(catalog.match({ host: '[2001:db8:0::1]', port: 8443 }).kind).toBe('entry')
    expect(catalog.match({ host: '192.0.2.1', port: 443 }).kind).toBe('entry')
  })

  it.each([
    ['a day that does not exist', 'review_by: 2027-02-30', 'review_by'],
    ['an entry without its file name', 'name: card', 'name'],
  ])('refuses %s', (_, line, setting) => {
    const key = line.split(':')[0]!
    const text = cardsYaml().replace(new RegExp(`^${key}: .*`, 'm'), line)
    expect(catalogOf({ 'cards.yaml': text }).problems.map((one) => one.setting)).toEqual([setting])
  })

  it.each([
    ['authentication without a credential', 'authentication: { kind: header }', 'authentication'],
    [
      'a credential that nothing uses',
      'credential: { id: k, from: { environment: K } }',
      'credential',
    ],
    [
      'two sources for one key',
      'credential: { id: k, from: { environment: K, file: k } }\nauthentication: { kind: header }',
      'credential.from',
    ],
    [
      'a single pin',
      "tls: { pins: ['sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='] }",
      'tls.pins',
    ],
    ['an unknown dependency', 'depends_on: [card]', 'depends_on[0]'],
    [
      'a key over plaintext',
      'unsafe_plaintext: true\ncredential: { id: k, from: { environment: K } }\nauthentication: { kind: header }',
      'unsafe_plaintext',
    ],
    [
      'a header in a tunnel',
      'connect: tunnel\ncredential: { id: k, from: { environment: K } }\nauthentication: { kind: header }',
      'authentication',
    ],
  ])('refuses %s', (_, lines, setting) => {
    expect(
      catalogOf({ 'cards.yaml': cardsYaml(`${lines}\n`) }).problems.map((one) => one.setting),
    ).toEqual([setting])
  })

  it('refuses one host in two entries', () => {
    const other = cardsYaml()
      .replace('name: cards', 'name: other')
      .replace('cards.example', 'CARDS.example.')
    expect(problems({ 'cards.yaml': cardsYaml(), 'other.yaml': other })).toEqual([
      expect.stringMatching(
        /apis\/other.yaml:6:9: hosts\[0\]: expected a host that no other entry declares, got cards.example:8443, declared by cards/,
      ),
    ])
  })

  it('refuses an operation that is declared twice and one whose template is broken', () => {
    const text = cardsYaml().replace(
      '  - POST /v1/charges\n',
      '  - GET /v1/charges/{charge}\n  - GET /a/{b/c\n',
    )
    expect(problems({ 'cards.yaml': text })).toEqual([
      expect.stringContaining('operations[1]'),
      expect.stringContaining('operations[2]'),
    ])
  })

  it('gives the place of a fault inside the OpenAPI document, and fetches nothing', () => {
    const text = cardsYaml().replace(
      /operations:\n(.*\n){2}/,
      'operations: { openapi: cards.openapi.yaml }\n',
    )
    const openapi = `openapi: 3.1.0
info: { title: cards, version: '1' }
paths:
  /v1/charges:
    post:
      requestBody:
        $ref: 'https://vendor.example/body.json'
      responses: { '200': { description: ok } }
`
    expect(problems({ 'cards.yaml': text, 'cards.openapi.yaml': openapi })).toEqual([
      'apis/cards.openapi.yaml:7:15: paths./v1/charges.post.requestBody.$ref: expected a reference within this document, got "https://vendor.example/body.json" (bring what it points at into this document; nothing is fetched)',
    ])
    const good = openapi.replace(
      "$ref: 'https://vendor.example/body.json'",
      'content: { application/json: {} }',
    )
    const { catalog } = catalogOf({ 'cards.yaml': text, 'cards.openapi.yaml': good })
    expect(catalog.get('cards')?.operations.map((one) => one.id)).toEqual(['POST /v1/charges'])
  })

  it('leaves a broken entry out and keeps the others', () => {
    const { catalog, problems: found } = catalogOf({
      'cards.yaml': cardsYaml(),
      'bad.yaml': 'name: [',
    })
    expect(catalog.entries.map((one) => one.name)).toEqual(['cards'])
    expect(found.length).toBeGreaterThan(0)
  })
})
