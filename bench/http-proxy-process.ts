/**
 * The same stages on http-proxy, the baseline: mutual TLS by node:https, the peer verified, both tokens verified and
 * remembered, the same policy asked, the request forwarded. What differs is who speaks HTTP. Takes the path of the
 * sidecar's configuration and the port to listen on.
 */
import { createServer } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { Agent } from 'node:http'
import httpProxy from 'http-proxy'
import { loadConfig } from '../src/config/load.ts'
import { compilePolicies } from '../src/compose/policy.ts'
import { certificatePem } from '../src/identity/certificate.ts'
import { chainOf } from '../src/identity/mesh-tls.ts'
import { openIdentity } from '../src/identity/sources/open.ts'
import { systemClock as identityClock } from '../src/identity/sources/clock.ts'
import { verifyPeer } from '../src/identity/verify-peer.ts'
import type { Peer } from '../src/identity/peer.ts'
import { RouteTable } from '../src/inbound/route-table.ts'
import { userTokenHash } from '../src/stages/user-token-hash.ts'
import { HopVerifier } from '../src/token/hop/verify.ts'
import { UserTokens } from '../src/token/user/user-tokens.ts'
import { systemClock } from '../src/token/verified-token.ts'
import { HeaderList } from '../src/wire/headers.ts'
import type { Target } from '../src/wire/target.ts'

const [file, port] = [process.argv[2]!, Number(process.argv[3])]
const { config, policies } = loadConfig({ file, environment: process.env, now: Date.now })
const inbound = config.inbound!
const source = await openIdentity(config.identity, {
  clock: identityClock,
  random: Math.random,
  baseDirectory: '.',
  onEvent: () => undefined,
})
const tokens = new UserTokens({
  section: config.tokens,
  clock: systemClock,
  fetchDocument: () => Promise.reject(new Error('keys come from a file')),
  onEvent: () => undefined,
})
await tokens.start()
const hop = new HopVerifier({ section: config.tokens.hop, clock: systemClock })
const routes = new RouteTable(inbound.routes)
const checks = new Map(inbound.routes.map((route) => [route, tokens.prepare(route.tokens)]))
const policy = compilePolicies(policies, {
  budget: config.policy.budget,
  now: Date.now,
  directory: config.policy.directory,
})
const peers = new WeakMap<TLSSocket, Peer>()
const { current: identity } = source.identity
const proxy = httpProxy.createProxyServer({
  target: `http://${inbound.app.address.host}:${inbound.app.address.port}`,
  agent: new Agent({ keepAlive: true, maxSockets: 256 }),
})

const server = createServer(
  {
    cert: identity.certificatePem,
    key: identity.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    ca: [...source.trust.current.byTrustDomain.values()].flatMap((bundle) =>
      bundle.authorities.map((authority) => certificatePem(authority.der)),
    ),
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.3',
  },
  (request, response) => {
    const socket = request.socket as TLSSocket
    const peer = peers.get(socket) ?? verifyPeer(chainOf(socket), source.trust.current, Date.now())
    peers.set(socket, peer)
    const { host: _, connection: __, ...rest } = request.headers
    const headers = HeaderList.from(rest as Record<string, string>)
    const path = request.url ?? '/'
    const segments = path.slice(1).split('/')
    const target = {
      host: '',
      authority: request.headers.host ?? '',
      segments,
      path,
    } as unknown as Target
    const found = routes.find(request.method ?? 'GET', target, segments)
    if (found.kind !== 'route') return void response.writeHead(404).end()
    const caller = hop.verify(
      headers.all('x-sallyport-hop'),
      { spiffeId: { uri: peer.spiffeId }, thumbprint: peer.thumbprint, publicKey: peer.publicKey },
      { audience: identity.spiffeId.uri, userTokenHash: userTokenHash(headers) },
    )
    const user = checks.get(found.route)!.verify(headers, peer.thumbprint)
    if (user instanceof Promise) return void response.writeHead(503).end()
    const answer = policy.evaluate(found.route.policy.rule, {
      parsed_path: segments,
      source_principal: peer.spiffeId,
      attributes: { request: { http: { method: request.method, path, headers: request.headers } } },
      peer: { id: peer.spiffeId },
      user: { scopes: user?.scopes },
      caller: { chain: caller.chain },
      route: { name: found.route.name, params: found.params },
    })
    if (answer.value !== true) return void response.writeHead(403).end()
    delete request.headers['x-sallyport-hop']
    proxy.web(request, response)
    return undefined
  },
)
server.listen(port, '127.0.0.1')
