import { describe, expect, it } from 'vitest'
import { SchemaCompiler } from '../../../src/catalog/contract/schema-compiler.ts'
import { Discovery } from '../../../src/catalog/discovery/discovery.ts'
import type { ObservedCall } from '../../../src/catalog/discovery/discovery.ts'
import { draftEntries, draftPolicy, draftSchemas } from '../../../src/catalog/discovery/draft.ts'
import { looksStatic } from '../../../src/catalog/discovery/path-tree.ts'
import { judgeRedirect } from '../../../src/catalog/distrust/inspect-response.ts'
import { judgeCall } from '../../../src/catalog/judge-call.ts'
import { compileBundle } from '../../../src/rego/policy.ts'
import { catalogOf } from '../../support/catalog.ts'

const now = Date.parse('2026-11-23T12:00:00Z')
const web = 'spiffe://shop.test/web'
const payments = 'spiffe://shop.test/payments'
const call = (changes: Partial<ObservedCall>): ObservedCall => ({
  host: 'api.cards.example',
  port: 443,
  method: 'GET',
  path: '/v1/charges',
  query: '',
  caller: payments,
  status: 200,
  traceId: undefined,
  ...changes,
})

const traffic: readonly ObservedCall[] = [
  call({ path: '/v1/charges/ch_3Nxyz42', traceId: 'a'.repeat(32) }),
  call({ path: '/v1/charges/ch_9QQQQ17', status: 404 }),
  call({
    path: '/v1/charges',
    method: 'POST',
    data: ['pci'],
    requestBody: { amount: 1, card: { number: '4242' } },
    responseBody: { id: 'ch_1', paid: true },
  }),
  call({ path: '/v1/charges/ch_3Nxyz42/refunds', method: 'POST', caller: web }),
  call({
    path: '/v1/charges/ch_3Nxyz42/receipt',
    status: 302,
    redirect: 'files.cards.example:443',
  }),
  call({ path: '/v1/customers/jo@shop.example/cards/42' }),
  call({ path: '/' }),
  ...'alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi'
    .split(' ')
    .map((word) => call({ path: `/v1/plans/${word}/price` })),
  call({
    host: 'hooks.chat.example',
    port: 8443,
    method: 'POST',
    path: '/services/T00000000/B11111111/XXXXXXXXXXXXXXXXXXXXXXXX',
    caller: web,
  }),
  call({ host: 'old.example', path: '/feed.json', caller: web, unsafeJson: 'yes' }),
]

const learn = (calls: readonly ObservedCall[], limits = { hosts: 10, shapes: 50 }): Discovery => {
  const discovery = new Discovery(limits)
  for (const [index, one] of calls.entries()) discovery.learn(one, now + index * 60_000)
  return discovery
}
const options = { now, reviewDays: 90 }

/** Every observed call against a draft; the number of refusals. */
const replay = (entries: Readonly<Record<string, string>>, policyText: string): number => {
  const { catalog } = catalogOf(entries)
  const decide = policyOf(policyText)
  return traffic.filter((one) => {
    const match = catalog.match({ host: one.host, port: one.port })
    if (match.kind !== 'entry') return true
    const verdict = judgeCall(
      match.entry,
      { method: one.method, path: one.path, caller: one.caller, data: one.data ?? [] },
      now,
      0,
    )
    if (verdict.decision === 'refuse') return true
    if (one.unsafeJson && match.entry.distrust.json === 'enforce') return true
    const url = `https://${one.host}:${one.port}${one.path}`
    const head = {
      status: one.status ?? 0,
      headers:
        one.redirect === undefined ? [] : [['location', `https://${one.redirect}/x`] as const],
    }
    if (
      judgeRedirect(
        { entry: match.entry, operation: verdict.operation, method: one.method, url },
        head,
      )
    )
      return true
    return !decide({
      api: { name: match.entry.name, operation: verdict.operation.id },
      peer: { id: one.caller },
    })
  }).length
}

const policyOf = (text: string): ((input: object) => boolean) => {
  try {
    const query = compileBundle({ modules: [{ file: 'egress.rego', text }], data: {} }).prepare(
      'data.sallyport.egress.allow',
    )
    return (input) => query.decide(input).value === true
  } catch {
    return () => false
  }
}

