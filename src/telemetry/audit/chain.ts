/**
 * The form of the audit file: JSON lines that each carry their number, the hash of the line before and their own.
 *
 * Used by the writer and by the verification. A line ends in its own SHA-256, taken over everything before that
 * member, so that an edit is found on the line where it happened; a seal signs the hash of the line before it, and
 * with it everything up to there.
 */
import { hash as hashOf } from 'node:crypto'
import type { ChainHead } from './audit.ts'
import type { Decision } from './record.ts'

/** The `prev` of the first line of all. */
export const origin: ChainHead = { seq: -1, hash: '0'.repeat(64) }

/** Signature over everything up to the line before; base64url. */
export interface Seal {
  readonly time: number
  readonly key: string
  readonly algorithm: string
  readonly signature: string
  /** Base64 DER certificates, leaf first; on the first seal of a key in this file. */
  readonly chain?: readonly string[]
}

/** What a line holds beside number and hashes; exactly one of them. */
export type LineContent =
  /** The first line of a file. */
  | { readonly begin: { readonly time: number; readonly previous: string | null } }
  | { readonly record: Decision }
  /** Records that were lost before this line, because the queue was full. */
  | { readonly dropped: { readonly count: number; readonly time: number } }
  | { readonly seal: Seal | { readonly time: number; readonly unsigned: true } }
  /** The process ended in the middle of a write: so many bytes of a half line were taken away. */
  | { readonly recovered: { readonly time: number; readonly partialBytes: number } }
  /** At start, the file ended before the point that had been confirmed. */
  | {
      readonly gap: {
        readonly time: number
        readonly confirmed: ChainHead
        readonly found: ChainHead
      }
    }

export type Line = LineContent & {
  readonly seq: number
  readonly prev: string
  readonly hash: string
}

const tailLength = ',"hash":""}'.length + 64

/** JSON allows these two inside a text, but many readers of lines take them for the end of one. */
const escapeSeparators = (text: string): string =>
  text.replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')

const digest = (text: string): string => hashOf('sha256', text)

/** Appends one line to the chain: its text without line feed, and the new head. */
export const writeLine = (
  head: ChainHead,
  content: LineContent,
): { readonly text: string; readonly head: ChainHead } => {
  const seq = head.seq + 1
  const body = escapeSeparators(JSON.stringify({ seq, prev: head.hash, ...content }).slice(0, -1))
  const hash = digest(body)
  return { text: `${body},"hash":"${hash}"}`, head: { seq, hash } }
}

/** A line that was read, and whether its own hash is that of its text. */
export interface ReadLine {
  readonly line: Line
  readonly intact: boolean
}

/** Reads one line; undefined when it is not a line of an audit file at all. */
export const readLine = (text: string): ReadLine | undefined => {
  if (text.length <= tailLength || !text.endsWith('"}')) return undefined
  const body = text.slice(0, -tailLength)
  let line: Line
  try {
    line = JSON.parse(text) as Line
  } catch {
    return undefined
  }
  if (
    !Number.isSafeInteger(line.seq) ||
    typeof line.prev !== 'string' ||
    typeof line.hash !== 'string'
  )
    return undefined
  return { line, intact: text.slice(-tailLength) === `,"hash":"${digest(body)}"}` }
}

/** The bytes that a seal signs: that the line with this number follows everything up to this hash. */
export const sealedBytes = (seq: number, prev: string, time: number): Buffer =>
  Buffer.from(`sallyport-audit-seal-v1\n${seq}\n${prev}\n${time}\n`)
