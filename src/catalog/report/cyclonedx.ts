/** Entries as CycloneDX 1.6 services: the third-party APIs of a bill of materials, with the data that flows to them. */
import type { ApiReport, ReportRow } from './report.ts'

const refOf = (name: string): string => `service:${name}`

/** The document, as plain values. It has no serial number, so that the same catalog gives the same text. */
export const cycloneDx = (report: ApiReport): Readonly<Record<string, unknown>> => ({
  bomFormat: 'CycloneDX',
  specVersion: '1.6',
  version: 1,
  metadata: {
    timestamp: new Date(report.madeAt).toISOString(),
    tools: { components: [{ type: 'application', name: 'sallyport' }] },
  },
  services: report.rows.map(serviceOf),
  dependencies: report.rows.map(({ entry }) => ({
    ref: refOf(entry.name),
    dependsOn: entry.depends_on.map(refOf),
  })),
})

const serviceOf = ({ entry, calls, keyAgeDays }: ReportRow): Readonly<Record<string, unknown>> => {
  const scheme = entry.unsafe_plaintext ? 'http' : 'https'
  const property = (name: string, value: string | undefined): readonly unknown[] =>
    value === undefined || value === '' ? [] : [{ name: `sallyport:${name}`, value }]
  return {
    'bom-ref': refOf(entry.name),
    provider: { name: entry.hosts[0]?.host ?? entry.name },
    name: entry.name,
    description: entry.purpose,
    endpoints: entry.hosts.map((host) => {
      const name = host.host.includes(':') ? `[${host.host}]` : host.host
      return `${scheme}://${host.kind === 'wildcard' ? '*.' : ''}${name}:${host.port}`
    }),
    authenticated:
      entry.authentication.kind !== 'none' || entry.tls.client_certificate !== undefined,
    'x-trust-boundary': true,
    ...(entry.data.length > 0
      ? { data: entry.data.map((classification) => ({ flow: 'outbound', classification })) }
      : {}),
    ...(entry.links.length > 0
      ? {
          externalReferences: entry.links.map(({ url, title }) => ({
            type: 'other',
            url,
            comment: title,
          })),
        }
      : {}),
    properties: [
      ...property('owner', entry.owner),
      ...property('lifecycle', entry.lifecycle),
      ...property('review-by', entry.review_by),
      ...property('callers', entry.callers.join(' ')),
      ...property('credential', entry.credential?.id),
      ...property('credential-age-days', keyAgeDays === undefined ? undefined : String(keyAgeDays)),
      ...property('calls', String(calls)),
    ],
  }
}
