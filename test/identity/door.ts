/** A mesh listener for tests, and clients that knock at it. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { ConnectionOptions, Server } from 'node:tls'
import type { IssuedCertificate } from '../../src/identity/authority.ts'
import { certificatePem } from '../../src/identity/certificate.ts'
import { IdentityError } from '../../src/identity/identity-error.ts'
import { createMeshServer } from '../../src/identity/mesh-tls.ts'
import type { MeshServerOptions, RefusedConnection } from '../../src/identity/mesh-tls.ts'
import type { TrustBundles } from '../../src/identity/trust-bundle.ts'
import type { WorkloadIdentity } from '../../src/identity/workload-identity.ts'
import { LiveValue } from '../../src/live.ts'
import { aTrustDomain } from '../support/certificates.ts'
import type { TrustDomain } from '../support/certificates.ts'

export const hour = 3_600_000
export const closers: (() => void)[] = []

/** Closes what the test opened. */
export const closeAll = (): void => {
  for (const close of closers.splice(0)) close()
}

export interface Door {
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
export const aDoor = async (
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

export const showing = (issued: IssuedCertificate): ConnectionOptions => ({
  cert: issued.chain.map((der) => certificatePem(der)).join(''),
  key: issued.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
})

/** What a TLS client with these options is told: the server's first words, or the end. */
export const answerTo = (port: number, options: ConnectionOptions): Promise<string> =>
  new Promise((resolve) => {
    const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options })
    closers.push(() => socket.destroy())
    socket.on('data', (data) => resolve(data.toString()))
    socket.on('error', () => resolve('closed'))
    socket.on('close', () => resolve('closed'))
  })

export const codeOf = (refused: RefusedConnection): string =>
  refused.error instanceof IdentityError ? refused.error.code : refused.phase

export const shop = aTrustDomain('shop.local')
export const evil = aTrustDomain('evil.local')
export const ago = { notBefore: Date.now() - 2 * hour, notAfter: Date.now() - hour }
