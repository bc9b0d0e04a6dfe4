/**
 * The full inbound hop on one core: mutual TLS, hop token, user token (ES256), a policy of 100 routes, spans sampled
 * at 1 %, metrics and audit on; against HAProxy that does TLS alone, HAProxy that also verifies the JWT on each
 * request, and the same stages on http-proxy. Runs alternate, so that drift of the machine falls on all alike.
 */
import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import { identityOf } from './identity-of.ts'
import { initAuthority, issueIdentity } from '../src/identity/sources/authority-folder.ts'
import { userTokenHash } from '../src/stages/user-token-hash.ts'
import { HopMinter } from '../src/token/hop/mint.ts'
import { hopSection } from '../src/token/section.ts'
import { HeaderList } from '../src/wire/headers.ts'
import { runLoad, type Load } from './load.ts'
import { freePort, hasProgram, startPinned, waitForPort } from './processes.ts'
import { alternate, type Contender, type Table } from './table.ts'

const proxyCore = 0
const loadCore = 1
const node = process.execPath

/** What the benchmark may be told. */
export interface InboundOptions {
  readonly rounds: number
  readonly seconds: number
  /** `alone` measures the sidecar without its peers, for a profile. */
  readonly peers: 'all' | 'alone'
}

interface Setup {
  readonly folder: string
  readonly origin: number
  readonly user: KeyObject
}

const body = JSON.stringify({
  id: 7,
  name: 'a widget',
  price: 1299,
  currency: 'eur',
  tags: ['blue', 'small', 'new'],
  stock: 41,
  warehouse: 'north',
  ok: true,
})

const prepare = async (): Promise<Setup> => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'))
  const origin = await freePort()
  const certs = join(folder, 'certs')
  const now = Date.now()
  initAuthority(certs, { trustDomain: 'bench.test', now })
  for (const name of ['server', 'client']) {
    issueIdentity(certs, { spiffeId: `spiffe://bench.test/${name}`, now, into: join(folder, name) })
  }
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = {
    ...pair.publicKey.export({ format: 'jwk' }),
    kid: 'bench',
    alg: 'ES256',
    use: 'sig',
  }
  writeFileSync(join(folder, 'jwks.json'), JSON.stringify({ keys: [jwk] }))
  writeFileSync(join(folder, 'user.pub'), pair.publicKey.export({ type: 'spki', format: 'pem' }))
  mkdirSync(join(folder, 'policies'))
  writeFileSync(join(folder, 'policies', 'inbound.rego'), policyText())
  writeFileSync(
    join(folder, 'nginx.conf'),
    `worker_processes 1; daemon off; pid ${folder}/nginx.pid; error_log /dev/null;
events { worker_connections 4096; }
http { access_log off; keepalive_requests 100000000; server { listen 127.0.0.1:${origin} backlog=1024;
location / { default_type application/json; return 200 '${body}'; } } }`,
  )
  startPinned(loadCore, ['nginx', '-c', join(folder, 'nginx.conf'), '-e', '/dev/null'])
  await waitForPort(origin)
  return { folder, origin, user: pair.privateKey }
}

const policyText = (): string => {
  const rules = Array.from(
    { length: 100 },
    (_, index) => `allow if {
	input.attributes.request.http.method == "GET"
	input.parsed_path = ["service${index}", id]
	input.source_principal == "spiffe://bench.test/client"
	"read" in input.user.scopes
}
`,
  )
  return `package sallyport.inbound\n\ndefault allow := false\n\n${rules.join('\n')}`
}

const sidecarConfig = (setup: Setup, port: number, admin: number): string => `service: {name: bench}
identity: {source: {directory: {path: server}}}
inbound:
  listen: 127.0.0.1:${port}
  app: {address: "127.0.0.1:${setup.origin}"}
  routes:
${Array.from({ length: 100 }, (_, index) => `    - {name: route${index}, methods: [GET], path: "/service${index}/{id}"}`).join('\n')}
tokens: {providers: {login: {issuer: "https://login.bench.test", audiences: [bench], jwks_file: jwks.json}}}
listeners: {app: "127.0.0.1:0", health: "127.0.0.1:0", drain: {delay: 0s, grace: 1s}}
admin: {listen: "127.0.0.1:${admin}"}
telemetry:
  traces: {sample_ratio: 0.01, exporter: none}
  audit: {file: audit.jsonl}
policy: {directory: policies}
`

