/**
 * The audit trail: a bounded queue in front of a chained, signed file.
 *
 * Made by the composition root; observers of an exchange call `record`. Records are written and signed in batches
 * beside the requests. A disk that is full or gone fills the queue; then the oldest records are dropped and counted,
 * and the chain says how many once the disk is back; with `required` the line refuses requests instead.
 */
import type { FileHandle } from 'node:fs/promises'
import { printable, redactText } from '../redact.ts'
import type { TelemetrySection } from '../section.ts'
import type { Audit, AuditState, BatchSignature, ChainHead, Recorded, SignBatch } from './audit.ts'
import { AuditFile } from './audit-file.ts'
import { sealedBytes, writeLine } from './chain.ts'
import type { LineContent } from './chain.ts'
import type { Decision } from './record.ts'

/** What a trail is made of. */
export interface AuditOptions {
  readonly section: TelemetrySection['audit']
  readonly now: () => number
  readonly sign: SignBatch
  /** Decisions kept in memory for the admin page. */
  readonly recent: number
  /** Told when the file cannot be written (with the reason) and when it can again (undefined). */
  readonly onFault?: ((fault: string | undefined) => void) | undefined
  /** Replaces how the file is opened; for tests. */
  readonly open?: ((path: string) => Promise<FileHandle>) | undefined
}

const longestBackoffMs = 5_000
const longestField = 256

/** Bytes that a record will take, near enough for a bound. */
const estimate = (decision: Decision): number =>
  480 +
  (decision.peer?.length ?? 0) +
  (decision.caller?.length ?? 0) +
  (decision.host?.length ?? 0) +
  (decision.template?.length ?? 0) +
  (decision.purpose?.length ?? 0) +
  (decision.rule?.file.length ?? 0)

/** Copies the record with short, printable fields: what strangers send must not fill the disk or fool a reader. */
const trimmed = (decision: Decision): Decision => {
  const safe: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(decision) as [string, unknown][]) {
    safe[name] = typeof value === 'string' ? printable(value, longestField) : value
  }
  // The only field that the app chooses freely, and a way to send a key out by a name that nobody resolves.
  if (decision.host !== undefined) safe['host'] = printable(redactText(decision.host), longestField)
  return safe as unknown as Decision
}

