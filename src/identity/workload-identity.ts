/**
 * Our own X.509-SVID: the certificate chain that we show and the key that proves it.
 *
 * Made by the identity sources, after the key was matched with the leaf; read by TLS contexts and by whoever signs
 * with the key of this workload.
 */
import type { KeyObject } from 'node:crypto'
import type { SecretText } from './secret-text.ts'
import type { SpiffeId } from './spiffe-id.ts'

/** One identity of this workload, complete and matched. Times are milliseconds since 1970. */
export interface WorkloadIdentity {
  readonly spiffeId: SpiffeId
  /** DER, leaf first, without the root. */
  readonly chain: readonly Buffer[]
  readonly privateKey: KeyObject
  readonly certificatePem: string
  readonly keyPem: SecretText
  /** base64url SHA-256 of the leaf's DER: the `x5t#S256` of RFC 8705. */
  readonly thumbprint: string
  readonly serial: string
  readonly notBefore: number
  readonly notAfter: number
  /** Where it came from, for people: a path or the name of the source. */
  readonly origin: string
}
