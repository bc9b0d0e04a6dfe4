/** placeholder, replaced below */
import type { Certificate } from './certificate.ts'
import type { RevocationLists } from './crl.ts'

/** The authorities of one trust domain. */
export interface TrustBundle {
  readonly trustDomain: string
  readonly authorities: readonly Certificate[]
  /** Keys that verify JWT-SVIDs of this trust domain, as JSON Web Keys, by key id. */
  readonly jwtAuthorities: ReadonlyMap<string, Readonly<Record<string, unknown>>>
}

/** Everything that a peer is judged by: one bundle for each trust domain, and what is revoked. A snapshot. */
export interface TrustBundles {
  readonly byTrustDomain: ReadonlyMap<string, TrustBundle>
  readonly revocation: RevocationLists | 'not-configured'
}
