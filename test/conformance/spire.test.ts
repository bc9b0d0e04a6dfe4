/**
 * A real SPIRE server and agent at the other end of our Workload API client: identities, bundles, JWT-SVIDs, and mutual
 * TLS between two identities of that SPIRE.
 *
 * Runs only when `SPIRE_BIN` names a folder with `spire-server` and `spire-agent`.
 */
import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectMesh, createMeshServer } from '../../src/identity/mesh-tls.ts'
import { identitySection } from '../../src/identity/section.ts'
import { systemClock } from '../../src/identity/sources/clock.ts'
import { openWorkloadApi } from '../../src/identity/workload-api/source.ts'

const binaries = process.env['SPIRE_BIN']
if (binaries === undefined)
  process.stderr.write(
    'SPIRE is not tried: set SPIRE_BIN to the folder of spire-server and spire-agent\n',
  )

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

const serverConfig = (folder: string, port: number): string => `
server {
  bind_address = "127.0.0.1"
  bind_port = "${port}"
  socket_path = "${folder}/server.sock"
  trust_domain = "shop.local"
  data_dir = "${folder}/server"
  log_level = "WARN"
  ca_ttl = "24h"
  default_x509_svid_ttl = "40s"
}
plugins {
  DataStore "sql" { plugin_data { database_type = "sqlite3" connection_string = "${folder}/server/datastore.sqlite3" } }
  KeyManager "memory" { plugin_data {} }
  NodeAttestor "join_token" { plugin_data {} }
}
`

const agentConfig = (folder: string, port: number): string => `
agent {
  data_dir = "${folder}/agent"
  log_level = "WARN"
  server_address = "127.0.0.1"
  server_port = "${port}"
  socket_path = "${folder}/agent.sock"
  trust_domain = "shop.local"
  insecure_bootstrap = true
}
plugins {
  KeyManager "memory" { plugin_data {} }
  NodeAttestor "join_token" { plugin_data {} }
  WorkloadAttestor "unix" { plugin_data {} }
}
`

describe.skipIf(binaries === undefined)('spire', () => {
  let folder = ''
  const processes: ChildProcess[] = []
  const run = (name: string, ...options: readonly string[]): void => {
    processes.push(
      spawn(join(binaries!, name), options, { stdio: ['ignore', 'ignore', 'inherit'] }),
    )
  }
  const ask = (...options: readonly string[]): string =>
    execFileSync(
      join(binaries!, 'spire-server'),
      [...options, '-socketPath', `${folder}/server.sock`],
      {
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    ).toString()
  const until = async (what: () => boolean): Promise<void> => {
    for (let turn = 0; turn < 600; turn += 1) {
      try {
        if (what()) return
      } catch {
        // Not there yet.
      }
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    throw new Error('spire did not do it in a minute')
  }

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'spire-'))
    for (const name of ['server', 'agent']) mkdirSync(join(folder, name))
    const port = await freePort()
    writeFileSync(join(folder, 'server.conf'), serverConfig(folder, port))
    writeFileSync(join(folder, 'agent.conf'), agentConfig(folder, port))
    run('spire-server', 'run', '-config', join(folder, 'server.conf'))
    await until(() => ask('healthcheck').includes('healthy'))
    const token = /Token: (\S+)/.exec(
      ask('token', 'generate', '-spiffeID', 'spiffe://shop.local/node'),
    )![1]!
    run('spire-agent', 'run', '-config', join(folder, 'agent.conf'), '-joinToken', token)
    for (const name of ['orders', 'web']) {
      const id = `spiffe://shop.local/${name}`
      const selector = `unix:uid:${process.getuid?.() ?? 0}`
      ask(
        'entry',
        'create',
        '-parentID',
        'spiffe://shop.local/node',
        '-spiffeID',
        id,
        '-selector',
        selector,
      )
    }
  }, 120_000)

  afterAll(async () => {
    for (const one of processes.reverse()) {
      one.kill('SIGTERM')
      await once(one, 'exit')
    }
    rmSync(folder, { recursive: true, force: true })
  }, 60_000)

  const open = (name: string) => {
    const workloadApi = {
      socket: `unix://${folder}/agent.sock`,
      spiffe_id: `spiffe://shop.local/${name}`,
      start_timeout: '60s',
    }
    const section = identitySection.parse({ source: { workload_api: workloadApi } })
    return openWorkloadApi(section, section.source.workload_api!, {
      clock: systemClock,
      random: Math.random,
      baseDirectory: folder,
      endpointSocket: undefined,
      onEvent: () => undefined,
    })
  }

  it(
    'gives two identities that speak mutual tls with each other',
    { timeout: 90_000 },
    async () => {
      const [orders, web] = await Promise.all([open('orders'), open('web')])
      const peers: string[] = []
      const server = createMeshServer({
        identity: orders.identity,
        trust: orders.trust,
        now: () => Date.now(),
        protocols: ['http/1.1'],
        onPeer: (accepted, caller) => {
          peers.push(caller.spiffeId)
          accepted.end('hello')
        },
        onRefused: ({ error }) => expect.fail(error.message),
      })
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { socket, peer } = await connectMesh({
        identity: web.identity,
        trust: web.trust,
        now: () => Date.now(),
        host: '127.0.0.1',
        port: (server.address() as AddressInfo).port,
        expected: ['spiffe://shop.local/orders'],
        protocols: ['http/1.1'],
        timeoutMs: 5_000,
      })
      await once(socket, 'data')
      expect([peer.spiffeId, peers]).toEqual([
        'spiffe://shop.local/orders',
        ['spiffe://shop.local/web'],
      ])
      socket.destroy()
      server.close()
      orders.close()
      web.close()
    },
  )

  it('renews an identity under our eyes', { timeout: 120_000 }, async () => {
    const orders = await open('orders')
    const first = orders.identity.current.serial
    await until(() => orders.identity.current.serial !== first)
    expect(orders.fault.current).toBeUndefined()
    orders.close()
  })

  it('gives a jwt-svid and the keys that verify it', { timeout: 90_000 }, async () => {
    const orders = await open('orders')
    const [svid] = await orders.fetchJwtSvids(['spiffe://shop.local/payments'])
    const head = JSON.parse(Buffer.from(svid!.token.split('.')[0]!, 'base64url').toString()) as {
      kid: string
    }
    await until(() => orders.jwtBundles.current.get('shop.local')?.has(head.kid) === true)
    expect(svid?.spiffeId).toBe('spiffe://shop.local/orders')
    orders.close()
  })
})
