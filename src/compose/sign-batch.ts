/** Signs batches of audit records with the key of the workload, whatever certificate is in force. */
import { sign } from 'node:crypto'
import type { WorkloadIdentity } from '../identity/workload-identity.ts'
import type { Live } from '../live.ts'
import type { SignBatch } from '../telemetry/audit/audit.ts'

/** The signer. */
export const signBatch =
  (identity: Live<WorkloadIdentity>): SignBatch =>
  (data) => {
    const { privateKey, thumbprint } = identity.current
    const algorithm = privateKey.asymmetricKeyType === 'ec' ? 'ecdsa-sha256' : 'rsa-sha256'
    return { key: thumbprint, algorithm, signature: sign('sha256', data, privateKey) }
  }
