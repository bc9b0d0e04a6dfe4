/** Mutual TLS over real sockets: who is let in, who is turned away and why, and what rotation does to both. */
import { once } from 'node:events'
import { connect as connectTcp, createServer as createTcpServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { ConnectionOptions, Server, TLSSocket } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { validFor } from '../../src/identity/authority.ts'
import type { IssuedCertificate } from '../../src/identity/authority.ts'
import { certificatePem } from '../../src/identity/certificate.ts'
import { IdentityError } from '../../src/identity/identity-error.ts'
import { connectMesh, createMeshServer } from '../../src/identity/mesh-tls.ts'
import type { MeshServerOptions, RefusedConnection } from '../../src/identity/mesh-tls.ts'
import { bundleOf, trustIn } from '../../src/identity/trust-bundle.ts'
import type { TrustBundles } from '../../src/identity/trust-bundle.ts'
import type { WorkloadIdentity } from '../../src/identity/workload-identity.ts'
import { extension } from '../../src/identity/x509/write.ts'
import { LiveValue } from '../../src/live.ts'
import { aLeaf, aTrustDomain, replaced } from '../support/certificates.ts'
import type { TrustDomain } from '../support/certificates.ts'

const hour = 3_600_000
const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

interface Door {
  readonly server: Server
  readonly port: number
  readonly identity: LiveValue<WorkloadIdentity>
  readonly trust: LiveValue<TrustBundles>
  readonly peers: string[]
  readonly refused: RefusedConnection[]
  clock: number
  /** The next connection that is turned away. */
  refusal(): Promise<RefusedConnection>
}

/** A mesh listener of `/server` that says hello to every peer it lets in. */
const aDoor = async (
  domain: TrustDomain,
  options: Partial<MeshServerOptions> = {},
): Promise<Door> => {
  const waiting: ((refused: RefusedConnection) => void)[] = []
  const door = {
    identity: new LiveValue(domain.identity('/server')),
    trust: new LiveValue(domain.trust),
    peers: [] as string[],
    refused: [] as RefusedConnection[],
    clock: Date.now(),
    refusal: () =>
      new Promise<RefusedConnection>((resolve) => {
        const ready = door.refused.shift()
        if (ready) resolve(ready)
        else waiting.push(resolve)
      }),
  }
  const server = createMeshServer({
    identity: door.identity,
    trust: door.trust,
    now: () => door.clock,
    protocols: ['http/1.1'],
    onPeer: (socket, peer) => {
      door.peers.push(peer.spiffeId)
      socket.write(`hello ${peer.spiffeId}`)
    },
    onRefused: (refused) => {
      const next = waiting.shift()
      if (next) next(refused)
      else door.refused.push(refused)
    },
    ...options,
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(() => server.close())
  return Object.assign(door, { server, port: (server.address() as AddressInfo).port })
}

const showing = (issued: IssuedCertificate): ConnectionOptions => ({
  cert: issued.chain.map((der) => certificatePem(der)).join(''),
  key: issued.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
})

/** What a TLS client with these options is told: the server's first words, or the end. */
const answerTo = (port: number, options: ConnectionOptions): Promise<string> =>
  new Promise((resolve) => {
    const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options })
    closers.push(() => socket.destroy())
    socket.on('data', (data) => resolve(data.toString()))
    socket.on('error', () => resolve('closed'))
    socket.on('close', () => resolve('closed'))
  })

const codeOf = (refused: RefusedConnection): string =>
  refused.error instanceof IdentityError ? refused.error.code : refused.phase

const shop = aTrustDomain('shop.local')
const evil = aTrustDomain('evil.local')
const ago = { notBefore: Date.now() - 2 * hour, notAfter: Date.now() - hour }

describe('the door to the mesh', () => {
  it('lets in a workload of its trust domain over tls 1.3', async () => {
    const door = await aDoor(shop)
    expect(await answerTo(door.port, showing(shop.svid('/web')))).toBe(
      'hello spiffe://shop.local/web',
    )
    expect(door.peers).toEqual(['spiffe://shop.local/web'])
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
    expect(codeOf(await door.refusal())).toBe(code)
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
