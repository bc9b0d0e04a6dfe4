/** What must hold before requests are sent here, asked at each probe. */
import type { Reload } from '../config/reload.ts'
import type { HealthCheck } from '../listeners/health.ts'
import type { UserTokens } from '../token/user/user-tokens.ts'
import type { Core } from './foundation.ts'
import type { Egress } from './egress.ts'

/** The state of readiness. */
export interface Readiness {
  readonly checks: () => readonly HealthCheck[]
  readonly started: () => boolean
  markStarted(): void
  stopping: boolean
}

/** Makes it. */
export const openReadiness = (
  core: Core,
  reload: Reload,
  tokens: () => UserTokens,
  egress: Egress,
): Readiness => {
  let hasStarted = false
  return {
    started: () => hasStarted,
    markStarted: () => {
      hasStarted = true
    },
    stopping: false,
    checks: () => [
      { name: 'started', state: hasStarted ? 'ok' : 'failed', detail: 'still starting' },
      identityCheck(core),
      identityFilesCheck(core),
      { name: `policy revision ${core.policy.current.revision}`, state: 'ok' },
      configCheck(reload),
      ...tokens().status().map(keysCheck),
      ...egress.catalog.current.entries.flatMap((entry) => credentialCheck(egress, entry)),
      ...egress.bypass.checks(),
      auditCheck(core),
    ],
  }
}

const identityCheck = ({ identity, world }: Core): HealthCheck => {
  const left = Math.floor((identity.identity.current.notAfter - world.now()) / 1_000)
  return left > 0
    ? { name: `identity, ${left} s left`, state: 'ok' }
    : { name: 'identity', state: 'failed', detail: 'our certificate has expired' }
}

const identityFilesCheck = ({ identity }: Core): HealthCheck => {
  const fault = identity.fault.current
  return fault === undefined
    ? { name: 'identity files', state: 'ok' }
    : { name: 'identity files', state: 'warning', detail: fault.message }
}

const configCheck = (reload: Reload): HealthCheck => {
  const status = reload.status.current
  if (status.state === 'current') return { name: `config revision ${status.revision}`, state: 'ok' }
  const first = status.faults[0]
  const where =
    first === undefined
      ? ''
      : ` ${first.file}:${first.line}:${first.column}: expected ${first.expected}, got ${first.got}`
  return {
    name: 'config',
    state: 'warning',
    detail: `revision ${status.revision} stays in force;${where}`,
  }
}

const keysCheck = (status: ReturnType<UserTokens['status']>[number]): HealthCheck => ({
  name: `token keys of ${status.provider}`,
  state: status.state === 'loading' || status.state === 'unavailable' ? 'failed' : 'ok',
  detail: status.failure,
})

const credentialCheck = (
  { keys }: Egress,
  entry: Egress['catalog']['current']['entries'][number],
): readonly HealthCheck[] => {
  const held = keys.current(entry)
  if (held.kind === 'none-needed') return []
  return [
    held.kind === 'ready'
      ? { name: `credential ${held.id}`, state: 'ok' }
      : { name: `credential ${held.id}`, state: 'warning', detail: held.detail },
  ]
}

const auditCheck = ({ telemetry }: Core): HealthCheck => {
  const { healthy, fault } = telemetry.audit.state()
  return healthy
    ? { name: 'audit', state: 'ok' }
    : { name: 'audit', state: telemetry.audit.accepts ? 'warning' : 'failed', detail: fault }
}
