/**
 * Two real sidecars on one path: `web` calls through its own, and the sidecar of `app` passes on to an application.
 * Whatever a test sends goes over mutual TLS with real certificates in between.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { processWorld } from '../../src/compose/world.ts'
import { loadConfig } from '../../src/config/load.ts'
import { startSidecar, type Sidecar } from '../../src/sidecar.ts'
import { startInboundSidecar, type InboundSetup, type InboundSidecar } from './inbound-sidecar.ts'

/** What a test says about the two. */
export interface TwoSidecarsSetup extends InboundSetup {
  /** Protocol between the two sidecars. */
  readonly between?: 'same' | 'http1' | 'http2'
  /** The body of `policies/outbound.rego`; allows everything when absent. */
  readonly outboundPolicy?: string
  /** Further settings of the service, as YAML in braces without them. */
  readonly service?: string
}

/** The running pair. */
export interface TwoSidecars {
  readonly callee: InboundSidecar
  readonly caller: Sidecar
  /** Where `web` calls the application: the loopback port of the service. */
  readonly port: number
  /** The log lines of the caller's sidecar. */
  readonly log: string[]
  stop(): Promise<void>
}

/** Starts both. */
export const startTwoSidecars = async (setup: TwoSidecarsSetup): Promise<TwoSidecars> => {
  const callee = await startInboundSidecar(setup)
  writeFileSync(
    join(callee.folder, 'policies', 'outbound.rego'),
    `package sallyport.outbound\n\n${setup.outboundPolicy ?? 'allow := true'}\n`,
  )
  const file = join(callee.folder, 'web.yaml')
  const more = setup.service === undefined ? '' : `, ${setup.service}`
  writeFileSync(
    file,
    `service: {name: web}
identity: {source: {directory: {path: web}}}
outbound:
  services:
    - {name: app, addresses: ["127.0.0.1:${callee.port}"], spiffe_id: "spiffe://test.mesh/app", listen: "127.0.0.1:0", protocol: ${setup.between ?? 'same'}${more}}
policy: {directory: policies}
listeners: {app: "127.0.0.1:0", health: "127.0.0.1:0", drain: {delay: 0s, grace: 2s}}
admin: {listen: "127.0.0.1:0"}
telemetry: {traces: {exporter: none}, logs: {decisions: all}}
`,
  )
  const log: string[] = []
  const logOutput = new Writable({
    write: (chunk: Buffer, _, done) => {
      log.push(...chunk.toString('utf8').split('\n').filter(Boolean))
      done()
    },
  })
  const load = () => loadConfig({ file, environment: {}, now: Date.now })
  const caller = await startSidecar({
    loaded: load(),
    load,
    world: { ...processWorld, environment: {}, logOutput },
  })
  return {
    callee,
    caller,
    log,
    port: caller.addresses.services['app']!.port,
    stop: async () => {
      await caller.stop()
      await callee.stop()
    },
  }
}
