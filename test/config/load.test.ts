import type { KeyObject } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadSection } from '../../src/config/load.ts'
import { formatFault } from '../../src/config/read/fault.ts'
import { issueRoot, issueSvid, validFor } from '../../src/identity/authority.ts'
import { aConfig, faultsOf, load, testTime, wholeConfig } from './fixture.ts'

const shortest = `service: { name: web }
identity:
  source:
    development: { spiffe_id: spiffe://shop.local/web }
`

const change = (from: string, to: string): string => {
  expect(wholeConfig).toContain(from)
  return wholeConfig.replace(from, to)
}

describe('a configuration', () => {
  it('is short when the defaults fit', () => {
    const { config } = load(aConfig(shortest))
    expect(config.inbound).toBeUndefined()
    expect(config.admin.listen).toEqual({ host: '127.0.0.1', port: 15_000 })
    expect(config.policy.budget.wall).toBe(50)
  })

  it('names files from its own folder', () => {
    const file = aConfig()
    expect(load(file).config.policy.directory).toBe(join(dirname(file), 'policies'))
  })

  it('has a revision that changes with the file and with nothing else', () => {
    const file = aConfig()
    const first = load(file).revision
    expect(load(file).revision).toBe(first)
    writeFileSync(file, change('timeout: 5s', 'timeout: 6s'))
    expect(load(file).revision).not.toBe(first)
  })

  it('lists the settings in force that weaken security', () => {
    const text = change(
      '  app: 127.0.0.1:15001',
      '  app: 0.0.0.0:15001\n  unsafe_app_listener_anywhere: true',
    )
    expect(load(aConfig(text)).unsafe).toMatchObject([
      { setting: 'listeners.unsafe_app_listener_anywhere' },
    ])
    expect(load(aConfig()).unsafe).toEqual([])
  })

  it('takes facts of the deployment from the environment', () => {
    const { config } = load(aConfig(), {
      SALLYPORT_SERVICE_NAME: 'orders-2',
      SALLYPORT_APP_ADDRESS: '127.0.0.1:9090',
    })
    expect(config.service.name).toBe('orders-2')
    expect(config.inbound?.app.address.port).toBe(9090)
  })

  it('does not replace ${…} in the file', () => {
    const faults = faultsOf(aConfig(change('name: orders', 'name: ${HOME}')), { HOME: 'orders' })
    expect(faults[0]).toMatchObject({ setting: 'service.name', got: '"${HOME}"' })
  })
})

describe('one section', () => {
  const section = (file: string, environment = {}) =>
    loadSection({ file, environment, now: () => testTime }, 'listeners')

  it('is read without what the others name', () => {
    const file = aConfig(change('directory: policies\n', 'directory: nowhere\n'))
    expect(section(file).health.port).toBe(15_021)
  })

  it('is refused when it is wrong itself', () => {
    const file = aConfig(change('health: 0.0.0.0:15021', 'health: nowhere'))
    expect(() => section(file)).toThrow(/listeners\.health: expected host:port/)
  })
})

describe('faults', () => {
  it('are reported all at once, those of other files too', () => {
    const text = change('timeout: 5s', 'timeout: soon').replace('strict: true', 'strict: 3')
    const faults = faultsOf(aConfig(text, { 'policies/data.yaml': 'a: [' }))
    expect(faults.map(({ setting }) => setting)).toEqual(
      expect.arrayContaining(['inbound.routes[0].timeout', 'policy.strict']),
    )
  })

  it('name the variable when a setting came from the environment', () => {
    const [fault] = faultsOf(aConfig(), { SALLYPORT_APP_ADDRESS: 'nowhere' })
    expect(fault).toMatchObject({ file: 'SALLYPORT_APP_ADDRESS', setting: 'inbound.app.address' })
  })

  it('are printed in two lines: place and mismatch, then the fix', () => {
    const file = aConfig(change('timeout: 5s', 'timout: 5s'))
    expect(formatFault(faultsOf(file)[0]!)).toBe(
      `${file}:22:7: inbound.routes[0].timout: expected a known key, got "timout"\n  hint: did you mean timeout`,
    )
  })
})

