/**
 * Holds the walls between the folders: who may import whom, how large things get, what nothing may be called.
 *
 * Reads the text of the sources; a folder that does not exist yet is fine. Reasons for exceptions are in
 * `docs/decisions.md`, which must name each of them.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '..')
const sourceRoot = join(root, 'src')

interface Source {
  /** Path below `src/`. */
  readonly path: string
  /** First folder below `src/`, or the file itself at the top. */
  readonly folder: string
  readonly lines: readonly string[]
  readonly text: string
  /** Paths below `src/` that it imports, and names of packages. */
  readonly imports: readonly string[]
  /** Of those, the ones that are still there when the types are gone. */
  readonly loads: readonly string[]
  readonly packages: readonly string[]
}

const filesBelow = (folder: string): readonly string[] =>
  existsSync(folder)
    ? readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
        const path = join(folder, entry.name)
        return entry.isDirectory() ? filesBelow(path) : [path]
      })
    : []

const specifiers = (text: string): readonly string[] =>
  [
    ...text.matchAll(/^(?:import|export)\s(?:[^'"]*?\sfrom\s)?['"]([^'"]+)['"]/gms),
    ...text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]\s*\)/g),
  ].map((match) => match[1]!)

/** The text without imports and exports of types alone. */
const withoutTypes = (text: string): string =>
  text
    .replaceAll(/^(?:import|export) type [^'"]*['"][^'"]+['"]/gm, '')
    .replaceAll(
      /^(?:import|export) \{(?:\s*type \w+(?: as \w+)?,?)+\s*\} from ['"][^'"]+['"]/gm,
      '',
    )

const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')

const read = (file: string): Source => {
  const path = relative(sourceRoot, file)
  const text = readFileSync(file, 'utf8')
  const all = specifiers(text)
  const paths = (each: readonly string[]): readonly string[] =>
    each
      .filter((specifier) => specifier.startsWith('.'))
      .map((specifier) => relative(sourceRoot, resolve(dirname(file), specifier)))
  return {
    path,
    folder: path.includes('/') ? path.split('/')[0]! : path,
    lines: text.split('\n'),
    text,
    imports: paths(all),
    loads: paths(specifiers(withoutTypes(text))),
    packages: all
      .filter((each) => !each.startsWith('.') && !each.startsWith('node:'))
      .map(packageOf),
  }
}

const sources: readonly Source[] = filesBelow(sourceRoot)
  .filter((file) => file.endsWith('.ts'))
  .map(read)

/** Small modules at the top that know nothing of the proxy; every folder may use them. */
const everywhere = ['live.ts', 'units.ts', 'secret.ts', 'version.ts']

const libraries = ['wire', 'identity', 'token', 'rego', 'telemetry', 'catalog']

/** What each folder may import from `src/`, besides itself and {@link everywhere}; a path stands for all below it. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  exchange: [],
  wire: [],
  identity: [],
  token: ['identity/spiffe-id.ts'],
  rego: [],
  telemetry: [],
  catalog: [],
  stages: ['exchange', ...libraries],
  inbound: ['stages', 'exchange', ...libraries],
  outbound: ['stages', 'exchange', ...libraries],
  egress: ['stages', 'exchange', ...libraries],
  listeners: ['wire', 'exchange', 'identity'],
  admin: ['exchange', ...libraries],
  config: [
    'section.ts',
    'inbound/route-table.ts',
    'catalog',
    'identity',
    'rego/bundle',
    'rego/policy.ts',
    'rego/errors.ts',
  ],
  kubernetes: [],
  compose: [
    'admin',
    'config',
    'egress',
    'exchange',
    'inbound',
    'listeners',
    'outbound',
    'stages',
    ...libraries,
  ],
  cli: ['sidecar.ts', 'config', 'exchange/codes.ts', 'kubernetes', ...libraries],
}

const isAllowed = (source: Source, target: string): boolean => {
  if (target.startsWith(`${source.folder}/`) || everywhere.includes(target)) return true
  const allowed = mayImport[source.folder]
  if (!allowed) return true
  return allowed.some(
    (each) =>
      target === each ||
      target.startsWith(`${each}/`) ||
      (each === 'section.ts' && basename(target) === 'section.ts'),
  )
}

const decisions = (): string => {
  const file = join(root, 'docs/decisions.md')
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}

/** Folders whose files may call each other in a circle, as the grammar that they follow does. */
const recursive = ['rego/compile/', 'rego/builtins/template/']

const isExplained = (circle: string): boolean =>
  recursive.some(
    (folder) =>
      circle.split(' → ').every((path) => path.startsWith(folder)) &&
      decisions().includes(`\`src/${folder}\``),
  )

describe('imports', () => {
  it('stay within the table of the architecture', () => {
    const wrong = sources.flatMap((source) =>
      source.imports
        .filter((target) => !isAllowed(source, target))
        .map((target) => `${source.path} imports ${target}`),
    )
    expect(wrong).toEqual([])
  })

  it('of the composition root come from main, cli, tests and index alone', () => {
    const wrong = sources
      .filter(({ folder }) => !['cli', 'main.ts', 'index.ts', 'sidecar.ts'].includes(folder))
      .filter(({ imports }) => imports.includes('sidecar.ts'))
    expect(wrong.map(({ path }) => path)).toEqual([])
  })

  it('form no circle', () => {
    const graph = new Map(sources.map(({ path, loads }) => [path, loads]))
    const done = new Set<string>()
    const circles: string[] = []
    const visit = (path: string, above: readonly string[]): void => {
      if (above.includes(path))
        circles.push([...above.slice(above.indexOf(path)), path].join(' → '))
      if (above.includes(path) || done.has(path)) return
      for (const target of graph.get(path) ?? []) visit(target, [...above, path])
      done.add(path)
    }
    for (const { path } of sources) visit(path, [])
    expect(circles.filter((circle) => !isExplained(circle))).toEqual([])
  })

  it('end in .ts and name files that exist', () => {
    const known = new Set(sources.map(({ path }) => path))
    const wrong = sources.flatMap(({ path, imports }) =>
      imports.filter((target) => !known.has(target)).map((target) => `${path} imports ${target}`),
    )
    expect(wrong).toEqual([])
  })
})

/** Packages that more than one folder may import, with the folders. */
const packageFolders: Readonly<Record<string, readonly string[]>> = {
  yaml: ['config', 'rego', 'kubernetes'],
  'ipaddr.js': ['wire', 'rego'],
  '@grpc/grpc-js': ['telemetry', 'identity'],
}

/** Packages for schemas of settings and for spans, which are vocabulary. */
const vocabulary = ['zod', '@opentelemetry/api']

/** Packages that are never imported by what runs. */
const forbidden = ['http-proxy', 'undici', 'fast-check', 'vitest']

describe('packages', () => {
  const users = new Map<string, Set<string>>()
  for (const { folder, packages } of sources) {
    for (const name of packages) users.set(name, (users.get(name) ?? new Set()).add(folder))
  }

  it('are each imported in one folder', () => {
    const wrong = [...users]
      .filter(([name]) => !vocabulary.includes(name))
      .filter(([name, folders]) => {
        const allowed = packageFolders[name]
        return allowed ? [...folders].some((each) => !allowed.includes(each)) : folders.size > 1
      })
      .map(([name, folders]) => `${name} in ${[...folders].join(', ')}`)
    expect(wrong).toEqual([])
  })

  it('that two folders import are explained in docs/decisions.md', () => {
    for (const name of Object.keys(packageFolders)) expect(decisions()).toContain(`\`${name}\``)
  })

  it('are dependencies that ship', () => {
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      readonly dependencies: Readonly<Record<string, string>>
    }
    expect([...users.keys()].filter((name) => !Object.hasOwn(manifest.dependencies, name))).toEqual(
      [],
    )
    expect([...users.keys()].filter((name) => forbidden.includes(name))).toEqual([])
  })

  it('have exact versions', () => {
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Readonly<
      Record<'dependencies' | 'devDependencies', Readonly<Record<string, string>>>
    >
    const all = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })
    expect(all.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([])
  })
})

