/** Dialling peers over real sockets, and what rotation does to both ends. */
import { once } from 'node:events'
import { createServer as createTcpServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { validFor } from '../../src/identity/authority.ts'
import { connectMesh } from '../../src/identity/mesh-tls.ts'
import { bundleOf, trustIn } from '../../src/identity/trust-bundle.ts'
import { LiveValue } from '../../src/live.ts'
import { aTrustDomain } from '../support/certificates.ts'
import type { TrustDomain } from '../support/certificates.ts'
import { aDoor, answerTo, closeAll, closers, evil, hour, shop, showing } from './door.ts'

afterEach(closeAll)

const dial = (
  door: { readonly port: number },
  domain: TrustDomain,
  expected: readonly string[],
  path = '/web',
) =>
  connectMesh({
    identity: new LiveValue(domain.identity(path)),
    trust: new LiveValue(domain.trust),
    now: () => Date.now(),
    host: '127.0.0.1',
    port: door.port,
    expected,
    protocols: ['http/1.1'],
    timeoutMs: 2_000,
  })

describe('dialling a peer', () => {
  it('gives a connection to the peer that was expected', async () => {
    const door = await aDoor(shop)
    const { socket, peer } = await dial(door, shop, ['spiffe://shop.local/server'])
    expect([peer.spiffeId, socket.getProtocol(), socket.alpnProtocol]).toEqual([
      'spiffe://shop.local/server',
      'TLSv1.3',
      'http/1.1',
    ])
    socket.destroy()
  })

  it.each([
    ['another workload of the trust domain', ['spiffe://shop.local/other'], 'wrong-peer'],
    ['a longer path', ['spiffe://shop.local/server/a'], 'wrong-peer'],
    ['nobody', [], 'wrong-peer'],
  ])('refuses the peer when %s was expected', async (_name, expected, code) => {
    const door = await aDoor(shop)
    await expect(dial(door, shop, expected)).rejects.toMatchObject({ code })
  })

  it('refuses a server of an unknown authority', async () => {
    const door = await aDoor(evil)
    await expect(dial(door, shop, ['spiffe://evil.local/server'])).rejects.toMatchObject({
      code: 'unknown-authority',
    })
  })

  it('says when nobody listens, when nobody answers and when it was called off', async () => {
    const door = await aDoor(shop)
    door.server.close()
    await once(door.server, 'close')
    await expect(dial(door, shop, ['spiffe://shop.local/server'])).rejects.toMatchObject({
      code: 'ECONNREFUSED',
    })
    const silent = createTcpServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    closers.push(() => silent.close())
    const port = (silent.address() as AddressInfo).port
    const options = {
      identity: new LiveValue(shop.identity('/web')),
      trust: new LiveValue(shop.trust),
      now: () => Date.now(),
      host: '127.0.0.1',
      port,
      expected: ['spiffe://shop.local/server'],
      protocols: ['http/1.1'],
    }
    await expect(connectMesh({ ...options, timeoutMs: 50 })).rejects.toMatchObject({
      code: 'ETIMEDOUT',
    })
    const signal = AbortSignal.abort(new Error('called off'))
    await expect(connectMesh({ ...options, timeoutMs: 5_000, signal })).rejects.toThrow(
      'called off',
    )
  })

  it('does not dial with a certificate of its own that is over', async () => {
    const door = await aDoor(shop)
    const call = connectMesh({
      identity: new LiveValue(shop.identity('/web', validFor(Date.now(), hour))),
      trust: new LiveValue(shop.trust),
      now: () => Date.now() + 2 * hour,
      host: '127.0.0.1',
      port: door.port,
      expected: ['spiffe://shop.local/server'],
      protocols: [],
      timeoutMs: 1_000,
    })
    await expect(call).rejects.toMatchObject({ code: 'own-expired' })
  })
})

describe('rotation', () => {
  const serverLeaf = async (port: number, domain: TrustDomain): Promise<string> => {
    const { socket, peer } = await dial({ port }, domain, [`spiffe://${domain.name}/server`])
    socket.destroy()
    return peer.serial
  }
  const echoes = async (socket: TLSSocket): Promise<boolean> => {
    const [data] = (await once(socket, 'data')) as [Buffer]
    return data.length > 0
  }

  it('shows a new leaf to new connections and keeps the old ones', async () => {
    const door = await aDoor(shop)
    const kept = await dial(door, shop, ['spiffe://shop.local/server'])
    const before = await serverLeaf(door.port, shop)
    door.identity.set(shop.identity('/server'))
    expect(await serverLeaf(door.port, shop)).not.toBe(before)
    expect(kept.socket.destroyed).toBe(false)
    expect(await echoes(kept.socket)).toBe(true)
    kept.socket.destroy()
  })

  it('changes the root without a handshake that fails', async () => {
    const next = aTrustDomain('shop.local')
    const both = trustIn([
      bundleOf('shop.local', [shop.root.certificate.der, next.root.certificate.der]),
    ])
    const door = await aDoor(shop)
    const client = {
      identity: new LiveValue(shop.identity('/web')),
      trust: new LiveValue(shop.trust),
    }
    const call = async () => {
      const made = await connectMesh({
        ...client,
        now: () => Date.now(),
        host: '127.0.0.1',
        port: door.port,
        expected: ['spiffe://shop.local/server'],
        protocols: ['http/1.1'],
        timeoutMs: 2_000,
      })
      await echoes(made.socket)
      made.socket.destroy()
    }
    const steps = [
      () => door.trust.set(both),
      () => client.trust.set(both),
      () => door.identity.set(next.identity('/server')),
      () => client.identity.set(next.identity('/web')),
      () => door.trust.set(next.trust),
      () => client.trust.set(next.trust),
    ]
    await call()
    for (const step of steps) {
      step()
      await call()
    }
    expect(await answerTo(door.port, showing(shop.svid('/web')))).toBe('closed')
  })
})
