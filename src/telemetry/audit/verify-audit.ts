/**
 * Reads audit files again and finds what was changed: edits, removals, reorderings, forged seals, a cut end.
 *
 * Used by `sallyport audit verify`. Reads line by line, so that a file of any size fits, and reports places instead of
 * throwing. Proves that the holder of the workload's key wrote these lines in this order; whether that key deserves
 * trust is asked of the caller. A file that was shortened together with its `.head` file to an older state of both is
 * found only with an anchor that was kept elsewhere (`expected`).
 */
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { verify as verifySignature, X509Certificate } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { ChainHead } from './audit.ts'
import { readHead, trailFiles } from './audit-file.ts'
import { origin, readLine, sealedBytes } from './chain.ts'
import type { Line, Seal } from './chain.ts'
import type { Decision } from './record.ts'

/** What is wrong, in one word. */
export type FindingKind =
  | 'unreadable'
  | 'edited'
  | 'removed'
  | 'reordered'
  | 'forged'
  | 'truncated'
  | 'gap'
  | 'untrusted-key'
  | 'unsigned'

/** One place at which the trail is not what was written. */
export interface Finding {
  readonly kind: FindingKind
  readonly file: string
  /** Counts from one. */
  readonly line: number
  readonly seq: number | undefined
  readonly message: string
}

/** What a trail holds, and what is wrong with it. */
export interface AuditReport {
  readonly verdict: 'intact' | 'tampered'
  readonly findings: readonly Finding[]
  /** Facts that are no tampering: records after the last seal, a half line after a crash, older files that are gone. */
  readonly notes: readonly string[]
  readonly files: readonly string[]
  readonly lines: number
  readonly records: number
  readonly seals: number
  /** Records that the sidecar itself reports as lost. */
  readonly dropped: number
  readonly first: number | undefined
  readonly head: ChainHead | undefined
}

/** Judges the key of a seal: certificates in DER, leaf first, and when the seal was made. */
export type TrustKey = (
  chain: readonly Buffer[],
  time: number,
) => 'trusted' | { readonly reason: string }

/** How to verify. */
export interface VerifyOptions {
  /** `any` accepts whichever certificate the file brings: it proves only that one key made all seals. */
  readonly trust: TrustKey | 'any'
  /** An end of the chain that was kept elsewhere. */
  readonly expected?: ChainHead | undefined
  /** Sees every record whose line is intact, in the order of the file. */
  readonly onRecord?: ((decision: Decision, seq: number) => void) | undefined
}

/** A seal whose key was not known yet when it was read. */
interface OpenSeal {
  readonly seal: Seal
  readonly bytes: Buffer
  readonly place: { readonly file: string; readonly line: number; readonly seq: number }
  readonly covered: number
}

interface MissingRange {
  from: number
  to: number
  readonly finding: Finding
}

class Verification {
  readonly #options: VerifyOptions
  readonly findings: Finding[] = []
  readonly notes: string[] = []
  readonly #keys = new Map<string, KeyObject | undefined>()
  #missing: MissingRange[] = []
  #file = ''
  #number = 0
  #previous: ChainHead | undefined
  #highest = -1
  #unsealed = 0
  #unreadable = 0
  readonly #open: OpenSeal[] = []
  lines = 0
  records = 0
  seals = 0
  dropped = 0
  first: number | undefined

  constructor(options: VerifyOptions) {
    this.#options = options
  }

  get head(): ChainHead | undefined {
    return this.#previous
  }

  async read(file: string): Promise<void> {
    this.#file = file
    this.#number = 0
    let held: string | undefined
    for await (const text of createInterface({
      input: createReadStream(file),
      crlfDelay: Infinity,
    })) {
      if (held !== undefined) this.#take(held, 'more')
      held = text
    }
    if (held !== undefined) this.#take(held, 'last')
  }

