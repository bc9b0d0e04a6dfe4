/** `sallyport audit …`: proves that an audit trail is what was written, and gives its evidence to others. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readBundle, trustIn, type TrustBundles } from '../../identity/trust-bundle.ts'
import { verifyPeer } from '../../identity/verify-peer.ts'
import { EvidenceCollector, formatEvidence } from '../../telemetry/audit/evidence.ts'
import {
  verifyAudit,
  type TrustKey,
  type VerifyOptions,
} from '../../telemetry/audit/verify-audit.ts'
import {
  CommandError,
  exitCodes,
  UsageError,
  type Argument,
  type Command,
  type Given,
  type Option,
} from '../command.ts'

const trail: Argument = {
  name: 'file',
  description: 'the audit file; older ones beside it are found',
  required: true,
}

const bundleOptions: Readonly<Record<string, Option>> = {
  bundle: {
    type: 'text',
    value: 'trust domain=file',
    description:
      'trust bundle that the signing certificates must lead to, as in shop.local=certs/bundle.pem',
  },
  'unsafe-any-key': {
    type: 'switch',
    description:
      'accept whichever certificate the file brings; proves only that one key made all seals',
  },
}

/** A seal counts when its certificate was that of a workload of the trust domain at the time of the seal. */
const trustedBy =
  (trust: TrustBundles): TrustKey =>
  (chain, time) => {
    try {
      verifyPeer(chain, trust, time)
      return 'trusted'
    } catch (error) {
      return { reason: error instanceof Error ? error.message : String(error) }
    }
  }

const trustOf = (given: Given, directory: string): TrustKey | 'any' => {
  const bundle = given.text('bundle')
  if (bundle === undefined) {
    if (given.has('unsafe-any-key')) return 'any'
    throw new UsageError(
      'a trail is proven by the certificates that signed it',
      'name the trust bundle with --bundle, or accept any key with --unsafe-any-key',
    )
  }
  const [trustDomain = '', file] = bundle.split('=', 2)
  if (file === undefined) {
    throw new UsageError(
      `${bundle} names no trust domain`,
      'write --bundle shop.local=certs/bundle.pem',
    )
  }
  return trustedBy(trustIn([readBundle(readFileSync(join(directory, file)), trustDomain)]))
}

const verified = async (
  given: Given,
  directory: string,
  more: Pick<VerifyOptions, 'onRecord'> = {},
) =>
  verifyAudit(join(directory, given.arguments[0]!), { trust: trustOf(given, directory), ...more })

const verify: Command = {
  name: 'audit verify',
  summary: 'prove that an audit trail is complete and unchanged',
  details: 'Exits with 1 when a record was edited, removed, reordered or added, and says where.',
  arguments: [trail],
  options: { ...bundleOptions, json: { type: 'switch', description: 'print JSON' } },
  examples: [
    'sallyport audit verify /var/log/sallyport/audit.jsonl --bundle shop.local=certs/bundle.pem',
  ],
  async run(given, { directory, terminal }) {
    const report = await verified(given, directory)
    if (given.has('json')) terminal.print(JSON.stringify(report, undefined, 2))
    else {
      for (const { file, line, kind, message } of report.findings) {
        terminal.print(`${file}:${line}: ${terminal.paint('red', kind)}: ${message}`)
      }
      for (const note of report.notes) terminal.print(`note: ${note}`)
      const { verdict, records, seals, dropped } = report
      const lost = dropped === 0 ? '' : `, ${dropped} lost by the sidecar's own account`
      terminal.print(`${verdict}: ${records} records, ${seals} seals${lost}`)
    }
    return report.verdict === 'intact' ? exitCodes.ok : exitCodes.failed
  },
}

const formats = ['markdown', 'csv', 'json'] as const

const exportEvidence: Command = {
  name: 'audit export',
  summary: 'write what the trail proves about each third-party API',
  arguments: [trail],
  options: {
    ...bundleOptions,
    format: {
      type: 'text',
      value: formats.join('|'),
      description: 'form of the evidence (default: markdown)',
    },
  },
  async run(given, { directory, terminal }) {
    const wanted = given.text('format') ?? 'markdown'
    const format = formats.find((each) => each === wanted)
    if (!format) throw new UsageError(`there is no format ${wanted}`, `say ${formats.join(', ')}`)
    const collector = new EvidenceCollector()
    const report = await verified(given, directory, { onRecord: collector.collect })
    if (report.verdict !== 'intact') {
      throw new CommandError('the trail was tampered with', 'sallyport audit verify says where')
    }
    terminal.print(formatEvidence(collector.evidence(), format).trimEnd())
    return exitCodes.ok
  },
}

/** The commands, in the order of the help text. */
export const audit: readonly Command[] = [verify, exportEvidence]
