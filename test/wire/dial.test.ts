/** Dialling: to the checked address only, and to nobody but the expected peer. */
import {
  createServer as createTcpServer,
  type AddressInfo,
  type Server,
  type Socket,
} from 'node:net'
import { createServer as createTlsServer, createSecureContext } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { extension } from '../../src/identity/x509/write.ts'
import { dialTcp, dialTls, type DialTlsOptions } from '../../src/wire/dial.ts'
import { WireError } from '../../src/wire/wire-error.ts'
import { aLeaf, aTrustDomain, replaced } from '../support/certificates.ts'

const servers: Server[] = []
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve))
})

const listen = async (server: Server): Promise<number> => {
  servers.push(server)
  server.on('connection', (socket: Socket) => {
    socket.on('error', () => undefined)
    sockets.push(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

const pem = (der: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replaceAll(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`

const domain = aTrustDomain('vendor.example')
const secureContext = createSecureContext({ ca: pem(domain.root.certificate.der) })

/** A TLS server with a certificate for the DNS name. */
const tlsServer = (name: string, more: object = {}): Promise<number> => {
  const leaf = aLeaf(domain, {
    extensions: (good) => replaced(good, extension.subjectAltName([{ dns: name }], false)),
  })
  const server = createTlsServer({
    cert: leaf.chain.map(pem).join(''),
    key: leaf.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    ...more,
  })
  server.on('tlsClientError', () => undefined)
  server.on('secureConnection', (socket) => socket.on('error', () => undefined))
  return listen(server)
}

const tls = (port: number, change: Partial<DialTlsOptions> = {}): DialTlsOptions => ({
  address: '127.0.0.1',
  port,
  timeoutMs: 2_000,
  servername: 'api.vendor.example',
  secureContext,
  minVersion: 'TLSv1.2',
  peer: { kind: 'dns-name' },
  ...change,
})

describe('TCP', () => {
  it('connects to an address and to nothing else', async () => {
    const port = await listen(createTcpServer((socket) => socket.on('error', () => undefined)))
    const socket = await dialTcp({ address: '127.0.0.1', port, timeoutMs: 1_000 })
    expect(socket.remoteAddress).toBe('127.0.0.1')
    socket.destroy()
    await expect(dialTcp({ address: 'localhost', port, timeoutMs: 1_000 })).rejects.toMatchObject({
      code: 'address-denied',
    })
  })

  it('says when nothing listens, and when it was called off', async () => {
    await expect(
      dialTcp({ address: '127.0.0.1', port: 1, timeoutMs: 1_000 }),
    ).rejects.toMatchObject({ code: 'dial-refused', retry: 'safe' })
    const port = await listen(createTcpServer((socket) => socket.on('error', () => undefined)))
    await expect(
      dialTcp({ address: '127.0.0.1', port, timeoutMs: 1_000, signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ code: 'cancelled' })
  })
})

describe('TLS', () => {
  it('accepts a certificate for the name from a trusted authority', async () => {
    const port = await tlsServer('api.vendor.example')
    const socket = await dialTls(tls(port))
    expect(socket.authorized).toBe(true)
    expect(socket.getProtocol()).toBe('TLSv1.3')
    socket.destroy()
  })

  it('refuses another name, an unknown authority, and an old protocol', async () => {
    await expect(dialTls(tls(await tlsServer('other.example')))).rejects.toMatchObject({
      code: 'tls-failed',
    })
    const port = await tlsServer('api.vendor.example')
    await expect(
      dialTls(tls(port, { secureContext: createSecureContext() })),
    ).rejects.toMatchObject({ code: 'tls-failed' })
    const old = await tlsServer('api.vendor.example', { maxVersion: 'TLSv1.2' })
    await expect(dialTls(tls(old, { minVersion: 'TLSv1.3' }))).rejects.toMatchObject({
      code: 'tls-failed',
    })
    const plain = await listen(
      createTcpServer((socket) =>
        socket.on('error', () => undefined).end('HTTP/1.1 400 no\r\n\r\n'),
      ),
    )
    await expect(dialTls(tls(plain))).rejects.toMatchObject({ code: 'tls-failed' })
  })

  it('gives a handshake no more time than the whole dial has', async () => {
    const silent = await listen(
      createTcpServer((socket) => socket.on('error', () => undefined).on('data', () => undefined)),
    )
    await expect(dialTls(tls(silent, { timeoutMs: 60 }))).rejects.toMatchObject({
      code: 'dial-timeout',
    })
  })

  it('asks the verifier about the peer, and lets its word stand', async () => {
    const port = await tlsServer('spiffe.example')
    const seen: string[] = []
    const accepted = await dialTls(
      tls(port, {
        servername: undefined,
        peer: {
          kind: 'verified-by',
          verify: (socket) => void seen.push(socket.remoteAddress ?? ''),
        },
      }),
    )
    expect(seen).toEqual(['127.0.0.1'])
    accepted.destroy()
    const refusal = new WireError('identity-mismatch', 'another workload')
    const refused = {
      kind: 'verified-by',
      verify: () => {
        throw refusal
      },
    } as const
    await expect(dialTls(tls(port, { servername: undefined, peer: refused }))).rejects.toBe(refusal)
    const broken = {
      kind: 'verified-by',
      verify: () => {
        throw new Error('x')
      },
    } as const
    await expect(dialTls(tls(port, { peer: broken }))).rejects.toMatchObject({
      code: 'identity-mismatch',
    })
    const untrusted = { kind: 'verified-by', verify: () => undefined } as const
    await expect(
      dialTls(tls(port, { peer: untrusted, secureContext: createSecureContext() })),
    ).rejects.toMatchObject({ code: 'tls-failed' })
  })
})
