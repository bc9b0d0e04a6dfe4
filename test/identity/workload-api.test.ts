/** The SPIFFE Workload API over a real socket: our client against our server, and each fault that an agent can have. */
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto'
import type { JsonWebKeyInput } from 'node:crypto'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Server, ServerCredentials, status } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import { issueRevocationList, validFor } from '../../src/identity/authority.ts'
import { identitySection } from '../../src/identity/section.ts'
import { initAuthority } from '../../src/identity/sources/authority-folder.ts'
import { systemClock } from '../../src/identity/sources/clock.ts'
import type { IdentityEvent } from '../../src/identity/sources/identity-source.ts'
import { verifyPeer } from '../../src/identity/verify-peer.ts'
import { openAuthorityContent } from '../../src/identity/workload-api/authority-content.ts'
import { WorkloadApiClient } from '../../src/identity/workload-api/client.ts'
import { endpointTarget } from '../../src/identity/workload-api/endpoint.ts'
import { paths } from '../../src/identity/workload-api/messages.ts'
import type { X509SvidMessage, X509SvidResponse } from '../../src/identity/workload-api/messages.ts'
import { serveWorkloadApi } from '../../src/identity/workload-api/server.ts'
import { openWorkloadApi } from '../../src/identity/workload-api/source.ts'
import { LiveValue } from '../../src/live.ts'
import { aTrustDomain } from '../support/certificates.ts'
import { HeldClock } from '../support/held-clock.ts'
import type { TrustDomain } from '../support/certificates.ts'

const hour = 3_600_000
const shop = aTrustDomain('shop.local')
const partner = aTrustDomain('partner.example')
const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0).reverse()) close()
})

const aSocket = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'agent-'))
  closers.push(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'agent.sock')
}

const svidOf = (domain: TrustDomain, path: string, lifeMs = hour): X509SvidMessage => {
  const issued = domain.svid(path, validFor(Date.now(), lifeMs))
  return {
    spiffeId: `spiffe://${domain.name}${path}`,
    chain: Buffer.concat(issued.chain),
    key: issued.privateKey.export({ format: 'der', type: 'pkcs8' }),
    bundle: domain.root.certificate.der,
    hint: '',
  }
}

const sending = (...svids: readonly X509SvidMessage[]): X509SvidResponse => ({
  svids,
  crls: [],
  federated: new Map([['spiffe://partner.example', partner.root.certificate.der]]),
})

const jwtKey = createPublicKey(
  generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
).export({ format: 'jwk' })
const jwks = (kid: string) => Buffer.from(JSON.stringify({ keys: [{ ...jwtKey, kid }] }))

const anAgent = async (
  socket = aSocket(),
  x509 = new LiveValue(sending(svidOf(shop, '/orders'))),
) => {
  const jwtBundles = new LiveValue<ReadonlyMap<string, Buffer>>(
    new Map([['spiffe://shop.local', jwks('one')]]),
  )
  const server = await serveWorkloadApi(socket, {
    x509,
    jwtBundles,
    signJwtSvids: ({ audiences, spiffeId }) => [
      { spiffeId, token: `token for ${audiences.join('+')}`, hint: '' },
    ],
  })
  closers.push(() => server.close())
  return { socket, x509, jwtBundles, server }
}

const open = async (
  address: string,
  extra: Record<string, unknown> = {},
  section: Record<string, unknown> = {},
) => {
  const parsed = identitySection.parse({
    source: { workload_api: { socket: address, ...extra } },
    ...section,
  })
  const events: IdentityEvent[] = []
  const source = await openWorkloadApi(parsed, parsed.source.workload_api!, {
    clock: systemClock,
    random: () => 0,
    baseDirectory: '/',
    endpointSocket: undefined,
    onEvent: (event) => events.push(event),
  })
  closers.push(() => source.close())
  return { source, events }
}

const until = async (holds: () => boolean): Promise<void> => {
  for (let turn = 0; turn < 500 && !holds(); turn += 1)
    await new Promise((resolve) => setTimeout(resolve, 10))
  expect(holds()).toBe(true)
}

describe('the address of an agent', () => {
  it.each([
    ['unix:///run/spire/agent.sock', 'unix:/run/spire/agent.sock'],
    ['tcp://127.0.0.1:8000', '127.0.0.1:8000'],
    ['tcp://[::1]:8000', '[::1]:8000'],
  ])('takes %s', (text, target) => expect(endpointTarget(text)).toBe(target))

  it.each([
    '',
    'run/agent.sock',
    'unix://run/agent.sock',
    'unix:///',
    'unix:///a.sock?x=y',
    'tcp://localhost:8000',
    'tcp://127.0.0.1',
    'tcp://127.0.0.1:8000/path',
    'tcp://user@127.0.0.1:8000',
    'http://127.0.0.1:8000',
  ])('refuses %j', (text) => expect(() => endpointTarget(text)).toThrow('expected unix:'))
})