  finish(confirmed: ChainHead | undefined): void {
    for (const { from, to, finding } of this.#missing) {
      this.findings.push({
        ...finding,
        message: `${to - from + 1} lines are missing here, from number ${from} to ${to}`,
      })
    }
    for (const open of this.#open) this.#checkSignature(open)
    const expected = this.#options.expected
    if (expected !== undefined) this.#compareEnd(expected, 'the anchor')
    if (confirmed !== undefined) this.#compareEnd(confirmed, 'the head file')
    if (this.#unsealed > 0)
      this.notes.push(`${this.#unsealed} records at the end are not sealed yet`)
  }

  #compareEnd(end: ChainHead, source: string): void {
    const found = this.#previous
    if (found !== undefined && this.#highest >= end.seq) return
    const count = end.seq - this.#highest
    this.#report(
      'truncated',
      undefined,
      `${count} lines are missing at the end: ${source} knows number ${end.seq}`,
    )
  }

  #report(
    kind: FindingKind,
    seq: number | undefined,
    message: string,
    number = this.#number,
  ): void {
    this.findings.push({ kind, file: this.#file, line: number, seq, message })
  }

  #take(text: string, place: 'more' | 'last'): void {
    this.#number += 1
    this.lines += 1
    const read = readLine(text)
    if (read === undefined) {
      if (place === 'last')
        this.notes.push(`${this.#file} ends in half a line of ${text.length} bytes`)
      else this.#unreadable += 1
      if (place === 'more')
        this.#report('unreadable', undefined, 'this is not a line of an audit file')
      return
    }
    const { line, intact } = read
    if (!intact) this.#report('edited', line.seq, 'the line does not have the hash that it carries')
    this.#follow(line)
    if (intact) this.#count(line)
  }

  /** Compares the line with the one before it. */
  #follow(line: Line): void {
    const previous = this.#previous
    this.#previous = { seq: line.seq, hash: line.hash }
    if (previous === undefined) {
      this.#begin(line)
      return
    }
    if (line.seq === previous.seq + 1 && line.seq > this.#highest) {
      this.#highest = line.seq
      if (line.prev === previous.hash) return
      const message = 'the line does not follow the one before it: one of the two was written anew'
      this.#report('edited', line.seq, message)
      return
    }
    const unreadable = this.#unreadable
    this.#unreadable = 0
    if (unreadable > 0 && line.seq === this.#highest + 1 + unreadable) {
      this.#highest = line.seq
      return
    }
    if (line.seq > this.#highest + 1) {
      const finding: Finding = {
        kind: 'removed',
        file: this.#file,
        line: this.#number,
        seq: line.seq,
        message: '',
      }
      this.#missing.push({ from: this.#highest + 1, to: line.seq - 1, finding })
      this.#highest = line.seq
      return
    }
    if (line.seq === this.#highest + 1) {
      this.#highest = line.seq
      return
    }
    this.#find(line.seq)
  }

