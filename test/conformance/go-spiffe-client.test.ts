/**
 * Another SPIFFE implementation at the other end: go-spiffe takes its identity from our Workload API and calls our mesh
 * listener. Needs Go and its modules, so it runs only when `GO_SPIFFE=1`.
 */
import { execFile, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { createMeshServer } from '../../src/identity/mesh-tls.ts'
import { identitySection } from '../../src/identity/section.ts'
import { initAuthority } from '../../src/identity/sources/authority-folder.ts'
import { systemClock } from '../../src/identity/sources/clock.ts'
import { openIdentity } from '../../src/identity/sources/open.ts'
import { openAuthorityContent } from '../../src/identity/workload-api/authority-content.ts'
import { serveWorkloadApi } from '../../src/identity/workload-api/server.ts'

const wanted = process.env['GO_SPIFFE'] === '1'
if (!wanted)
  process.stderr.write(
    'go-spiffe is not tried as a client: set GO_SPIFFE=1 where Go is installed\n',
  )

describe.skipIf(!wanted)('go-spiffe as a client', () => {
  it(
    'takes our identities, validates our jwt-svids and speaks mutual tls with us',
    { timeout: 300_000 },
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'go-spiffe-'))
      const binary = join(folder, 'client')
      execFileSync('go', ['build', '-o', binary, '.'], {
        cwd: join(import.meta.dirname, 'go-spiffe-client'),
      })
      initAuthority(folder, { trustDomain: 'shop.local', now: Date.now() })
      const random = () => 0.5
      const content = openAuthorityContent({
        folder,
        spiffeIds: ['spiffe://shop.local/orders'],
        lifetimeMs: 3_600_000,
        clock: systemClock,
        random,
        onFault: (error) => expect.fail(String(error)),
      })
      const agent = await serveWorkloadApi(join(folder, 'agent.sock'), content)
      const development = { path: folder, spiffe_id: 'spiffe://shop.local/server' }
      const source = await openIdentity(identitySection.parse({ source: { development } }), {
        clock: systemClock,
        random,
        baseDirectory: folder,
        onEvent: () => undefined,
      })
      const server = createMeshServer({
        identity: source.identity,
        trust: source.trust,
        now: () => Date.now(),
        protocols: ['http/1.1'],
        onPeer: (socket, peer) => socket.end(`hello ${peer.spiffeId}`),
        onRefused: ({ error }) => expect.fail(error.message),
      })
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const address = `127.0.0.1:${(server.address() as AddressInfo).port}`
      const { stdout } = await promisify(execFile)(binary, [agent.address, address])
      expect(stdout.trim().split('\n')).toEqual([
        'svid spiffe://shop.local/orders',
        'bundles 1',
        'jwt spiffe://shop.local/orders',
        'mtls hello spiffe://shop.local/orders',
      ])
      for (const one of [server, agent, source, content]) one.close()
      rmSync(folder, { recursive: true, force: true })
    },
  )
})
