/** The development authority on disk and as a source: what it writes verifies, renews itself and can be replaced. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { identitySection } from '../../src/identity/section.ts'
import {
  authorityFiles,
  describeCertificates,
  initAuthority,
  issueIdentity,
  revokeCertificate,
} from '../../src/identity/sources/authority-folder.ts'
import {
  rotateIdentities,
  rotateIntermediate,
  rotateRoot,
} from '../../src/identity/sources/authority-rotation.ts'
import { chainFrom } from '../../src/identity/sources/files.ts'
import type { IdentityEvent } from '../../src/identity/sources/identity-source.ts'
import { openIdentity } from '../../src/identity/sources/open.ts'
import { readBundle, trustIn } from '../../src/identity/trust-bundle.ts'
import { verifyPeer } from '../../src/identity/verify-peer.ts'
import { readRevocationLists } from '../../src/identity/x509/crl.ts'
import { HeldClock } from '../support/held-clock.ts'

const hour = 3_600_000
const now = Date.now()
const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

const aFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'authority-'))
  closers.push(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const anAuthorityFolder = (): string => {
  const folder = aFolder()
  initAuthority(folder, { trustDomain: 'shop.local', now })
  return folder
}

const trustOf = (file: string) => trustIn([readBundle(readFileSync(file), 'shop.local')])
const chainIn = (folder: string) => chainFrom(readFileSync(join(folder, 'tls.crt')), 'tls.crt')

const hasOpenssl = (): boolean => {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

describe('the folder of the authority', () => {
  it('holds keys that only their owner can read, and nothing half-written', () => {
    const folder = anAuthorityFolder()
    issueIdentity(folder, { spiffeId: 'spiffe://shop.local/orders', now })
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    for (const file of files.filter((name) => name.endsWith('.key')))
      expect(statSync(join(folder, file)).mode & 0o777, file).toBe(0o600)
    expect(files.filter((name) => name.endsWith('.new'))).toEqual([])
  })

  it('issues identities that its own bundle verifies', () => {
    const folder = anAuthorityFolder()
    const issued = issueIdentity(folder, {
      spiffeId: 'spiffe://shop.local/ns/shop/sa/orders',
      dnsNames: ['orders.shop.local'],
      now,
    })
    const peer = verifyPeer(chainIn(issued.folder), trustOf(authorityFiles(folder).bundle), now)
    expect([peer.spiffeId, peer.dnsNames]).toEqual([
      'spiffe://shop.local/ns/shop/sa/orders',
      ['orders.shop.local'],
    ])
  })

  it.skipIf(!hasOpenssl())('issues identities that openssl verifies by its strict rules', () => {
    const folder = anAuthorityFolder()
    const { folder: target } = issueIdentity(folder, {
      spiffeId: 'spiffe://shop.local/orders',
      now,
    })
    const { bundle, authority, crl } = authorityFiles(folder)
    const strict = [
      'verify',
      '-x509_strict',
      '-purpose',
      'sslserver',
      '-CAfile',
      bundle,
      '-untrusted',
      authority,
    ]
    const leaf = join(target, 'tls.crt')
    expect(execFileSync('openssl', [...strict, leaf]).toString()).toContain('OK')
    const checked = [...strict, '-crl_check_all', '-CRLfile', crl, leaf]
    expect(execFileSync('openssl', checked).toString()).toContain('OK')
    const { serial } = verifyPeer(chainIn(target), trustOf(bundle), now)
    revokeCertificate(folder, serial, now)
    expect(() => execFileSync('openssl', checked, { stdio: 'pipe' })).toThrow('revoked')
  })

  it('refuses a second authority in the same folder, and ids that are not its own', () => {
    const folder = anAuthorityFolder()
    expect(() => initAuthority(folder, { trustDomain: 'other.local', now })).toThrow('certs rotate')
    const issue = (spiffeId: string, name?: string) => () =>
      issueIdentity(folder, { spiffeId, now, ...(name ? { name } : {}) })
    expect(issue('spiffe://other.local/orders')).toThrow('shop.local')
    expect(issue('spiffe://shop.local')).toThrow('path')
    expect(issue('spiffe://shop.local/a b')).toThrow('not a spiffe id')
    expect(issue('spiffe://shop.local/orders', '../../escape')).toThrow('name')
  })

  it('says what it holds', () => {
    const folder = anAuthorityFolder()
    const { certificate } = issueIdentity(folder, {
      spiffeId: 'spiffe://shop.local/orders',
      now,
      lifetimeMs: hour,
    })
    revokeCertificate(folder, certificate.serial, now)
    expect(
      describeCertificates(folder, now).map((one) => [one.kind, one.spiffeId, one.revoked]),
    ).toEqual([
      ['root', 'spiffe://shop.local', false],
      ['intermediate', 'spiffe://shop.local', false],
      ['workload', 'spiffe://shop.local/orders', true],
    ])
    expect(describeCertificates(folder, now).at(-1)?.secondsLeft).toBe(3599)
  })

  it('revokes a certificate by its serial number', () => {
    const folder = anAuthorityFolder()
    const { certificate, folder: target } = issueIdentity(folder, {
      spiffeId: 'spiffe://shop.local/orders',
      now,
    })
    const { bundle, crl } = authorityFiles(folder)
    const judge = () => {
      const lists = readRevocationLists(readFileSync(crl), crl)
      const revocation = { lists, unusable: [], maxAgeMs: 24 * hour }
      return verifyPeer(
        chainIn(target),
        trustIn([readBundle(readFileSync(bundle), 'shop.local')], revocation),
        now,
      )
    }
    expect(judge().spiffeId).toBe('spiffe://shop.local/orders')
    revokeCertificate(folder, certificate.serial.toUpperCase(), now)
    expect(judge).toThrow('revoked')
  })
})

describe('rotation on disk', () => {
  it('issues every workload again with the same id and a fresh key', () => {
    const folder = anAuthorityFolder()
    const { folder: target } = issueIdentity(folder, {
      spiffeId: 'spiffe://shop.local/orders',
      now,
    })
    const before = readFileSync(join(target, 'tls.key'), 'utf8')
    expect(rotateIdentities(folder, now)).toEqual(['spiffe://shop.local/orders'])
    expect(readFileSync(join(target, 'tls.key'), 'utf8')).not.toBe(before)
    expect(verifyPeer(chainIn(target), trustOf(join(target, 'ca.crt')), now).spiffeId).toBe(
      'spiffe://shop.local/orders',
    )
  })

  it('changes the intermediate under the same root', () => {
    const folder = anAuthorityFolder()
    const { folder: target } = issueIdentity(folder, {
      spiffeId: 'spiffe://shop.local/orders',
      now,
    })
    const trust = trustOf(authorityFiles(folder).bundle)
    const before = chainIn(target)[1]
    rotateIntermediate(folder, now)
    expect(chainIn(target)[1]).not.toEqual(before)
    expect(verifyPeer(chainIn(target), trust, now).path).toBe('/orders')
  })

  it('changes the root in three steps, old and new leaves verifying at every step', () => {
    const folder = anAuthorityFolder()
    const { folder: target } = issueIdentity(folder, {
      spiffeId: 'spiffe://shop.local/orders',
      now,
    })
    const old = chainIn(target)
    const verifies = (chain: readonly Buffer[]) => {
      try {
        return verifyPeer(chain, trustOf(join(target, 'ca.crt')), now).path === '/orders'
      } catch {
        return false
      }
    }
    expect(() => rotateRoot(folder, 'activate', now)).toThrow('prepare')
    rotateRoot(folder, 'prepare', now)
    expect([verifies(old), verifies(chainIn(target))]).toEqual([true, true])
    expect(() => rotateRoot(folder, 'retire', now)).toThrow('activate')
    rotateRoot(folder, 'activate', now)
    expect([verifies(old), verifies(chainIn(target))]).toEqual([true, true])
    rotateRoot(folder, 'retire', now)
    expect([verifies(old), verifies(chainIn(target))]).toEqual([false, true])
  })
})

const open = async (folder: string, development: Record<string, unknown> = {}) => {
  const section = identitySection.parse({
    source: {
      development: { path: folder, spiffe_id: 'spiffe://shop.local/orders', ...development },
    },
  })
  const clock = new HeldClock(now)
  const events: IdentityEvent[] = []
  const source = await openIdentity(section, {
    clock,
    random: () => 0.5,
    baseDirectory: folder,
    onEvent: (event) => events.push(event),
  })
  closers.push(() => source.close())
  return { source, clock, events }
}

describe('the development source', () => {
  it('issues its own certificate and renews it at half of its life', async () => {
    const { source, clock, events } = await open(anAuthorityFolder())
    const first = source.identity.current
    expect(first.spiffeId.uri).toBe('spiffe://shop.local/orders')
    clock.advance(28 * 60_000)
    expect(source.identity.current).toBe(first)
    clock.advance(4 * 60_000)
    expect(source.identity.current.serial).not.toBe(first.serial)
    clock.advance(10 * hour)
    expect(source.identity.current.notAfter).toBeGreaterThan(clock.now())
    expect(new Set(events.map((event) => event.kind))).toEqual(new Set(['rotated']))
  })

  it('follows a change of root in the folder', async () => {
    const folder = anAuthorityFolder()
    const { source, clock } = await open(folder)
    for (const step of ['prepare', 'activate', 'retire'] as const) {
      rotateRoot(folder, step, now)
      clock.advance(2_000)
      const { identity, trust } = source
      expect(verifyPeer(identity.current.chain, trust.current, clock.now()).path).toBe('/orders')
      expect(source.fault.current).toBeUndefined()
    }
    expect(source.trust.current.byTrustDomain.get('shop.local')?.authorities).toHaveLength(1)
  })

  it('says what is missing when the folder was not initialised, or is of another trust domain', async () => {
    await expect(open(aFolder())).rejects.toMatchObject({ problem: { got: 'no such file' } })
    await expect(
      open(anAuthorityFolder(), { spiffe_id: 'spiffe://other.local/orders' }),
    ).rejects.toThrow('other.local')
  })

  it('keeps its certificate while the authority is unreadable, and warns as its end comes', async () => {
    const folder = anAuthorityFolder()
    const { source, clock, events } = await open(folder)
    const first = source.identity.current
    rmSync(authorityFiles(folder).key)
    clock.advance(50 * 60_000)
    expect(source.identity.current).toBe(first)
    expect(source.fault.current?.problem.file).toBe(authorityFiles(folder).key)
    const kinds = events.map((event) => (event.kind === 'expiring' ? event.percent : event.kind))
    expect(kinds).toEqual(['reload-failed', 50, 75])
  })
})
