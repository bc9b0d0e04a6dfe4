/** The identity section of the configuration: what it takes, and what it says about the rest. */
import { describe, expect, it } from 'vitest'
import { identitySection } from '../../src/identity/section.ts'

const development = { development: { spiffe_id: 'spiffe://shop.local/orders' } }
const faults = (value: unknown): string[] =>
  identitySection
    .safeParse(value)
    .error?.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`) ?? []

describe('the identity section', () => {
  it('fills in what is left out', () => {
    const { source, bundles, key_files } = identitySection.parse({
      source: { directory: { path: '/svid' } },
    })
    expect([
      source.directory?.certificate,
      source.directory?.check_every,
      bundles,
      key_files,
    ]).toEqual(['tls.crt', 2000, [], 'private'])
  })

  it.each([
    ['no source', { source: {} }, 'exactly one'],
    ['two sources', { source: { ...development, directory: { path: '/svid' } } }, 'exactly one'],
    ['an id that is none', { source: { development: { spiffe_id: 'orders' } } }, 'spiffe id'],
    ['a trust domain that is none', { source: development, trust_domain: 'Shop' }, 'trust domain'],
    ['a key that it does not know', { source: development, trustdomain: 'shop' }, 'trustdomain'],
    ['a crl section without files', { source: development, crl: { files: [] } }, 'files'],
    [
      'a duration that is none',
      { source: development, crl: { files: ['a'], max_age: '5' } },
      'duration',
    ],
  ])('refuses %s', (_name, value, text) => {
    expect(faults(value).join('\n')).toContain(text)
  })

  it('takes a federated bundle, revocation lists and the workload api', () => {
    const value = {
      source: { workload_api: { socket: 'unix:///run/spire/agent.sock' } },
      trust_domain: 'shop.local',
      bundles: [{ trust_domain: 'partner.example', file: 'partner.json' }],
      crl: { files: ['crl.pem'], max_age: '1d' },
    }
    expect(faults(value)).toEqual([])
  })
})
