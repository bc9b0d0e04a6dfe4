/**
 * YAML text to a plain value, with the place of every key and value kept for messages.
 *
 * For the configuration file and the catalog. YAML 1.2 core schema, one document, each key once, no tags, aliases
 * bounded, so that a small file cannot become a large value. Does not judge what the value means.
 */
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Document,
  type Node,
  type YAMLError,
} from 'yaml'
import {
  formatPath,
  formatValue,
  type ConfigFault,
  type Path,
  type Place,
  type Position,
} from './fault.ts'

/** Bytes of the largest file that is read. */
export const largestFile = 1024 * 1024

const mostAliases = 100

/** A parsed file. `value` is undefined when the text is not YAML; `faults` says why. */
export interface YamlDocument {
  readonly file: string
  readonly value: unknown
  readonly faults: readonly ConfigFault[]
  /** The place of the value at `path`, or of the nearest enclosing thing that is in the file. */
  locate(path: Path): Place
  /** The place of the last key of `path`, or of the nearest enclosing thing that is in the file. */
  locateKey(path: Path): Place
}

const problems: Readonly<Record<string, readonly [expected: string, hint: string]>> = {
  ALIAS_PROPS: ['an alias without a tag or an anchor', 'remove what stands before the alias'],
  BAD_ALIAS: ['an alias with a name', 'write the value instead of the alias'],
  BAD_DIRECTIVE: ['no directive', 'remove the line that starts with %'],
  BAD_DQ_ESCAPE: ['an escape that YAML knows', 'use single quotes, or write \\\\ for a backslash'],
  BAD_INDENT: ['the indentation of the lines around it', 'align the line with its siblings'],
  BLOCK_AS_IMPLICIT_KEY: ['one key on the line', 'put the nested mapping on a line of its own'],
  DUPLICATE_KEY: ['each key once', 'remove one of the two'],
  IMPOSSIBLE: ['YAML', 'mend the syntax'],
  KEY_OVER_1024_CHARS: ['a key shorter than 1024 characters', 'shorten the key'],
  MISSING_CHAR: [
    'complete YAML',
    'add the missing character, often a closing quote, a space or a colon',
  ],
  MULTILINE_IMPLICIT_KEY: ['a key on one line', 'add the colon that is missing after the key'],
  MULTIPLE_DOCS: ['one document', 'remove the --- line and what follows it'],
  TAB_AS_INDENT: ['spaces for indentation', 'replace the tab with spaces'],
  TAG_RESOLVE_FAILED: ['a plain value', 'remove the tag that starts with !'],
  UNEXPECTED_TOKEN: ['YAML', 'quote the value, or mend the syntax'],
}

const general = ['YAML', 'mend the syntax'] as const

const syntaxFault = (file: string, error: YAMLError, lines: LineCounter): ConfigFault => {
  const [expected, hint] = problems[error.code] ?? general
  const place = lines.linePos(error.pos[0])
  const message = error.message.replace(/\s+/g, ' ').replace(/\.$/, '')
  return {
    file,
    line: Math.max(place.line, 1),
    column: Math.max(place.col, 1),
    setting: '',
    expected,
    got: message.charAt(0).toLowerCase() + message.slice(1),
    hint,
  }
}

interface Entry {
  readonly key: Node | null
  readonly value: Node | null
}

const resolved = (node: unknown, document: Document): Node | undefined => {
  if (isAlias(node)) return node.resolve(document)
  return isMap(node) || isSeq(node) || isScalar(node) ? node : undefined
}

const entryOf = (node: Node | undefined, part: string | number): Entry | undefined => {
  if (isSeq(node)) {
    const item = node.items[Number(part)] as Node | undefined
    return item ? { key: item, value: item } : undefined
  }
  if (!isMap(node)) return undefined
  const pair = node.items.find((each) => isScalar(each.key) && String(each.key.value) === `${part}`)
  return pair ? { key: pair.key as Node, value: pair.value as Node | null } : undefined
}

/** Walks down as far as the file goes; the last entry belongs to the deepest part of the path that is present. */
const walk = (document: Document, path: Path): { entry: Entry | undefined; complete: boolean } => {
  let node = resolved(document.contents, document)
  let entry: Entry | undefined
  for (const part of path) {
    const next = entryOf(node, part)
    if (!next) return { entry, complete: false }
    entry = next
    node = resolved(next.value, document)
  }
  return { entry, complete: true }
}

const placeOf = (node: Node | null | undefined, lines: LineCounter): Position | undefined => {
  const start = node?.range?.[0]
  if (start === undefined) return undefined
  const place = lines.linePos(start)
  return { line: Math.max(place.line, 1), column: Math.max(place.col, 1) }
}

const top: Position = { line: 1, column: 1 }

const unreadable = (file: string, expected: string, got: string, hint: string): YamlDocument => ({
  file,
  value: undefined,
  faults: [{ file, ...top, setting: '', expected, got, hint }],
  locate: () => ({ file, ...top }),
  locateKey: () => ({ file, ...top }),
})

const control = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/

/** Where keys or values hold control characters, which no setting needs and which cut paths and logs in two. */
const controlled = (value: unknown, above: Path): readonly Path[] => {
  if (typeof value === 'string') return control.test(value) ? [above] : []
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, member]) => {
    const path = [...above, Array.isArray(value) ? Number(name) : name]
    return control.test(name) ? [path] : controlled(member, path)
  })
}

const toValue = (document: Document): { value: unknown; problem: string | undefined } => {
  try {
    return { value: document.toJS({ maxAliasCount: mostAliases }) as unknown, problem: undefined }
  } catch (error) {
    return { value: undefined, problem: error instanceof Error ? error.message : String(error) }
  }
}

const parse = (text: string, lines: LineCounter): Document | undefined => {
  try {
    return parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      uniqueKeys: true,
      version: '1.2',
      schema: 'core',
      merge: false,
      resolveKnownTags: false,
      logLevel: 'error',
    })
  } catch {
    return undefined
  }
}

/**
 * Reads YAML text.
 *
 * @param file the name that messages give to the text
 */
export const readYaml = (file: string, text: string): YamlDocument => {
  if (Buffer.byteLength(text) > largestFile) {
    return unreadable(
      file,
      'a file of at most 1 MiB',
      `${Buffer.byteLength(text)} bytes`,
      'split or shorten the file',
    )
  }
  const lines = new LineCounter()
  const document = parse(text, lines)
  if (!document) {
    return unreadable(
      file,
      'at most a few hundred levels of nesting',
      'deeper nesting',
      'flatten the file',
    )
  }
  const syntax = [...document.errors, ...document.warnings].map((error) =>
    syntaxFault(file, error, lines),
  )
  const { value, problem } =
    syntax.length > 0 ? { value: undefined, problem: undefined } : toValue(document)
  const locate = (path: Path): Place => {
    const { entry, complete } = walk(document, path)
    const best = complete ? (entry?.value ?? entry?.key) : entry?.key
    return { file, ...(placeOf(best, lines) ?? top) }
  }
  const controls = controlled(value, []).map((path) => ({
    ...locate(path),
    setting: formatPath(path),
    expected: 'text without control characters',
    got: formatValue('\u0000'),
    hint: 'remove the control character',
  }))
  const aliases =
    problem === undefined
      ? []
      : unreadable(file, 'few and known aliases', problem, 'write the values instead of aliases')
          .faults
  return {
    file,
    value,
    faults: [...syntax, ...aliases, ...controls],
    locate,
    locateKey(path) {
      return { file, ...(placeOf(walk(document, path).entry?.key, lines) ?? top) }
    },
  }
}