describe('a file', () => {
  const cases: readonly (readonly [string, string, { got?: string; hint: RegExp }])[] = [
    ['that gives a key twice', `${shortest}service: { name: x }\n`, { hint: /remove one/ }],
    ['that is indented with tabs', 'service:\n\tname: x\n', { hint: /spaces/ }],
    ['with a tag', 'service: !!js/function "x"\n', { hint: /remove the tag/ }],
    ['with a merge key', `${shortest}x: &x { a: 1 }\ny: { <<: *x }\n`, { hint: /keys here/ }],
    ['with two documents', `${shortest}---\na: 1\n`, { hint: /---/ }],
    ['that sets a prototype', `${shortest}__proto__: { admin: true }\n`, { hint: /keys here/ }],
    ['that is empty', '', { hint: /add service/ }],
    ['that is a list', '- 1\n', { hint: /mend the file/ }],
    [
      'with a control character in a path',
      `${shortest}policy: { directory: "a\\0b" }\n`,
      { hint: /control character/ },
    ],
    ['that nests without end', `a: ${'['.repeat(60_000)}`, { hint: /./ }],
    ['that is too large', `# ${'x'.repeat(1024 * 1024)}`, { hint: /shorten/ }],
  ]
  it.each(cases)('%s is refused', (_, text, { hint }) => {
    const faults = faultsOf(aConfig(text))
    expect(faults.map((fault) => fault.hint).join('\n')).toMatch(hint)
    for (const fault of faults) expect(fault.line).toBeGreaterThanOrEqual(1)
  })

  it('with aliases that grow without end is refused', () => {
    const levels = Array.from({ length: 9 }, (_, n) =>
      n === 0
        ? 'a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]'
        : `a${n}: &a${n} [${Array(9)
            .fill(`*a${n - 1}`)
            .join(', ')}]`,
    )
    expect(faultsOf(aConfig(levels.join('\n')))[0]?.hint).toMatch(/aliases/)
  })

  it('that does not exist is refused', () => {
    expect(faultsOf('/nowhere/sallyport.yaml')[0]).toMatchObject({ got: 'no file' })
  })
})

describe('policies', () => {
  it('that do not compile are reported at their own line', () => {
    const rego = 'package sallyport.inbound\n\nallow if {\n  x == 1\n}\n'
    const file = aConfig(wholeConfig, { 'policies/inbound.rego': rego })
    expect(faultsOf(file)).toMatchObject([
      { file: join(dirname(file), 'policies/inbound.rego'), line: 4, column: 3 },
    ])
  })

  it('that lack a rule which a route names are reported at the route', () => {
    const file = aConfig(
      change('rule: data.sallyport.inbound.allow', 'rule: data.sallyport.inbound.alow'),
    )
    expect(faultsOf(file)).toMatchObject([
      {
        setting: 'inbound.routes[0].policy.rule',
        hint: 'did you mean data.sallyport.inbound.allow',
      },
    ])
  })

  it('get their data from JSON and YAML, each at the path of its folder', () => {
    const { policies } = load(
      aConfig(wholeConfig, {
        'policies/data.json': '{"limits": {"max": 3}}',
        'policies/teams/data.yaml': 'shop: [orders]',
      }),
    )
    expect(policies.data).toEqual({ limits: { max: 3 }, teams: { shop: ['orders'] } })
  })

  it('report data that does not parse where it does not', () => {
    const file = aConfig(wholeConfig, { 'policies/data.json': '{\n  "a": 1,\n  "b": }\n' })
    expect(faultsOf(file)).toMatchObject([{ line: 3, column: 8, expected: 'JSON' }])
  })

  it('report a key that two files give', () => {
    const file = aConfig(wholeConfig, {
      'policies/data.json': '{"teams": {"shop": 1}}',
      'policies/teams/data.yaml': 'shop: 2',
    })
    expect(faultsOf(file)[0]?.hint).toBe('keep each key in one file')
  })

  it('that are absent are reported', () => {
    const file = aConfig(change('directory: policies\n', 'directory: certs\n'))
    expect(faultsOf(file)).toMatchObject([{ expected: 'at least one *.rego file' }])
  })
})

