import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { certificatePem } from '../../src/identity/certificate.ts'
import { extension } from '../../src/identity/x509/write.ts'
import type { SpanStart, Traces } from '../../src/telemetry/traces/span.ts'
import { aLeaf, aTrustDomain, replaced } from '../support/certificates.ts'
import { decodeTraces } from '../support/otlp-receiver.ts'
import { openTestTraces } from './open-traces.ts'

const call: SpanStart = {
  name: 'GET /x',
  kind: 'client',
  parent: undefined,
  always: 'sampled-always',
}

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-otlp-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const domain = aTrustDomain('shop.example')
const pem = (chain: readonly Buffer[]): string => chain.map(certificatePem).join('')
const keyPem = (key: ReturnType<typeof aLeaf>['privateKey']): string =>
  key.export({ format: 'pem', type: 'pkcs8' }).toString()

/** A collector that demands a certificate of the trust domain and remembers the serial of each that it saw. */
const startTlsCollector = async () => {
  const leaf = aLeaf(domain, {
    extensions: (good) => replaced(good, extension.subjectAltName([{ dns: 'localhost' }], false)),
  })
  const serials: string[] = []
  let spans = 0
  const server = createServer(
    {
      cert: pem(leaf.chain),
      key: keyPem(leaf.privateKey),
      ca: certificatePem(domain.root.certificate.der),
      requestCert: true,
      rejectUnauthorized: true,
      keepAliveTimeout: 1,
    },
    (request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        spans += decodeTraces(Buffer.concat(chunks)).length
        serials.push((request.socket as TLSSocket).getPeerCertificate().serialNumber)
        response.writeHead(200, { connection: 'close' }).end()
      })
    },
  )
  await new Promise<void>((resolve) => server.listen(0, resolve))
  return {
    url: `https://localhost:${(server.address() as AddressInfo).port}`,
    serials,
    spans: () => spans,
    close: () =>
      new Promise((resolve) => {
        server.close(resolve)
        server.closeAllConnections()
      }),
  }
}

const writeIdentity = async (name: string): Promise<void> => {
  const leaf = aLeaf(domain)
  await writeFile(join(folder, `${name}.pem`), pem(leaf.chain))
  await writeFile(join(folder, `${name}-key.pem`), keyPem(leaf.privateKey))
}

const environment = () => ({
  OTEL_EXPORTER_OTLP_CERTIFICATE: join(folder, 'ca.pem'),
  OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: join(folder, 'leaf.pem'),
  OTEL_EXPORTER_OTLP_CLIENT_KEY: join(folder, 'leaf-key.pem'),
})

const finished = async (traces: Traces, count: number): Promise<void> => {
  for (;;) {
    const { exported, failed } = traces.counts()
    if (exported + failed >= count) return
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

describe('a collector that demands mutual TLS', () => {
  it('gets the identity of the files, and the next one after they are replaced', async () => {
    const collector = await startTlsCollector()
    await writeFile(join(folder, 'ca.pem'), certificatePem(domain.root.certificate.der))
    await writeIdentity('leaf')
    const traces = openTestTraces({
      section: { endpoint: collector.url },
      environment: environment(),
    })
    traces.start(call).end({ status: 'unset' })
    await finished(traces, 1)
    await writeIdentity('next')
    await copyFile(join(folder, 'next.pem'), join(folder, 'leaf.pem'))
    await copyFile(join(folder, 'next-key.pem'), join(folder, 'leaf-key.pem'))
    traces.start(call).end({ status: 'unset' })
    await finished(traces, 2)
    expect(traces.counts()).toMatchObject({ exported: 2, failed: 0 })
    expect(collector.spans()).toBe(2)
    expect(new Set(collector.serials).size).toBe(2)
    await traces.shutdown(1_000)
    await collector.close()
  })

  it('gets nothing when its own certificate is of another authority', async () => {
    const collector = await startTlsCollector()
    const stranger = aTrustDomain('evil.example')
    await writeFile(join(folder, 'ca.pem'), certificatePem(stranger.root.certificate.der))
    await writeIdentity('leaf')
    const traces = openTestTraces({
      section: { endpoint: collector.url, timeout: '300ms' },
      environment: environment(),
    })
    traces.start(call).end({ status: 'unset' })
    await finished(traces, 1)
    expect(traces.counts()).toMatchObject({ exported: 0, failed: 1 })
    expect(collector.spans()).toBe(0)
    await traces.shutdown(1_000)
    await collector.close()
  })
})
