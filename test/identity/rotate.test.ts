/** When certificates are renewed, and what telemetry is told about their ends. */
import { assert as check, double, integer, property } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { expiryFacts, isCurrent, renewalTime } from '../../src/identity/sources/rotate.ts'
import { aTrustDomain } from '../support/certificates.ts'

const shop = aTrustDomain('shop.local')

describe('renewal', () => {
  it('comes at half of the life, moved by at most a tenth of that half', () => {
    expect([renewalTime(0, 1000, 0.5), renewalTime(0, 1000, 0), renewalTime(0, 1000, 1)]).toEqual([
      500, 450, 550,
    ])
    check(
      property(
        integer({ min: 0, max: 1e12 }),
        integer({ min: 1, max: 1e10 }),
        double({ min: 0, max: 1, noNaN: true }),
        (from, life, random) => {
          const at = renewalTime(from, from + life, random)
          expect(at).toBeGreaterThanOrEqual(from + life * 0.45 - 1)
          expect(at).toBeLessThanOrEqual(from + life * 0.55 + 1)
        },
      ),
    )
  })
})

describe('facts for telemetry', () => {
  it('names our certificate and every trusted authority, soonest end first', () => {
    const identity = shop.identity('/orders')
    const facts = expiryFacts(identity, shop.trust, identity.notAfter - 60_000)
    expect(facts.map((fact) => [fact.kind, fact.name])).toEqual([
      ['svid', 'spiffe://shop.local/orders'],
      ['authority', 'shop.local'],
    ])
    expect(facts[0]?.secondsToExpiry).toBe(60)
  })

  it('goes below zero after the end, when the identity is no longer current', () => {
    const identity = shop.identity('/orders')
    const late = identity.notAfter + 5_000
    expect(expiryFacts(identity, shop.trust, late)[0]?.secondsToExpiry).toBe(-5)
    expect([isCurrent(identity, identity.notAfter), isCurrent(identity, late)]).toEqual([
      true,
      false,
    ])
  })
})
