/**
 * Fetches what the operator named in the configuration: key sets, secrets of a vault, OAuth tokens.
 *
 * Over the wire of the data path, with its limits: no redirects, a bound on time and size, verified TLS. The address
 * is guarded; private ranges are allowed because such servers mostly stand inside, link-local and metadata addresses
 * never are. Plain HTTP is for loopback alone.
 */
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls'
import { collectBody } from '../wire/body.ts'
import { resolveChecked, systemResolver } from '../wire/address.ts'
import { dialTcp, dialTls } from '../wire/dial.ts'
import { HeaderList } from '../wire/headers.ts'
import { originKey, type Origin } from '../wire/origin.ts'
import type { Pool } from '../wire/pool.ts'
import { WireError } from '../wire/wire-error.ts'
import { BufferBody } from '../stages/hold-body.ts'

/** One fetch. */
export interface OperatorRequest {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | undefined
  readonly timeoutMs: number
  readonly maxBytes: number
  readonly signal?: AbortSignal | undefined
  /** Authorities and client certificate instead of the system's roots. */
  readonly secureContext?: SecureContext | undefined
}

/** What came back, whatever its status. */
export interface OperatorResponse {
  readonly status: number
  readonly contentType: string | undefined
  readonly body: Buffer
}

/** The fetcher. Rejects with a WireError. */
export type OperatorFetch = (request: OperatorRequest) => Promise<OperatorResponse>

const insideRanges = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7']
const loopbackRanges = ['127.0.0.0/8', '::1/128']

/** Makes the fetcher over a pool of its own. */
export const operatorFetch = (pool: Pool, monotonic: () => number): OperatorFetch => {
  let systemContext: SecureContext | undefined
  return async (request) => {
    const url = new URL(request.url)
    const isLoopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname)
    if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback)) {
      throw new WireError('tls-failed', 'only https is fetched, and http from loopback')
    }
    const port = Number(url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : url.port)
    const host = url.hostname.replace(/^\[|\]$/g, '')
    const addresses = await resolveChecked(
      host,
      port,
      {
        allowCidrs: isLoopback ? [...insideRanges, ...loopbackRanges] : insideRanges,
        denyCidrs: [],
        ownListeners: [],
      },
      { resolver: systemResolver, timeoutMs: request.timeoutMs },
    )
    const context =
      request.secureContext ??
      (systemContext ??= createSecureContext({ ca: [...rootCertificates] }))
    const origin = originOf(url, host, port, addresses, context, request)
    return send(pool, origin, url, request, monotonic() + request.timeoutMs)
  }
}

const originOf = (
  url: URL,
  host: string,
  port: number,
  addresses: readonly string[],
  secureContext: SecureContext,
  { timeoutMs }: OperatorRequest,
): Origin => ({
  key: originKey({
    scheme: url.protocol === 'https:' ? 'https' : 'http',
    host,
    port,
    addresses,
    clientIdentity: '',
    trustSet: 'operator',
  }),
  dial: (signal) => {
    const dial = { address: addresses[0]!, port, timeoutMs, signal }
    return url.protocol === 'http:'
      ? dialTcp(dial)
      : dialTls({
          ...dial,
          servername: host,
          secureContext,
          minVersion: 'TLSv1.2',
          alpn: ['http/1.1'],
          peer: { kind: 'dns-name' },
        })
  },
})

const send = (
  pool: Pool,
  origin: Origin,
  url: URL,
  request: OperatorRequest,
  deadline: number,
): Promise<OperatorResponse> =>
  new Promise((resolve, reject) => {
    const body = Buffer.from(request.body ?? '')
    const call = pool.request(
      origin,
      {
        method: request.method,
        target: `${url.pathname}${url.search}`,
        authority: url.host,
        headers: HeaderList.from(request.headers),
      },
      new BufferBody(body),
      {
        onHead: (head, source) =>
          collectBody(source, request.maxBytes, (error, bytes) => {
            if (error !== undefined) reject(error)
            else {
              resolve({
                status: head.status,
                contentType: head.headers.get('content-type'),
                body: bytes,
              })
            }
          }),
        onFault: reject,
      },
      { responseTimeoutMs: request.timeoutMs, deadline },
    )
    request.signal?.addEventListener('abort', () => {
      const reason = new WireError('cancelled', 'the fetch was cancelled')
      call.cancel(reason)
      reject(reason)
    })
  })