  #begin(line: Line): void {
    this.first = line.seq
    this.#highest = line.seq
    if (line.seq === 0 && line.prev !== origin.hash)
      this.#report('edited', 0, 'the first line follows another one')
    if (line.seq === 0) return
    if ('begin' in line)
      this.notes.push(`the trail starts at number ${line.seq}: older files are not here`)
    else this.#report('removed', line.seq, `the beginning is missing, up to number ${line.seq - 1}`)
  }

  /** A number that was thought missing stands here: the line was moved. */
  #find(seq: number): void {
    const range = this.#missing.find(({ from, to }) => seq >= from && seq <= to)
    if (range === undefined) {
      this.#report('reordered', seq, `number ${seq} stands here a second time`)
      return
    }
    const { from, to, finding } = range
    this.#missing = this.#missing.filter((other) => other !== range)
    if (from < seq) this.#missing.push({ from, to: seq - 1, finding })
    if (seq < to) this.#missing.push({ from: seq + 1, to, finding })
    this.#report('reordered', seq, `number ${seq} belongs before line ${finding.line}`)
  }

  #count(line: Line): void {
    if ('record' in line) {
      this.records += 1
      this.#unsealed += 1
      this.#options.onRecord?.(line.record, line.seq)
    }
    if ('dropped' in line) this.dropped += line.dropped.count
    if ('recovered' in line) {
      this.notes.push(
        `the process ended in the middle of a write before number ${line.seq}: ${line.recovered.partialBytes} bytes of a half line were cut`,
      )
    }
    if ('gap' in line) {
      const { confirmed, found } = line.gap
      const message = `lines ${found.seq + 1} to ${confirmed.seq} had been written and were gone when the process started`
      this.#report('gap', line.seq, message)
    }
    if ('seal' in line) this.#checkSeal(line, line.seal)
  }

  #checkSeal(line: Line, seal: Seal | { readonly unsigned: true }): void {
    this.seals += 1
    const covered = this.#unsealed
    this.#unsealed = 0
    if ('unsigned' in seal) {
      this.#report(
        'unsigned',
        line.seq,
        `${covered} records were written without a key to sign them`,
      )
      return
    }
    if (seal.chain !== undefined) this.#learn(seal, seal.chain, line.seq)
    const place = { file: this.#file, line: this.#number, seq: line.seq }
    const open = { seal, bytes: sealedBytes(line.seq, line.prev, seal.time), place, covered }
    if (this.#keys.has(seal.key)) this.#checkSignature(open)
    else this.#open.push(open)
  }

  #checkSignature({ seal, bytes, place, covered }: OpenSeal): void {
    const key = this.#keys.get(seal.key)
    if (key !== undefined) {
      if (fits(seal, bytes, key)) return
      const message = `the signature does not fit the ${covered} records before it`
      this.findings.push({ kind: 'forged', ...place, message })
      return
    }
    if (this.#keys.has(seal.key)) return
    this.#keys.set(seal.key, undefined)
    const message = `no certificate of key ${seal.key} is in the trail`
    this.findings.push({ kind: 'untrusted-key', ...place, message })
  }

  #learn(seal: Seal, certificates: readonly string[], seq: number): void {
    const chain = certificates.map((der) => Buffer.from(der, 'base64'))
    this.#keys.set(seal.key, this.#judge(chain, seal, seq))
  }

  #judge(chain: readonly Buffer[], seal: Seal, seq: number): KeyObject | undefined {
    const { trust } = this.#options
    const verdict = trust === 'any' ? 'trusted' : trust(chain, seal.time)
    if (verdict !== 'trusted') {
      this.#report('untrusted-key', seq, `key ${seal.key} is not trusted: ${verdict.reason}`)
      return undefined
    }
    try {
      return new X509Certificate(chain[0] ?? Buffer.alloc(0)).publicKey
    } catch {
      this.#report('untrusted-key', seq, `the certificate of key ${seal.key} cannot be read`)
      return undefined
    }
  }
}

const fits = (seal: Seal, bytes: Buffer, key: KeyObject): boolean => {
  const signature = Buffer.from(seal.signature, 'base64url')
  return verifySignature(seal.algorithm === 'ed25519' ? null : 'sha256', bytes, key, signature)
}

const verifyFiles = async (
  files: readonly string[],
  confirmed: ChainHead | undefined,
  options: VerifyOptions,
): Promise<AuditReport> => {
  const verification = new Verification(options)
  for (const file of files) await verification.read(file)
  verification.finish(confirmed)
  const order = (finding: Finding): number => files.indexOf(finding.file)
  verification.findings.sort((a, b) => order(a) - order(b) || a.line - b.line)
  const { findings, notes, lines, records, seals, dropped, first, head } = verification
  const verdict = findings.length === 0 ? 'intact' : 'tampered'
  return { verdict, findings, notes, files, lines, records, seals, dropped, first, head }
}

/**
 * Verifies the trail of `path` with the older files that stand beside it. Throws only when a file cannot be read from
 * the disk.
 */
export const verifyAudit = async (path: string, options: VerifyOptions): Promise<AuditReport> =>
  verifyFiles(await trailFiles(path), await readHead(path), options)

/** Verifies files that were collected elsewhere, in the order in which they are given; no end is expected. */
export const verifyAuditFiles = (
  files: readonly string[],
  options: VerifyOptions,
): Promise<AuditReport> => verifyFiles(files, undefined, options)
