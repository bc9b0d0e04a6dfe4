import { writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { callThrough } from '../../demo/services.ts'
import { processWorld } from '../../src/compose/world.ts'
import { loadConfig } from '../../src/config/load.ts'
import { startSidecar, type Sidecar } from '../../src/sidecar.ts'
import { startInboundSidecar, type InboundSidecar } from '../support/inbound-sidecar.ts'

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })

describe('the outbound line', () => {
  let callee: InboundSidecar
  let caller: Sidecar
  let deadPort: number

  beforeAll(async () => {
    callee = await startInboundSidecar({
      routes: '    - {name: any, path: "/{rest*}"}',
      policy: 'allow if input.caller.id == "spiffe://test.mesh/web"',
    })
    deadPort = await freePort()
    writeFileSync(
      join(callee.folder, 'policies', 'outbound.rego'),
      `package sallyport.outbound

default allow := false

allow if input.service.name != "forbidden"
`,
    )
    const file = join(callee.folder, 'web.yaml')
    const service = (name: string, addresses: readonly number[], more = ''): string =>
      `    - {name: ${name}, addresses: [${addresses.map((port) => `"127.0.0.1:${port}"`).join(', ')}], spiffe_id: "spiffe://test.mesh/app"${more}}`
    writeFileSync(
      file,
      `service: {name: web}
identity: {source: {directory: {path: web}}}
outbound:
  services:
${service('app', [callee.port], ', hosts: [app, app.test.svc]')}
${service('flaky', [deadPort, callee.port], ', retry: {attempts: 1}')}
${service('brittle', [deadPort, callee.port], ', retry: {attempts: 0}, outlier: {consecutive_failures: 1}')}
${service('gone', [deadPort])}
${service('forbidden', [callee.port])}
${service('anonymous', [callee.port], ', forward_user_token: false')}
${service('limited', [callee.port], ', limit: {rate: 1/h, burst: 1}')}
${service('ported', [callee.port], ', listen: "127.0.0.1:0"')}
    - {name: impostor, addresses: ["127.0.0.1:${callee.port}"], spiffe_id: "spiffe://test.mesh/other"}
policy: {directory: policies}
listeners: {app: "127.0.0.1:0", health: "127.0.0.1:0", drain: {delay: 0s, grace: 2s}}
admin: {listen: "127.0.0.1:0"}
telemetry: {traces: {exporter: none}}
`,
    )
    const load = () => loadConfig({ file, environment: {}, now: Date.now })
    const logOutput = new Writable({ write: (_, __, done) => done() })
    caller = await startSidecar({
      loaded: load(),
      load,
      world: { ...processWorld, environment: {}, logOutput },
    })
  })

  afterAll(async () => {
    await caller.stop()
    await callee.stop()
  })
  afterEach(() => callee.app.clear())

  const call = (host: string, headers: Record<string, string> = {}) =>
    callThrough(caller.addresses.app.port, {
      method: 'GET',
      host,
      path: '/hello?x=1',
      headers: { authorization: `Bearer ${callee.userToken()}`, ...headers },
    })
  const codeOf = (body: string): unknown => (JSON.parse(body) as Record<string, unknown>)['code']
  const header = (name: string) =>
    callee.app.requests.at(-1)?.headers.find(([each]) => each === name)?.[1]

  it('carries a plain request of the application to the peer over mutual TLS', async () => {
    const answer = await call('app')
    expect(answer.status).toBe(200)
    expect(callee.app.requests.at(-1)?.target).toBe('/hello?x=1')
    expect(header('x-forwarded-client-cert')).toContain('URI=spiffe://test.mesh/web')
    expect(header('x-sallyport-hop')).toBeUndefined()
  })

  it('knows a service by each of its hosts, and refuses one that it does not know', async () => {
    expect((await call('app.test.svc')).status).toBe(200)
    const unknown = await call('nobody.test')
    expect([unknown.status, codeOf(unknown.body)]).toEqual([403, 'api.undeclared'])
  })

  it('gives a service a port of its own, where Host does not matter', async () => {
    const { port } = caller.addresses.services['ported']!
    const answer = await callThrough(port, {
      method: 'GET',
      host: 'whatever',
      path: '/x',
      headers: { authorization: `Bearer ${callee.userToken()}` },
    })
    expect(answer.status).toBe(200)
  })

  it('answers CONNECT to a service, and keeps what is inside with that service', async () => {
    const inside = (host: string): Promise<string> =>
      new Promise((resolve) => {
        let text = ''
        const socket = connect(caller.addresses.app.port, '127.0.0.1')
        socket.on('data', (chunk: Buffer) => {
          const first = text === ''
          text += chunk.toString('latin1')
          if (!first) return
          socket.write(
            `GET /x HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${callee.userToken()}\r\nConnection: close\r\n\r\n`,
          )
        })
        socket.on('close', () => resolve(text))
        socket.write('CONNECT app:80 HTTP/1.1\r\nHost: app:80\r\n\r\n')
      })
    expect(await inside('app')).toMatch(/^HTTP\/1\.1 200[\s\S]*HTTP\/1\.1 200/)
    expect(await inside('gone')).toMatch(/^HTTP\/1\.1 200[\s\S]*HTTP\/1\.1 421/)
  })

  it('refuses a peer that is not the pinned identity, without sending it the request', async () => {
    const answer = await call('impostor')
    expect([answer.status, codeOf(answer.body)]).toEqual([502, 'hop.identity-mismatch'])
    expect(callee.app.requests).toEqual([])
  })

  it('tries another address where nothing was sent, and only as often as it may', async () => {
    const flaky = await Promise.all([call('flaky'), call('flaky'), call('flaky')])
    expect(flaky.map((answer) => answer.status)).toEqual([200, 200, 200])
    const gone = await call('gone')
    expect([gone.status, codeOf(gone.body)]).toEqual([502, 'hop.refused'])
  })

  it('leaves an address out after it failed', async () => {
    const statuses: number[] = []
    for (let index = 0; index < 4; index += 1) statuses.push((await call('brittle')).status)
    expect(statuses.filter((status) => status === 502)).toHaveLength(1)
  })

  it('refuses what the policy of the service denies, before a token is made', async () => {
    const answer = await call('forbidden')
    expect([answer.status, codeOf(answer.body)]).toEqual([403, 'policy.denied'])
  })

  it('limits the rate of a service', async () => {
    expect((await call('limited')).status).toBe(200)
    const second = await call('limited')
    expect([second.status, codeOf(second.body)]).toEqual([429, 'limit.rate'])
  })

  it('keeps the token of the user back where the service says so', async () => {
    const answer = await call('anonymous')
    expect([answer.status, codeOf(answer.body)]).toEqual([401, 'token.missing'])
  })

  it('lets the application claim no identity and no hop token of its own', async () => {
    const answer = await call('app', {
      'x-sallyport-hop': 'forged',
      'x-forwarded-client-cert': 'URI=spiffe://test.mesh/root',
    })
    expect(answer.status).toBe(200)
    expect(header('x-forwarded-client-cert')).not.toContain('root')
  })

  it('makes one trace of both hops', async () => {
    await call('app', { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' })
    expect(header('traceparent')).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/)
  })
})
