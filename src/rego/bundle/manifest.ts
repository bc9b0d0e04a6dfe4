/**
 * The `.manifest` of a bundle: its revision, the paths of `data` that it owns, and the versions of Rego of its files.
 * A file without one owns everything.
 */

import type { RegoVersion } from '../syntax/tree.ts'
import { BundleError } from './bundle-error.ts'
import { isMapping } from './mount.ts'

/** What a manifest says. */
export interface Manifest {
  readonly revision: string
  /** Paths below `data`, `/` between keys; the empty one is all of it. */
  readonly roots: readonly string[]
  readonly regoVersion: RegoVersion | undefined
  /** The version of one file, when the manifest names one for it. */
  readonly versionOf: (file: string) => RegoVersion | undefined
}

/** The name of the file. */
export const manifestFile = '.manifest'

const versions: ReadonlyMap<unknown, RegoVersion> = new Map([
  [0, 'v0'],
  [1, 'v1'],
])

/** Reads it; undefined text gives the manifest of a bundle that has none. @throws BundleError */
export function readManifest(text: string | undefined): Manifest {
  const members = text === undefined ? {} : parsed(text)
  const revision = members['revision'] ?? ''
  if (typeof revision !== 'string') throw fault('revision must be text')
  if (members['wasm'] !== undefined && (members['wasm'] as readonly unknown[]).length !== 0)
    throw fault('policies in WebAssembly are not supported; build the bundle from Rego')
  return {
    revision,
    roots: rootsOf(members['roots']),
    regoVersion: versionFrom(members['rego_version'], 'rego_version'),
    versionOf: fileVersions(members['file_rego_versions']),
  }
}

function fault(message: string): BundleError {
  return new BundleError('manifest', `${manifestFile}: ${message}`)
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const document: unknown = JSON.parse(text)
    if (isMapping(document)) return document
  } catch {
    throw fault('not JSON')
  }
  throw fault('not an object')
}

function rootsOf(value: unknown): readonly string[] {
  if (value === undefined || value === null) return ['']
  if (!Array.isArray(value)) throw fault('roots must be a list of paths')
  const roots = value.map((root: unknown) => {
    if (typeof root !== 'string') throw fault('roots must be a list of paths')
    return root.replaceAll(/^\/+|\/+$/g, '')
  })
  for (const [at, root] of roots.entries()) {
    const other = roots.find((each, index) => index !== at && isBelow(root, each))
    if (other !== undefined) throw fault(`the roots ${root} and ${other} overlap`)
  }
  return roots
}

/** Whether a path is a root or lies below it. */
export function isBelow(path: string, root: string): boolean {
  return root === '' || path === root || path.startsWith(`${root}/`)
}

function versionFrom(value: unknown, what: string): RegoVersion | undefined {
  if (value === undefined) return undefined
  const version = versions.get(value)
  if (version === undefined) throw fault(`${what} must be 0 or 1`)
  return version
}

function fileVersions(value: unknown): Manifest['versionOf'] {
  if (value === undefined) return () => undefined
  if (!isMapping(value)) throw fault('file_rego_versions must be an object')
  const patterns = Object.entries(value).map(
    ([glob, version]) => [patternOf(glob), versionFrom(version, glob)] as const,
  )
  return (file) => patterns.find(([pattern]) => pattern.test(`/${file}`))?.[1]
}

/** `*` stands for anything between slashes, `**` for anything, `?` for one character. */
function patternOf(glob: string): RegExp {
  const source = `/${glob.replace(/^\/+/, '')}`.replaceAll(
    /\*\*|[*?]|[.+^${}()|[\]\\]/g,
    (part) => ({ '**': '.*', '*': '[^/]*', '?': '[^/]' })[part] ?? `\\${part}`,
  )
  return new RegExp(`^${source}$`)
}
