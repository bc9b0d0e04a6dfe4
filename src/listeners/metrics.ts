/**
 * The door for Prometheus where it does not run beside us: `/metrics`, read only, and nothing else.
 *
 * It is open only where the configuration names an address; the same text is on the admin listener, which is on
 * loopback. Metrics name routes, services and APIs, and hold no secret; who may connect is for the network to say.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Address } from '../units.ts'

/** What it serves. */
export interface MetricsParts {
  readonly address: Address
  readonly contentType: string
  readonly text: () => string
}

/** The bound listener. */
export interface MetricsListener {
  readonly address: Address
  close(): void
}

/** Opens the listener. Rejects when the address cannot be bound. */
export const openMetricsListener = (parts: MetricsParts): Promise<MetricsListener> =>
  new Promise((resolve, reject) => {
    const server = createServer(
      { requestTimeout: 5_000, headersTimeout: 5_000, keepAliveTimeout: 65_000 },
      (request, response) => {
        const isMetrics = request.url?.split('?', 1)[0] === '/metrics'
        if (!isMetrics || (request.method !== 'GET' && request.method !== 'HEAD')) {
          response.writeHead(isMetrics ? 405 : 404).end()
          return
        }
        response.writeHead(200, { 'content-type': parts.contentType, 'cache-control': 'no-store' })
        response.end(request.method === 'HEAD' ? undefined : parts.text())
      },
    )
    server.maxConnections = 20
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new Error(`cannot listen on ${parts.address.host}:${parts.address.port}: ${error.code}`),
      ),
    )
    server.listen(parts.address.port, parts.address.host, () => {
      const bound = server.address() as AddressInfo
      resolve({
        address: { host: bound.address, port: bound.port },
        close: () => {
          server.close()
          server.closeAllConnections()
        },
      })
    })
  })
