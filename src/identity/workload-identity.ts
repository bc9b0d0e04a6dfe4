/**
 * Our own X.509-SVID: the certificate chain that we show and the key that proves it.
 *
 * Made by the identity sources, after the key was matched with the leaf; read by TLS contexts and by whoever signs
 * with the key of this workload.
 */
import { createPublicKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { Secret } from '../secret.ts'
import { certificatePem, readCertificate } from './certificate.ts'
import { IdentityError } from './identity-error.ts'
import { parseSpiffeId } from './spiffe-id.ts'
import type { SpiffeId } from './spiffe-id.ts'
import type { TrustBundles } from './trust-bundle.ts'
import { checkSvidShape, verifyPeer } from './verify-peer.ts'

/** One identity of this workload, complete and matched. Times are milliseconds since 1970. */
export interface WorkloadIdentity {
  readonly spiffeId: SpiffeId
  /** DER, leaf first, without the root. */
  readonly chain: readonly Buffer[]
  readonly privateKey: KeyObject
  readonly certificatePem: string
  readonly keyPem: Secret
  /** base64url SHA-256 of the leaf's DER: the `x5t#S256` of RFC 8705. */
  readonly thumbprint: string
  readonly serial: string
  readonly notBefore: number
  readonly notAfter: number
  /** Where it came from, for people: a path or the name of the source. */
  readonly origin: string
}

/** True when the private key is the one that the certificate speaks of. */
export const isKeyOf = (privateKey: KeyObject, leaf: Buffer): boolean =>
  createPublicKey(privateKey)
    .export({ format: 'der', type: 'spki' })
    .equals(readCertificate(leaf).spki)

/**
 * Joins a chain with its key, after judging it exactly as a peer would: an identity that nobody will believe is found
 * out here and not at the first call.
 *
 * @param chain DER, leaf first
 * @param now milliseconds since 1970
 * @throws IdentityError when the chain does not verify against our own trust, or the key is of another certificate
 */
export const assembleIdentity = (
  chain: readonly Buffer[],
  privateKey: KeyObject,
  trust: TrustBundles,
  now: number,
  origin: string,
): WorkloadIdentity => {
  checkSvidShape(chain)
  const peer = verifyPeer(chain, trust, now)
  const leaf = chain[0]!
  if (!isKeyOf(privateKey, leaf))
    throw new IdentityError('malformed', 'the private key does not belong to the certificate')
  const certificate = readCertificate(leaf)
  return {
    spiffeId: parseSpiffeId(peer.spiffeId),
    chain,
    privateKey,
    certificatePem: chain.map((der) => certificatePem(der)).join(''),
    keyPem: new Secret(privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()),
    thumbprint: peer.thumbprint,
    serial: peer.serial,
    notBefore: certificate.notBefore,
    notAfter: peer.notAfter,
    origin,
  }
}
