/**
 * One real sidecar beside an application that is a plain HTTP client, and a vendor behind TLS with an authority of its
 * own: what an app can ask for, and what reaches the vendor.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { createServer, type ServerOptions } from 'node:https'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { startDns } from '../../demo/dns.ts'
import { processWorld, type World } from '../../src/compose/world.ts'
import { loadConfig } from '../../src/config/load.ts'
import { issueRoot, issueServerCertificate, validFor } from '../../src/identity/authority.ts'
import { certificatePem } from '../../src/identity/certificate.ts'
import { initAuthority, issueIdentity } from '../../src/identity/sources/authority-folder.ts'
import { startSidecar, type Sidecar } from '../../src/sidecar.ts'
import type { RecentSpan } from '../../src/telemetry/traces/span.ts'

/** One request as the vendor got it. */
export interface VendorCall {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** Thumbprint of the client certificate, or undefined. */
  readonly clientCertificate: string | undefined
}

/** How the vendor answers. */
export type VendorAnswer = (call: VendorCall, response: ServerResponse) => void

/** A vendor that records. */
export interface TestVendor {
  readonly port: number
  /** PEM of its authority. */
  readonly authority: string
  readonly calls: VendorCall[]
  answer: VendorAnswer
  close(): void
}

/** Answers 200 with a small JSON object. */
export const okAnswer: VendorAnswer = (_, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'request-id': 'req_1' })
  response.end('{"id":"ch_1"}')
}

/** Starts a vendor with a certificate for `hosts`. */
export const startTestVendor = (
  hosts: readonly string[],
  tls: ServerOptions = {},
): Promise<TestVendor> => {
  const validity = validFor(Date.now(), 86_400_000)
  const root = issueRoot('vendor.test', validity)
  const { chain, privateKey } = issueServerCertificate(root, { hosts, validity })
  const calls: VendorCall[] = []
  const server = createServer(
    {
      cert: chain.map((der) => certificatePem(der)).join(''),
      key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      ...tls,
    },
    (request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('error', () => undefined)
      request.on('end', () => {
        const certificate = (request.socket as TLSSocket).getPeerCertificate()
        const call = {
          method: request.method ?? '',
          path: request.url ?? '',
          headers: request.headers,
          body: Buffer.concat(chunks),
          clientCertificate: certificate?.fingerprint256,
        }
        calls.push(call)
        vendor.answer(call, response)
      })
    },
  )
  server.on('tlsClientError', () => undefined)
  const vendor: TestVendor = {
    port: 0,
    authority: certificatePem(root.certificate.der),
    calls,
    answer: okAnswer,
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () =>
      resolve(Object.assign(vendor, { port: (server.address() as AddressInfo).port })),
    )
  })
}

/** What a test says about its sidecar. */
export interface EgressSetup {
  /** Entry files by name; `{port}` is the vendor's port. */
  readonly entries: Readonly<Record<string, string>>
  /** Further files of the folder of the configuration, by path. */
  readonly files?: Readonly<Record<string, string>>
  /** Lines under `egress.apis`, each indented by four spaces. */
  readonly apis?: string
  /** Lines under `egress`, each indented by two spaces. */
  readonly egress?: string
  /** Body of the egress policy. */
  readonly policy?: string
  readonly vendor: TestVendor
  readonly names?: Readonly<Record<string, string>>
  readonly world?: Partial<World>
}

/** An answer that the app got. */
export interface AppAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
  readonly bytes: Buffer
  /** The body as JSON. */
  readonly problem: Readonly<Record<string, unknown>>
}

/** What a call consists of beside method and URL. */
export interface CallParts {
  readonly headers?: Readonly<Record<string, string | string[]>>
  readonly body?: string | Buffer
}

/** The running pair. */
export interface EgressSidecar {
  readonly folder: string
  readonly sidecar: Sidecar
  readonly port: number
  readonly log: string[]
  /** Calls through the proxy in absolute form; `{port}` in the URL is the vendor's port. */
  readonly call: (method: string, url: string, parts?: CallParts) => Promise<AppAnswer>
  /** CLIENT spans so far, oldest first. */
  readonly spans: () => readonly RecentSpan[]
  stop(): Promise<void>
}