describe('the source', () => {
  it('gives our identity, our trust and that of federated trust domains', async () => {
    const { server, socket } = await anAgent()
    expect(statSync(socket).mode & 0o777).toBe(0o600)
    const { source } = await open(server.address)
    expect(source.identity.current.spiffeId.uri).toBe('spiffe://shop.local/orders')
    for (const domain of [shop, partner])
      expect(
        verifyPeer(domain.svid('/web').chain, source.trust.current, Date.now()).trustDomain,
      ).toBe(domain.name)
  })

  it('takes the first of several identities, or the one that is configured', async () => {
    const { server } = await anAgent(
      aSocket(),
      new LiveValue(sending(svidOf(shop, '/a'), svidOf(shop, '/b'))),
    )
    expect((await open(server.address)).source.identity.current.spiffeId.path).toBe('/a')
    const chosen = await open(server.address, { spiffe_id: 'spiffe://shop.local/b' })
    expect(chosen.source.identity.current.spiffeId.path).toBe('/b')
    await expect(
      open(server.address, { spiffe_id: 'spiffe://shop.local/c', start_timeout: '300ms' }),
    ).rejects.toThrow('did not send spiffe://shop.local/c')
  })

  it('follows a new leaf and a new root without a restart', async () => {
    const { server, x509 } = await anAgent()
    const { source, events } = await open(server.address)
    const next = aTrustDomain('shop.local')
    const before = source.identity.current.serial
    x509.set(
      sending({
        ...svidOf(next, '/orders'),
        bundle: Buffer.concat([shop.root.certificate.der, next.root.certificate.der]),
      }),
    )
    await until(() => source.identity.current.serial !== before)
    expect(verifyPeer(next.svid('/web').chain, source.trust.current, Date.now()).path).toBe('/web')
    expect(verifyPeer(shop.svid('/web').chain, source.trust.current, Date.now()).path).toBe('/web')
    expect(events.map((event) => event.kind)).toEqual(['trust-changed', 'rotated'])
  })

  it.each<readonly [string, () => X509SvidMessage]>([
    [
      'a key of another certificate',
      () => ({ ...svidOf(shop, '/orders'), key: svidOf(shop, '/orders').key }),
    ],
    ['a key that is none', () => ({ ...svidOf(shop, '/orders'), key: Buffer.from('key') })],
    [
      'a certificate that does not parse',
      () => ({ ...svidOf(shop, '/orders'), chain: Buffer.from('chain') }),
    ],
    ['a certificate that is over', () => svidOf(shop, '/orders', -30_000)],
    [
      'a bundle that does not know it',
      () => ({ ...svidOf(shop, '/orders'), bundle: partner.root.certificate.der }),
    ],
    [
      'an id that is not in the certificate',
      () => ({ ...svidOf(shop, '/orders'), spiffeId: 'spiffe://shop.local/admin' }),
    ],
  ])('keeps the last good at %s', async (_name, wrong) => {
    const { server, x509 } = await anAgent()
    const { source } = await open(server.address)
    const before = source.identity.current
    x509.set(sending(wrong()))
    await until(() => source.fault.current !== undefined)
    expect(source.identity.current).toBe(before)
    x509.set(sending(svidOf(shop, '/orders')))
    await until(() => source.fault.current === undefined)
    expect(source.identity.current.serial).not.toBe(before.serial)
  })

  it('keeps the last good while the agent is away, and takes up again when it is back', async () => {
    const first = await anAgent()
    const { source, events } = await open(first.server.address)
    const before = source.identity.current
    first.server.close()
    await until(() => source.fault.current !== undefined)
    expect(source.identity.current).toBe(before)
    await anAgent(first.socket, new LiveValue(sending(svidOf(shop, '/orders'))))
    await until(() => source.identity.current.serial !== before.serial)
    await until(() => source.fault.current === undefined)
    expect(events.at(-1)?.kind).toBe('recovered')
  })

  it('waits at start for an agent that has no identity for us yet', async () => {
    const x509 = new LiveValue(sending())
    const { server } = await anAgent(aSocket(), x509)
    setTimeout(() => x509.set(sending(svidOf(shop, '/orders'))), 200)
    expect((await open(server.address)).source.identity.current.spiffeId.path).toBe('/orders')
  })

  it('says why it could not start', async () => {
    const { server } = await anAgent(aSocket(), new LiveValue(sending()))
    await expect(open(server.address, { start_timeout: '300ms' })).rejects.toThrow(
      'PERMISSION_DENIED',
    )
    await expect(open(`unix://${aSocket()}`, { start_timeout: '300ms' })).rejects.toThrow(
      'UNAVAILABLE',
    )
    const other = await anAgent()
    await expect(
      open(other.server.address, { start_timeout: '300ms' }, { trust_domain: 'other.local' }),
    ).rejects.toThrow('other.local')
  })

  it('gives jwt-svids for an audience, and the keys that verify those of others', async () => {
    const { server, jwtBundles } = await anAgent()
    const { source } = await open(server.address)
    expect(await source.fetchJwtSvids(['spiffe://shop.local/payments'])).toEqual([
      {
        spiffeId: 'spiffe://shop.local/orders',
        token: 'token for spiffe://shop.local/payments',
        hint: '',
      },
    ])
    const kids = () => [...(source.jwtBundles.current.get('shop.local')?.keys() ?? [])]
    await until(() => kids().includes('one'))
    jwtBundles.set(new Map([['spiffe://shop.local', jwks('two')]]))
    await until(() => kids().includes('two'))
    await expect(source.fetchJwtSvids([])).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      mayRetry: false,
    })
  })
})

