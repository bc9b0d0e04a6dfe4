/**
 * The HTTPS listener of the mutating admission webhook: `POST /mutate`, and `/livez` and `/readyz` for the kubelet.
 *
 * Its certificate is read again while it runs; a pair that is not usable keeps the last good one in force. With an
 * authority for clients, only the API server that proves itself is answered; without one, anybody may ask what
 * injection would do to a pod, which is no secret.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createSecureContext } from 'node:tls'
import type { Address } from '../units.ts'
import { admit, ReviewError, type Admission } from './admission.ts'
import type { InjectOptions } from './plan.ts'

/** What the webhook is made of. */
export interface WebhookParts {
  readonly address: Address
  /** PEM files; the chain begins with our certificate. */
  readonly certificateFile: string
  readonly keyFile: string
  /** PEM file with the authorities of which a client must have a certificate; none is asked for when absent. */
  readonly clientAuthorityFile: string | undefined
  readonly checkEveryMs: number
  readonly options: InjectOptions
  readonly onAdmission: (admission: Admission) => void
  /** The certificate changed, or could not be; the message is for people. */
  readonly onCertificate: (message: string, problem: 'none' | 'kept the old one') => void
}

/** The running webhook. */
export interface Webhook {
  readonly address: Address
  close(): Promise<void>
}

/** An AdmissionReview holds an object twice at most, and the API server takes none over 3 MiB. */
const mostBytes = 8 * 1024 * 1024

interface Material {
  readonly cert: string
  readonly key: string
  readonly ca: string | undefined
  readonly digest: string
}

const readMaterial = (parts: WebhookParts): Material => {
  const cert = readFileSync(parts.certificateFile, 'utf8')
  const key = readFileSync(parts.keyFile, 'utf8')
  const authorities = parts.clientAuthorityFile
  const ca = authorities === undefined ? undefined : readFileSync(authorities, 'utf8')
  const digest = createHash('sha256')
    .update(JSON.stringify([cert, key, ca]))
    .digest('hex')
  return { cert, key, ca, digest }
}

const tlsOf = ({ cert, key, ca }: Material) => ({
  cert,
  key,
  minVersion: 'TLSv1.3' as const,
  ...(ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true }),
})

/**
 * Opens the webhook.
 *
 * @throws the error of a file that cannot be read, a pair that does not fit, or an address that cannot be bound
 */
export const openWebhook = async (parts: WebhookParts): Promise<Webhook> => {
  let material = readMaterial(parts)
  const server = createServer(
    { ...tlsOf(material), requestTimeout: 10_000, headersTimeout: 5_000 },
    (request, response) => answer(request, response, parts),
  )
  server.maxConnections = 500
  let refused = ''
  const look = setInterval(() => {
    const before = material
    let seen = ''
    try {
      const next = readMaterial(parts)
      seen = next.digest
      if (seen === before.digest || seen === refused) return
      createSecureContext(tlsOf(next))
      server.setSecureContext(tlsOf(next))
      material = next
      parts.onCertificate(`read ${parts.certificateFile} again`, 'none')
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      if ((seen || reason) === refused) return
      refused = seen || reason
      parts.onCertificate(`${parts.certificateFile}: ${reason}`, 'kept the old one')
    }
  }, parts.checkEveryMs)
  look.unref()
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(parts.address.port, parts.address.host, resolve)
    })
  } catch (error) {
    clearInterval(look)
    throw error
  }
  const bound = server.address() as AddressInfo
  return {
    address: { host: bound.address, port: bound.port },
    close: () =>
      new Promise((resolve) => {
        clearInterval(look)
        server.close(() => resolve())
        server.closeIdleConnections()
      }),
  }
}

const plain = (response: ServerResponse, status: number, text: string): void => {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`)
}

const answer = (request: IncomingMessage, response: ServerResponse, parts: WebhookParts): void => {
  const [path] = (request.url ?? '/').split('?', 1)
  if (path === '/livez' || path === '/readyz') {
    plain(response, 200, 'ok')
    return
  }
  if (path !== '/mutate') {
    plain(response, 404, 'there are /mutate, /livez and /readyz')
    return
  }
  if (request.method !== 'POST') {
    plain(response, 405, 'a review is sent by POST')
    return
  }
  const chunks: Buffer[] = []
  let size = 0
  request.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size <= mostBytes) chunks.push(chunk)
    else if (!response.headersSent) {
      response.setHeader('connection', 'close')
      plain(response, 413, `a review has at most ${mostBytes} bytes`)
    }
  })
  request.on('end', () => {
    if (!response.headersSent) answerReview(Buffer.concat(chunks), response, parts)
  })
}

const answerReview = (body: Buffer, response: ServerResponse, parts: WebhookParts): void => {
  try {
    const admission = admit(JSON.parse(body.toString('utf8')), parts.options)
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(admission.review))
    parts.onAdmission(admission)
  } catch (error) {
    if (!(error instanceof ReviewError || error instanceof SyntaxError)) throw error
    plain(response, 400, error instanceof SyntaxError ? 'expected JSON' : error.message)
  }
}
