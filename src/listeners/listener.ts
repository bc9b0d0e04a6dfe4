/** A bound listener: where it listens, how it stops taking connections, and how it ends those it has. */
import type { AddressInfo, Server } from 'node:net'
import type { Address } from '../units.ts'
import type { Connections } from './connections.ts'

/** One open door. */
export interface Listener {
  /** The address that was really bound; the port is known even when 0 was asked for. */
  readonly address: Address
  readonly connections: Connections
  /** Stops taking connections. Those that are open go on. */
  stopAccepting(): void
  /** Lets requests in flight finish; resolves when the last connection is closed. */
  drain(): Promise<void>
  /** Ends every connection now. */
  destroy(): void
}

/** Binds a server. Rejects with the error of the socket, naming the address. */
export const listen = (
  server: Server,
  address: Address,
  connections: Connections,
): Promise<Listener> =>
  new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      reject(
        new Error(`cannot listen on ${address.host}:${address.port}: ${error.code ?? 'failed'}`),
      )
    }
    server.once('error', onError)
    server.listen({ host: address.host, port: address.port, backlog: 1_024 }, () => {
      server.off('error', onError)
      // EMFILE and the like: the connection is lost, the listener is not.
      server.on('error', () => undefined)
      const bound = server.address() as AddressInfo
      resolve({
        address: { host: bound.address, port: bound.port },
        connections,
        stopAccepting: () => server.close(),
        drain: () => connections.drain(),
        destroy: () => connections.destroy(),
      })
    })
  })
