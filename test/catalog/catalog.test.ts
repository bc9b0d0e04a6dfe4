import { describe, expect, it } from 'vitest'
import { matchOperation } from '../../src/catalog/catalog.ts'
import { judgeCall, reviewState } from '../../src/catalog/judge-call.ts'
import { cardsYaml, catalogOf, entryOf } from '../support/catalog.ts'

const wild = cardsYaml()
  .replace('name: cards', 'name: files')
  .replace(/hosts: .*/, "hosts: ['*.files.example']")
const { catalog } = catalogOf({ 'cards.yaml': cardsYaml(), 'files.yaml': wild })

describe('matching a destination', () => {
  it.each([
    ['cards.example', 8443],
    ['CARDS.Example', 8443],
    ['cards.example.', 8443],
    ['a.files.example', 443],
    ['a.b.files.example', 443],
  ])('finds the entry of %s:%d', (host, port) => {
    expect(catalog.match({ host, port }).kind).toBe('entry')
  })

  it.each([
    ['another host', 'evil.example', 443, 'undeclared-host'],
    ['another port', 'cards.example', 443, 'undeclared-port'],
    ['the apex of a wildcard', 'files.example', 443, 'undeclared-host'],
    ['a suffix without a dot', 'evilfiles.example', 443, 'undeclared-host'],
    ['a declared name as a prefix', 'cards.example.evil.example', 8443, 'undeclared-host'],
    ['an address', '192.0.2.7', 443, 'ip-literal'],
    ['an IPv6 address', '[::1]', 443, 'ip-literal'],
    ['an address in octal', '0177.0.0.1', 443, 'ip-spelling'],
    ['an address in hex', '0x7f.1', 443, 'ip-spelling'],
    ['an address as one number', '2130706433', 443, 'ip-spelling'],
    ['full-width digits', '１２７.0.0.1', 443, 'ip-spelling'],
    ['user information', 'user@cards.example', 8443, 'host-malformed'],
    ['a backslash', 'cards.example\\@evil', 8443, 'host-malformed'],
    ['a NUL', 'cards.example\0', 8443, 'host-malformed'],
    ['a zone', '[fe80::1%eth0]', 8443, 'host-malformed'],
    ['an escape', 'cards%2eexample', 8443, 'host-malformed'],
    ['nothing', '', 443, 'host-malformed'],
  ])('refuses %s', (_, host, port, reason) => {
    expect(catalog.match({ host, port })).toMatchObject({ kind: 'refused', reason })
  })

  it('compares international names in punycode', () => {
    const entry = catalogOf({
      'cards.yaml': cardsYaml().replace('cards.example:8443', 'bücher.example'),
    })
    expect(entry.catalog.match({ host: 'XN--BCHER-KVA.example', port: 443 }).kind).toBe('entry')
  })

  it('names the nearest entry, its owner and the YAML to add', () => {
    const match = catalog.match({ host: 'card.example', port: 8443 })
    expect(match).toMatchObject({
      nearest: [{ name: 'cards', owner: 'group:payments', host: 'cards.example:8443' }],
    })
    if (match.kind !== 'refused') throw new Error('matched')
    const name = 'card-example'
    const added = catalogOf({ [`${name}.yaml`]: match.draft })
    expect(added.problems).toEqual([])
    expect(added.catalog.match({ host: 'card.example', port: 8443 }).kind).toBe('entry')
  })

  it('prefers a declared name to a wildcard and a longer wildcard to a shorter', () => {
    const entry = (name: string, host: string): string =>
      cardsYaml()
        .replace('name: cards', `name: ${name}`)
        .replace(/hosts: .*/, `hosts: ['${host}']`)
    const { catalog: three } = catalogOf({
      'a.yaml': entry('a', '*.x.example'),
      'b.yaml': entry('b', '*.y.x.example'),
      'c.yaml': entry('c', 'z.y.x.example'),
    })
    const found = ['q.x.example', 'q.y.x.example', 'z.y.x.example'].map((host) => {
      const match = three.match({ host, port: 443 })
      return match.kind === 'entry' ? match.entry.name : 'none'
    })
    expect(found).toEqual(['a', 'b', 'c'])
  })
})

