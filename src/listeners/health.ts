/**
 * The door for the orchestrator: `/livez`, `/readyz`, `/startupz`, each with `?verbose`, `/drain`, and nothing else.
 *
 * It says which check fails and since what, and nothing that a stranger on the pod network could use. `/drain` is not
 * there for such a stranger either, who could make the pod unready with it: it answers to loopback alone.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Address } from '../units.ts'

/** One thing that must hold before requests are sent here. */
export interface HealthCheck {
  readonly name: string
  /** `warning` is told and does not make the sidecar unready. */
  readonly state: 'ok' | 'warning' | 'failed'
  /** Why it is not ok, in words that hold no secret. */
  readonly detail?: string | undefined
}

/** What the listener asks. */
export interface HealthParts {
  readonly address: Address
  readonly checks: () => readonly HealthCheck[]
  readonly started: () => boolean
  readonly stopping: () => boolean
  /** Makes the sidecar unready for good; resolves when what is in flight is done, or has had its time. */
  readonly drain: () => Promise<void>
}

/** The bound listener. */
export interface HealthListener {
  readonly address: Address
  close(): void
}

/** Opens the listener. */
export const openHealthListener = (parts: HealthParts): Promise<HealthListener> =>
  new Promise((resolve, reject) => {
    const server = createServer(
      { requestTimeout: 5_000, headersTimeout: 5_000, keepAliveTimeout: 15_000 },
      (request, response) => answer(request, response, parts),
    )
    server.maxConnections = 100
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

const answer = (request: IncomingMessage, response: ServerResponse, parts: HealthParts): void => {
  const [path, query] = (request.url ?? '/').split('?', 2)
  if (path === '/drain' && isLocal(request)) {
    answerDrain(request, response, parts)
    return
  }
  const checks = checksFor(path!, parts)
  if (checks === undefined || (request.method !== 'GET' && request.method !== 'HEAD')) {
    response.writeHead(checks === undefined ? 404 : 405).end()
    return
  }
  const healthy = checks.every((check) => check.state !== 'failed')
  const verbose = query !== undefined && new URLSearchParams(query).has('verbose')
  response.writeHead(healthy ? 200 : 503, {
    'content-type': 'text/plain; charset=utf-8',
    'cache-control': 'no-store',
  })
  response.end(verbose || !healthy ? report(checks, healthy) : 'ok\n')
}

const isLocal = ({ socket }: IncomingMessage): boolean =>
  /^(?:::ffff:)?127\.|^::1$/.test(socket.remoteAddress ?? '')

const answerDrain = (
  request: IncomingMessage,
  response: ServerResponse,
  parts: HealthParts,
): void => {
  if (request.method !== 'GET' && request.method !== 'POST') {
    response.writeHead(405).end()
    return
  }
  void parts.drain().then(() => {
    response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end('drained\n')
  })
}

const checksFor = (path: string, parts: HealthParts): readonly HealthCheck[] | undefined => {
  const stopping: HealthCheck = { name: 'draining', state: 'failed', detail: 'shutting down' }
  if (path === '/livez' || path === '/healthz') return [{ name: 'event-loop', state: 'ok' }]
  if (path === '/startupz') {
    return [{ name: 'started', state: parts.started() ? 'ok' : 'failed' }]
  }
  if (path !== '/readyz') return undefined
  return parts.stopping() ? [stopping, ...parts.checks()] : parts.checks()
}

const marks = { ok: '[+]', warning: '[!]', failed: '[-]' } as const

const report = (checks: readonly HealthCheck[], healthy: boolean): string =>
  [
    ...checks.map(({ name, state, detail }) =>
      [marks[state], name, state === 'ok' ? 'ok' : `${state}: ${detail ?? ''}`].join(' '),
    ),
    healthy ? 'ready' : 'not ready',
    '',
  ].join('\n')