describe('the client', () => {
  it('sends the security header with every call, and does not ask again when told that the request is wrong', async () => {
    const socket = aSocket()
    const seen: unknown[] = []
    const server = new Server()
    const same = (bytes: Buffer) => bytes
    server.addService(
      {
        fetch: {
          path: paths.fetchX509Svid,
          requestStream: false,
          responseStream: true,
          requestSerialize: same,
          requestDeserialize: same,
          responseSerialize: same,
          responseDeserialize: same,
        },
      },
      {
        fetch: (call: {
          metadata: { get(name: string): unknown }
          emit(name: string, error: unknown): void
        }) => {
          seen.push(call.metadata.get('workload.spiffe.io'))
          call.emit('error', { code: status.INVALID_ARGUMENT, details: 'no' })
        },
      },
    )
    await new Promise<void>((resolve) => {
      server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), () => resolve())
    })
    closers.push(() => server.forceShutdown())
    await expect(open(`unix://${socket}`)).rejects.toThrow('INVALID_ARGUMENT')
    expect(seen).toEqual([['true']])
  })

  it('gives up on nothing else, and says so each time', async () => {
    const faults: string[] = []
    let delays: readonly number[] = []
    const client = new WorkloadApiClient({
      target: `unix:${aSocket()}`,
      random: () => 0.5,
      clock: {
        now: () => Date.now(),
        after: (delayMs, run) => {
          delays = [...delays, delayMs]
          if (delays.length < 7) setImmediate(run)
          return () => undefined
        },
      },
    })
    closers.push(() => client.close())
    client.watchX509Svids({
      onMessage: () => undefined,
      onFault: (error) => faults.push(error.code),
    })
    await until(() => delays.length === 7)
    expect(delays).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000])
    expect(new Set(faults)).toEqual(new Set(['UNAVAILABLE']))
  })
})

describe('files beside the agent', () => {
  it('give revocation, which holds as soon as the file changes', async () => {
    const { server } = await anAgent()
    const folder = mkdtempSync(join(tmpdir(), 'crl-'))
    closers.push(() => rmSync(folder, { recursive: true, force: true }))
    const file = join(folder, 'crl.der')
    const web = shop.svid('/web').chain
    const revoke = (serials: readonly string[]) =>
      writeFileSync(
        file,
        issueRevocationList(shop.intermediate, {
          number: 1,
          thisUpdate: Date.now() - 1000,
          nextUpdate: Date.now() + hour,
          revoked: serials,
        }),
      )
    revoke([])
    const { source } = await open(server.address, {}, { crl: { files: [file] } })
    const { serial } = verifyPeer(web, source.trust.current, Date.now())
    revoke([serial])
    await until(() => {
      try {
        return verifyPeer(web, source.trust.current, Date.now()).serial === ''
      } catch (error) {
        return (error as { readonly code: string }).code === 'revoked'
      }
    })
  })
})

describe('the development authority', () => {
  it('serves identities that our source takes, renews them, and signs jwt-svids that its bundle verifies', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'authority-'))
    closers.push(() => rmSync(folder, { recursive: true, force: true }))
    initAuthority(folder, { trustDomain: 'shop.local', now: Date.now() })
    const clock = new HeldClock(Date.now() - 35 * 60_000)
    const content = openAuthorityContent({
      folder,
      spiffeIds: ['spiffe://shop.local/orders', 'spiffe://shop.local/web'],
      lifetimeMs: hour,
      clock,
      random: () => 0.5,
      onFault: (error) => expect.fail(String(error)),
    })
    closers.push(() => content.close())
    const server = await serveWorkloadApi(aSocket(), content)
    closers.push(() => server.close())
    const { source } = await open(server.address)
    const before = source.identity.current
    expect(before.spiffeId.uri).toBe('spiffe://shop.local/orders')
    clock.advance(35 * 60_000)
    await until(() => source.identity.current.serial !== before.serial)
    await until(() => source.jwtBundles.current.size === 1)
    const [svid] = await source.fetchJwtSvids(['spiffe://shop.local/payments'])
    const [head, body, signature] = svid!.token.split('.') as [string, string, string]
    const { kid } = JSON.parse(Buffer.from(head, 'base64url').toString()) as { kid: string }
    const key = createPublicKey({
      key: source.jwtBundles.current.get('shop.local')!.get(kid) as JsonWebKeyInput['key'],
      format: 'jwk',
    })
    const good = verify(
      'sha256',
      Buffer.from(`${head}.${body}`),
      { key, dsaEncoding: 'ieee-p1363' },
      Buffer.from(signature, 'base64url'),
    )
    expect([good, JSON.parse(Buffer.from(body, 'base64url').toString())]).toMatchObject([
      true,
      { sub: 'spiffe://shop.local/orders', aud: ['spiffe://shop.local/payments'] },
    ])
  })
})