const userToken = (key: KeyObject): string => {
  const now = Math.floor(Date.now() / 1_000)
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const text = `${part({ alg: 'ES256', kid: 'bench', typ: 'at+jwt' })}.${part({ iss: 'https://login.bench.test', aud: 'bench', sub: 'ada', scope: 'read', iat: now, exp: now + 3_600 })}`
  return `${text}.${sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}

const loadFor = async (
  setup: Setup,
  port: number,
  options: InboundOptions,
  preload: string,
): Promise<Load> => {
  const user = userToken(setup.user)
  const authorization = `Bearer ${user}`
  const minter = new HopMinter({
    section: hopSection.parse({}),
    clock: { now: Date.now },
    makeTransactionId: () => randomBytes(16).toString('base64url'),
  })
  const hop = minter.mint(await identityOf(join(setup.folder, 'client')), {
    audience: 'spiffe://bench.test/server',
    userTokenHash: userTokenHash(HeaderList.from({ authorization })),
    chain: [],
    transaction: undefined,
  })
  return {
    url: `https://127.0.0.1:${port}/service99/7`,
    headers: { authorization, 'x-sallyport-hop': hop },
    connections: 64,
    seconds: options.seconds,
    core: loadCore,
    environment: {
      LD_PRELOAD: preload,
      BENCH_CERT: join(setup.folder, 'client', 'tls.crt'),
      BENCH_KEY: join(setup.folder, 'client', 'tls.key'),
    },
  }
}

const haproxyConfig = (setup: Setup, port: number, check: string): string => `global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout client 30s
  timeout server 30s
  timeout connect 5s
frontend in
  bind 127.0.0.1:${port} ssl crt ${join(setup.folder, 'haproxy.pem')} ssl-min-ver TLSv1.3
${check}  default_backend origin
backend origin
  http-reuse always
  server origin 127.0.0.1:${setup.origin}
`

const startHaproxy = async (setup: Setup, name: string, check: string): Promise<number> => {
  const port = await freePort()
  const server = join(setup.folder, 'server')
  writeFileSync(
    join(setup.folder, 'haproxy.pem'),
    readFileSync(join(server, 'tls.crt'), 'utf8') + readFileSync(join(server, 'tls.key'), 'utf8'),
  )
  const file = join(setup.folder, `${name}.cfg`)
  writeFileSync(file, haproxyConfig(setup, port, check))
  startPinned(proxyCore, ['haproxy', '-db', '-q', '-f', file])
  await waitForPort(port)
  return port
}

/** Runs the benchmark. */
export const benchInbound = async (options: InboundOptions): Promise<Table> => {
  for (const program of ['wrk', 'nginx', 'cc']) {
    if (!hasProgram(program))
      throw new Error(`${program} is absent; install it to run this benchmark`)
  }
  const setup = await prepare()
  try {
    const preload = join(setup.folder, 'client-certificate.so')
    spawnSync('cc', [
      '-shared',
      '-fPIC',
      '-o',
      preload,
      join(import.meta.dirname, 'client-certificate.c'),
      '-ldl',
    ])
    const port = await freePort()
    const file = join(setup.folder, 'sallyport.yaml')
    writeFileSync(file, sidecarConfig(setup, port, await freePort()))
    startPinned(proxyCore, [
      node,
      ...(process.env['BENCH_NODE_OPTIONS']?.split(' ') ?? []),
      join(import.meta.dirname, 'sidecar-process.ts'),
      file,
    ])
    await waitForPort(port)
    const run = (to: number) => async () => runLoad(await loadFor(setup, to, options, preload))
    const ours: Contender = { name: 'sallyport, full inbound hop', run: run(port) }
    const title = 'full inbound hop, requests/s on one core'
    if (options.peers === 'alone') return await alternate(title, [ours], options.rounds)
    const oldPort = await freePort()
    startPinned(proxyCore, [
      node,
      join(import.meta.dirname, 'http-proxy-process.ts'),
      file,
      String(oldPort),
    ])
    await waitForPort(oldPort)
    const contenders: Contender[] = [
      ours,
      { name: 'same stages on https + http-proxy', run: run(oldPort), goal: 4 },
    ]
    if (hasProgram('haproxy')) {
      const publicKey = join(setup.folder, 'user.pub')
      const verify = (
        algorithm: string,
      ): string => `  http-request set-var(txn.bearer) http_auth_bearer
  http-request deny unless { var(txn.bearer),jwt_verify("${algorithm}","${publicKey}") 1 }
`
      const plain = await startHaproxy(setup, 'tls', '')
      const jwt = await startHaproxy(setup, 'jwt', verify('ES256'))
      contenders.push(
        { name: 'HAProxy, TLS only', run: run(plain), goal: 0.85 },
        { name: 'HAProxy, TLS and jwt_verify ES256', run: run(jwt), goal: 3.5 },
      )
    }
    return await alternate(title, contenders, options.rounds)
  } finally {
    rmSync(setup.folder, { recursive: true, force: true })
  }
}
