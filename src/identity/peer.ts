/** The other end of a mutual TLS connection, after its certificate was verified. Made by `verifyPeer` only. */
import type { KeyObject } from 'node:crypto'

/** A verified X.509-SVID. Times are milliseconds since 1970. */
export interface Peer {
  /** The SPIFFE ID, exactly as it stands in the certificate. */
  readonly spiffeId: string
  readonly trustDomain: string
  /** The path of the id, with its leading slash. */
  readonly path: string
  /** base64url SHA-256 of the leaf's DER: what a bound token names in `cnf["x5t#S256"]`. */
  readonly thumbprint: string
  /** The leaf's public key: verifies hop tokens of this peer. */
  readonly publicKey: KeyObject
  /** Serial number of the leaf, lower-case hex without leading zeros. */
  readonly serial: string
  /** DNS names of the leaf, for people and logs: nothing is decided by them. */
  readonly dnsNames: readonly string[]
  readonly subject: string
  readonly notBefore: number
  /** The earliest end of validity on the whole verified path. */
  readonly notAfter: number
  /** base64url SHA-256 of the DER of the authority in the bundle that the path ends at. */
  readonly authority: string
  /** The certificates that the peer sent, DER, leaf first. */
  readonly chain: readonly Buffer[]
}
