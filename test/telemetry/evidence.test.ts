import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  EvidenceCollector,
  formatEvidence,
  measureOf,
  undeclared,
} from '../../src/telemetry/audit/evidence.ts'
import { codes } from '../../src/exchange/codes.ts'
import { verifyAudit } from '../../src/telemetry/audit/verify-audit.ts'
import { aTrail, decisionOf } from './audit-trail.ts'
import type { TestTrail } from './audit-trail.ts'

let trail: TestTrail
beforeEach(async () => {
  trail = await aTrail()
})
afterEach(() => trail.remove())

const gather = async () => {
  const audit = trail.open({ decisions: 'all' })
  audit.record(
    decisionOf(0, {
      decision: 'allow',
      code: undefined,
      purpose: 'card charges',
      credential: 'stripe-live',
    }),
  )
  audit.record(decisionOf(1, { code: 'api.response-contract' }))
  audit.record(decisionOf(2, { code: 'api.redirect' }))
  audit.record(decisionOf(3, { code: 'api.tls' }))
  audit.record(decisionOf(4, { code: 'api.timeout' }))
  audit.record(decisionOf(5, { code: 'policy.denied', decision: 'would-deny', mode: 'shadow' }))
  audit.record(
    decisionOf(6, {
      api: undefined,
      owner: undefined,
      host: 'evil.example',
      code: 'api.undeclared',
    }),
  )
  audit.record(decisionOf(7, { line: 'inbound', code: 'policy.denied' }))
  await audit.close()
  const collector = new EvidenceCollector()
  const report = await verifyAudit(trail.path, { trust: 'any', onRecord: collector.collect })
  expect(report.verdict).toBe('intact')
  return collector.evidence()
}

describe('evidence', () => {
  it('counts third-party calls by API and refusals by measure, and leaves the mesh out', async () => {
    const [none, stripe, ...rest] = await gather()
    expect(rest).toEqual([])
    expect(none).toMatchObject({
      api: undeclared,
      calls: 1,
      denied: 1,
      hosts: ['evil.example'],
      owner: undefined,
    })
    expect(stripe).toMatchObject({
      api: 'stripe',
      owner: 'payments',
      purpose: 'card charges',
      calls: 6,
      allowed: 1,
      denied: 4,
      wouldDeny: 1,
      callers: ['spiffe://shop.example/payments'],
      credentials: ['stripe-live'],
    })
    const refusals = Object.fromEntries(
      stripe!.measures.map(({ measure, refusals: count }) => [measure, count]),
    )
    expect(refusals).toEqual({
      inventory: 0,
      transport: 1,
      validation: 1,
      redirects: 1,
      resources: 0,
      timeouts: 1,
      destination: 0,
      disclosure: 0,
      authorization: 1,
    })
    expect(stripe!.measures.find(({ measure }) => measure === 'validation')!.records).toEqual([
      decisionOf(1).id,
    ])
  })

  it('reads as Markdown, CSV and JSON', async () => {
    const evidence = await gather()
    const markdown = formatEvidence(evidence, 'markdown')
    expect(markdown).toContain('API10:2023')
    expect(markdown).toContain(
      '| what a provider answers is validated before it is used | 1 | api.response-contract 1 |',
    )
    const csv = formatEvidence(evidence, 'csv').split('\r\n')
    expect(csv[0]).toBe(
      'api,owner,purpose,calls,allowed,denied,would_deny,first_call,last_call,measure,refusals,codes,records',
    )
    expect(csv).toHaveLength(1 + 2 * 9 + 1)
    expect(JSON.parse(formatEvidence(evidence, 'json'))).toMatchObject({
      apis: [{ api: undeclared }, { api: 'stripe' }],
    })
  })

  it('lets no cell become a formula or a cell of a table', () => {
    const collector = new EvidenceCollector()
    collector.collect(decisionOf(0, { api: '=1+1', owner: 'a|b', purpose: 'x,"y"' }))
    const evidence = collector.evidence()
    expect(formatEvidence(evidence, 'csv')).toContain(`'=1+1,a|b,"x,""y"""`)
    expect(formatEvidence(evidence, 'markdown')).toContain(String.raw`Owner: a\|b.`)
  })

  it.each([
    ['api.undeclared', 'inventory'],
    ['api.leak', 'disclosure'],
    ['limit.rate', 'resources'],
    ['token.expired', undefined],
    ['api.made-up', undefined],
  ])('sorts %s under %s', (code, measure) => {
    expect(measureOf(code)).toBe(measure)
  })

  it('knows every code of the api family that refuses a call', () => {
    const names = Object.keys(codes).filter((name) => name.startsWith('api.'))
    expect(names.length).toBeGreaterThan(10)
    for (const name of names) expect(measureOf(name), name).toBeDefined()
  })
})