const longest = 400

describe('files', () => {
  it(`have at most ${longest} lines, or say in their first comment why they need more`, () => {
    const wrong = sources
      .filter(({ lines }) => lines.length - 1 > longest)
      .filter(({ text }) => !/^(?:#!.*\n)?\/\*\*?[\s\S]*?\blines\b[\s\S]*?\*\//.test(text))
    expect(wrong.map(({ path, lines }) => `${path}: ${lines.length - 1} lines`)).toEqual([])
  })

  it('open with a comment that says what they are for', () => {
    const wrong = sources.filter(({ text }) => !/^(?:#!.*\n)?(?:\/\*|\/\/)/.test(text))
    expect(wrong.map(({ path }) => path)).toEqual([])
  })

  it('are never named after nothing in particular', () => {
    const banned = /^(?:utils?|helpers?|common|core|types?|manager|misc|shared|lib|base)$/
    const wrong = sources
      .flatMap(({ path }) => path.split('/').map((part) => ({ path, part })))
      .filter(({ part }) => banned.test(part.replace(/\.ts$/, '')))
      .map(({ path }) => path)
    expect([...new Set(wrong)]).toEqual([])
  })

  it('are named in lower case with dashes', () => {
    const wrong = sources.filter(({ path }) => !/^[a-z0-9/-]+\.ts$/.test(path))
    expect(wrong.map(({ path }) => path)).toEqual([])
  })

  it('never say any', () => {
    const wrong = sources.filter(({ text }) =>
      /(?::|\bas|<|\|)\s*any\s*(?:[),;=\]}>|\n[]|$)/.test(withoutComments(text)),
    )
    expect(wrong.map(({ path }) => path)).toEqual([])
  })

  it('never switch the verification of certificates off', () => {
    const wrong = sources.filter(({ text }) =>
      /rejectUnauthorized:\s*false|NODE_TLS_REJECT_UNAUTHORIZED|insecureHTTPParser:\s*true/.test(
        withoutComments(text),
      ),
    )
    const explained = wrong.filter(({ path }) => !decisions().includes(`src/${path}`))
    expect(explained.map(({ path }) => path)).toEqual([])
  })

  it('use no syntax that Node cannot strip, and no modifier private', () => {
    const wrong = sources.filter(({ text }) =>
      /^\s*(?:(?:export )?(?:const )?enum |(?:export )?namespace |private )/m.test(
        withoutComments(text),
      ),
    )
    expect(wrong.map(({ path }) => path)).toEqual([])
  })
})

const withoutComments = (text: string): string =>
  text
    .replaceAll(/`(?:\\.|[^`\\])*`/g, '``')
    .replaceAll(/'(?:\\.|[^'\\\n])*'/g, "''")
    .replaceAll(/\/\*[\s\S]*?\*\//g, '')
    .replaceAll(/\/\/.*$/gm, '')

describe('folders', () => {
  const sizes = new Map<string, number>()
  for (const { path } of sources) {
    const folder = dirname(path)
    sizes.set(folder, (sizes.get(folder) ?? 0) + 1)
  }

  it('hold at most twelve files, or docs/decisions.md says why', () => {
    const wrong = [...sizes].filter(
      ([folder, size]) => size > 12 && !decisions().includes(`\`src/${folder}/\``),
    )
    expect(wrong.map(([folder, size]) => `src/${folder}: ${size} files`)).toEqual([])
  })
})
