/** Identity from a folder: three layouts, every way in which files can be wrong, and changes that take effect live. */
import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { IdentityFileError } from '../../src/identity/identity-error.ts'
import { verifyPeer } from '../../src/identity/verify-peer.ts'
import { aTrustDomain } from '../support/certificates.ts'
import {
  aFolder,
  closeAll,
  hour,
  look,
  materialOf,
  open,
  partner,
  pem,
  put,
  putAll,
  shop,
} from './folder.ts'

afterEach(closeAll)

describe('the layouts of a folder', () => {
  it('reads separate files as csi-driver-spiffe mounts them', async () => {
    const folder = aFolder()
    putAll(folder)
    const { source } = await open(folder)
    const { identity, trust } = source
    expect(identity.current.spiffeId.uri).toBe('spiffe://shop.local/orders')
    expect(verifyPeer(shop.svid('/web').chain, trust.current, Date.now()).spiffeId).toBe(
      'spiffe://shop.local/web',
    )
  })

  it('reads the names that spiffe-helper writes', async () => {
    const folder = aFolder()
    const material = materialOf(shop)
    put(folder, 'svid.pem', material.chain)
    put(folder, 'svid_key.pem', material.key)
    put(folder, 'svid_bundle.pem', material.bundle)
    const names = { certificate: 'svid.pem', key: 'svid_key.pem', bundle: 'svid_bundle.pem' }
    const { source } = await open(folder, {}, names)
    expect(source.identity.current.chain).toHaveLength(2)
  })

  it('reads one credential bundle with the key first', async () => {
    const folder = aFolder()
    const material = materialOf(shop)
    put(folder, 'credentials.pem', `${material.key}${material.chain}`)
    put(folder, 'ca.crt', material.bundle)
    const { source } = await open(folder, {}, { credential_bundle: 'credentials.pem' })
    expect(source.identity.current.spiffeId.path).toBe('/orders')
  })

  it('reads the bundle of a federated trust domain', async () => {
    const folder = aFolder()
    putAll(folder)
    put(folder, 'partner.pem', pem([partner.root.certificate.der]))
    const { source } = await open(folder, {
      bundles: [{ trust_domain: 'partner.example', file: 'partner.pem' }],
    })
    expect(
      verifyPeer(partner.svid('/web').chain, source.trust.current, Date.now()).trustDomain,
    ).toBe('partner.example')
  })

  it('keeps the key out of whatever prints the identity', async () => {
    const folder = aFolder()
    putAll(folder)
    const { source } = await open(folder)
    const { inspect } = await import('node:util')
    const shown = `${JSON.stringify(source.identity.current)} ${inspect(source.identity.current, { depth: 9 })} ${String(source.identity.current.keyPem)}`
    expect(shown).not.toContain('PRIVATE KEY')
    expect(shown).toContain('[redacted]')
  })
})

describe('files that are wrong at start', () => {
  const cases: Readonly<
    Record<string, readonly [(folder: string) => void, file: string, got: string]>
  > = {
    'a missing certificate': [
      (folder) => rmSync(join(folder, 'tls.crt')),
      'tls.crt',
      'no such file',
    ],
    'a missing key': [(folder) => rmSync(join(folder, 'tls.key')), 'tls.key', 'no such file'],
    'a missing bundle': [(folder) => rmSync(join(folder, 'ca.crt')), 'ca.crt', 'no such file'],
    'an empty certificate': [(folder) => put(folder, 'tls.crt', ''), 'tls.crt', 'an empty file'],
    'a certificate that is cut short': [
      (folder) => put(folder, 'tls.crt', materialOf(shop).chain.slice(0, 300)),
      'tls.crt',
      'cut short',
    ],
    'a file without certificates': [
      (folder) => put(folder, 'tls.crt', 'hello'),
      'tls.crt',
      'no certificate',
    ],
    'the key of another certificate': [
      (folder) => put(folder, 'tls.key', materialOf(shop).key),
      'tls.key',
      'the key of another certificate',
    ],
    'two keys': [
      (folder) => put(folder, 'tls.key', materialOf(shop).key.repeat(2)),
      'tls.key',
      '2 keys',
    ],
    'a key that others can read': [
      (folder) => chmodSync(join(folder, 'tls.key'), 0o644),
      'tls.key',
      'mode 0644',
    ],
    'a key that its group can write': [
      (folder) => chmodSync(join(folder, 'tls.key'), 0o660),
      'tls.key',
      'mode 0660',
    ],
    'a bundle of another trust domain': [
      (folder) => put(folder, 'ca.crt', pem([partner.root.certificate.der])),
      'tls.crt',
      'no trusted authority',
    ],
    'a certificate that is over': [
      (folder) => putAll(folder, materialOf(shop, '/orders', -30_000)),
      'tls.crt',
      'expired',
    ],
  }

  it.each(Object.entries(cases))('names %s, and the fix', async (_name, [breakIt, file, got]) => {
    const folder = aFolder()
    putAll(folder)
    breakIt(folder)
    const error = await open(folder).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(IdentityFileError)
    const { problem } = error as IdentityFileError
    expect(problem.file).toBe(join(folder, file))
    expect(problem.got).toContain(got)
    expect(problem.fix).not.toBe('')
  })

  it('refuses a certificate of another trust domain than the configured one', async () => {
    const folder = aFolder()
    putAll(folder)
    await expect(open(folder, { trust_domain: 'other.local' })).rejects.toThrow('other.local')
    expect(
      (await open(folder, { trust_domain: 'shop.local' })).source.identity.current.notAfter,
    ).toBeGreaterThan(0)
  })

  it('lets a group read the key, and others when the configuration says unsafe, with a warning', async () => {
    const folder = aFolder()
    putAll(folder)
    chmodSync(join(folder, 'tls.key'), 0o440)
    expect((await open(folder)).events).toEqual([])
    chmodSync(join(folder, 'tls.key'), 0o644)
    const { events } = await open(folder, { key_files: 'unsafe_readable' })
    expect(events).toMatchObject([{ kind: 'warning', file: join(folder, 'tls.key') }])
  })
})

