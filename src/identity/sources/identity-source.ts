/** What every source of identity gives: our certificate, whom we trust, and what went wrong last. */
import type { Live } from '../../live.ts'
import type { IdentityFileError } from '../identity-error.ts'
import type { TrustBundles } from '../trust-bundle.ts'
import type { WorkloadIdentity } from '../workload-identity.ts'

/** Something that happened to an identity, for the log, the metrics and the readiness page. */
export type IdentityEvent =
  | { readonly kind: 'rotated'; readonly identity: WorkloadIdentity }
  | { readonly kind: 'trust-changed'; readonly trustDomains: readonly string[] }
  /** A change could not be used; the last good stays in force. */
  | { readonly kind: 'reload-failed'; readonly error: IdentityFileError }
  | { readonly kind: 'recovered' }
  | { readonly kind: 'warning'; readonly file: string; readonly detail: string }
  /** Our certificate has used up this part of its life (50, 75, 90 or 100 %) without being renewed. */
  | { readonly kind: 'expiring'; readonly percent: number; readonly secondsLeft: number }

/** A source of identity, opened: its values change while the process runs. */
export interface IdentitySource {
  readonly identity: Live<WorkloadIdentity>
  readonly trust: Live<TrustBundles>
  /** The fault of the last change that could not be used, until a later one could. */
  readonly fault: Live<IdentityFileError | undefined>
  close(): void
}
