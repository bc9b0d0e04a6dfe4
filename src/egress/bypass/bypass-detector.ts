/**
 * Finds connections that leave the pod without passing here, and the process that made each (security: E12).
 *
 * Looks from time to time, so a connection that lives between two looks is not seen: what keeps an app from going
 * around is a network policy, this only says that it happens. Where processes share no process table with the sidecar,
 * the address is known and the process is not.
 */
import { readFile, readdir, readlink } from 'node:fs/promises'
import { isLoopback, readSocketTable, type SocketRow } from './socket-table.ts'

/** One connection past the sidecar. */
export interface Bypass {
  readonly address: string
  readonly port: number
  /** Name and id, such as `node (17)`; `unknown` where it cannot be seen. */
  readonly process: string
}

/** The files that are looked at; those of the machine unless a test says otherwise. */
export interface ProcessFiles {
  readonly read: (path: string) => Promise<string>
  readonly list: (path: string) => Promise<readonly string[]>
  readonly link: (path: string) => Promise<string>
}

const machine: ProcessFiles = {
  read: (path) => readFile(path, 'utf8'),
  list: (path) => readdir(path),
  link: (path) => readlink(path),
}

const orElse = async <T>(value: Promise<T>, fallback: T): Promise<T> => {
  try {
    return await value
  } catch {
    return fallback
  }
}

/** Looks once. `isExempt` says which remote addresses are no business of the sidecar. */
export const findBypasses = async (
  isExempt: (address: string) => boolean,
  files: ProcessFiles = machine,
): Promise<readonly Bypass[]> => {
  const tables = await Promise.all(
    ['tcp', 'tcp6'].map((name) => orElse(files.read(`/proc/self/net/${name}`), '')),
  )
  const rows = tables.flatMap(readSocketTable)
  const listening = new Set(
    rows.filter(({ state }) => state === 'listening').map(({ local }) => local.port),
  )
  const ours = await inodesOf('self', files)
  const leaving = rows.filter((row) => isLeaving(row, listening, isExempt) && !ours.has(row.inode))
  if (leaving.length === 0) return []
  const owners = await ownersOf(new Set(leaving.map(({ inode }) => inode)), files)
  return leaving.map(({ remote, inode }) => ({
    address: remote.address,
    port: remote.port,
    process: owners.get(inode) ?? 'unknown',
  }))
}

/** A connection that came in has a local port that somebody listens on. */
const isLeaving = (
  { state, local, remote }: SocketRow,
  listening: ReadonlySet<number>,
  isExempt: (address: string) => boolean,
): boolean =>
  state !== 'listening' &&
  !listening.has(local.port) &&
  !isLoopback(remote.address) &&
  remote.address !== local.address &&
  !isExempt(remote.address)

const inodesOf = async (process: string, files: ProcessFiles): Promise<ReadonlySet<string>> => {
  const folder = `/proc/${process}/fd`
  const names = await orElse(files.list(folder), [])
  const links = await Promise.all(names.map((name) => orElse(files.link(`${folder}/${name}`), '')))
  return new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []))
}

const ownersOf = async (
  inodes: ReadonlySet<string>,
  files: ProcessFiles,
): Promise<ReadonlyMap<string, string>> => {
  const owners = new Map<string, string>()
  const processes = (await orElse(files.list('/proc'), [])).filter((name) => /^\d+$/.test(name))
  for (const id of processes) {
    if (owners.size === inodes.size) break
    for (const inode of await inodesOf(id, files)) {
      if (!inodes.has(inode) || owners.has(inode)) continue
      const name = (await orElse(files.read(`/proc/${id}/comm`), 'unknown')).trim()
      owners.set(inode, `${name} (${id})`)
    }
  }
  return owners
}
