/** Revocation: what is on a list is out, and a configured list that says nothing lets nobody in. */
import { assert as check, integer, nat, property } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { issueRevocationList, validFor } from '../../src/identity/authority.ts'
import type { Authority } from '../../src/identity/authority.ts'
import { IdentityError } from '../../src/identity/identity-error.ts'
import { bundleOf, trustIn } from '../../src/identity/trust-bundle.ts'
import { verifyPeer } from '../../src/identity/verify-peer.ts'
import { readRevocationLists } from '../../src/identity/x509/crl.ts'
import { now, hour, shop, other, verdict } from './shapes.ts'

describe('revocation', () => {
  const lists = (...ders: readonly Buffer[]) =>
    ders.flatMap((der) => readRevocationLists(der, 'crl.pem'))
  const trustWith = (
    ders: readonly Buffer[],
    unusable: readonly { file: string; reason: string }[] = [],
  ) =>
    trustIn([bundleOf('shop.local', [shop.root.certificate.der])], {
      lists: lists(...ders),
      unusable,
      maxAgeMs: 24 * hour,
    })
  const listOf = (revoked: readonly string[], by: Authority = shop.intermediate, life = hour) =>
    issueRevocationList(by, { number: 1, thisUpdate: now - 1000, nextUpdate: now + life, revoked })
  const issued = shop.svid('/orders')
  const { serial } = verifyPeer(issued.chain, shop.trust, now)

  it('lets in a certificate that is not on a fresh list', () => {
    expect(verdict(issued.chain, trustWith([listOf(['01'])]))).toBe('spiffe://shop.local/orders')
  })

  it('refuses a certificate that is on it', () => {
    expect(verdict(issued.chain, trustWith([listOf([serial])]))).toBe('revoked')
  })

  it('refuses a certificate whose intermediate is on the list of the root', () => {
    const root = listOf([shop.intermediate.certificate.serial], shop.root)
    expect(verdict(issued.chain, trustWith([listOf([]), root]))).toBe('revoked')
  })

  it('refuses everybody when the list of the issuer is missing', () => {
    expect(verdict(issued.chain, trustWith([listOf([], other.intermediate)]))).toBe(
      'revocation-unknown',
    )
    expect(verdict(issued.chain, trustWith([]))).toBe('revocation-unknown')
  })

  it('refuses everybody when the list is stale by its own word or by its age', () => {
    const trust = trustWith([listOf([])])
    expect(verdict(issued.chain, trust, now + 1000)).toBe('spiffe://shop.local/orders')
    expect(
      verdict(shop.svid('/orders', validFor(now, 30 * hour)).chain, trust, now + hour + 1),
    ).toBe('revocation-unknown')
    const young = trustWith([listOf([], shop.intermediate, 100 * hour)])
    const old = issueRevocationList(shop.intermediate, {
      number: 1,
      thisUpdate: now - 25 * hour,
      nextUpdate: now + hour,
      revoked: [],
    })
    expect(verdict(issued.chain, young)).toBe('spiffe://shop.local/orders')
    expect(verdict(issued.chain, trustWith([old]))).toBe('revocation-unknown')
  })

  it('refuses everybody when a configured file says nothing', () => {
    const trust = trustWith([listOf([])], [{ file: 'crl.pem', reason: 'no such file' }])
    expect(verdict(issued.chain, trust)).toBe('revocation-unknown')
  })

  it('takes no list that somebody else signed under the name of the issuer', () => {
    const forged = listOf([], { ...shop.intermediate, privateKey: other.intermediate.privateKey })
    expect(verdict(issued.chain, trustWith([forged]))).toBe('revocation-unknown')
  })

  it('throws nothing but its own error for any mutation of a list', () => {
    const list = listOf(['01'])
    check(
      property(nat(list.length - 1), integer({ min: 1, max: 255 }), (at, flip) => {
        const bent = Buffer.from(list)
        bent[at] = bent[at]! ^ flip
        try {
          verdict(issued.chain, trustWith([bent]))
        } catch (error) {
          expect(error).toBeInstanceOf(IdentityError)
        }
      }),
      { numRuns: 500 },
    )
  })
})
