/** Mutual TLS over real sockets: who is let in, who is turned away and why. */
import { generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { ConnectionOptions } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { bundleOf, trustIn } from '../../src/identity/trust-bundle.ts'
import { extension } from '../../src/identity/x509/write.ts'
import { aLeaf, anAuthority, issuingFrom, replaced } from '../support/certificates.ts'
import { ago, aDoor, answerTo, closeAll, codeOf, evil, hour, shop, showing } from './door.ts'

afterEach(closeAll)

describe('the door to the mesh', () => {
  it('lets in a workload of its trust domain over tls 1.3', async () => {
    const door = await aDoor(shop)
    expect(await answerTo(door.port, showing(shop.svid('/web')))).toBe(
      'hello spiffe://shop.local/web',
    )
    expect(door.peers).toEqual(['spiffe://shop.local/web'])
  })

  it.each<readonly [string, () => KeyObject]>([
    ['p-384', () => generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey],
    ['p-521', () => generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey],
    ['rsa', () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey],
    ['ed25519', () => generateKeyPairSync('ed25519').privateKey],
  ])('lets in a workload with a key of %s, issued by an authority with one', async (_name, key) => {
    const door = await aDoor(shop)
    const authority = anAuthority(shop.root, 'shop.local', { key: key() })
    const issued = aLeaf(issuingFrom(shop, authority), { key: key() })
    expect(await answerTo(door.port, showing(issued))).toBe('hello spiffe://shop.local/workload')
  })

  it('turns away a client in plaintext without an answer in http', async () => {
    const door = await aDoor(shop)
    const socket = connectTcp(door.port, '127.0.0.1')
    const received: Buffer[] = []
    socket.on('data', (data) => received.push(data))
    socket.on('error', () => undefined)
    socket.write('GET / HTTP/1.1\r\nHost: shop\r\n\r\n')
    expect(await door.refusal()).toMatchObject({ phase: 'plaintext' })
    await once(socket, 'close')
    expect(Buffer.concat(received).toString('latin1')).not.toContain('HTTP')
  })

  it.each<readonly [string, () => ConnectionOptions, string]>([
    ['no certificate', () => ({}), 'no-certificate'],
    [
      'a certificate of an unknown authority',
      () => showing(evil.svid('/web')),
      'unknown-authority',
    ],
    [
      'a certificate whose intermediate is missing',
      () => {
        const issued = shop.svid('/web')
        return showing({ ...issued, chain: issued.chain.slice(0, 1) })
      },
      'unknown-authority',
    ],
    ['a certificate that is over', () => showing(shop.svid('/web', ago)), 'expired'],
    [
      'a certificate that has not begun',
      () =>
        showing(
          shop.svid('/web', { notBefore: Date.now() + hour, notAfter: Date.now() + 2 * hour }),
        ),
      'not-yet-valid',
    ],
    [
      'a certificate without a spiffe id',
      () =>
        showing(
          aLeaf(shop, {
            extensions: (all) => replaced(all, extension.subjectAltName([{ dns: 'web' }], false)),
          }),
        ),
      'not-spiffe',
    ],
    [
      'two spiffe ids',
      () =>
        showing(
          aLeaf(shop, {
            extensions: (all) =>
              replaced(
                all,
                extension.subjectAltName(
                  [{ uri: 'spiffe://shop.local/a' }, { uri: 'spiffe://shop.local/b' }],
                  false,
                ),
              ),
          }),
        ),
      'not-spiffe',
    ],
    [
      'a leaf that may sign certificates',
      () =>
        showing(
          aLeaf(shop, {
            extensions: (all) =>
              replaced(all, extension.keyUsage('digitalSignature', 'keyCertSign')),
          }),
        ),
      'key-usage',
    ],
  ])('turns away %s', async (_name, options, code) => {
    const door = await aDoor(shop)
    expect(await answerTo(door.port, options())).toBe('closed')
    const refused = await door.refusal()
    expect([codeOf(refused), refused.remoteAddress]).toEqual([code, '127.0.0.1'])
    expect(door.peers).toEqual([])
  })

  it('turns away an id of one federated trust domain that another one signed, and names the leaf', async () => {
    const door = await aDoor(shop)
    door.trust.set(
      trustIn([
        ...shop.trust.byTrustDomain.values(),
        bundleOf('evil.local', [evil.root.certificate.der]),
      ]),
    )
    expect(await answerTo(door.port, showing(evil.svid('/web')))).toBe(
      'hello spiffe://evil.local/web',
    )
    const posing = aLeaf(evil, {
      extensions: (all) =>
        replaced(all, extension.subjectAltName([{ uri: 'spiffe://shop.local/web' }], false)),
    })
    expect(await answerTo(door.port, showing(posing))).toBe('closed')
    const refused = await door.refusal()
    expect([refused.phase, codeOf(refused)]).toEqual(['identity', 'unknown-authority'])
    expect(refused.thumbprint).toMatch(/^[A-Za-z0-9_-]{43}$/)
  })

  it('speaks nothing older than tls 1.3', async () => {
    const door = await aDoor(shop)
    expect(
      await answerTo(door.port, { ...showing(shop.svid('/web')), maxVersion: 'TLSv1.2' }),
    ).toBe('closed')
    expect((await door.refusal()).phase).toBe('handshake')
  })

  it('offers only the protocols it was given', async () => {
    const door = await aDoor(shop)
    expect(
      await answerTo(door.port, { ...showing(shop.svid('/web')), ALPNProtocols: ['h2'] }),
    ).toBe('closed')
    expect(
      await answerTo(door.port, { ...showing(shop.svid('/web')), ALPNProtocols: ['http/1.1'] }),
    ).toMatch(/^hello/)
  })

  it('resumes no session', async () => {
    const door = await aDoor(shop)
    const client = showing(shop.svid('/web'))
    const first = connectTls({
      host: '127.0.0.1',
      port: door.port,
      rejectUnauthorized: false,
      ...client,
    })
    const [session] = (await once(first, 'session')) as [Buffer]
    first.destroy()
    const again = connectTls({
      host: '127.0.0.1',
      port: door.port,
      rejectUnauthorized: false,
      session,
      ...client,
    })
    await once(again, 'data')
    expect(again.isSessionReused()).toBe(false)
    again.destroy()
  })

  it('ends a handshake that does not go on', async () => {
    const door = await aDoor(shop, { handshakeTimeoutMs: 100 })
    const socket = connectTcp(door.port, '127.0.0.1')
    socket.on('error', () => undefined)
    await once(socket, 'close')
    expect((await door.refusal()).phase).toBe('handshake')
  })

  it('closes connections beyond the handshakes that it allows, and takes new ones after those', async () => {
    const door = await aDoor(shop, { maxHandshakes: 2 })
    const half = [0, 1].map(() => connectTcp(door.port, '127.0.0.1'))
    await Promise.all(half.map((socket) => once(socket, 'connect')))
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(await answerTo(door.port, showing(shop.svid('/web')))).toBe('closed')
    expect((await door.refusal()).phase).toBe('overload')
    for (const socket of half) socket.destroy()
    await Promise.all(half.map((socket) => once(socket, 'close')))
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(await answerTo(door.port, showing(shop.svid('/web')))).toMatch(/^hello/)
    expect(await answerTo(door.port, showing(shop.svid('/web')))).toMatch(/^hello/)
    expect(await answerTo(door.port, showing(shop.svid('/web')))).toMatch(/^hello/)
  })

  it('takes nobody with a certificate of its own that is over', async () => {
    const door = await aDoor(shop)
    door.clock = Date.now() + 2 * hour
    expect(await answerTo(door.port, showing(shop.svid('/web')))).toBe('closed')
    expect(codeOf(await door.refusal())).toBe('own-expired')
  })
})
