/** A folder with a configuration that can be used, for tests that break one thing in it. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import { loadConfig, type LoadedConfig } from '../../src/config/load.ts'
import { initAuthority } from '../../src/identity/sources/authority-folder.ts'
import { ConfigFaults, type ConfigFault } from '../../src/config/read/fault.ts'

/** A configuration with one setting on each line, so that a test knows where everything is. */
export const wholeConfig = `service:
  name: orders
  namespace: shop
identity:
  source:
    development:
      path: certs
      spiffe_id: spiffe://shop.local/orders
      lifetime: 1h
  trust_domain: shop.local
inbound:
  listen: 0.0.0.0:15006
  app:
    address: 127.0.0.1:8080
    protocol: http1
    connect_timeout: 1s
  routes:
    - name: read-order
      path: /orders/{id}
      methods:
        - GET
      timeout: 5s
      body_limit: 16KiB
      merge_slashes: false
      tokens:
        caller: required
        user: required
        providers:
          - shop
      policy:
        rule: data.sallyport.inbound.allow
        mode: enforce
      limit:
        rate: 100/s
        burst: 20
        per: peer
outbound:
  services:
    - name: payments
      hosts:
        - payments.shop.svc
      addresses:
        - 127.0.0.1:15106
      spiffe_id: spiffe://shop.local/payments
      listen: 127.0.0.1:15200
      timeouts:
        connect: 1s
        request: 15s
      retry:
        attempts: 1
      outlier:
        consecutive_failures: 5
        ejection: 30s
      forward_user_token: true
egress:
  apis:
    directory: policies/apis
    mode: enforce
  timeouts:
    resolve: 5s
    connect: 5s
listeners:
  app: 127.0.0.1:15001
  health: 0.0.0.0:15021
  drain:
    delay: 5s
    grace: 30s
admin:
  listen: 127.0.0.1:15000
  recent: 200
tokens:
  providers:
    shop:
      issuer: https://id.shop.example
      audiences:
        - orders
      jwks_uri: https://id.shop.example/keys
      clock_skew: 30s
policy:
  directory: policies
  strict: true
  budget:
    steps: 100000
    wall: 50ms
telemetry:
  traces:
    exporter: otlp
    sample_ratio: 0.5
  logs:
    level: info
    decisions: denials
wire:
  limits:
    head_size: 16KiB
    header_count: 100
  timeouts:
    handshake: 10s
`

const outboundPolicy = `package sallyport.outbound

default allow := true
`

const policy = `package sallyport.inbound

default allow := false

allow if input.peer.spiffe_id == "spiffe://shop.local/web"
`

/** The time at which tests load. */
export const testTime = Date.UTC(2026, 10, 23)

/** The files of a development authority of shop.local, made once for each run. */
const authority: Readonly<Record<string, string>> = (() => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-authority-'))
  try {
    initAuthority(folder, { trustDomain: 'shop.local', now: testTime })
    const names = readdirSync(folder).filter((name) => !name.startsWith('.'))
    return Object.fromEntries(
      names.map((name) => [`certs/${name}`, readFileSync(join(folder, name), 'utf8')]),
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})()

/** A folder that is removed after the test, with the files given by relative path. */
export const aFolder = (files: Readonly<Record<string, string>>): string => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-config-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  return folder
}

/** A folder with a configuration, the policy and the folders that it names; returns the path of the configuration. */
export const aConfig = (
  text: string = wholeConfig,
  files: Readonly<Record<string, string>> = {},
): string =>
  join(
    aFolder({
      'sallyport.yaml': text,
      'policies/inbound.rego': policy,
      'policies/outbound.rego': outboundPolicy,
      'policies/apis/.keep': '',
      ...authority,
      ...files,
    }),
    'sallyport.yaml',
  )

/** Loads, with no environment unless one is given. */
export const load = (
  file: string,
  environment: Readonly<Record<string, string>> = {},
): LoadedConfig => loadConfig({ file, environment, now: () => testTime })

/** The faults of a configuration; fails the test when there are none. */
export const faultsOf = (
  file: string,
  environment: Readonly<Record<string, string>> = {},
): readonly ConfigFault[] => {
  try {
    load(file, environment)
  } catch (error) {
    if (error instanceof ConfigFaults) return error.faults
    throw error
  }
  throw new Error('the configuration has no fault')
}
