/** Name constraints in each form that is compared, by the rules of RFC 5280 §4.2.1.10. */
import { describe, expect, it } from 'vitest'
import { checkNames, readNameConstraints } from '../../src/identity/x509/name-constraints.ts'
import { readGeneralNames } from '../../src/identity/x509/names.ts'
import { oid } from '../../src/identity/x509/oids.ts'
import { extension, writeName } from '../../src/identity/x509/write.ts'
import type { SubjectName } from '../../src/identity/x509/write.ts'

const allows = (
  name: SubjectName,
  permitted: readonly SubjectName[],
  excluded: readonly SubjectName[] = [],
): boolean => {
  const constraints = readNameConstraints(extension.nameConstraints(permitted, excluded).value)
  try {
    checkNames(readGeneralNames(extension.subjectAltName([name], false).value), constraints, {
      left: 1000,
    })
    return true
  } catch {
    return false
  }
}

const ip = (...bytes: readonly number[]) => ({ ip: Buffer.from(bytes) })
const directory = (...pairs: readonly (readonly [string, string])[]) => ({
  directory: writeName(pairs),
})
const organization = '2.5.4.10'

const cases: readonly (readonly [
  name: SubjectName,
  constraint: SubjectName,
  permitted: boolean,
])[] = [
  [{ dns: 'a.example.com' }, { dns: 'example.com' }, true],
  [{ dns: 'A.EXAMPLE.com' }, { dns: 'example.COM' }, true],
  [{ dns: 'example.com' }, { dns: 'example.com' }, true],
  [{ dns: 'example.com' }, { dns: '.example.com' }, false],
  [{ dns: 'badexample.com' }, { dns: 'example.com' }, false],
  [{ dns: 'anything' }, { dns: '' }, true],
  [{ dns: '.example.com' }, { dns: 'example.com' }, false],
  [{ uri: 'spiffe://shop.local/a' }, { uri: 'shop.local' }, true],
  [{ uri: 'spiffe://SHOP.local/a' }, { uri: 'shop.local' }, true],
  [{ uri: 'spiffe://a.shop.local/a' }, { uri: 'shop.local' }, false],
  [{ uri: 'spiffe://a.shop.local/a' }, { uri: '.shop.local' }, true],
  [{ uri: 'spiffe://shop.local/a' }, { uri: '.shop.local' }, false],
  [{ uri: 'https://user@shop.local:443/a' }, { uri: 'shop.local' }, true],
  [{ uri: 'https://evil/@shop.local' }, { uri: 'shop.local' }, false],
  [{ uri: 'https://10.0.0.1/a' }, { uri: 'shop.local' }, false],
  [{ uri: 'urn:shop.local' }, { uri: 'shop.local' }, false],
  [{ email: 'a@shop.local' }, { email: 'shop.local' }, true],
  [{ email: 'a@x.shop.local' }, { email: '.shop.local' }, true],
  [{ email: 'a@x.shop.local' }, { email: 'shop.local' }, false],
  [{ email: 'a@shop.local' }, { email: 'a@shop.local' }, true],
  [{ email: 'b@shop.local' }, { email: 'a@shop.local' }, false],
  [ip(10, 1, 2, 3), ip(10, 0, 0, 0, 255, 0, 0, 0), true],
  [ip(11, 1, 2, 3), ip(10, 0, 0, 0, 255, 0, 0, 0), false],
  [ip(...Array<number>(16).fill(1)), ip(10, 0, 0, 0, 255, 0, 0, 0), false],
  [
    directory([organization, 'Shop'], [oid.commonName, 'a']),
    directory([organization, 'shop']),
    true,
  ],
  [directory([organization, 'Other']), directory([organization, 'Shop']), false],
  // A name of a form that no constraint speaks of is free.
  [{ dns: 'other.example' }, { uri: 'shop.local' }, true],
]

describe('a permitted subtree', () => {
  it.each(cases)('for %o within %o: %s', (name, constraint, permitted) => {
    expect(allows(name, [constraint])).toBe(permitted)
  })
})

describe('an excluded subtree', () => {
  it('rules over a permitted one', () => {
    expect(allows({ dns: 'a.b.example.com' }, [{ dns: 'example.com' }])).toBe(true)
    expect(
      allows({ dns: 'a.b.example.com' }, [{ dns: 'example.com' }], [{ dns: 'b.example.com' }]),
    ).toBe(false)
  })

  it('meets a wildcard that could stand for a name in it', () => {
    expect(allows({ dns: '*.example.com' }, [], [{ dns: 'secret.example.com' }])).toBe(false)
    expect(allows({ dns: '*.example.com' }, [], [{ dns: 'secret.example.org' }])).toBe(true)
  })
})

describe('a constraint that is malformed', () => {
  it.each<readonly [string, SubjectName]>([
    ['an address without a mask', ip(10, 0, 0, 0)],
    ['a mask with holes', ip(10, 0, 0, 0, 255, 0, 255, 0)],
    ['a host with a space', { dns: 'a b' }],
  ])('is refused: %s', (_name, constraint) => {
    expect(() => readNameConstraints(extension.nameConstraints([constraint], []).value)).toThrow()
  })

  it('is refused when there are too many comparisons', () => {
    const constraints = readNameConstraints(extension.nameConstraints([{ dns: 'a' }], []).value)
    const names = readGeneralNames(
      extension.subjectAltName([{ dns: 'b.a' }, { dns: 'c.a' }], false).value,
    )
    expect(() => checkNames(names, constraints, { left: 1 })).toThrow('too many')
  })
})
