/** Gives the admin listener its read-only views of the running parts. */
import {
  jsonView,
  openAdminListener,
  type AdminListener,
  type AdminView,
} from '../admin/admin-listener.ts'
import { pageCss, pageHtml, pageScript } from '../admin/traces-page.ts'
import type { Reload } from '../config/reload.ts'
import type { SidecarConfig } from '../config/schema.ts'
import { metricsContentType } from '../telemetry/metrics/exposition.ts'
import { version } from '../version.ts'
import type { Core } from './foundation.ts'
import type { Egress } from './egress.ts'
import type { Outbound } from './outbound.ts'
import type { Readiness } from './readiness.ts'

/** What the views look at. */
export interface AdminSubjects {
  readonly reload: Reload
  readonly egress: Egress
  readonly outbound: Outbound
  readonly readiness: Readiness
}

/** Opens it. */
export const openAdmin = (
  config: SidecarConfig,
  core: Core,
  subjects: AdminSubjects,
): Promise<AdminListener> => {
  const { telemetry } = core
  const text = (contentType: string, body: () => string): AdminView => ({ contentType, body })
  return openAdminListener(
    config.admin.listen,
    new Map<string, AdminView>([
      ['/', text('text/html; charset=utf-8', () => pageHtml)],
      ['/ui.css', text('text/css; charset=utf-8', () => pageCss)],
      ['/ui.js', text('text/javascript; charset=utf-8', () => pageScript)],
      ['/metrics', text(metricsContentType, () => telemetry.metrics.text())],
      ['/info', jsonView(() => infoOf(config, core))],
      ['/config_dump', jsonView(() => configOf(subjects.reload))],
      ['/certs', jsonView(() => certificatesOf(core))],
      ['/catalog', jsonView(() => catalogOf(subjects.egress))],
      ['/usage', jsonView(() => subjects.egress.learned.usage.rows())],
      ['/learned', jsonView(() => subjects.egress.learned.discovery.saved())],
      ['/bypass', jsonView(() => subjects.egress.bypass.found())],
      ['/upstreams', jsonView(() => upstreamsOf(subjects.outbound))],
      ['/checks', jsonView(() => subjects.readiness.checks())],
      ['/decisions', jsonView(() => telemetry.audit.recent())],
      ['/traces', jsonView(() => telemetry.traces.recent())],
    ]),
  )
}

const infoOf = (config: SidecarConfig, core: Core): object => ({
  service: config.service.name,
  version,
  node: process.versions.node,
  identity: core.identity.identity.current.spiffeId.uri,
  policy_revision: core.policy.current.revision,
})

/** The configuration in force. It names secrets by where they are read and holds none of them. */
const configOf = (reload: Reload): object => ({
  status: reload.status.current,
  unsafe: reload.current.unsafe,
  config: reload.current.config,
})

const certificatesOf = ({ identity, world }: Core): object => {
  const { spiffeId, serial, notBefore, notAfter, thumbprint, origin } = identity.identity.current
  return {
    identity: {
      spiffe_id: spiffeId.uri,
      serial,
      thumbprint,
      not_before: new Date(notBefore).toISOString(),
      not_after: new Date(notAfter).toISOString(),
      seconds_left: Math.floor((notAfter - world.now()) / 1_000),
      origin,
    },
    trust: [...identity.trust.current.byTrustDomain.values()].map((bundle) => ({
      trust_domain: bundle.trustDomain,
      authorities: bundle.authorities.length,
    })),
    fault: identity.fault.current?.message ?? null,
  }
}

const catalogOf = ({ catalog, keys }: Egress): object =>
  catalog.current.entries.map((entry) => {
    const held = keys.current(entry)
    return {
      name: entry.name,
      owner: entry.owner,
      purpose: entry.purpose,
      lifecycle: entry.lifecycle,
      data: entry.data,
      callers: entry.callers,
      hosts: entry.hosts.map((host) => host.text),
      operations: entry.operations.map(({ method, template }) => `${method} ${template}`),
      connect: entry.connect,
      credential: held.kind === 'none-needed' ? null : { id: held.id, state: held.kind },
      review_by: entry.review_by,
      depends_on: entry.depends_on,
      file: entry.file,
    }
  })

const upstreamsOf = (outbound: Outbound): object =>
  outbound.services().map(({ settings, endpoints }) => ({
    name: settings.name,
    spiffe_id: settings.spiffe_id,
    endpoints: endpoints.describe(),
  }))
