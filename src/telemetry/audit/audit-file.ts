/**
 * The file of the audit trail: appended to, recovered after a crash, and replaced by a fresh one when it is large.
 *
 * Used by `open-audit.ts` alone. A write either lands whole or is taken back, so the file ends in a whole line unless the
 * process dies in between; then the half line is cut at the next start, and a line in the chain says so. Beside the
 * file stands `<file>.head`, the last confirmed end of the chain, by which a shortened file is noticed.
 */
import { open as openFile, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { ChainHead } from './audit.ts'
import { origin, readLine, writeLine } from './chain.ts'
import type { Line, LineContent } from './chain.ts'

/** What a file is opened with. */
export interface AuditFileOptions {
  readonly path: string
  readonly now: () => number
  /** Old files that are kept; undefined keeps all. */
  readonly keep: number | undefined
  /** Opens a file for reading and writing, creating it; tests put a failing disk here. */
  readonly open?: ((path: string) => Promise<FileHandle>) | undefined
}

const defaultOpen = async (path: string): Promise<FileHandle> => {
  try {
    return await openFile(path, 'r+')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return openFile(path, 'wx+', 0o600)
  }
}

/** The name of the file that holds the confirmed end of the chain. */
export const headPath = (path: string): string => `${path}.head`

/** The files of one trail in the order of their chain: the older ones, then the live one. */
export const trailFiles = async (path: string): Promise<string[]> => {
  const names = await readdir(dirname(path))
  const older = names.filter(
    (name) => name.startsWith(`${basename(path)}.`) && /\.\d{12}$/.test(name),
  )
  return [...older.sort().map((name) => join(dirname(path), name)), path]
}

/** Reads the confirmed end of the chain, or undefined when there is none that can be read. */
export const readHead = async (path: string): Promise<ChainHead | undefined> => {
  try {
    const head = JSON.parse(await readFile(headPath(path), 'utf8')) as ChainHead
    return Number.isSafeInteger(head.seq) && /^[0-9a-f]{64}$/.test(head.hash) ? head : undefined
  } catch {
    return undefined
  }
}

const headOf = (line: Line | undefined): ChainHead =>
  line === undefined ? origin : { seq: line.seq, hash: line.hash }

const chunkBytes = 65_536

/** Reads backwards to the last whole line; gives its text and where it ends. */
const readLastLine = async (
  file: FileHandle,
  size: number,
): Promise<{ text: string; end: number }> => {
  let from = size
  let tail: Buffer = Buffer.alloc(0)
  while (from > 0) {
    const length = Math.min(chunkBytes, from)
    from -= length
    const chunk = Buffer.alloc(length)
    await file.read(chunk, 0, length, from)
    tail = Buffer.concat([chunk, tail])
    const end = tail.lastIndexOf(0x0a)
    if (end < 0) continue
    const start = end === 0 ? -1 : tail.lastIndexOf(0x0a, end - 1)
    if (start >= 0 || from === 0)
      return { text: tail.toString('utf8', start + 1, end), end: from + end + 1 }
  }
  return { text: '', end: 0 }
}

/** An open audit file; every method may throw what the disk throws, and leaves the chain as it was then. */
export class AuditFile {
  readonly #options: AuditFileOptions
  #handle: FileHandle | undefined
  #size = 0
  #firstSeq = 0
  #head: ChainHead = origin

  constructor(options: AuditFileOptions) {
    this.#options = options
  }

  /** The end of the chain on the disk. */
  get head(): ChainHead {
    return this.#head
  }

  /** Bytes of the live file. */
  get size(): number {
    return this.#size
  }

  get isOpen(): boolean {
    return this.#handle !== undefined
  }

  /** Opens the file, cuts a half line off, and gives the lines that the chain must go on with. */
  async open(): Promise<readonly LineContent[]> {
    const { path, now } = this.#options
    const handle = await (this.#options.open ?? defaultOpen)(path)
    try {
      const { size } = await handle.stat()
      const { text, end } = await readLastLine(handle, size)
      const last = text === '' ? undefined : readLine(text)
      if (text === '' || last !== undefined)
        return await this.#continue(handle, size, end, last?.line)
    } catch (error) {
      this.#handle = undefined
      await handle.close()
      throw error
    }
    await handle.close()
    await rename(path, `${path}.damaged-${now()}`)
    return this.open()
  }

  async #continue(
    handle: FileHandle,
    size: number,
    end: number,
    last: Line | undefined,
  ): Promise<LineContent[]> {
    const { path, now } = this.#options
    const confirmed = await readHead(path)
    if (end < size) await handle.truncate(end)
    const older = last === undefined ? await this.#readOlder() : undefined
    const found = headOf(last ?? older?.line)
    const lines: LineContent[] = []
    const lost = confirmed !== undefined && confirmed.seq > found.seq
    this.#head = lost ? confirmed : found
    if (last === undefined) {
      this.#firstSeq = this.#head.seq + 1
      lines.push({ begin: { time: now(), previous: older?.name ?? null } })
    } else this.#firstSeq = await this.#readFirstSeq(handle)
    if (lost) lines.push({ gap: { time: now(), confirmed, found } })
    if (end < size) lines.push({ recovered: { time: now(), partialBytes: size - end } })
    this.#size = end
    this.#handle = handle
    return lines
  }

  /** Appends whole lines and confirms the new end. After a fault the file is as before, or is opened again later. */
  async append(lines: Buffer, head: ChainHead): Promise<void> {
    const handle = this.#handle
    if (handle === undefined) throw new Error('the audit file is not open')
    try {
      await this.#mustBeOurs(handle)
      let written = 0
      while (written < lines.length) {
        const { bytesWritten } = await handle.write(
          lines,
          written,
          lines.length - written,
          this.#size + written,
        )
        if (bytesWritten === 0) throw new Error('the disk took no bytes')
        written += bytesWritten
      }
      await handle.datasync()
    } catch (error) {
      await this.#takeBack()
      throw error
    }
    this.#size += lines.length
    this.#head = head
    await this.#confirm()
  }

  /** Puts the file aside under the number of its first line, and begins the next one in the same chain. */
  async rotate(): Promise<void> {
    const { path, now } = this.#options
    const old = `${path}.${String(this.#firstSeq).padStart(12, '0')}`
    await this.close()
    await rename(path, old)
    this.#handle = await (this.#options.open ?? defaultOpen)(path)
    this.#size = 0
    this.#firstSeq = this.#head.seq + 1
    const { text, head } = writeLine(this.#head, {
      begin: { time: now(), previous: basename(old) },
    })
    await this.append(Buffer.from(`${text}\n`), head)
    await this.#removeOld()
  }

  async close(): Promise<void> {
    const handle = this.#handle
    this.#handle = undefined
    await handle?.close()
  }

  /** Refuses to write where the file was removed, shortened or lengthened by someone else since the last write. */
  async #mustBeOurs(handle: FileHandle): Promise<void> {
    const [held, named] = await Promise.all([
      handle.stat(),
      stat(this.#options.path).catch(() => undefined),
    ])
    if (named !== undefined && held.ino === named.ino && held.size === this.#size) return
    await this.close()
    throw new Error('the audit file was changed by another process: it is opened again')
  }

  async #takeBack(): Promise<void> {
    if (this.#handle === undefined) return
    try {
      await this.#handle.truncate(this.#size)
    } catch {
      await this.close().catch(() => {})
    }
  }

  /** The end is confirmed by replacing the head file; failing that, the lines are on the disk all the same. */
  async #confirm(): Promise<void> {
    const target = headPath(this.#options.path)
    try {
      await writeFile(`${target}.new`, `${JSON.stringify(this.#head)}\n`, { mode: 0o600 })
      await rename(`${target}.new`, target)
    } catch {
      // The next batch confirms again; an older head never accuses a longer file.
    }
  }

  /** The end of the newest older file, when the live one is empty: the process may have died while it changed files. */
  async #readOlder(): Promise<{ readonly name: string; readonly line: Line } | undefined> {
    const newest = (await trailFiles(this.#options.path)).at(-2)
    if (newest === undefined) return undefined
    const file = await openFile(newest, 'r')
    try {
      const { text } = await readLastLine(file, (await file.stat()).size)
      const line = readLine(text)?.line
      return line === undefined ? undefined : { name: basename(newest), line }
    } finally {
      await file.close()
    }
  }

  async #readFirstSeq(handle: FileHandle): Promise<number> {
    const chunk = Buffer.alloc(chunkBytes)
    const { bytesRead } = await handle.read(chunk, 0, chunkBytes, 0)
    const match = /^\{"seq":(\d+)/.exec(chunk.toString('latin1', 0, bytesRead))
    return match ? Number(match[1]) : this.#head.seq
  }

  async #removeOld(): Promise<void> {
    const { keep, path } = this.#options
    if (keep === undefined) return
    const older = (await trailFiles(path)).slice(0, -1)
    for (const name of older.slice(0, Math.max(0, older.length - keep)))
      await rm(name, { force: true })
  }
}
