/** Every authority between a leaf and its bundle that breaks the rules is refused, and its lawful twin is let in. */
import { describe, expect, it } from 'vitest'
import { validFor } from '../../src/identity/authority.ts'
import type { Authority, IssuedCertificate } from '../../src/identity/authority.ts'
import { bundleOf, trustIn } from '../../src/identity/trust-bundle.ts'
import { oid } from '../../src/identity/x509/oids.ts'
import { extension } from '../../src/identity/x509/write.ts'
import type { ExtensionText, SubjectName } from '../../src/identity/x509/write.ts'
import { aLeaf, anAuthority, issuingFrom, replaced, without } from '../support/certificates.ts'
import type { AuthorityShape, LeafShape } from '../support/certificates.ts'
import { now, hour, shop, other, verdict, good, names, rsa } from './shapes.ts'

const under = (shape: AuthorityShape, leaf: LeafShape = {}): IssuedCertificate =>
  aLeaf(issuingFrom(shop, anAuthority(shop.root, 'shop.local', shape, now)), leaf, now)
const constrained = (
  permitted: readonly SubjectName[],
  excluded: readonly SubjectName[] = [],
): AuthorityShape => ({
  extensions: (all) => [...all, extension.nameConstraints(permitted, excluded)],
})
const authorityUri = (...list: readonly string[]): AuthorityShape => ({
  extensions: (all) =>
    replaced(
      all,
      extension.subjectAltName(
        list.map((one) => ({ uri: one })),
        false,
      ),
    ),
})
const withDns = names({ uri: good }, { dns: 'a.shop.local' })

const authorities: Readonly<Record<string, readonly [chain: IssuedCertificate, outcome: string]>> =
  {
    'lets in an intermediate of our trust domain': [under({}), good],
    'lets in an intermediate without any name': [
      under({ extensions: (all) => without(all, oid.subjectAltName) }),
      good,
    ],
    'lets in an rsa intermediate': [under({ key: rsa(2048) }), good],
    'refuses an intermediate that is no authority': [
      under({ extensions: (all) => replaced(all, extension.basicConstraints(false)) }),
      'unknown-authority',
    ],
    'refuses an intermediate without basic constraints': [
      under({ extensions: (all) => without(all, oid.basicConstraints) }),
      'unknown-authority',
    ],
    'refuses an intermediate that may not sign certificates': [
      under({
        extensions: (all) => replaced(all, extension.keyUsage('digitalSignature', 'cRLSign')),
      }),
      'key-usage',
    ],
    'refuses an intermediate without key usage': [
      under({ extensions: (all) => without(all, oid.keyUsage) }),
      'key-usage',
    ],
    'refuses an intermediate for code signing': [
      under({ extensions: (all) => [...all, extension.extendedKeyUsage('1.3.6.1.5.5.7.3.3')] }),
      'key-usage',
    ],
    'refuses an intermediate that is over': [
      under({ validity: { notBefore: now - 2 * hour, notAfter: now - hour } }),
      'expired',
    ],
    'refuses an intermediate that has not begun': [
      under({ validity: { notBefore: now + hour, notAfter: now + 2 * hour } }),
      'not-yet-valid',
    ],
    'refuses an intermediate signed with sha-1': [under({ digest: 'sha1' }), 'weak'],
    'refuses an intermediate with a short rsa key': [under({ key: rsa(1024) }), 'weak'],
    'refuses an intermediate with an unknown critical extension': [
      under({
        extensions: (all) => [
          ...all,
          { id: '1.2.3.4', critical: true, value: Buffer.from([5, 0]) },
        ],
      }),
      'critical-extension',
    ],
    'refuses an intermediate with the id of a workload': [
      under(authorityUri('spiffe://shop.local/workload')),
      'not-spiffe',
    ],
    'refuses an intermediate with two ids': [
      under(authorityUri('spiffe://shop.local', 'spiffe://other.local')),
      'not-spiffe',
    ],
    'refuses an intermediate of another trust domain': [
      under(authorityUri('spiffe://other.local')),
      'unknown-authority',
    ],
    'lets in what name constraints permit': [under(constrained([{ uri: 'shop.local' }])), good],
    'lets in dns names that name constraints permit': [
      under(constrained([{ uri: 'shop.local' }, { dns: 'shop.local' }]), withDns),
      good,
    ],
    'refuses a trust domain that name constraints do not permit': [
      under(constrained([{ uri: 'other.local' }])),
      'name-constraint',
    ],
    'refuses a trust domain that name constraints exclude': [
      under(constrained([], [{ uri: 'shop.local' }])),
      'name-constraint',
    ],
    'refuses a uri constraint for hosts below ours': [
      under(constrained([{ uri: '.shop.local' }])),
      'name-constraint',
    ],
    'refuses a dns name that name constraints do not permit': [
      under(constrained([{ dns: 'other.local' }]), withDns),
      'name-constraint',
    ],
    'refuses a dns name that name constraints exclude': [
      under(constrained([], [{ dns: 'shop.local' }]), withDns),
      'name-constraint',
    ],
  }

