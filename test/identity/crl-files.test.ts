/** Revocation lists in files: what they say holds at once, and their absence lets nobody in. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { issueRevocationList } from '../../src/identity/authority.ts'
import { verifyPeer } from '../../src/identity/verify-peer.ts'
import { writePem } from '../../src/identity/x509/pem.ts'
import { aFolder, closeAll, hour, look, open, put, putAll, shop } from './folder.ts'
import type { Opened } from './folder.ts'

afterEach(closeAll)

describe('revocation lists in files', () => {
  const list = (revoked: readonly string[], life = hour): string =>
    writePem(
      'X509 CRL',
      issueRevocationList(shop.intermediate, {
        number: 1,
        thisUpdate: Date.now() - 1000,
        nextUpdate: Date.now() + life,
        revoked,
      }),
    )
  const issued = shop.svid('/web')
  const { serial } = verifyPeer(issued.chain, shop.trust, Date.now())
  const crl = { crl: { files: ['crl.pem'] } }
  const verdict = (opened: Opened): string => {
    try {
      return verifyPeer(issued.chain, opened.source.trust.current, Date.now()).spiffeId
    } catch (error) {
      return (error as { readonly code: string }).code
    }
  }

  it('revokes as soon as the file says so', async () => {
    const folder = aFolder()
    putAll(folder)
    put(folder, 'crl.pem', list([]))
    const opened = await open(folder, crl)
    expect(verdict(opened)).toBe('spiffe://shop.local/web')
    put(folder, 'crl.pem', list([serial]))
    look(opened)
    expect(verdict(opened)).toBe('revoked')
  })

  it('does not start when the configured file is missing', async () => {
    const folder = aFolder()
    putAll(folder)
    await expect(open(folder, crl)).rejects.toMatchObject({ problem: { got: 'no such file' } })
  })

  it('refuses everybody when the file goes away, and keeps the last good when it breaks', async () => {
    const folder = aFolder()
    putAll(folder)
    put(folder, 'crl.pem', list([]))
    const opened = await open(folder, crl)
    put(folder, 'crl.pem', 'garbage')
    look(opened)
    expect(verdict(opened)).toBe('spiffe://shop.local/web')
    expect(opened.source.fault.current?.problem.file).toBe(join(folder, 'crl.pem'))
    rmSync(join(folder, 'crl.pem'))
    look(opened)
    expect(verdict(opened)).toBe('revocation-unknown')
    put(folder, 'crl.pem', list([]))
    look(opened)
    expect(verdict(opened)).toBe('spiffe://shop.local/web')
    expect(opened.source.fault.current).toBeUndefined()
  })
})
