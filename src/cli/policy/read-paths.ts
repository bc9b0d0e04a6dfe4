/**
 * Reads policies from the paths of a command line: folders, single files, and bundles. A data file of a folder is
 * placed by the folder that it is in; one that is named itself is placed at the top.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { BundleError } from '../../rego/bundle/bundle-error.ts'
import { isDataFile, readDocument } from '../../rego/bundle/document.ts'
import { mount, type Mounted } from '../../rego/bundle/mount.ts'
import { readBundle, type BundleContent } from '../../rego/bundle/read-bundle.ts'
import type { Source } from '../../rego/policy.ts'
import { CommandError } from '../command.ts'

/** What was read. */
export interface PolicyFiles {
  readonly modules: readonly Source[]
  readonly data: Readonly<Record<string, unknown>>
}

const filesBelow = (directory: string): readonly string[] =>
  readdirSync(directory, { withFileTypes: true })
    .filter(({ name }) => !name.startsWith('.'))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(directory, entry.name)
      if (entry.isDirectory()) return filesBelow(path)
      return entry.name.endsWith('.rego') || isDataFile(path) ? [path] : []
    })

/** The value of a JSON or YAML file. @throws CommandError when it is neither */
export const readValue = (path: string, shown: string): unknown => {
  try {
    return readDocument(shown, readFileSync(path, 'utf8'))
  } catch (error) {
    if (!(error instanceof BundleError)) throw error
    throw new CommandError(
      error.message,
      'the file must be YAML, or JSON when its name ends in .json',
    )
  }
}

/** A bundle that a person names is read without a look at its signature. */
const readArchived = (path: string, shown: string): BundleContent => {
  if (!existsSync(path))
    throw new CommandError(`${shown} does not exist`, 'name a folder, a file or a bundle')
  try {
    return readBundle(readFileSync(path), { kind: 'unchecked' })
  } catch (error) {
    if (!(error instanceof BundleError)) throw error
    throw new CommandError(`${shown}: ${error.message}`, 'make the bundle anew')
  }
}

const place = (data: Record<string, unknown>, mounted: Mounted, shown: string): void => {
  const taken = mount(data, mounted)
  if (taken === undefined) return
  throw new CommandError(
    `${shown}: data.${taken.join('.')} has a value already`,
    'keep each key in one file, and give a mapping at the top',
  )
}

interface Found {
  readonly file: string
  readonly folders: readonly string[]
}

const findFiles = (path: string, shown: string): readonly Found[] => {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined)
    throw new CommandError(`${shown} does not exist`, 'name a folder, a file or a bundle')
  if (!found.isDirectory()) return [{ file: path, folders: [] }]
  return filesBelow(path).map((file) => ({
    file,
    folders: relative(path, file).split(sep).slice(0, -1),
  }))
}

/**
 * Reads what stands at the paths, seen from a folder.
 *
 * @throws CommandError for what cannot be read
 */
export const readPaths = (paths: readonly string[], directory: string): PolicyFiles => {
  const modules: Source[] = []
  const data: Record<string, unknown> = {}
  for (const shown of paths) {
    if (/\.(?:tar\.gz|tgz)$/.test(shown)) {
      const bundle = readArchived(join(directory, shown), shown)
      modules.push(...bundle.modules)
      place(data, { path: [], value: bundle.data }, shown)
      continue
    }
    for (const { file, folders } of findFiles(join(directory, shown), shown)) {
      const name = relative(directory, file)
      if (file.endsWith('.rego')) {
        modules.push({ file: name, text: readFileSync(file, 'utf8') })
        continue
      }
      place(data, { path: folders, value: readValue(file, name) }, name)
    }
  }
  return { modules, data }
}
