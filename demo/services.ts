/**
 * The three services of the quickstart. They know nothing of TLS, tokens, policies or keys: they call each other and
 * the vendor in plain HTTP through the sidecar beside them, and pass on two headers, as any traced service does.
 */
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** The answer to a call that a service made. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** Calls a host through the proxy listener of a sidecar. */
export const callThrough = (
  sidecarPort: number,
  call: {
    readonly method: string
    readonly host: string
    readonly path: string
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: string
  },
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const sent = httpRequest({
      host: '127.0.0.1',
      port: sidecarPort,
      method: call.method,
      path: `http://${call.host}${call.path}`,
      headers: { host: call.host, ...call.headers },
      agent: false,
    })
    sent.once('error', reject)
    sent.once('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.once('error', reject)
      response.once('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString('utf8'),
        }),
      )
    })
    sent.end(call.body)
  })

/** The headers that a service passes on so that its calls belong to the request that caused them. */
const passedOn = (request: IncomingMessage): Record<string, string> => {
  const headers: Record<string, string> = {}
  for (const name of ['authorization', 'traceparent', 'tracestate']) {
    const value = request.headers[name]
    if (typeof value === 'string') headers[name] = value
  }
  return headers
}

type Work = (
  request: IncomingMessage,
) => Promise<{ readonly status: number; readonly body: unknown }>

const startService = (work: Work): Promise<{ readonly port: number; readonly server: Server }> => {
  const server = createServer((request, response) => {
    work(request).then(
      ({ status, body }) => {
        response.writeHead(status, { 'content-type': 'application/json' })
        response.end(JSON.stringify(body))
      },
      (thrown: unknown) => {
        response.writeHead(500, { 'content-type': 'text/plain' })
        response.end(String(thrown))
      },
    )
  })
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () =>
      resolve({ port: (server.address() as AddressInfo).port, server }),
    )
  })
}

const parsed = (body: string): unknown => {
  try {
    return JSON.parse(body)
  } catch {
    return body
  }
}

/** A service that answers by calling the next one. `proxyPort` is asked at each call, when the sidecar is known. */
export const startRelay = (
  name: string,
  next: { readonly method: string; readonly host: string; readonly path: (url: string) => string },
  proxyPort: () => number,
) =>
  startService(async (request) => {
    const answer = await callThrough(proxyPort(), {
      method: next.method,
      host: next.host,
      path: next.path(request.url ?? '/'),
      headers: passedOn(request),
    })
    return { status: answer.status, body: { service: name, next: parsed(answer.body) } }
  })

/** The service that charges cards at the vendor. It holds no key and knows of none. */
export const startPayments = (vendorHost: string, proxyPort: () => number) =>
  startService(async (request) => {
    const headers = passedOn(request)
    delete headers['authorization']
    const body = JSON.stringify({ amount: 4200, currency: 'eur' })
    const answer = await callThrough(proxyPort(), {
      method: 'POST',
      host: vendorHost,
      path: '/v1/charges',
      headers: {
        ...headers,
        'content-type': 'application/json',
        'content-length': String(Buffer.byteLength(body)),
        cookie: 'session=inside-the-mesh',
      },
      body,
    })
    return {
      status: answer.status === 201 ? 200 : answer.status,
      body: { service: 'payments', vendor: parsed(answer.body) },
    }
  })
