/** Signs batches of audit records with the key of the workload, whatever certificate is in force. */
import { sign } from 'node:crypto'
import type { WorkloadIdentity } from '../identity/workload-identity.ts'
import type { Live } from '../live.ts'
import type { BatchSignature, SignBatch } from '../telemetry/audit/audit.ts'

/** The signer. */
export const signBatch =
  (identity: Live<WorkloadIdentity>): SignBatch =>
  (data) => {
    const { privateKey, thumbprint: key, chain } = identity.current
    const algorithm = algorithms[privateKey.asymmetricKeyType ?? ''] ?? 'ecdsa-sha256'
    const digest = algorithm === 'ed25519' ? null : 'sha256'
    return { key, algorithm, chain, signature: sign(digest, data, privateKey) }
  }

const algorithms: Readonly<Record<string, BatchSignature['algorithm']>> = {
  ec: 'ecdsa-sha256',
  rsa: 'rsa-sha256',
  ed25519: 'ed25519',
}
