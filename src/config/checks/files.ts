/**
 * Makes every path of the configuration absolute, seen from the folder of its file, and checks that what must exist
 * does.
 *
 * What the files hold is checked elsewhere: certificates in `certificates.ts`, policies and catalog by their loaders.
 */
import { statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { ConfigFault, Path } from '../read/fault.ts'
import type { SidecarConfig } from '../schema.ts'
import type { CheckSubject } from './check.ts'

type Kind = 'folder' | 'file' | 'new file'

/** Settings that name a file or a folder; `*` stands for every key or item. `new file` may be absent, its folder not. */
const pathSettings: readonly (readonly [Kind, ...string[]])[] = [
  ['folder', 'identity', 'source', 'directory', 'path'],
  ['folder', 'identity', 'source', 'development', 'path'],
  ['file', 'identity', 'bundles', '*', 'file'],
  ['file', 'identity', 'crl', 'files', '*'],
  ['file', 'tokens', 'providers', '*', 'jwks_file'],
  ['folder', 'policy', 'directory'],
  ['file', 'policy', 'bundle', 'file'],
  ['file', 'policy', 'bundle', 'key', 'file'],
  ['folder', 'egress', 'apis', 'directory'],
  ['new file', 'egress', 'apis', 'ledger_file'],
  ['new file', 'egress', 'apis', 'discovery', 'file'],
  ['file', 'egress', 'observed', 'ca'],
  ['new file', 'egress', 'interception', 'ca_file'],
  ['new file', 'egress', 'interception', 'bundle_file'],
  ['new file', 'telemetry', 'audit', 'file'],
]

interface Found {
  readonly kind: Kind
  readonly path: Path
  readonly value: string
  replace(value: string): void
}

type Container = Record<string | number, unknown>

const find = (
  kind: Kind,
  from: unknown,
  pattern: readonly string[],
  above: Path,
): readonly Found[] => {
  const [part, ...rest] = pattern
  if (typeof from !== 'object' || from === null || part === undefined) return []
  const keys = part === '*' ? Object.keys(from) : [part]
  const container = from as Container
  return keys.flatMap((name) => {
    const key = Array.isArray(from) ? Number(name) : name
    const value = container[key]
    const path = [...above, key]
    if (rest.length > 0) return find(kind, value, rest, path)
    return typeof value === 'string'
      ? [{ kind, path, value, replace: (text: string) => void (container[key] = text) }]
      : []
  })
}

const findAll = (config: Partial<SidecarConfig>): readonly Found[] =>
  pathSettings.flatMap(([kind, ...pattern]) => find(kind, config, pattern, []))

/** Replaces every path of a freshly parsed configuration by the absolute one. */
export const resolvePaths = (config: Partial<SidecarConfig>, directory: string): void => {
  for (const found of findAll(config)) found.replace(resolve(directory, found.value))
}

const present = (path: string): 'file' | 'folder' | undefined => {
  const found = statSync(path, { throwIfNoEntry: false })
  if (!found) return undefined
  return found.isDirectory() ? 'folder' : 'file'
}

/** Files and folders that are named and are not there. A catalog folder that nobody named may be absent. */
export const checkFiles = (subject: CheckSubject): readonly ConfigFault[] =>
  findAll(subject.config).flatMap(({ kind, path, value }) => {
    const wanted = kind === 'new file' ? 'folder' : kind
    const place = kind === 'new file' ? dirname(value) : value
    const found = present(place)
    if (found === wanted) return []
    if (path[0] === 'egress' && found === undefined && !subject.isWritten(path)) return []
    if (path[0] === 'policy' && path[1] === 'directory' && subject.config.policy?.bundle) return []
    return [
      subject.fault(path, {
        expected: `a ${wanted} that exists`,
        got:
          found === undefined ? `${place}, which does not exist` : `${place}, which is a ${found}`,
        hint:
          path[0] === 'identity'
            ? `sallyport certs init makes one for development`
            : `create ${place} or mend the path`,
      }),
    ]
  })
