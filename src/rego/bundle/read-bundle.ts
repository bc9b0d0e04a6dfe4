/**
 * A bundle from the bytes of its archive: unpacked, its signature verified before anything else is read, its data put
 * together, and everything held against the roots that its manifest claims. Does not compile the modules.
 */

import { RegoErrors } from '../errors.ts'
import type { Source } from '../policy.ts'
import { parseModule } from '../syntax/parse.ts'
import type { RegoVersion } from '../syntax/tree.ts'
import { BundleError } from './bundle-error.ts'
import { isDataFile, readDocument } from './document.ts'
import { isBelow, manifestFile, readManifest, type Manifest } from './manifest.ts'
import { isMapping, mount } from './mount.ts'
import { signatureFile, verifyFiles, type BundleKey } from './signature.ts'
import { bundleLimits, readArchive, type ArchiveLimits } from './tar.ts'

/** What a bundle holds. */
export interface BundleContent {
  readonly revision: string
  readonly roots: readonly string[]
  readonly modules: readonly Source[]
  readonly data: Readonly<Record<string, unknown>>
}

/** Who must have signed a bundle. `unchecked` reads one that a person names on the command line. */
export type BundleTrust =
  { readonly kind: 'key'; readonly key: BundleKey } | { readonly kind: 'none' | 'unchecked' }

/** Reads a bundle. `trust` of kind `none` accepts only a bundle that has no signature. @throws BundleError */
export function readBundle(
  archive: Buffer,
  trust: BundleTrust,
  limits: ArchiveLimits = bundleLimits,
): BundleContent {
  const files = readArchive(archive, limits)
  if (trust.kind === 'key') verifyFiles(files, trust.key)
  else if (trust.kind === 'none' && files.has(signatureFile))
    throw new BundleError(
      'unexpected-signature',
      'the bundle is signed and no key is configured to verify it',
    )
  if (files.has('patch.json'))
    throw new BundleError('archive', 'a delta bundle cannot be loaded from a file')
  const manifest = readManifest(textOf(files, manifestFile))
  const modules = modulesOf(files, manifest)
  const data = dataOf(files)
  checkRoots(manifest, modules, data)
  return { revision: manifest.revision, roots: manifest.roots, modules, data }
}

function textOf(files: ReadonlyMap<string, Buffer>, name: string): string | undefined {
  const content = files.get(name)
  if (content === undefined) return undefined
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content)
  } catch {
    throw new BundleError('data', `${name} is not UTF-8`)
  }
}

function modulesOf(files: ReadonlyMap<string, Buffer>, manifest: Manifest): readonly Source[] {
  return [...files.keys()]
    .filter((name) => name.endsWith('.rego'))
    .sort()
    .map((file) => {
      const text = textOf(files, file) ?? ''
      const version = manifest.versionOf(file) ?? manifest.regoVersion
      return version === undefined ? { file, text } : { file, text, regoVersion: version }
    })
}

function dataOf(files: ReadonlyMap<string, Buffer>): Record<string, unknown> {
  const data: Record<string, unknown> = {}
  const names = [...files.keys()].filter(isDataFile)
  for (const name of names.sort()) {
    const value = readDocument(name, textOf(files, name) ?? '')
    const path = name.split('/').slice(0, -1)
    if (path.length === 0 && !isMapping(value))
      throw new BundleError('data', `${name} must be an object`)
    const taken = mount(data, { path, value })
    if (taken !== undefined)
      throw new BundleError('data', `${name}: data.${taken.join('.')} has a value already`)
  }
  return data
}

/** Data and packages must lie within the roots; what a bundle does not own it must not bring. */
function checkRoots(
  { roots }: Manifest,
  modules: readonly Source[],
  data: Readonly<Record<string, unknown>>,
): void {
  if (roots.includes('')) return
  for (const { file, text, regoVersion } of modules) {
    const path = packagePath(file, text, regoVersion ?? 'v1')
    if (path !== undefined && !roots.some((root) => isBelow(path, root)))
      throw new BundleError('roots', `${file}: the package ${path} is outside the roots`)
  }
  const outside = findOutside(data, '', roots)
  if (outside !== undefined)
    throw new BundleError('roots', `the data at ${outside} is outside the roots`)
}

/** The path of a module's package; undefined when it does not parse, which compiling will say better. */
function packagePath(file: string, text: string, version: RegoVersion): string | undefined {
  try {
    const { parts } = parseModule(file, text, { version }).package
    return parts.map((part) => (part.kind === 'scalar' ? String(part.value) : '')).join('/')
  } catch (error) {
    if (error instanceof RegoErrors) return undefined
    throw error
  }
}

function findOutside(value: unknown, path: string, roots: readonly string[]): string | undefined {
  if (roots.some((root) => isBelow(path, root))) return undefined
  const leadsToRoot = path === '' || roots.some((root) => isBelow(root, path))
  if (!leadsToRoot || !isMapping(value)) return path
  for (const [key, member] of Object.entries(value)) {
    const outside = findOutside(member, path === '' ? key : `${path}/${key}`, roots)
    if (outside !== undefined) return outside
  }
  return undefined
}
