/** The audit trail as the rest of the sidecar sees it: records go in, nothing ever waits. */
import type { Decision } from './record.ts'

/** How a batch was signed, and with what. */
export interface BatchSignature {
  /** Names the key: the thumbprint of the leaf certificate. */
  readonly key: string
  /** Signatures of ECDSA are in DER. */
  readonly algorithm: 'ecdsa-sha256' | 'rsa-sha256' | 'ed25519'
  readonly signature: Buffer
  /** DER certificates, leaf first; written to the trail once for each key, so that it can be verified later. */
  readonly chain: readonly Buffer[]
}

/** Signs one batch with the key of the workload. A throw leaves the batch unsigned, and the trail says so. */
export type SignBatch = (data: Buffer) => BatchSignature

/** What happened to a record: `skipped` means that the configuration does not ask for it. */
export type Recorded = 'queued' | 'skipped' | 'dropped'

/** Where the chain stands: an anchor that can be kept elsewhere and given to the verification. */
export interface ChainHead {
  readonly seq: number
  /** Hex SHA-256. */
  readonly hash: string
}

/** Totals since start, and the state of the sink. */
export interface AuditState {
  readonly written: number
  readonly dropped: number
  readonly queued: number
  /** False while the file cannot be written (full disk, lost directory). */
  readonly healthy: boolean
  /** The last fault of the sink, for `/readyz?verbose`. */
  readonly fault: string | undefined
  readonly head: ChainHead | undefined
}

/** The trail of one sidecar. */
export interface Audit {
  /** Queues one record; never throws and never waits. */
  record(decision: Decision): Recorded
  /** False when `required` is set and a record could not be kept now: the line must refuse instead of passing. */
  readonly accepts: boolean
  state(): AuditState
  /** The last decisions, newest first, for the admin page. Denials and allows, whatever the file keeps. */
  recent(): readonly Decision[]
  /** Resolves once everything queued so far is on the disk, or the disk refused it. */
  flush(): Promise<void>
  close(): Promise<void>
}