/** The last decisions, in a list that is cut now and then. */
class RecentDecisions {
  readonly #capacity: number
  #list: Decision[] = []

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  add(decision: Decision): void {
    if (this.#capacity === 0) return
    this.#list.push(decision)
    if (this.#list.length >= this.#capacity * 2) this.#list = this.#list.slice(-this.#capacity)
  }

  /** Newest first. */
  list(): readonly Decision[] {
    return this.#list.slice(-this.#capacity).reverse()
  }
}

interface Batch {
  readonly bytes: Buffer
  readonly head: ChainHead
  readonly records: number
  readonly key: string | undefined
  /** Drops that the batch tells of. */
  readonly drops: number
}

class Trail implements Audit {
  readonly #options: AuditOptions
  readonly #file: AuditFile
  #queue: Decision[] = []
  #queueBytes = 0
  readonly #recent: RecentDecisions
  #written = 0
  #dropped = 0
  /** Drops that no line tells of yet. */
  #untold = 0
  #fault: string | undefined
  #key: string | undefined
  #prologue: readonly LineContent[] = []
  #batch: Batch | undefined
  #timer: NodeJS.Timeout | undefined
  #pumping: Promise<void> | undefined
  #backoffMs = 0
  #closed = false
  /** The file is closed for good: a write that still waited must not open it again. */
  #finished = false

  constructor(path: string, options: AuditOptions) {
    this.#options = options
    this.#recent = new RecentDecisions(options.recent)
    const { now, open } = options
    this.#file = new AuditFile({ path, now, open, keep: options.section.keep })
    this.#schedule(0)
  }

  get accepts(): boolean {
    if (!this.#options.section.required) return true
    return this.#fault === undefined && !this.#closed && !this.#isFull()
  }

  record(decision: Decision): Recorded {
    this.#recent.add(decision)
    const { decisions, required } = this.#options.section
    if (decision.decision === 'allow' && decision.line !== 'egress' && decisions === 'denials')
      return 'skipped'
    if (this.#closed) return this.#drop()
    if (this.#isFull()) {
      if (required) return this.#drop()
      const oldest = this.#queue.shift()
      if (oldest !== undefined) this.#queueBytes -= estimate(oldest)
      this.#drop()
    }
    this.#queue.push(decision)
    this.#queueBytes += estimate(decision)
    if (this.#backoffMs === 0) {
      this.#schedule(
        this.#queue.length >= this.#options.section.batch ? 0 : this.#options.section.delay,
      )
    }
    return 'queued'
  }

  state(): AuditState {
    return {
      written: this.#written,
      dropped: this.#dropped,
      queued: this.#queue.length + (this.#batch?.records ?? 0),
      healthy: this.#fault === undefined,
      fault: this.#fault,
      head: this.#file.head.seq < 0 ? undefined : this.#file.head,
    }
  }

  recent(): readonly Decision[] {
    return this.#recent.list()
  }

  async flush(): Promise<void> {
    do {
      await this.#pump()
    } while (
      !this.#finished &&
      this.#fault === undefined &&
      (this.#queue.length > 0 || this.#batch !== undefined)
    )
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#timer)
    await this.flush()
    while (this.#pumping !== undefined) await this.#pumping
    this.#finished = true
    this.#dropped += this.#queue.length + (this.#batch?.records ?? 0)
    this.#queue = []
    this.#batch = undefined
    await this.#file.close().catch(() => {})
  }

  #isFull(): boolean {
    const { queue, queue_size: bytes } = this.#options.section
    return this.#queue.length >= queue || this.#queueBytes >= bytes
  }

  #drop(): 'dropped' {
    this.#dropped += 1
    this.#untold += 1
    return 'dropped'
  }

  #schedule(delayMs: number): void {
    if (this.#timer !== undefined) {
      if (delayMs > 0) return
      clearTimeout(this.#timer)
    }
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      void this.#pump()
    }, delayMs)
    this.#timer.unref()
  }

  /** Writes one batch; a second call waits for the first and then does its own. */
  async #pump(): Promise<void> {
    while (this.#pumping !== undefined) await this.#pumping
    this.#pumping = this.#writeBatch()
    await this.#pumping
    this.#pumping = undefined
  }

  async #writeBatch(): Promise<void> {
    if (this.#finished) return
    try {
      if (!this.#file.isOpen) await this.#open()
      this.#batch ??= this.#build()
      if (this.#batch === undefined) return
      await this.#file.append(this.#batch.bytes, this.#batch.head)
      this.#written += this.#batch.records
      this.#key = this.#batch.key
      this.#prologue = []
      this.#batch = undefined
      this.#backoffMs = 0
      this.#tell(undefined)
      if (this.#file.size >= this.#options.section.rotate_size) {
        this.#key = undefined
        await this.#file.rotate()
      }
    } catch (error) {
      this.#tell((error as Error).message)
      this.#backoffMs = Math.min(longestBackoffMs, Math.max(50, this.#backoffMs * 2))
      if (!this.#closed) this.#schedule(this.#backoffMs)
      return
    }
    if (this.#queue.length > 0)
      this.#schedule(
        this.#queue.length >= this.#options.section.batch ? 0 : this.#options.section.delay,
      )
  }

  /** Opens the file, also again after a fault; a batch that was built on another end of the chain is built anew. */
  async #open(): Promise<void> {
    const before = this.#file.head
    this.#prologue = await this.#file.open()
    if (this.#batch !== undefined && before.hash !== this.#file.head.hash) this.#rebuild()
    if (this.#prologue.length > 0 && this.#batch !== undefined) this.#rebuild()
  }

  #rebuild(): void {
    const { bytes, drops } = this.#batch!
    const lost = bytes
      .toString('utf8')
      .split('\n')
      .flatMap((text) =>
        text.includes('"record":') ? [(JSON.parse(text) as { record: Decision }).record] : [],
      )
    this.#queue = [...lost, ...this.#queue]
    for (const decision of lost) this.#queueBytes += estimate(decision)
    this.#untold += drops
    this.#batch = undefined
  }

  #build(): Batch | undefined {
    const { section, now } = this.#options
    const records = this.#queue.splice(0, section.batch)
    for (const decision of records) this.#queueBytes -= estimate(decision)
    const drops = this.#untold
    if (records.length === 0 && drops === 0 && this.#prologue.length === 0) return undefined
    this.#untold = 0
    const contents: LineContent[] = [...this.#prologue]
    if (drops > 0) contents.push({ dropped: { count: drops, time: now() } })
    for (const decision of records) contents.push({ record: trimmed(decision) })
    let { head } = this.#file
    const texts: string[] = []
    for (const content of contents) {
      const line = writeLine(head, content)
      texts.push(line.text)
      head = line.head
    }
    const { content, key } = this.#seal(head)
    const seal = writeLine(head, content)
    texts.push(seal.text, '')
    return {
      bytes: Buffer.from(texts.join('\n')),
      head: seal.head,
      records: records.length,
      key,
      drops,
    }
  }

  #seal(head: ChainHead): { readonly content: LineContent; readonly key: string | undefined } {
    const time = this.#options.now()
    let signed: BatchSignature
    try {
      signed = this.#options.sign(sealedBytes(head.seq + 1, head.hash, time))
    } catch {
      return { content: { seal: { time, unsigned: true } }, key: this.#key }
    }
    const { key, algorithm } = signed
    const seal = { time, key, algorithm, signature: signed.signature.toString('base64url') }
    if (key === this.#key) return { content: { seal }, key }
    const chain = signed.chain.map((der) => der.toString('base64'))
    return { content: { seal: { ...seal, chain } }, key }
  }

  #tell(fault: string | undefined): void {
    const changed = (fault === undefined) !== (this.#fault === undefined)
    this.#fault = fault
    if (changed) this.#options.onFault?.(fault)
  }
}

/** Keeps the last decisions for the admin page and writes nothing. */
class RecentOnly implements Audit {
  readonly accepts = true
  readonly #recent: RecentDecisions

  constructor(capacity: number) {
    this.#recent = new RecentDecisions(capacity)
  }

  record(decision: Decision): Recorded {
    this.#recent.add(decision)
    return 'skipped'
  }

  state(): AuditState {
    return { written: 0, dropped: 0, queued: 0, healthy: true, fault: undefined, head: undefined }
  }

  recent(): readonly Decision[] {
    return this.#recent.list()
  }

  async flush(): Promise<void> {}

  async close(): Promise<void> {}
}

/** Opens the trail of the section; the file itself is opened beside the first requests. */
export const openAudit = (options: AuditOptions): Audit =>
  options.section.file === undefined
    ? new RecentOnly(options.recent)
    : new Trail(options.section.file, options)
