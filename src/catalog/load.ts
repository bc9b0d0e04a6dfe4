/**
 * The catalog from a folder: every entry file, and everything that is wrong in any of them, at once.
 *
 * For start, reload and `apis check`. A reload that finds a problem keeps the catalog that is in force; that is the
 * caller's choice, this only reports. Files named `*.openapi.*`, `*.schema.*` and hidden ones are not entries.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Catalog } from './catalog.ts'
import type { ApiEntry } from './entry/entry.ts'
import { nearest } from './entry/nearness.ts'
import { problemAt } from './entry/problem.ts'
import type { CatalogProblem, ReadYaml, YamlDocument } from './entry/problem.ts'
import { readEntry } from './entry/read-entry.ts'

/** A catalog and what is wrong with it; entries with problems are left out of it. */
export interface LoadedCatalog {
  readonly catalog: Catalog
  readonly problems: readonly CatalogProblem[]
  /** Entry files that were read, in order. */
  readonly files: readonly string[]
}

/** Where the files come from; the file system unless a test says otherwise. */
export interface CatalogFiles {
  readonly list: (directory: string) => readonly string[]
  readonly readText: (path: string) => string
}

const fileSystem: CatalogFiles = {
  list: (directory) => readdirSync(directory),
  readText: (path) => readFileSync(path, 'utf8'),
}

const isEntryFile = (name: string): boolean =>
  /\.ya?ml$/.test(name) && !name.startsWith('.') && !/\.(openapi|schema)\.ya?ml$/.test(name)

/** Loads the entries of `directory`. An unreadable directory is one problem and an empty catalog. */
export const loadCatalog = (
  directory: string,
  readYaml: ReadYaml,
  files: CatalogFiles = fileSystem,
): LoadedCatalog => {
  const problems: CatalogProblem[] = []
  const read: { readonly entry: ApiEntry; readonly document: YamlDocument }[] = []
  let names: readonly string[] = []
  try {
    names = files.list(directory).filter(isEntryFile).sort()
  } catch {
    const hint = 'create it, or set egress.apis.directory'
    problems.push({
      file: directory,
      line: 1,
      column: 1,
      setting: '',
      expected: 'a folder with API entries',
      got: 'none',
      hint,
    })
  }
  const paths = names.map((name) => join(directory, name))
  for (const path of paths) {
    try {
      const {
        entry,
        document,
        problems: found,
      } = readEntry(path, { readYaml, readText: files.readText })
      problems.push(...found)
      if (entry) read.push({ entry, document })
    } catch (error) {
      const got = error instanceof Error && 'code' in error ? String(error.code) : 'an error'
      problems.push({
        file: path,
        line: 1,
        column: 1,
        setting: '',
        expected: 'a file that can be read',
        got,
        hint: '',
      })
    }
  }
  const known = new Set(names.map((name) => name.replace(/\.ya?ml$/, '')))
  problems.push(...acrossEntries(read, known))
  return { catalog: new Catalog(read.map((one) => one.entry)), problems, files: paths }
}

const acrossEntries = (
  read: readonly { readonly entry: ApiEntry; readonly document: YamlDocument }[],
  known: ReadonlySet<string>,
): readonly CatalogProblem[] => {
  const problems: CatalogProblem[] = []
  const owners = new Map<string, string>()
  for (const { entry, document } of read) {
    for (const [index, host] of entry.hosts.entries()) {
      const key = `${host.kind === 'wildcard' ? '*.' : ''}${host.host}:${host.port}`
      const other = owners.get(key)
      owners.set(key, entry.name)
      if (other === undefined) continue
      const hint = 'one host belongs to one entry; put the operations together'
      problems.push(
        problemAt(document, entry.file, ['hosts', index], {
          expected: 'a host that no other entry declares',
          got: `${key}, declared by ${other}`,
          hint,
        }),
      )
    }
    for (const [index, name] of entry.depends_on.entries()) {
      if (known.has(name)) continue
      const near = nearest(name, [...known], 1)[0]
      problems.push(
        problemAt(document, entry.file, ['depends_on', index], {
          expected: 'the name of an entry',
          got: name,
          hint: near ? `did you mean ${near}?` : '',
        }),
      )
    }
  }
  return problems
}
