/** Trust in a live connection ends with the certificate, the list of the revoked and the bundle, and not before. */
import { describe, expect, it } from 'vitest'
import { issueRevocationList, validFor } from '../../src/identity/authority.ts'
import { PeerWatch, isStillTrusted, trustLost } from '../../src/identity/peer-watch.ts'
import { bundleOf, trustIn } from '../../src/identity/trust-bundle.ts'
import { verifyPeer } from '../../src/identity/verify-peer.ts'
import { readRevocationLists } from '../../src/identity/x509/crl.ts'
import { LiveValue } from '../../src/live.ts'
import { aTrustDomain } from '../support/certificates.ts'
import { HeldClock } from '../support/held-clock.ts'

const hour = 3_600_000
const now = Date.now()
const shop = aTrustDomain('shop.local', now)
const next = aTrustDomain('shop.local', now)
const peerOf = (lifeMs = hour) =>
  verifyPeer(shop.svid('/web', validFor(now, lifeMs)).chain, shop.trust, now)
const revoking = (serials: readonly string[]) =>
  trustIn([bundleOf('shop.local', [shop.root.certificate.der])], {
    lists: readRevocationLists(
      issueRevocationList(shop.intermediate, {
        number: 1,
        thisUpdate: now - 1000,
        nextUpdate: now + hour,
        revoked: serials,
      }),
      'crl.pem',
    ),
    unusable: [],
    maxAgeMs: hour,
  })

describe('the question', () => {
  it('is answered with yes while nothing changes', () => {
    expect(isStillTrusted(peerOf(), shop.trust, now + 1000)).toBe(true)
  })

  it('is answered with the reason when trust ended', () => {
    const peer = peerOf()
    expect(trustLost(peer, shop.trust, peer.notAfter + 1)?.code).toBe('expired')
    expect(trustLost(peer, next.trust, now)?.code).toBe('unknown-authority')
    expect(trustLost(peer, revoking([peer.serial]), now)?.code).toBe('revoked')
    expect(trustLost(peer, revoking([]), now)).toBeUndefined()
  })

  it('is answered with yes when the bundle changed and the authority is still in it', () => {
    const both = trustIn([
      bundleOf('shop.local', [next.root.certificate.der, shop.root.certificate.der]),
    ])
    expect(isStillTrusted(peerOf(), both, now)).toBe(true)
  })
})

describe('the watch', () => {
  const aWatch = () => {
    const clock = new HeldClock(now)
    const trust = new LiveValue(shop.trust)
    const watch = new PeerWatch({ trust, clock })
    return { clock, trust, watch }
  }

  it('ends trust within a second of the end of a certificate, and says so once', () => {
    const { clock, watch } = aWatch()
    const peer = peerOf(5_000)
    const lost: string[] = []
    watch.watch(peer, (reason) => lost.push(reason.code))
    clock.advance(4_900)
    expect(lost).toEqual([])
    clock.advance(1_200)
    expect(lost).toEqual(['expired'])
    clock.advance(60_000)
    expect(lost).toEqual(['expired'])
  })

  it('ends trust at once when the authority leaves the bundle or the certificate is revoked', () => {
    for (const change of [() => next.trust, (serial: string) => revoking([serial])]) {
      const { trust, watch } = aWatch()
      const peer = peerOf()
      const lost: string[] = []
      watch.watch(peer, (reason) => lost.push(reason.code))
      trust.set(change(peer.serial))
      expect(lost).toHaveLength(1)
    }
  })

  it('reaches every one of many connections, in slices', () => {
    const { clock, trust, watch } = aWatch()
    let lost = 0
    for (let index = 0; index < 500; index += 1) watch.watch(peerOf(), () => (lost += 1))
    trust.set(next.trust)
    expect(lost).toBeGreaterThan(0)
    expect(lost).toBeLessThan(500)
    clock.advance(100)
    expect([lost, watch.size]).toEqual([500, 0])
  })

  it('forgets connections that ended by themselves, and everything when it is closed', () => {
    const { clock, trust, watch } = aWatch()
    const lost: string[] = []
    const stop = watch.watch(peerOf(), () => lost.push('first'))
    watch.watch(peerOf(), () => lost.push('second'))
    stop()
    watch.close()
    trust.set(next.trust)
    clock.advance(10_000)
    expect([lost, clock.waiting]).toEqual([[], 0])
  })
})