/** An entry for `api.cards.test` with the key in `cards.key`; `more` is appended. */
export const cardsEntryText = (more = '', connect = 'originate'): string => `name: cards
owner: group:payments
purpose: card charges for checkout
data: [pci]
callers: [spiffe://test.mesh/app]
hosts: ['api.cards.test:{port}']
connect: ${connect}
operations:
  - GET /v1/charges/{id}
  - POST /v1/charges
  - PUT /v1/charges/{id}
authentication: {kind: header, name: authorization, format: 'Bearer {key}'}
credential: {id: cards-live, from: {file: ../cards.key, refresh: 1s}}
tls: {ca: ../vendor.crt}
allow_cidrs: [127.0.0.1/32]
review_by: '2099-01-01'
${more}`

/** Starts the sidecar. Its SPIFFE ID is `spiffe://test.mesh/app`. */
export const startEgressSidecar = async (setup: EgressSetup): Promise<EgressSidecar> => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-egress-'))
  const now = Date.now()
  const certs = join(folder, 'certs')
  initAuthority(certs, { trustDomain: 'test.mesh', now })
  issueIdentity(certs, { spiffeId: 'spiffe://test.mesh/app', now, into: join(folder, 'app') })
  mkdirSync(join(folder, 'policies'))
  mkdirSync(join(folder, 'apis'))
  const put = (path: string, text: string): void =>
    writeFileSync(join(folder, path), text.replaceAll('{port}', String(setup.vendor.port)), {
      mode: 0o600,
    })
  put('policies/egress.rego', `package sallyport.egress\n\n${setup.policy ?? 'allow := true'}\n`)
  put('cards.key', 'sk_live_cards_0123456789\n')
  put('vendor.crt', setup.vendor.authority)
  for (const [name, text] of Object.entries(setup.entries)) put(`apis/${name}.yaml`, text)
  for (const [name, text] of Object.entries(setup.files ?? {})) put(name, text)
  const dns = await startDns({ 'api.cards.test': '127.0.0.1', ...setup.names })
  put('sallyport.yaml', configOf(setup, dns.port))
  const log: string[] = []
  const logOutput = new Writable({
    write(chunk: Buffer, _, done) {
      log.push(...chunk.toString('utf8').split('\n').filter(Boolean))
      done()
    },
  })
  const file = join(folder, 'sallyport.yaml')
  const load = () => loadConfig({ file, environment: {}, now: Date.now })
  const sidecar = await startSidecar({
    loaded: load(),
    load,
    world: { ...processWorld, environment: {}, logOutput, ...setup.world },
  })
  const { port } = sidecar.addresses.app
  return {
    folder,
    sidecar,
    port,
    log,
    call: (method, url, parts) =>
      callThrough(port, method, url.replaceAll('{port}', String(setup.vendor.port)), parts),
    spans: () =>
      sidecar.core.telemetry.traces
        .recent()
        .flatMap((trace) => trace.spans)
        .filter((span) => span.kind === 'client')
        .toSorted((a, b) => a.startTime - b.startTime),
    stop: async () => {
      await sidecar.stop()
      dns.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** One call of an app that uses the sidecar as its HTTP proxy. */
export const callThrough = (
  port: number,
  method: string,
  url: string,
  { headers = {}, body = '' }: CallParts = {},
): Promise<AppAnswer> =>
  new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        host: '127.0.0.1',
        port,
        method,
        path: url,
        headers: {
          host: new URL(url).host,
          ...(body.length > 0 && headers['transfer-encoding'] === undefined
            ? { 'content-length': Buffer.byteLength(body) }
            : {}),
          ...headers,
        },
        agent: false,
      },
      (response) => readAnswer(response).then(resolve, reject),
    )
    request.on('error', reject)
    request.end(body)
  })

/** Reads a whole answer. */
export const readAnswer = async (response: IncomingMessage): Promise<AppAnswer> => {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  const bytes = Buffer.concat(chunks)
  const body = bytes.toString('utf8')
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body,
    bytes,
    get problem() {
      return JSON.parse(body) as Readonly<Record<string, unknown>>
    },
  }
}

const configOf = (setup: EgressSetup, dnsPort: number): string => `service: {name: app}
identity: {source: {directory: {path: app}}}
egress:
  apis:
    directory: apis
${setup.apis ?? ''}
  dns_servers: ["127.0.0.1:${dnsPort}"]
${setup.egress ?? ''}
policy: {directory: policies}
listeners: {app: "127.0.0.1:0", health: "127.0.0.1:0", drain: {delay: 0s, grace: 1s}}
admin: {listen: "127.0.0.1:0"}
telemetry: {traces: {exporter: none}, logs: {decisions: all}, audit: {file: audit.jsonl, decisions: all}}
`