describe('a draft of what was observed', () => {
  const hosts = learn(traffic).learned()
  const entries = Object.fromEntries(
    draftEntries(hosts, options).map(({ file, text }) => [file, text]),
  )
  const policy = draftPolicy(hosts).text

  it('is a valid catalog that refuses no observed call', () => {
    expect(catalogOf(entries).problems).toEqual([])
    expect(Object.keys(entries)).toEqual([
      'api-cards-example.yaml',
      'hooks-chat-example.yaml',
      'old-example.yaml',
    ])
    expect(replay(entries, policy)).toBe(0)
  })

  it('has no line that could be taken away from an entry without a refusal', () => {
    for (const [file, text] of Object.entries(entries)) {
      const lines = text.trimEnd().split('\n')
      const needless = lines.filter(
        (_, index) =>
          replay({ ...entries, [file]: lines.toSpliced(index, 1).join('\n') }, policy) === 0,
      )
      expect(needless).toEqual([])
    }
  })

  it('has no line that could be taken away from the policy without a refusal', () => {
    const lines = policy.split('\n')
    const needless = lines.filter(
      (line, index) => line !== '' && replay(entries, lines.toSpliced(index, 1).join('\n')) === 0,
    )
    expect(needless).toEqual([])
  })

  it('allows nothing that was not seen', () => {
    const { catalog } = catalogOf(entries)
    const match = catalog.match({ host: 'api.cards.example', port: 443 })
    if (match.kind !== 'entry') throw new Error('not drafted')
    const judge = (method: string, path: string, caller: string) =>
      judgeCall(match.entry, { method, path, caller, data: [] }, now, 0).decision
    expect(judge('DELETE', '/v1/charges/ch_1', payments)).toBe('refuse')
    expect(judge('GET', '/v1/payouts', payments)).toBe('refuse')
    expect(judge('GET', '/v1/charges/ch_1', 'spiffe://shop.test/other')).toBe('refuse')
    const decide = policyOf(policy)
    expect(
      decide({
        api: { name: 'api-cards-example', operation: 'POST /v1/charges' },
        peer: { id: payments },
      }),
    ).toBe(true)
    expect(
      decide({
        api: { name: 'api-cards-example', operation: 'POST /v1/charges' },
        peer: { id: web },
      }),
    ).toBe(false)
  })

  it('names the evidence beside each line', () => {
    const text = entries['api-cards-example.yaml']!
    expect(text).toContain(
      `  - "GET /v1/charges/{charge_id}" # 2 calls, 2026-11-23, by spiffe://shop.test/payments, answers 200 (1) 404 (1), trace ${'a'.repeat(32)}`,
    )
    expect(text).toContain('  - "GET /v1/plans/{plan_id}/price" # 14 calls')
    expect(text).toContain('  - "GET /v1/customers/{customer_id}/cards/{card_id}"')
    expect(text).toContain('  - "pci" # 1 call')
    expect(entries['hooks-chat-example.yaml']).toContain(
      '  - "POST /services/{service_id}/{id}/{id_2}"',
    )
    expect(
      text
        .split('\n')
        .filter((line) => line.startsWith('  - '))
        .every((line) => line.includes(' # ')),
    ).toBe(true)
  })

  it('drafts contracts from shapes, which accept what was seen', () => {
    const schema = JSON.parse(
      draftSchemas(hosts).find((one) => one.file.endsWith('post-v1-charges.request.schema.json'))!
        .text,
    ) as object
    const check = new SchemaCompiler('as-is').compile(schema)
    expect(check({ amount: 1, card: { number: 'x' } })).toBeUndefined()
    expect(check({ card: {} })).toMatchObject({ rule: 'required' })
  })
})

describe('what is learned', () => {
  const canaries = [
    'sk_live_canary1',
    'jo.canary@shop.example',
    '4242424242424242',
    'canary-9f8e7d6c5b4a',
    'Zq8Canary7Xk',
  ]
  it('holds no value of the traffic', () => {
    const discovery = learn(
      canaries.map((canary) =>
        call({
          path: `/v1/${encodeURIComponent(canary)}/x`,
          query: `token=${canary}&${encodeURIComponent(canary)}=1`,
          requestBody: { name: canary, [canary]: 1, list: [canary] },
          responseBody: { by_id: { [canary]: { note: canary } } },
        }),
      ),
    )
    const text = JSON.stringify([
      discovery.saved(),
      discovery.learned(),
      draftEntries(discovery.learned(), options),
      draftSchemas(discovery.learned()),
    ])
    for (const canary of canaries) expect(text).not.toContain(canary)
    expect(text).toContain('"token"')
  })

  it('survives a restart', () => {
    const before = learn(traffic)
    const after = new Discovery(
      { hosts: 10, shapes: 50 },
      JSON.parse(JSON.stringify(before.saved())),
    )
    expect(JSON.stringify(after.learned())).toBe(JSON.stringify(before.learned()))
    after.learn(traffic[0]!, now)
    expect(after.learned()[0]!.evidence.count).toBe(before.learned()[0]!.evidence.count + 1)
  })

  it('is bounded, and counts what it leaves out', () => {
    const many = learn(
      Array.from({ length: 30 }, (_, index) => call({ host: `h${index}.example` })),
    )
    expect([many.learned().length, many.forgotten]).toEqual([10, 20])
    const words = Array.from({ length: 5 }, (_, index) =>
      call({ path: '/x', method: `M${'ABCDE'[index]}` }),
    )
    expect(learn(words, { hosts: 1, shapes: 3 }).learned()[0]).toMatchObject({ leftOut: 2 })
    expect(learn([call({ path: '/a/%2e%2e/b' })]).learned()[0]).toMatchObject({
      leftOut: 1,
      operations: [],
    })
  })

  it.each([
    'charges',
    'v1',
    'v2.1',
    'Messages.json',
    'oauth2',
    'PhoneNumbers',
    'phoneNumbers',
    'list-items',
    'payment_methods',
    '',
    's3',
  ])('takes %s for a word', (segment) => {
    expect(looksStatic(segment)).toBe(true)
  })
  it.each([
    '42',
    'ch_3Nxyz',
    'a@b.example',
    '550e8400-e29b-41d4-a716-446655440000',
    'AbCdEfGhIj',
    'xkcdqwrt',
    '2026-11-23',
    'TKN',
    'a b',
    'ABCDEF',
    'é',
    'verylongsegmentthatnobodywouldwriteasaword',
  ])('takes %s for a value', (segment) => {
    expect(looksStatic(segment)).toBe(false)
  })
})