describe('the authorities', () => {
  it.each(Object.entries(authorities))('%s', (_name, [issued, outcome]) => {
    expect(verdict(issued.chain)).toBe(outcome)
  })

  it('refuses a name constraint of a form that it cannot check', () => {
    // A permitted otherName subtree, which no reader of ours compares.
    const value = Buffer.from('300ca00a3008a00606022a03a000', 'hex')
    const shape = {
      extensions: (all: readonly ExtensionText[]) => [
        ...all,
        { id: oid.nameConstraints, critical: true, value },
      ],
    }
    expect(verdict(under(shape).chain)).toBe('name-constraint')
  })

  it('refuses more authorities than a path length allows, and lets in as many', () => {
    const first = anAuthority(
      shop.root,
      'shop.local',
      { extensions: (all) => replaced(all, extension.basicConstraints(true, 0)) },
      now,
    )
    expect(verdict(aLeaf(issuingFrom(shop, first), {}, now).chain)).toBe(good)
    const second = anAuthority(first, 'shop.local', {}, now)
    expect(verdict(aLeaf(issuingFrom(shop, second), {}, now).chain)).toBe('unknown-authority')
  })

  it('refuses a leaf that issued another leaf', () => {
    const leaf = aLeaf(shop, {}, now)
    const posing: Authority = {
      certificate: shop.intermediate.certificate,
      privateKey: leaf.privateKey,
      intermediates: leaf.chain,
    }
    expect(verdict(aLeaf(issuingFrom(shop, posing), {}, now).chain)).toBe('unknown-authority')
  })

  it('refuses a chain whose intermediate is missing', () => {
    expect(verdict(aLeaf(shop, {}, now).chain.slice(0, 1))).toBe('unknown-authority')
  })

  it('lets in a chain in any order after the leaf, with others in between', () => {
    const second = anAuthority(anAuthority(shop.root, 'shop.local', {}, now), 'shop.local', {}, now)
    const [leaf, ...rest] = aLeaf(issuingFrom(shop, second), {}, now).chain
    const noise = other.intermediate.intermediates
    expect(verdict([leaf!, ...noise, ...rest.toReversed()])).toBe(good)
  })

  it('holds a trusted authority to its validity', () => {
    const { chain } = aLeaf(shop, { validity: validFor(now, 90 * 24 * hour) }, now)
    expect(verdict(chain, shop.trust, now + 25 * hour)).toBe('expired')
  })

  it('trusts an authority of the bundle that is not self-signed', () => {
    const trust = trustIn([bundleOf('shop.local', [shop.intermediate.certificate.der])])
    expect(verdict(aLeaf(shop, {}, now).chain, trust)).toBe(good)
  })
})
