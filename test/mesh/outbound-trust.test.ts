/** Trust in a peer that we call ends on live connections too: a pooled connection does not outlive a revocation. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { processWorld } from '../../src/compose/world.ts'
import { loadConfig } from '../../src/config/load.ts'
import { createMeshServer } from '../../src/identity/mesh-tls.ts'
import { identitySection } from '../../src/identity/section.ts'
import {
  initAuthority,
  issueIdentity,
  revokeCertificate,
} from '../../src/identity/sources/authority-folder.ts'
import { systemClock } from '../../src/identity/sources/clock.ts'
import type { IdentitySource } from '../../src/identity/sources/identity-source.ts'
import { openIdentity } from '../../src/identity/sources/open.ts'
import { startSidecar } from '../../src/sidecar.ts'
import type { Sidecar } from '../../src/sidecar.ts'

const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'

describe('a pooled connection to a peer', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-trust-'))
  const certs = join(folder, 'certs')
  const live = new Set<object>()
  let opened = 0
  let sidecar: Sidecar
  let orders: IdentitySource
  let server: ReturnType<typeof createMeshServer>

  beforeAll(async () => {
    const now = Date.now()
    initAuthority(certs, { trustDomain: 'test.mesh', now })
    for (const name of ['app', 'orders'])
      issueIdentity(certs, {
        spiffeId: `spiffe://test.mesh/${name}`,
        now,
        into: join(folder, name),
      })
    const directory = { path: join(folder, 'orders') }
    orders = await openIdentity(identitySection.parse({ source: { directory } }), {
      clock: systemClock,
      random: () => 0.5,
      baseDirectory: folder,
      onEvent: () => undefined,
    })
    server = createMeshServer({
      ...orders,
      now: () => Date.now(),
      protocols: ['http/1.1'],
      onPeer: (socket) => {
        opened += 1
        live.add(socket)
        socket.on('close', () => live.delete(socket))
        socket.on('data', () => socket.write(answer))
      },
      onRefused: () => undefined,
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    mkdirSync(join(folder, 'policies'))
    writeFileSync(
      join(folder, 'policies', 'outbound.rego'),
      'package sallyport.outbound\n\nallow := true\n',
    )
    const file = join(folder, 'sallyport.yaml')
    writeFileSync(
      file,
      `service: {name: app}
identity:
  source: {directory: {path: app}}
  crl: {files: [certs/crl.pem]}
outbound:
  services:
    - name: orders
      addresses: ["127.0.0.1:${port}"]
      spiffe_id: spiffe://test.mesh/orders
      pool: {idle: 60s}
listeners: {app: "127.0.0.1:0", health: "127.0.0.1:0", drain: {delay: 0s, grace: 1s}}
admin: {listen: "127.0.0.1:0"}
telemetry: {traces: {exporter: none}, audit: {file: audit.jsonl}}
`,
    )
    const load = () => loadConfig({ file, environment: {}, now: Date.now })
    const logOutput = new Writable({ write: (_chunk, _encoding, done) => done() })
    sidecar = await startSidecar({
      loaded: load(),
      load,
      world: { ...processWorld, environment: {}, logOutput },
    })
  })

  afterAll(async () => {
    await sidecar.stop()
    orders.close()
    server.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const call = async (): Promise<string> => {
    const socket = connect(sidecar.addresses.app.port, '127.0.0.1')
    socket.write('GET http://orders/ HTTP/1.1\r\nHost: orders\r\nConnection: close\r\n\r\n')
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
    await once(socket, 'close')
    return text.slice(0, text.indexOf('\r\n'))
  }

  it('is used again while the peer is trusted, and ends within five seconds when it is revoked', async () => {
    expect(await call()).toBe('HTTP/1.1 200 OK')
    expect(await call()).toBe('HTTP/1.1 200 OK')
    expect([opened, live.size]).toEqual([1, 1])
    revokeCertificate(certs, orders.identity.current.serial, Date.now())
    for (let turn = 0; turn < 100 && live.size > 0; turn += 1)
      await new Promise((resolve) => setTimeout(resolve, 50))
    expect(live.size).toBe(0)
    expect(await call()).toMatch(/^HTTP\/1\.1 50[0-9]/)
  })
})
