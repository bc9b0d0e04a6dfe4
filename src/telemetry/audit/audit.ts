/** The audit trail as the exchange sees it: records go in, nothing ever waits. */
import type { Decision } from './record.ts'

/** Signs one batch with the key of the workload. `key` names that key (thumbprint of the leaf certificate). */
export type SignBatch = (data: Buffer) => {
  readonly key: string
  readonly algorithm: string
  readonly signature: Buffer
}

/** What happened to a record: `skipped` means that the configuration does not ask for allows. */
export type Recorded = 'queued' | 'skipped' | 'dropped'

/** Totals since start, and the state of the sink. */
export interface AuditState {
  readonly written: number
  readonly dropped: number
  readonly queued: number
  /** False while the file cannot be written (full disk, lost directory). */
  readonly healthy: boolean
  /** The last fault of the sink, for `/readyz?verbose`. */
  readonly fault: string | undefined
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
  flush(): Promise<void>
  close(): Promise<void>
}