describe('sections that disagree', () => {
  const second = (route: string) => change('outbound:', `${route}outbound:`)
  const cases: readonly (readonly [string, string, string, RegExp])[] = [
    [
      'two routes for the same requests',
      second('    - name: other\n      path: /orders/{order}\n      methods: [GET, PUT]\n'),
      'inbound.routes[1].path',
      /read-order/,
    ],
    [
      'two routes of one name',
      second('    - { name: read-order, path: /x }\n'),
      'inbound.routes[1].name',
      /inbound\.routes\[0\]\.name/,
    ],
    [
      'a provider that does not exist',
      change('          - shop', '          - shap'),
      'inbound.routes[0].tokens',
      /shap/,
    ],
    [
      'an admin listener that the network reaches',
      change('listen: 127.0.0.1:15000', 'listen: 0.0.0.0:15000'),
      'admin.listen',
      /0\.0\.0\.0:15000/,
    ],
    [
      'an app listener that the network reaches',
      change('app: 127.0.0.1:15001', 'app: 10.0.0.1:15001'),
      'listeners.app',
      /10\.0\.0\.1/,
    ],
    [
      'two listeners on one port',
      change('health: 0.0.0.0:15021', 'health: 0.0.0.0:15000'),
      'admin.listen',
      /listeners\.health/,
    ],
    [
      'an application that is the sidecar itself',
      change('address: 127.0.0.1:8080', 'address: 127.0.0.1:15001'),
      'inbound.app.address',
      /our own/,
    ],
    [
      'a folder that does not exist',
      change('directory: policies\n', 'directory: polcies\n'),
      'policy.directory',
      /does not exist/,
    ],
    [
      'a service with two kinds of address',
      change(
        '      spiffe_id: spiffe://shop.local/payments',
        '      spiffe_id: spiffe://shop.local/payments\n      dns: payments:1',
      ),
      'outbound.services[0]',
      /./,
    ],
  ]
  it.each(cases)('report %s', (_, text, setting, got) => {
    const fault = faultsOf(aConfig(text)).find((each) => each.setting === setting)
    expect(fault?.got).toMatch(got)
    expect(fault?.hint).not.toBe('')
  })

  it('take two routes that differ in method', () => {
    const text = second('    - name: write-order\n      path: /orders/{id}\n      methods: [PUT]\n')
    expect(load(aConfig(text)).config.inbound?.routes).toHaveLength(2)
  })

  it('take a literal route beside a template', () => {
    const text = second('    - name: newest\n      path: /orders/newest\n')
    expect(load(aConfig(text)).config.inbound?.routes).toHaveLength(2)
  })
})

