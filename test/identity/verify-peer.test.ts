/** Trust domains, bounds and the verdict on a peer. */
import { assert as check, integer, nat, property, uint8Array } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bundleOf, trustIn } from '../../src/identity/trust-bundle.ts'
import { verifyPeer } from '../../src/identity/verify-peer.ts'
import { aLeaf, aTrustDomain } from '../support/certificates.ts'
import { now, hour, shop, other, verdict, good, plus, uri } from './shapes.ts'

describe('trust domains', () => {
  const both = trustIn([
    bundleOf('shop.local', [shop.root.certificate.der]),
    bundleOf('other.local', [other.root.certificate.der]),
  ])

  it('lets in peers of both trust domains that are federated', () => {
    expect(verdict(shop.svid('/orders').chain, both)).toBe('spiffe://shop.local/orders')
    expect(verdict(other.svid('/orders').chain, both)).toBe('spiffe://other.local/orders')
  })

  it('refuses an id of one trust domain signed by the authority of another that is trusted', () => {
    const { chain } = aLeaf(other, uri('spiffe://shop.local/workload'), now)
    expect(verdict(chain, both)).toBe('unknown-authority')
  })

  it('refuses a trust domain without a bundle', () => {
    expect(verdict(other.svid('/orders').chain)).toBe('unknown-authority')
  })

  it('refuses a trust domain that only looks like ours', () => {
    for (const name of ['shop.local.evil', 'xshop.local', 'shop-local'])
      expect(verdict(aLeaf(shop, uri(`spiffe://${name}/workload`), now).chain, both)).toBe(
        'unknown-authority',
      )
  })
})

describe('bounds', () => {
  it('refuses an empty chain', () => expect(verdict([])).toBe('no-certificate'))

  it('lets in ten certificates and refuses eleven', () => {
    const { chain } = aLeaf(shop, {}, now)
    const filler = (count: number) =>
      Array.from({ length: count }, () => other.root.certificate.der)
    expect(verdict([...chain, ...filler(8)])).toBe(good)
    expect(verdict([...chain, ...filler(9)])).toBe('too-large')
  })

  it('refuses a chain of more than 64 KiB', () => {
    const bulk = plus({ id: '1.2.3.4', critical: false, value: Buffer.alloc(40_000) })
    const one = aLeaf(shop, bulk, now).chain
    expect(verdict(one)).toBe(good)
    expect(verdict([...one, aLeaf(shop, bulk, now).chain[0]!])).toBe('too-large')
    const huge = aLeaf(
      shop,
      plus({ id: '1.2.3.4', critical: false, value: Buffer.alloc(66_000) }),
      now,
    )
    expect(verdict(huge.chain)).toBe('too-large')
  })

  it('gives up on a tangle of authorities that all might have issued each other', () => {
    // Ten authorities of one name: every one might have issued every other, and none leads to the root.
    const loose = aTrustDomain('shop.local', now)
    const tangle = Array.from(
      { length: 9 },
      () => aTrustDomain('shop.local', now).intermediate.certificate.der,
    )
    const leaf = loose.svid('/workload').chain[0]!
    expect(['unknown-authority', 'too-large']).toContain(verdict([leaf, ...tangle]))
  })

  it('throws nothing but its own error for any mutation of a good chain', () => {
    const { chain } = aLeaf(shop, {}, now)
    const [leaf, ...rest] = chain
    check(
      property(nat(leaf!.length - 1), integer({ min: 1, max: 255 }), (at, flip) => {
        const bent = Buffer.from(leaf!)
        bent[at] = bent[at]! ^ flip
        expect(verdict([bent, ...rest])).not.toMatch(/^spiffe:/)
      }),
      { numRuns: 2000 },
    )
  })

  it('throws nothing but its own error for bytes of any kind', () => {
    check(
      property(uint8Array({ maxLength: 200 }), (bytes) => {
        expect(verdict([Buffer.from(bytes)])).toMatch(/^(malformed|too-large)$/)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('the verdict', () => {
  it('tells who the peer is', () => {
    const issued = shop.svid('/ns/shop/sa/orders')
    expect(verifyPeer(issued.chain, shop.trust, now)).toMatchObject({
      spiffeId: 'spiffe://shop.local/ns/shop/sa/orders',
      trustDomain: 'shop.local',
      path: '/ns/shop/sa/orders',
      authority: shop.root.certificate.thumbprint,
    })
  })

  it('is reached again when the time has passed it by', () => {
    const { chain } = shop.svid('/orders')
    expect(verdict(chain, shop.trust, now)).toBe('spiffe://shop.local/orders')
    expect(verdict(chain, shop.trust, now + 2 * hour)).toBe('expired')
    expect(verdict(chain, shop.trust, now - 2 * hour)).toBe('not-yet-valid')
  })
})
