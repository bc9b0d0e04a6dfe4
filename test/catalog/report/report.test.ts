import { describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { makeReport } from '../../../src/catalog/report/report.ts'
import { renderReport } from '../../../src/catalog/report/render.ts'
import { ApiUsage } from '../../../src/catalog/usage.ts'
import { cardsYaml, catalogOf } from '../../support/catalog.ts'

const now = Date.parse('2026-11-23T12:00:00Z')
const day = 86_400_000
const named = (name: string, more = '', host = name): string =>
  cardsYaml(more)
    .replace('name: cards', `name: ${name}`)
    .replace('cards.example', `${host}.example`)
const keyed =
  'credential: { id: k-live, from: { environment: K }, rotate_every: 100d }\nauthentication: { kind: header }\n'

const { catalog, problems } = catalogOf({
  'busy.yaml': named(
    'busy',
    `${keyed}links: [{ title: Status, url: 'https://status.example' }]\ndepends_on: [quiet]\n`,
  ),
  'quiet.yaml': named('quiet'),
  'orphan.yaml': named('orphan', 'unsafe_plaintext: true\n').replace(
    'group:payments',
    'group:unknown',
  ),
  'late.yaml': named('late').replace('2027-02-01', '2026-11-01'),
  'soon.yaml': named('soon', 'lifecycle: deprecated\n')
    .replace('2027-02-01', '2026-11-30')
    .replace('card charges for checkout', '\'=cmd|x, "y"\''),
})
const usage = new ApiUsage()
const callers = ['busy', 'orphan', 'late', 'soon']
for (const api of callers)
  usage.record({ api, caller: 'spiffe://shop.test/payments', outcome: 'answered' }, now - day)
usage.record({ api: 'busy', caller: 'spiffe://shop.test/payments', outcome: 'refused' }, now)
usage.record({ api: 'undeclared', caller: 'spiffe://shop.test/web', outcome: 'refused' }, now)
const ledger = [
  {
    entry: 'busy',
    id: 'k-live',
    fingerprint: 'aa',
    firstSeen: now - 120 * day,
    firstUse: undefined,
    lastUse: undefined,
    uses: 0,
  },
]
const report = makeReport({ catalog, usage: usage.rows(), ledger, now, reviewWarningMs: 14 * day })

describe('the report', () => {
  it('names unused, unowned, overdue, old keys, plaintext and refused calls, the worst first', () => {
    expect(problems).toEqual([])
    const found = report.findings
      .filter((one) => one.kind !== 'no-contract')
      .map((one) => `${one.severity} ${one.api} ${one.kind}`)
    expect(found).toEqual([
      'high busy old-key',
      'high late review-overdue',
      'high orphan plaintext',
      'high orphan unowned',
      'medium busy calls-refused',
      'medium quiet unused',
      'medium soon deprecated-in-use',
      'medium undeclared calls-refused',
      'low soon review-due-soon',
    ])
  })

  it('calls nothing unused when nothing was counted', () => {
    const silent = makeReport({ catalog, usage: undefined, ledger: [], now, reviewWarningMs: 0 })
    expect(silent.findings.some((one) => one.kind === 'unused')).toBe(false)
  })

  it('announces a key at 80 % of its time, and takes the newest key as the one in use', () => {
    const kinds = (rows: typeof ledger) =>
      makeReport({ catalog, usage: [], ledger: rows, now, reviewWarningMs: 0 })
        .findings.filter((one) => one.api === 'busy')
        .map((one) => one.kind)
    expect(kinds([{ ...ledger[0]!, firstSeen: now - 80 * day }])).toContain('key-due-soon')
    expect(
      kinds([...ledger, { ...ledger[0]!, fingerprint: 'bb', firstSeen: now - day }]),
    ).not.toContain('old-key')
  })

  it('is Markdown whose cells cannot break the table', () => {
    const text = renderReport(report, 'markdown')
    expect(text).toContain(
      '| high | busy | old-key | key k-live is 120 days old; its limit is 100 |',
    )
    expect(text).toContain('=cmd\\|x')
    expect(text.endsWith('|\n')).toBe(true)
  })

  it('is CSV that no spreadsheet runs', () => {
    const lines = renderReport(report, 'csv').split('\r\n')
    expect(lines).toHaveLength(7)
    expect(lines.find((line) => line.startsWith('soon'))).toContain(`"'=cmd|x, ""y"""`)
  })

  it('is JSON with usage and review', () => {
    const json = JSON.parse(renderReport(report, 'json')) as { apis: { name: string }[] }
    expect(json.apis.find((one) => one.name === 'busy')).toMatchObject({
      key_age_days: 120,
      usage: { calls: 2, refused: 1 },
      review: { state: 'current' },
    })
  })

  it('is Backstage entities that a YAML parser reads', () => {
    const entities = parseAllDocuments(renderReport(report, 'backstage')).map(
      (one) => one.toJS() as Record<string, unknown>,
    )
    expect(entities).toHaveLength(5)
    expect(entities[0]).toMatchObject({
      apiVersion: 'backstage.io/v1alpha1',
      kind: 'API',
      metadata: {
        name: 'busy',
        annotations: { 'sallyport.dev/credential': 'k-live' },
        links: [{ url: 'https://status.example', title: 'Status' }],
      },
      spec: {
        type: 'rest',
        lifecycle: 'production',
        owner: 'group:payments',
        definition: 'GET /v1/charges/{id}\nPOST /v1/charges',
        dependsOn: ['api:quiet'],
      },
    })
    expect(
      entities.every((one) =>
        ['type', 'lifecycle', 'owner', 'definition'].every((key) => key in (one['spec'] as object)),
      ),
    ).toBe(true)
  })

  it('is CycloneDX services with data flows and dependencies', () => {
    const bom = JSON.parse(renderReport(report, 'cyclonedx')) as {
      services: Record<string, unknown>[]
      dependencies: unknown[]
    }
    expect(bom).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.6' })
    expect(bom.services[0]).toMatchObject({
      name: 'busy',
      authenticated: true,
      'x-trust-boundary': true,
      endpoints: ['https://busy.example:8443'],
      data: [{ flow: 'outbound', classification: 'pci' }],
    })
    expect(bom.services.find((one) => one['name'] === 'orphan')).toMatchObject({
      authenticated: false,
      endpoints: ['http://orphan.example:8443'],
    })
    expect(bom.dependencies[0]).toEqual({ ref: 'service:busy', dependsOn: ['service:quiet'] })
  })
})