describe('matching an operation', () => {
  const entry = entryOf(
    cardsYaml().replace(
      '  - POST /v1/charges\n',
      `  - POST /v1/charges
  - GET /v1/charges/recent
  - GET /v1/reports/{day}.{format}
  - GET /v1/files/{path*}
  - DELETE /v1/charges/{id}
`,
    ),
  )
  it.each([
    ['GET', '/v1/charges/ch_1', 'GET /v1/charges/{id}', { id: 'ch_1' }],
    ['GET', '/v1/charges/recent', 'GET /v1/charges/recent', {}],
    ['DELETE', '/v1/charges/recent', 'DELETE /v1/charges/{id}', { id: 'recent' }],
    [
      'GET',
      '/v1/reports/monday.pdf',
      'GET /v1/reports/{day}.{format}',
      { day: 'monday', format: 'pdf' },
    ],
    ['GET', '/v1/files/a/b/c', 'GET /v1/files/{path*}', { path: 'a/b/c' }],
    ['GET', '/v1/charges/a%20b', 'GET /v1/charges/{id}', { id: 'a b' }],
  ])('finds %s %s', (method, path, id, parameters) => {
    expect(matchOperation(entry, method, path)).toMatchObject({
      kind: 'operation',
      operation: { id },
      parameters,
    })
  })

  it.each([
    ['GET', '/v1/charges', 'undeclared-method'],
    ['PATCH', '/v1/charges/1', 'undeclared-method'],
    ['GET', '/v2/charges/1', 'undeclared-operation'],
    ['GET', '/v1/charges/', 'undeclared-operation'],
    ['GET', '/v1/files/', 'undeclared-operation'],
    ['get', '/v1/charges/1', 'undeclared-method'],
    ['GET', '/v1//charges/1', 'undeclared-operation'],
    ['GET', '/v1/charges/1/refunds', 'undeclared-operation'],
    ['GET', '/v1/charges/..', 'path-ambiguous'],
    ['GET', '/v1/charges/%2e%2e', 'path-ambiguous'],
    ['GET', '/v1/charges/a%2Fb', 'path-ambiguous'],
    ['GET', '/v1/charges/a%252Fb', 'path-ambiguous'],
    ['GET', '/v1/charges/a%5cb', 'path-ambiguous'],
    ['GET', '/v1/charges/a%00b', 'path-ambiguous'],
    ['GET', '/v1/charges/%ff', 'path-ambiguous'],
    ['GET', 'v1/charges/1', 'path-ambiguous'],
  ])('refuses %s %s', (method, path, reason) => {
    expect(matchOperation(entry, method, path)).toMatchObject({ kind: 'refused', reason })
  })

  it('gives the line to add, without values from the call', () => {
    const match = matchOperation(entry, 'POST', '/v1/charges/ch_3Nxyz42/refunds')
    expect(match).toMatchObject({
      draft: 'operations:\n  - POST /v1/charges/{charge_id}/refunds\n',
    })
  })
})

describe('judging a call', () => {
  const now = Date.parse('2026-11-23T12:00:00Z')
  const call = {
    method: 'POST',
    path: '/v1/charges',
    caller: 'spiffe://shop.test/payments',
    data: [],
  }
  const day = 86_400_000
  const judge = (yaml: string, changes: object = {}, at = now) =>
    judgeCall(entryOf(yaml), { ...call, ...changes }, at, 14 * day)

  it('allows a declared call and names the data that leaves', () => {
    expect(judge(cardsYaml())).toMatchObject({ decision: 'allow', data: ['pci'], warnings: [] })
  })

  it.each([
    ['a caller that is not listed', cardsYaml(), { caller: 'spiffe://shop.test/web' }, 'caller'],
    [
      'a caller whose name begins like a listed one',
      cardsYaml(),
      { caller: 'spiffe://shop.test/payments2' },
      'caller',
    ],
    ['an undeclared operation', cardsYaml(), { path: '/v1/refunds' }, 'undeclared-operation'],
    ['a data class that may not leave', cardsYaml(), { data: ['health'] }, 'data-class'],
    ['a retired API', cardsYaml('lifecycle: retired\n'), {}, 'retired'],
  ])('refuses %s', (_, yaml, changes, reason) => {
    expect(judge(yaml, changes)).toMatchObject({ decision: 'refuse', reason })
  })

  it('lets a prefix stand for all below it, and not for itself', () => {
    const yaml = cardsYaml().replace('spiffe://shop.test/payments]', 'spiffe://shop.test/ns/*]')
    expect(judge(yaml, { caller: 'spiffe://shop.test/ns/a/sa/b' }).decision).toBe('allow')
    expect(judge(yaml, { caller: 'spiffe://shop.test/ns' }).decision).toBe('refuse')
    expect(judge(yaml, { caller: 'spiffe://shop.test/nsx' }).decision).toBe('refuse')
  })

  it('narrows callers and data per operation', () => {
    const yaml = cardsYaml()
      .replace(
        'spiffe://shop.test/payments]',
        'spiffe://shop.test/payments, spiffe://shop.test/web]',
      )
      .replace(
        '  - POST /v1/charges\n',
        '  - { method: POST, path: /v1/charges, callers: [spiffe://shop.test/payments], data: [] }\n',
      )
    expect(judge(yaml)).toMatchObject({ decision: 'allow', data: [] })
    expect(judge(yaml, { caller: 'spiffe://shop.test/web' })).toMatchObject({ reason: 'caller' })
  })

  it('flips at the end of the review day: announced, then warned of or refused', () => {
    const end = Date.parse('2027-02-02T00:00:00Z')
    const entry = entryOf(cardsYaml())
    expect(reviewState(entry, end - 15 * day, 14 * day)).toEqual({ state: 'current', daysLeft: 15 })
    expect(reviewState(entry, end - 1, 14 * day)).toEqual({ state: 'due-soon', daysLeft: 0 })
    expect(reviewState(entry, end, 14 * day)).toEqual({ state: 'overdue', daysLeft: 0 })
    expect(judge(cardsYaml(), {}, end)).toMatchObject({
      decision: 'allow',
      warnings: [{ reason: 'review-overdue' }],
    })
    const enforced = cardsYaml('review_mode: enforce\n')
    expect(judge(enforced, {}, end - 1)).toMatchObject({
      decision: 'allow',
      warnings: [{ reason: 'review-due-soon' }],
    })
    expect(judge(enforced, {}, end)).toMatchObject({
      decision: 'refuse',
      reason: 'review-overdue',
      hint: expect.stringContaining('group:payments') as string,
    })
  })
})
