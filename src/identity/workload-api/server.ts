/**
 * A small SPIFFE Workload API server: the development authority for other SPIFFE clients, and the other end of our own
 * client in tests.
 *
 * Everyone who can reach its socket gets the same identities, so the socket is for its owner only and on one machine;
 * there is no attestation.
 */
import { chmodSync, rmSync } from 'node:fs'
import { Server, ServerCredentials, status } from '@grpc/grpc-js'
import type { Metadata, ServerUnaryCall, ServerWritableStream, sendUnaryData } from '@grpc/grpc-js'
import type { Live } from '../../live.ts'
import {
  paths,
  readJwtSvidRequest,
  securityHeader,
  writeJwtBundlesResponse,
  writeJwtSvidResponse,
  writeX509BundlesResponse,
  writeX509SvidResponse,
} from './messages.ts'
import type { JwtSvid, JwtSvidRequest, X509SvidResponse } from './messages.ts'

/** What the server gives out; streams send again after each change. */
export interface WorkloadApiContent {
  readonly x509: Live<X509SvidResponse>
  /** The texts of JWKS documents, by the SPIFFE ID of the trust domain. */
  readonly jwtBundles: Live<ReadonlyMap<string, Buffer>>
  /** Signs JWT-SVIDs for these audiences. */
  readonly signJwtSvids: (request: JwtSvidRequest) => readonly JwtSvid[]
}

export interface WorkloadApiServer {
  /** The address for `SPIFFE_ENDPOINT_SOCKET`. */
  readonly address: string
  /** Ends every stream and stops listening. */
  close(): void
}

interface Refusal {
  readonly code: status
  readonly details: string
}

const withoutHeader: Refusal = {
  code: status.INVALID_ARGUMENT,
  details: 'security header missing from request',
}
const noIdentity: Refusal = { code: status.PERMISSION_DENIED, details: 'no identity issued' }

const hasHeader = (metadata: Metadata): boolean => {
  const values = metadata.get(securityHeader.name)
  return values.length === 1 && values[0] === securityHeader.value
}

const same = (bytes: Buffer): Buffer => bytes

const streaming = (path: string) => ({
  path,
  requestStream: false,
  responseStream: true,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
})

const unary = (path: string) => ({ ...streaming(path), responseStream: false })

/** Sends the value now and after each change, until the client is gone. */
const follow =
  <T>(live: Live<T>, write: (value: T) => Buffer | undefined) =>
  (call: ServerWritableStream<Buffer, Buffer>): void => {
    if (!hasHeader(call.metadata)) return void call.emit('error', withoutHeader)
    const send = (value: T): void => {
      const message = write(value)
      if (message === undefined) {
        stop()
        call.emit('error', noIdentity)
        return
      }
      call.write(message)
    }
    const stop = live.subscribe(send)
    call.on('cancelled', stop)
    call.on('close', stop)
    return send(live.current)
  }

const bundlesOf = (response: X509SvidResponse): ReadonlyMap<string, Buffer> =>
  new Map([
    ...response.federated,
    ...response.svids.map(
      (svid) => [svid.spiffeId.split('/').slice(0, 3).join('/'), svid.bundle] as const,
    ),
  ])

/**
 * Serves the Workload API on a Unix socket, which is made anew and for its owner only.
 *
 * @param path absolute path of the socket
 */
export const serveWorkloadApi = (
  path: string,
  content: WorkloadApiContent,
): Promise<WorkloadApiServer> => {
  const server = new Server()
  const x509 = (write: (response: X509SvidResponse) => Buffer) =>
    follow(content.x509, (response) => (response.svids.length === 0 ? undefined : write(response)))
  server.addService(
    {
      fetchX509Svid: streaming(paths.fetchX509Svid),
      fetchX509Bundles: streaming(paths.fetchX509Bundles),
      fetchJwtBundles: streaming(paths.fetchJwtBundles),
      fetchJwtSvid: unary(paths.fetchJwtSvid),
    },
    {
      fetchX509Svid: x509(writeX509SvidResponse),
      fetchX509Bundles: x509((response) =>
        writeX509BundlesResponse({ crls: response.crls, bundles: bundlesOf(response) }),
      ),
      fetchJwtBundles: follow(content.jwtBundles, writeJwtBundlesResponse),
      fetchJwtSvid: (call: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>) => {
        if (!hasHeader(call.metadata)) return reply(withoutHeader)
        const request = readJwtSvidRequest(call.request)
        if (request.audiences.length === 0)
          return reply({ code: status.INVALID_ARGUMENT, details: 'audience must be specified' })
        const svids = content.signJwtSvids(request)
        return svids.length === 0 ? reply(noIdentity) : reply(null, writeJwtSvidResponse(svids))
      },
    },
  )
  rmSync(path, { force: true })
  return new Promise((resolve, reject) => {
    server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (error) => {
      if (error) return reject(error)
      chmodSync(path, 0o600)
      return resolve({
        address: `unix://${path}`,
        close: () => server.forceShutdown(),
      })
    })
  })
}
