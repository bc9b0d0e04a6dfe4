/**
 * An ordered list of header fields with lower-case names, as policy, forwarding and audit read it.
 *
 * Names and values are trusted to be within the grammar: the parsers check what arrives, and `checkedHeader` checks
 * what is added from elsewhere. It holds no framing and no hop-by-hop field of the message that it belongs to.
 */
import { WireError } from './wire-error.ts'

const nameGrammar = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const badValueByte = /[^\t\x20-\x7e\x80-\xff]/

/** Fields that only the codec writes: a second hand on framing is how requests are smuggled. */
const codecNames =
  /^(?:host|content-length|transfer-encoding|connection|keep-alive|proxy-connection|te|trailer|upgrade|http2-settings|expect)$/i

/** Names that were checked before: the same few are set on every request. */
const goodNames = new Map<string, string>()
const goodNamesKept = 1_024

/** The name in lower case. Throws `malformed` for what is not a token, or is written by the codec alone. */
const checkedName = (name: string): string => {
  const known = goodNames.get(name)
  if (known !== undefined) return known
  if (!nameGrammar.test(name)) throw new WireError('malformed', 'a header name is not a token')
  if (codecNames.test(name))
    throw new WireError('malformed', `header ${name} is written by the codec and cannot be set`)
  const lower = name.toLowerCase()
  if (goodNames.size < goodNamesKept) goodNames.set(name, lower)
  return lower
}

/**
 * Gives the name in lower case. Throws `malformed` unless name and value can stand in a message without being read as
 * something else.
 */
const checkedHeader = (name: string, value: string): string => {
  const lower = checkedName(name)
  if (badValueByte.test(value))
    throw new WireError('malformed', `header ${name} holds a control or non-latin1 character`)
  return lower
}

export class HeaderList {
  /** Name, value, name, value, … A flat list costs one array for a whole message. */
  readonly #fields: string[]

  constructor(fields: string[] = []) {
    this.#fields = fields
  }

  /** A list from a record; a value may be a list. Throws `malformed` outside the grammar. */
  static from(record: Readonly<Record<string, string | readonly string[]>>): HeaderList {
    const list = new HeaderList()
    for (const [name, value] of Object.entries(record))
      for (const one of typeof value === 'string' ? [value] : value) list.add(name, one)
    return list
  }

  /** Number of fields, duplicates counted. */
  get size(): number {
    return this.#fields.length / 2
  }

  /** The first value, or undefined. Where a second value would change a decision, ask `count` or `all`. */
  get(name: string): string | undefined {
    const fields = this.#fields
    for (let i = 0; i < fields.length; i += 2) if (fields[i] === name) return fields[i + 1]
    return undefined
  }

  /** Every value in order of arrival. */
  all(name: string): string[] {
    const fields = this.#fields
    const values: string[] = []
    for (let i = 0; i < fields.length; i += 2) if (fields[i] === name) values.push(fields[i + 1]!)
    return values
  }

  has(name: string): boolean {
    return this.get(name) !== undefined
  }

  count(name: string): number {
    const fields = this.#fields
    let count = 0
    for (let i = 0; i < fields.length; i += 2) if (fields[i] === name) count++
    return count
  }

  /** Removes every field of the name, then adds one at the end. Throws `malformed` outside the grammar. */
  set(name: string, value: string): void {
    const lower = checkedHeader(name, value)
    if (this.has(lower)) this.delete(lower)
    this.#fields.push(lower, value)
  }

  /** Adds a field at the end. Throws `malformed` outside the grammar. */
  add(name: string, value: string): void {
    this.#fields.push(checkedHeader(name, value), value)
  }

  /** Removes every field of the name; says whether there was one. */
  delete(name: string): boolean {
    return this.deleteWhere((field) => field === name)
  }

  /** Removes every field whose name is chosen; says whether there was one. */
  deleteWhere(chosen: (name: string) => boolean): boolean {
    const fields = this.#fields
    let kept = 0
    for (let i = 0; i < fields.length; i += 2) {
      if (chosen(fields[i]!)) continue
      if (kept !== i) {
        fields[kept] = fields[i]!
        fields[kept + 1] = fields[i + 1]!
      }
      kept += 2
    }
    const removed = kept !== fields.length
    if (removed) fields.length = kept
    return removed
  }

  /** A copy that can be changed without changing this one. */
  copy(): HeaderList {
    return new HeaderList(this.#fields.slice())
  }

  *[Symbol.iterator](): IterableIterator<[name: string, value: string]> {
    const fields = this.#fields
    for (let i = 0; i < fields.length; i += 2) yield [fields[i]!, fields[i + 1]!]
  }

  /** Every name once, with its values in order: the shape in which policy reads headers. */
  toRecord(): Record<string, string[]> {
    // Without a prototype, so that a header named __proto__ is a key like any other (CVE-2026-21710).
    const record = Object.create(null) as Record<string, string[]>
    const fields = this.#fields
    for (let i = 0; i < fields.length; i += 2) {
      const values = record[fields[i]!]
      if (values) values.push(fields[i + 1]!)
      else record[fields[i]!] = [fields[i + 1]!]
    }
    return record
  }

  /** The fields as lines of an HTTP/1.1 head, each ended by CRLF. */
  toLines(): string {
    const fields = this.#fields
    let lines = ''
    for (let i = 0; i < fields.length; i += 2) lines += fields[i] + ': ' + fields[i + 1] + '\r\n'
    return lines
  }
}
