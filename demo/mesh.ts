/**
 * The mesh of the quickstart: an edge, `web`, `orders` and `payments`, each with a sidecar, a certificate and a
 * configuration file of its own, and a card API outside. Everything is written below one folder and made anew.
 */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto'
import { loadConfig, type LoadedConfig } from '../src/config/load.ts'
import { processWorld } from '../src/compose/world.ts'
import { initAuthority, issueIdentity } from '../src/identity/sources/authority-folder.ts'
import { startSidecar, type Sidecar } from '../src/sidecar.ts'
import { startDns } from './dns.ts'
import { startPayments, startRelay } from './services.ts'
import { startVendor, type Vendor } from './vendor.ts'
import { Writable } from 'node:stream'

/** The workloads, in the order of a call. */
export const workloads = ['edge', 'web', 'orders', 'payments'] as const
/** One workload. */
export type Workload = (typeof workloads)[number]

/** The running demo. */
export interface DemoMesh {
  readonly state: string
  readonly sidecars: Readonly<Record<Workload, Sidecar>>
  readonly vendor: Vendor
  /** A signed end-user token; claims given replace the usual ones. */
  readonly userToken: (claims?: Readonly<Record<string, unknown>>) => string
  /** The log lines of all sidecars. */
  readonly log: readonly string[]
  stop(): Promise<void>
}

/** The host under which the vendor is called. */
export const vendorHost = 'api.cards.test'
const issuer = 'https://login.shop.test'

/** Where the demo keeps what it writes, below the folder of the project. */
export const stateFolder = (root: string): string => join(root, 'demo', 'state')

/**
 * Starts everything. `endpoint` is an OTLP collector, or undefined to keep the traces on the admin pages. `state` is
 * the folder that is made anew.
 */
export const startMesh = async (
  root: string,
  endpoint: string | undefined,
  state = stateFolder(root),
): Promise<DemoMesh> => {
  rmSync(state, { recursive: true, force: true })
  mkdirSync(state, { recursive: true })
  const key = randomBytes(24).toString('base64url')
  const vendor = await startVendor(vendorHost, key)
  const dns = await startDns({ [vendorHost]: '127.0.0.1' })
  const user = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  writeShared(root, state, vendor, key, user.publicKey)

  const ports = Object.fromEntries(
    await Promise.all(workloads.map(async (name) => [name, await freePort()] as const)),
  ) as Record<Workload, number>
  const started: Partial<Record<Workload, Sidecar>> = {}
  const proxyOf = (name: Workload) => () => started[name]!.addresses.app.port
  const apps = {
    web: await startRelay(
      'web',
      { method: 'GET', host: 'orders', path: (url) => url.replace('/checkout', '/orders') },
      proxyOf('web'),
    ),
    orders: await startRelay(
      'orders',
      { method: 'POST', host: 'payments', path: () => '/charges' },
      proxyOf('orders'),
    ),
    payments: await startPayments(`${vendorHost}:${vendor.port}`, proxyOf('payments')),
  }
  const log: string[] = []
  for (const name of workloads) {
    const file = join(state, name, 'sallyport.yaml')
    mkdirSync(join(state, name), { recursive: true })
    writeFileSync(
      file,
      configOf(name, {
        peerPort: ports[name],
        appPort: name === 'edge' ? undefined : apps[name].port,
        next: nextOf(name),
        nextPort: ports[nextOf(name) ?? name],
        dnsPort: dns.port,
        endpoint,
      }),
    )
    started[name] = await startOne(file, log)
  }
  const sidecars = started as Record<Workload, Sidecar>
  return {
    state,
    sidecars,
    vendor,
    log,
    userToken: (claims = {}) => signToken(user.privateKey, claims),
    stop: async () => {
      await Promise.all(workloads.map((name) => sidecars[name].stop()))
      for (const app of Object.values(apps)) {
        app.server.close()
        app.server.closeAllConnections()
      }
      vendor.close()
      dns.close()
    },
  }
}

const nextOf = (name: Workload): Workload | undefined => workloads[workloads.indexOf(name) + 1]

