/** A good shop, a good neighbour, and short words for the one change that a test makes to a leaf. */
import { generateKeyPairSync } from 'node:crypto'
import type { KeyUsage } from '../../src/identity/certificate.ts'
import { IdentityError } from '../../src/identity/identity-error.ts'
import type { TrustBundles } from '../../src/identity/trust-bundle.ts'
import { verifyPeer } from '../../src/identity/verify-peer.ts'
import { extension } from '../../src/identity/x509/write.ts'
import type { ExtensionText, SubjectName } from '../../src/identity/x509/write.ts'
import { aTrustDomain, replaced } from '../support/certificates.ts'
import type { LeafShape } from '../support/certificates.ts'

export const now = Date.now()
export const hour = 3_600_000
export const shop = aTrustDomain('shop.local', now)
export const other = aTrustDomain('other.local', now)

export const verdict = (
  chain: readonly Buffer[],
  trust: TrustBundles = shop.trust,
  at = now,
): string => {
  try {
    return verifyPeer(chain, trust, at).spiffeId
  } catch (error) {
    if (error instanceof IdentityError) return error.code
    throw error
  }
}

export const good = 'spiffe://shop.local/workload'
export const names = (...list: readonly SubjectName[]): LeafShape => ({
  extensions: (all) => replaced(all, extension.subjectAltName(list, false)),
})
export const usage = (...list: readonly KeyUsage[]): LeafShape => ({
  extensions: (all) => replaced(all, extension.keyUsage(...list)),
})
export const purposes = (...list: readonly string[]): LeafShape => ({
  extensions: (all) => replaced(all, extension.extendedKeyUsage(...list)),
})
export const plus = (one: ExtensionText): LeafShape => ({ extensions: (all) => [...all, one] })
export const uri = (text: string): LeafShape => names({ uri: text })
export const rsa = (bits: number) => generateKeyPairSync('rsa', { modulusLength: bits }).privateKey
export const curve = (name: string) => generateKeyPairSync('ec', { namedCurve: name }).privateKey
export const nothing = Buffer.from([0x30, 0x00])