describe('changes while it runs', () => {
  it('takes a new certificate and key, and tells subscribers once', async () => {
    const folder = aFolder()
    putAll(folder)
    const opened = await open(folder)
    const before = opened.source.identity.current.serial
    const seen: string[] = []
    opened.source.identity.subscribe((identity) => seen.push(identity.serial))
    look(opened)
    expect(seen).toEqual([])
    putAll(folder)
    look(opened)
    look(opened)
    expect(seen).toHaveLength(1)
    expect(seen[0]).not.toBe(before)
    expect(opened.events.map((event) => event.kind)).toEqual(['rotated'])
  })

  it('keeps the last good pair while only one of the two files is new', async () => {
    const folder = aFolder()
    putAll(folder)
    const opened = await open(folder)
    const before = opened.source.identity.current
    const next = materialOf(shop)
    put(folder, 'tls.crt', next.chain)
    look(opened)
    look(opened)
    expect(opened.source.identity.current).toBe(before)
    expect(opened.source.fault.current?.problem).toMatchObject({
      file: join(folder, 'tls.key'),
      got: 'the key of another certificate',
    })
    put(folder, 'tls.key', next.key)
    look(opened)
    expect(opened.source.identity.current.serial).not.toBe(before.serial)
    expect(opened.source.fault.current).toBeUndefined()
    expect(opened.events.map((event) => event.kind)).toEqual([
      'reload-failed',
      'rotated',
      'recovered',
    ])
  })

  it.each<readonly [string, (folder: string) => void]>([
    ['an empty certificate', (folder) => put(folder, 'tls.crt', '')],
    [
      'half a certificate',
      (folder) => put(folder, 'tls.crt', materialOf(shop).chain.slice(0, 200)),
    ],
    ['a missing key', (folder) => rmSync(join(folder, 'tls.key'))],
    ['an empty bundle', (folder) => put(folder, 'ca.crt', '')],
    [
      'a bundle that does not know us',
      (folder) => put(folder, 'ca.crt', pem([partner.root.certificate.der])),
    ],
    [
      'a certificate that is over',
      (folder) => putAll(folder, materialOf(shop, '/orders', -30_000)),
    ],
    ['a key that others can read', (folder) => chmodSync(join(folder, 'tls.key'), 0o644)],
  ])('keeps the last good at %s', async (_name, breakIt) => {
    const folder = aFolder()
    putAll(folder)
    const opened = await open(folder)
    const { identity, trust } = opened.source
    const before = [identity.current, trust.current]
    breakIt(folder)
    look(opened)
    expect([identity.current, trust.current]).toEqual(before)
    expect(opened.source.fault.current).toBeInstanceOf(IdentityFileError)
    putAll(folder)
    look(opened)
    expect(opened.source.fault.current).toBeUndefined()
  })

  it('follows the ..data swap of kubernetes', async () => {
    const folder = aFolder()
    const version = (name: string): void => {
      mkdirSync(join(folder, name))
      putAll(join(folder, name))
    }
    version('..one')
    symlinkSync('..one', join(folder, '..data'))
    for (const name of ['tls.crt', 'tls.key', 'ca.crt'])
      symlinkSync(join('..data', name), join(folder, name))
    const opened = await open(folder)
    const before = opened.source.identity.current.serial
    version('..two')
    symlinkSync('..two', join(folder, '..data_tmp'))
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
    look(opened)
    expect(opened.source.identity.current.serial).not.toBe(before)
    expect(opened.events.map((event) => event.kind)).toEqual(['rotated'])
  })

  it('trusts a new root as soon as it is in the bundle, and no longer when it is gone', async () => {
    const folder = aFolder()
    putAll(folder)
    const next = aTrustDomain('shop.local')
    const opened = await open(folder)
    const peer = next.svid('/web').chain
    const trusts = () => {
      try {
        return verifyPeer(peer, opened.source.trust.current, Date.now()).spiffeId
      } catch (error) {
        return (error as { readonly code: string }).code
      }
    }
    expect(trusts()).toBe('unknown-authority')
    put(folder, 'ca.crt', pem([shop.root.certificate.der, next.root.certificate.der]))
    look(opened)
    expect(trusts()).toBe('spiffe://shop.local/web')
    put(folder, 'ca.crt', pem([shop.root.certificate.der]))
    look(opened)
    expect(trusts()).toBe('unknown-authority')
  })

  it('warns at 50, 75 and 90 percent of the life of a certificate that nobody renews, and at its end', async () => {
    const folder = aFolder()
    putAll(folder)
    const opened = await open(folder)
    opened.clock.advance(3 * hour)
    const percents = opened.events.flatMap((event) =>
      event.kind === 'expiring' ? [event.percent] : [],
    )
    expect(percents).toEqual([50, 75, 90, 100])
  })

  it('asks nothing more after it was closed', async () => {
    const folder = aFolder()
    putAll(folder)
    const opened = await open(folder)
    opened.source.close()
    expect(opened.clock.waiting).toBe(0)
  })
})