const writeShared = (
  root: string,
  state: string,
  vendor: Vendor,
  key: string,
  userKey: KeyObject,
): void => {
  const certs = join(state, 'certs')
  const now = Date.now()
  initAuthority(certs, { trustDomain: 'shop.test', now })
  for (const name of [...workloads, 'mallory']) {
    issueIdentity(certs, { spiffeId: `spiffe://shop.test/${name}`, now, into: join(state, name) })
  }
  cpSync(join(root, 'policies'), join(state, 'policies'), {
    recursive: true,
    filter: (path) =>
      !path.includes(`${join('policies', 'apis')}/`) && !path.endsWith('_test.rego'),
  })
  const apis = join(state, 'policies', 'apis')
  mkdirSync(apis, { recursive: true })
  writeFileSync(join(state, 'card-api.key'), `${key}\n`, { mode: 0o600 })
  writeFileSync(join(state, 'card-api.crt'), vendor.authority)
  const entry = readFileSync(join(root, 'policies', 'apis', 'card-api.yaml'), 'utf8')
  writeFileSync(
    join(apis, 'card-api.yaml'),
    entry.replaceAll(`${vendorHost}:443`, `${vendorHost}:${vendor.port}`),
  )
  const jwk = { ...userKey.export({ format: 'jwk' }), kid: 'demo', alg: 'ES256', use: 'sig' }
  writeFileSync(join(state, 'jwks.json'), JSON.stringify({ keys: [jwk] }))
}

interface Facts {
  readonly peerPort: number
  readonly appPort: number | undefined
  readonly next: Workload | undefined
  readonly nextPort: number
  readonly dnsPort: number
  readonly endpoint: string | undefined
}

const routes: Readonly<Record<string, string>> = {
  web: `
    - name: checkout
      methods: [GET]
      path: /checkout/{id}
    - name: report
      methods: [GET]
      path: /report`,
  orders: `
    - name: place-order
      methods: [GET]
      path: /orders/{id}`,
  payments: `
    - name: charge
      methods: [POST]
      path: /charges`,
}

const configOf = (name: Workload, facts: Facts): string => `service:
  name: ${name}
  namespace: shop
identity:
  source:
    directory:
      path: .
  trust_domain: shop.test
${
  facts.appPort === undefined
    ? ''
    : `inbound:
  listen: 127.0.0.1:${facts.peerPort}
  app:
    address: 127.0.0.1:${facts.appPort}
  routes:${routes[name]}
`
}outbound:
  services:${
    facts.next === undefined
      ? ' []'
      : `
    - name: ${facts.next}
      addresses: [127.0.0.1:${facts.nextPort}]
      spiffe_id: spiffe://shop.test/${facts.next}`
  }
egress:
  apis:
    directory: ../policies/apis
  dns_servers: ["127.0.0.1:${facts.dnsPort}"]
tokens:
  providers:
    login:
      issuer: ${issuer}
      audiences: [shop]
      jwks_file: ../jwks.json
policy:
  directory: ../policies
listeners:
  app: 127.0.0.1:0
  health: 127.0.0.1:0
  drain:
    delay: 0s
    grace: 5s
admin:
  listen: 127.0.0.1:0
telemetry:
  traces:
${facts.endpoint === undefined ? '    exporter: none' : `    endpoint: ${facts.endpoint}`}
  logs:
    decisions: all
  audit:
    file: audit.jsonl
    decisions: all
`

const startOne = (file: string, log: string[]): Promise<Sidecar> => {
  const load = (): LoadedConfig => loadConfig({ file, environment: {}, now: Date.now })
  const logOutput = new Writable({
    write(chunk: Buffer, _, done) {
      log.push(
        ...chunk
          .toString('utf8')
          .split('\n')
          .filter((line) => line !== ''),
      )
      done()
    },
  })
  return startSidecar({
    loaded: load(),
    load,
    world: { ...processWorld, environment: {}, logOutput },
  })
}

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })

const signToken = (key: KeyObject, claims: Readonly<Record<string, unknown>>): string => {
  const now = Math.floor(Date.now() / 1_000)
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const payload = {
    iss: issuer,
    aud: 'shop',
    sub: 'ada',
    scope: 'checkout',
    iat: now,
    exp: now + 300,
    ...claims,
  }
  const text = `${part({ alg: 'ES256', kid: 'demo', typ: 'at+jwt' })}.${part(payload)}`
  const signature = sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' })
  return `${text}.${signature.toString('base64url')}`
}
