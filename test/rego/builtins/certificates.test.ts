import { expect, test } from 'vitest'
import type { Value } from '../../../src/rego/values.ts'
import { aLeaf, aTrustDomain, without } from '../../support/certificates.ts'
import { aContext, callIn, refusal } from './call.ts'
import { toPlain } from './plain.ts'

const now = Date.parse('2026-01-01T12:00:00Z')
const domain = aTrustDomain('td.test', now)
const context = aContext({ nowNs: () => BigInt(now) * 1_000_000n })

function pem(...ders: readonly Buffer[]): string {
  return ders
    .map(
      (der) =>
        `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----\n`,
    )
    .join('')
}

/** Root first, leaf last, as the function wants it. */
function chainOf(leaf: readonly Buffer[], root = domain.root.certificate.der): string {
  return pem(root, ...leaf.toReversed())
}

function verify(text: string, options?: Value): unknown {
  const name = 'crypto.x509.parse_and_verify_certificates'
  const result =
    options === undefined
      ? callIn(context, name, text)
      : callIn(context, `${name}_with_options`, text, options)
  return (result as Value[])[0]
}

test('a certificate shows its names, times and alternative names', () => {
  const leaf = aLeaf(domain, {}, now).chain[0]!
  const [shown] = toPlain(callIn(context, 'crypto.x509.parse_certificates', pem(leaf))) as [object]
  expect(shown).toMatchObject({
    Subject: { CommonName: 'workload' },
    URIStrings: ['spiffe://td.test/workload'],
    URIs: [{ Scheme: 'spiffe', Host: 'td.test', Path: '/workload' }],
    ExtKeyUsage: [1, 2],
    IsCA: false,
    KeyUsage: 1,
    Version: 3,
    MaxPathLen: -1,
  })
  expect(refusal('crypto.x509.parse_certificates', pem(leaf.subarray(0, 100)))).toMatch(/malformed/)
})

test('a chain verifies to its root and to no other', () => {
  const leaf = aLeaf(domain, {}, now)
  expect(verify(chainOf(leaf.chain))).toBe(true)
  expect(verify(chainOf(leaf.chain, aTrustDomain('td.test', now).root.certificate.der))).toBe(false)
  expect(verify(pem(domain.root.certificate.der, leaf.chain[0]!))).toBe(false)
  expect(verify(pem(leaf.chain[0]!))).toBe(false)
})

test('a chain is judged at the time given', () => {
  const leaf = aLeaf(domain, {}, now)
  const at = (ms: number): Value => ({ CurrentTime: BigInt(ms) * 1_000_000n })
  expect(verify(chainOf(leaf.chain), at(now))).toBe(true)
  expect(verify(chainOf(leaf.chain), at(now + 7 * 86_400_000))).toBe(false)
})

test('usages and names are those of the leaf', () => {
  const leaf = aLeaf(domain, {}, now)
  expect(verify(chainOf(leaf.chain), { KeyUsages: ['KeyUsageClientAuth'] })).toBe(true)
  expect(verify(chainOf(leaf.chain), { KeyUsages: ['KeyUsageCodeSigning'] })).toBe(false)
  expect(verify(chainOf(leaf.chain), { DNSName: 'td.test' })).toBe(false)
  const free = aLeaf(domain, { extensions: (good) => without(good, '2.5.29.37') }, now)
  expect(verify(chainOf(free.chain), { KeyUsages: ['KeyUsageCodeSigning'] })).toBe(true)
})

test('weak and forged signatures prove nothing', () => {
  expect(verify(chainOf(aLeaf(domain, { digest: 'sha1' }, now).chain))).toBe(false)
  const forged = aLeaf(domain, { signingKey: aTrustDomain('x.test', now).root.privateKey }, now)
  expect(verify(chainOf(forged.chain))).toBe(false)
})

test('a leaf does not issue', () => {
  const leaf = aLeaf(domain, {}, now)
  const below = aLeaf(domain, { issuer: Buffer.from(domain.root.certificate.subject) }, now)
  expect(verify(chainOf([below.chain[0]!, ...leaf.chain]))).toBe(false)
})

test('an option that is not known ends the call', () => {
  const text = chainOf(aLeaf(domain, {}, now).chain)
  expect(
    refusal('crypto.x509.parse_and_verify_certificates_with_options', text, { Roots: 1 }),
  ).toMatch(/invalid key option/)
})