describe('a directory source', () => {
  const text = `service: { name: web }
identity:
  source:
    directory: { path: certs }
`
  const root = issueRoot('shop.local', validFor(testTime, 86_400_000))
  const issue = (now = testTime) =>
    issueSvid(root, {
      spiffeId: 'spiffe://shop.local/web',
      validity: { notBefore: now - 60_000, notAfter: now + 3_600_000 },
    })
  const pem = (der: Buffer): string =>
    `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----\n`
  const keyPem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString()
  const bundle = pem(root.certificate.der)

  it('takes a certificate with its key', () => {
    const { chain, privateKey } = issue()
    const file = aConfig(text, {
      'certs/tls.crt': pem(chain[0]!),
      'certs/tls.key': keyPem(privateKey),
      'certs/ca.crt': bundle,
    })
    expect(load(file).config.identity.source.directory?.key).toBe('tls.key')
  })

  it('refuses a key that belongs to another certificate', () => {
    const file = aConfig(text, {
      'certs/tls.crt': pem(issue().chain[0]!),
      'certs/tls.key': keyPem(issue().privateKey),
      'certs/ca.crt': bundle,
    })
    expect(faultsOf(file)).toMatchObject([
      { setting: 'identity.source.directory.key', got: 'the key of another certificate' },
    ])
  })

  it('refuses an expired certificate', () => {
    const { chain, privateKey } = issue(testTime - 7_200_000)
    const file = aConfig(text, {
      'certs/tls.crt': pem(chain[0]!),
      'certs/tls.key': keyPem(privateKey),
      'certs/ca.crt': bundle,
    })
    expect(faultsOf(file)).toMatchObject([{ setting: 'identity.source.directory.certificate' }])
  })

  it('says which files are missing, all at once', () => {
    expect(faultsOf(aConfig(text)).map(({ setting }) => setting)).toEqual([
      'identity.source.directory.certificate',
      'identity.source.directory.key',
      'identity.source.directory.bundle',
    ])
  })
})

describe('the development source', () => {
  it('issues identities of its own trust domain only', () => {
    const file = aConfig(
      change('spiffe_id: spiffe://shop.local/orders', 'spiffe_id: spiffe://other.local/x'),
    )
    expect(faultsOf(file)).toMatchObject([{ setting: 'identity.source.development.spiffe_id' }])
  })

  it('needs an authority in its folder', () => {
    const file = aConfig(change('path: certs', 'path: policies'))
    expect(faultsOf(file)).toMatchObject([{ setting: 'identity.source.development.path' }])
  })
})

describe('key material', () => {
  const bundle = (file: string) =>
    change(
      '  trust_domain: shop.local\n',
      `  bundles: [{ trust_domain: other.local, file: ${file} }]\n`,
    )
  const keys = change('jwks_uri: https://id.shop.example/keys', 'jwks_file: keys.json')

  it.each([
    ['a bundle that is none', bundle('policies/inbound.rego'), 'identity.bundles[0].file'],
    ['a bundle that is absent', bundle('absent.pem'), 'identity.bundles[0].file'],
    ['a key set without keys', keys, 'tokens.providers.shop.jwks_file'],
  ])('that is %s is refused', (_, text, setting) => {
    const file = aConfig(text, { 'keys.json': '{"keys": []}' })
    expect(faultsOf(file)).toMatchObject([{ setting }])
  })

  it('that can be used is taken', () => {
    const file = aConfig(keys, { 'keys.json': '{"keys": [{"kty": "EC"}]}' })
    expect(load(file).config.tokens.providers['shop']?.jwks_file).toBe(
      join(dirname(file), 'keys.json'),
    )
  })
})

describe('a catalog beside the services', () => {
  const entry = `name: payments
owner: group:payments
purpose: charge cards
callers: [spiffe://shop.local/orders]
hosts: ['payments.shop.svc:443']
operations: [GET /charges]
review_by: 2030-01-01
`

  it('may not declare the host of a mesh service', () => {
    const file = aConfig(wholeConfig, { 'policies/apis/payments.yaml': entry })
    expect(faultsOf(file)).toMatchObject([{ setting: 'outbound.services[0].hosts[0]' }])
  })

  it('may declare any other host', () => {
    const other = entry.replace('payments.shop.svc', 'api.pay.example')
    const file = aConfig(wholeConfig, { 'policies/apis/payments.yaml': other })
    expect(load(file).catalog.entries).toHaveLength(1)
  })

  it('has its faults reported in its own files', () => {
    const wrong = entry.replace('purpose:', 'purpos:')
    const file = aConfig(wholeConfig, { 'policies/apis/payments.yaml': wrong })
    const faults = faultsOf(file)
    expect(faults.map((fault) => fault.file)).toContain(
      join(dirname(file), 'policies/apis/payments.yaml'),
    )
    expect(faults.every(({ hint }) => hint !== '')).toBe(true)
  })
})
