/**
 * The door for operators on this machine: metrics, what is in force, what happened lately, and a page that shows it.
 *
 * Read only, loopback only. A browser on another origin cannot use it: the Host must be a loopback name, which stops
 * DNS rebinding, and no answer allows another origin. Nothing here shows a secret; views are given as plain data.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Address } from '../units.ts'

/** One resource: a media type and what it says now. */
export interface AdminView {
  readonly contentType: string
  readonly body: () => string
}

/** The bound listener. */
export interface AdminListener {
  readonly address: Address
  close(): void
}

const securityHeaders = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}

/** A view of plain data as JSON. */
export const jsonView = (read: () => unknown): AdminView => ({
  contentType: 'application/json; charset=utf-8',
  body: () => `${JSON.stringify(read(), undefined, 2)}\n`,
})

/** Opens the listener with its resources by path. Rejects when the address cannot be bound. */
export const openAdminListener = (
  address: Address,
  views: ReadonlyMap<string, AdminView>,
): Promise<AdminListener> =>
  new Promise((resolve, reject) => {
    const server = createServer(
      { requestTimeout: 5_000, headersTimeout: 5_000 },
      (request, response) => answer(request, response, views),
    )
    server.maxConnections = 100
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(new Error(`cannot listen on ${address.host}:${address.port}: ${error.code}`)),
    )
    server.listen(address.port, address.host, () => {
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

const loopbackHost = /^(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(:\d+)?$/

const answer = (
  request: IncomingMessage,
  response: ServerResponse,
  views: ReadonlyMap<string, AdminView>,
): void => {
  const plain = (status: number, text: string): void => {
    response.writeHead(status, { ...securityHeaders, 'content-type': 'text/plain; charset=utf-8' })
    response.end(`${text}\n`)
  }
  if (!loopbackHost.test(request.headers.host ?? '')) {
    plain(421, 'the admin listener answers to loopback names only')
    return
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    plain(405, 'the admin listener is read only')
    return
  }
  const view = views.get((request.url ?? '/').split('?', 1)[0]!)
  if (view === undefined) {
    plain(404, `no such resource; try one of:\n${[...views.keys()].join('\n')}`)
    return
  }
  response.writeHead(200, { ...securityHeaders, 'content-type': view.contentType })
  response.end(view.body())
}
