/**
 * The stand-in for a vendor: a card API with a certificate authority of its own, which records all that reaches it.
 */
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { certificatePem } from '../src/identity/certificate.ts'
import { issueRoot, issueServerCertificate, validFor } from '../src/identity/authority.ts'

/** One request, as it arrived. */
export interface VendorRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

/** The running vendor. */
export interface Vendor {
  readonly port: number
  /** PEM of the authority that a caller must trust. */
  readonly authority: string
  readonly requests: readonly VendorRequest[]
  close(): void
}

/** Starts the vendor for one host name; it demands `Authorization: Bearer <key>`. */
export const startVendor = (host: string, key: string): Promise<Vendor> => {
  const validity = validFor(Date.now(), 86_400_000)
  const root = issueRoot('vendor.test', validity)
  const { chain, privateKey } = issueServerCertificate(root, { hosts: [host], validity })
  const requests: VendorRequest[] = []
  const server = createServer(
    {
      cert: chain.map((der) => certificatePem(der)).join(''),
      key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    },
    (request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        requests.push({
          method: request.method ?? '',
          path: request.url ?? '',
          headers: request.headers,
          body: Buffer.concat(chunks).toString('utf8'),
        })
        const known = request.headers.authorization === `Bearer ${key}`
        response.writeHead(known ? 201 : 401, {
          'content-type': 'application/json',
          'request-id': `req_${requests.length}`,
        })
        response.end(
          JSON.stringify(known ? { id: `ch_${requests.length}`, paid: true } : { error: 'no key' }),
        )
      })
    },
  )
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () =>
      resolve({
        port: (server.address() as AddressInfo).port,
        authority: certificatePem(root.certificate.der),
        requests,
        close: () => {
          server.close()
          server.closeAllConnections()
        },
      }),
    )
  })
}
