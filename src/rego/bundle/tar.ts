/**
 * The files of a gzipped tar archive (POSIX.1-1988 ustar, pax paths, GNU long names), in memory and bounded. Only
 * regular files and folders may be in it: a link or a device is an error, as are a name that leaves the archive, a
 * name that comes twice, and a checksum that is wrong.
 */

import { gunzipSync } from 'node:zlib'
import { BundleError } from './bundle-error.ts'

/** What an archive may hold. */
export interface ArchiveLimits {
  /** Bytes of the archive as it is sent. */
  readonly compressedBytes: number
  /** Bytes of the archive when it is unpacked. */
  readonly bytes: number
  readonly files: number
}

/** Limits for bundles: 64 MiB sent, 256 MiB unpacked, 10,000 files. */
export const bundleLimits: ArchiveLimits = {
  compressedBytes: 64 * 1024 * 1024,
  bytes: 256 * 1024 * 1024,
  files: 10_000,
}

const block = 512
const longestName = 4_096

/** The files by name, `/` between folders and none in front, in the order of the archive. @throws BundleError */
export function readArchive(archive: Buffer, limits: ArchiveLimits): ReadonlyMap<string, Buffer> {
  const bytes = unpack(archive, limits)
  const files = new Map<string, Buffer>()
  let at = 0
  let longName: string | undefined
  while (!isEnd(bytes, at)) {
    const header = bytes.subarray(at, at + block)
    checkHeader(header)
    const size = octal(header, 124, 12)
    const body = bytes.subarray(at + block, at + block + size)
    if (body.length < size) throw new BundleError('archive', 'the archive ends inside a file')
    at += block + Math.ceil(size / block) * block
    const type = String.fromCharCode(header[156] ?? 0)
    if (type === 'x') longName = paxPath(body) ?? longName
    else if (type === 'L') longName = text(body, 0, body.length)
    else if (type !== 'g') {
      const name = normalized(longName ?? nameOf(header))
      longName = undefined
      addFile(files, name, type, body, limits)
    }
  }
  return files
}

function unpack(archive: Buffer, limits: ArchiveLimits): Buffer {
  if (archive.length > limits.compressedBytes)
    throw new BundleError('too-large', `the archive has more than ${limits.compressedBytes} bytes`)
  try {
    return gunzipSync(archive, { maxOutputLength: limits.bytes })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw new BundleError('too-large', `the archive unpacks to more than ${limits.bytes} bytes`)
    throw new BundleError('archive', 'the archive is not gzip, or is damaged')
  }
}

/** An archive ends with a block of zeros; one that just stops has been cut. */
function isEnd(bytes: Buffer, at: number): boolean {
  if (at + block > bytes.length) throw new BundleError('archive', 'the archive has no end')
  return bytes.subarray(at, at + block).every((byte) => byte === 0)
}

function addFile(
  files: Map<string, Buffer>,
  name: string,
  type: string,
  body: Buffer,
  limits: ArchiveLimits,
): void {
  if (type === '5') return
  if (type !== '0' && type !== '\0' && type !== '7')
    throw new BundleError('archive', `${name} is neither a file nor a folder`)
  if (files.has(name)) throw new BundleError('archive', `${name} is in the archive twice`)
  if (files.size >= limits.files)
    throw new BundleError('too-large', `the archive has more than ${limits.files} files`)
  files.set(name, body)
}

function checkHeader(header: Buffer): void {
  let sum = 0
  for (let at = 0; at < block; at += 1) sum += at >= 148 && at < 156 ? 32 : (header[at] ?? 0)
  if (sum !== octal(header, 148, 8)) throw new BundleError('archive', 'a header is damaged')
}

function octal(header: Buffer, from: number, length: number): number {
  const digits = text(header, from, length).trim()
  if (!/^[0-7]{1,11}$/.test(digits)) throw new BundleError('archive', 'a number is not octal')
  return parseInt(digits, 8)
}

function text(bytes: Buffer, from: number, length: number): string {
  const field = bytes.subarray(from, from + length)
  const end = field.indexOf(0)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(
      end < 0 ? field : field.subarray(0, end),
    )
  } catch {
    throw new BundleError('archive', 'a name is not UTF-8')
  }
}

function nameOf(header: Buffer): string {
  const name = text(header, 0, 100)
  const prefix = text(header, 257, 5) === 'ustar' ? text(header, 345, 155) : ''
  return prefix === '' ? name : `${prefix}/${name}`
}

/** The `path` record of a pax header: lines of `length key=value`. */
function paxPath(body: Buffer): string | undefined {
  let path: string | undefined
  let at = 0
  while (at < body.length) {
    const space = body.indexOf(32, at)
    const length = space < 0 ? NaN : Number(body.toString('latin1', at, space))
    if (!Number.isSafeInteger(length) || length <= space - at || at + length > body.length)
      throw new BundleError('archive', 'a pax header is damaged')
    const record = text(body, space + 1, length - (space + 1 - at) - 1)
    if (record.startsWith('path=')) path = record.slice('path='.length)
    at += length
  }
  return path
}

function normalized(name: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.')
  if (parts.includes('..') || name.includes('\\') || name.length > longestName)
    throw new BundleError('archive', `${JSON.stringify(name.slice(0, 80))} is no name for a file`)
  return parts.join('/')
}
