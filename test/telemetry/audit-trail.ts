/** Builds audit trails for tests in a folder of their own, signed with a key of their own. */
import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mintCertificate } from './audit-certificate.ts'
import type { Audit, SignBatch } from '../../src/telemetry/audit/audit.ts'
import { openAudit } from '../../src/telemetry/audit/open-audit.ts'
import type { AuditOptions } from '../../src/telemetry/audit/open-audit.ts'
import type { Decision } from '../../src/telemetry/audit/record.ts'
import { telemetrySection } from '../../src/telemetry/section.ts'

export interface Workload {
  readonly certificate: Buffer
  readonly sign: SignBatch
}

/** A workload with a fresh P-256 key and a certificate for it. */
export const aWorkload = (): Workload => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const certificate = mintCertificate(publicKey, privateKey)
  const key = createHash('sha256').update(certificate).digest('base64url')
  return {
    certificate,
    sign: (data) => ({
      key,
      algorithm: 'ecdsa-sha256',
      signature: sign('sha256', data, privateKey),
      chain: [certificate],
    }),
  }
}

export const decisionOf = (index: number, changes: Partial<Decision> = {}): Decision => ({
  id: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
  time: 1_700_000_000_000 + index,
  line: 'egress',
  decision: 'deny',
  caller: 'spiffe://shop.example/payments',
  api: 'stripe',
  owner: 'payments',
  host: 'api.stripe.example',
  method: 'POST',
  template: '/v1/charges',
  code: 'policy.denied',
  stage: 'authorize',
  rule: { file: 'policies/egress.rego', row: 7, name: 'data.sallyport.egress.allow' },
  revision: 'r1',
  mode: 'enforce',
  traceId: '0af7651916cd43dd8448eb211c80319c',
  durationMs: 0.5,
  ...changes,
})

export interface TestTrail {
  readonly path: string
  readonly workload: Workload
  open(section?: Record<string, unknown>, options?: Partial<AuditOptions>): Audit
  lines(): Promise<string[]>
  write(lines: readonly string[]): Promise<void>
  remove(): Promise<void>
}

/** A trail in a fresh folder. */
export const aTrail = async (): Promise<TestTrail> => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-audit-'))
  const path = join(folder, 'audit.jsonl')
  const workload = aWorkload()
  return {
    path,
    workload,
    open: (section = {}, options = {}) =>
      openAudit({
        section: telemetrySection.parse({ audit: { file: path, delay: '1ms', ...section } }).audit,
        recent: 10,
        now: () => 1_700_000_000_000,
        sign: workload.sign,
        ...options,
      }),
    lines: async () => (await readFile(path, 'utf8')).split('\n').slice(0, -1),
    write: (lines) => writeFile(path, lines.map((line) => `${line}\n`).join('')),
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}
