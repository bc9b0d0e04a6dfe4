/**
 * Metadata blocks: comment lines that begin with `# METADATA` at column one, read as YAML and tied to
 * the statement that follows. Scope rules and entry points are settled here; whether a schema exists
 * is not asked.
 */

import { parse as parseYaml } from 'yaml'

import { SyntaxFault } from './cursor.ts'
import type { Statement } from './parse-rules.ts'
import { packPlace, type Annotation, type Comment } from './tree.ts'

const scopes = ['rule', 'document', 'package', 'subpackages'] as const

export interface Annotations {
  readonly annotations: readonly Annotation[]
  readonly faults: readonly SyntaxFault[]
}

/** The annotations among a module's comments. */
export function annotationsOf(
  comments: readonly Comment[],
  statements: readonly Statement[],
): Annotations {
  const annotations: Annotation[] = []
  const faults: SyntaxFault[] = []
  for (const block of blocks(comments)) {
    const first = block[0] as Comment
    const last = block[block.length - 1] as Comment
    const statement = statements.find((candidate) => candidate.row > last.row)
    try {
      const annotation = readBlock(block, statement)
      if (annotation !== undefined) annotations.push(annotation)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      faults.push(new SyntaxFault(message.split('\n')[0] ?? '', packPlace(first.row, first.col)))
    }
  }
  return { annotations, faults }
}

/** Runs of comment lines in which one says METADATA; the run begins there. */
function blocks(comments: readonly Comment[]): Comment[][] {
  const found: Comment[][] = []
  let block: Comment[] | undefined
  let lastRow = -1
  for (const comment of comments) {
    const follows = comment.row === lastRow + 1 && comment.col === 1
    if (comment.col === 1 && comment.text.trim() === 'METADATA') found.push((block = [comment]))
    else if (block !== undefined && follows) block.push(comment)
    else block = undefined
    lastRow = comment.row
  }
  return found
}

function readBlock(
  block: readonly Comment[],
  statement: Statement | undefined,
): Annotation | undefined {
  const first = block[0] as Comment
  const text = block
    .slice(1)
    .map((comment) => comment.text.replace(/^ /, ''))
    .join('\n')
  if (text.trim() === '') throw new Error('expected METADATA block, found whitespace')
  const raw = parseYaml(text) as Record<string, unknown>
  if (typeof raw !== 'object' || raw === null) throw new Error('yaml: metadata is no mapping')
  if (statement === undefined) return undefined
  const scope = raw['scope'] ?? defaultScope(raw, statement)
  if (!scopes.includes(scope as 'rule'))
    throw new Error(
      `invalid annotation scope '${typeof scope === 'string' ? scope : JSON.stringify(scope)}'`,
    )
  return {
    scope: scope as Annotation['scope'],
    value: shape(raw, scope as string),
    at: packPlace(first.row, first.col),
    row: statement.row,
  }
}

function defaultScope(raw: Record<string, unknown>, statement: Statement): string {
  if (statement.kind === 'package') return 'package'
  return raw['entrypoint'] === true ? 'document' : 'rule'
}

/** The block in the shape `rego.metadata` returns: only what is set, authors and links as objects. */
function shape(raw: Record<string, unknown>, scope: string): Record<string, unknown> {
  const value: Record<string, unknown> = { scope }
  for (const name of ['title', 'description']) if (raw[name]) value[name] = raw[name]
  if (raw['entrypoint'] === true) value['entrypoint'] = true
  for (const name of ['organizations', 'labels', 'compile']) if (raw[name]) value[name] = raw[name]
  if (Array.isArray(raw['authors'])) value['authors'] = raw['authors'].map(author)
  if (Array.isArray(raw['related_resources']))
    value['related_resources'] = raw['related_resources'].map(resource)
  if (Array.isArray(raw['schemas'])) value['schemas'] = raw['schemas'].map(schema)
  if (typeof raw['custom'] === 'object' && raw['custom'] !== null) value['custom'] = raw['custom']
  return value
}

function author(raw: unknown): Record<string, unknown> {
  if (typeof raw === 'object' && raw !== null) {
    const { name, email } = raw as Record<string, unknown>
    if (!name && !email)
      throw new Error("invalid author definition: 'name' and/or 'email' values required in object")
    return { ...(name ? { name } : {}), ...(email ? { email } : {}) }
  }
  const words = String(raw).trim().split(/\s+/)
  const last = words[words.length - 1] ?? ''
  if (words.length === 1 && last === '')
    throw new Error('invalid author definition: author is an empty string')
  if (!/^<.*>$/.test(last)) return { name: words.join(' ') }
  const name = words.slice(0, -1).join(' ')
  return { ...(name === '' ? {} : { name }), email: last.slice(1, -1) }
}

function resource(raw: unknown): Record<string, unknown> {
  if (typeof raw === 'string') {
    if (raw === '')
      throw new Error('invalid related-resource definition: ref URL may not be empty string')
    return { ref: raw }
  }
  const { ref, description } = (raw ?? {}) as Record<string, unknown>
  if (typeof ref !== 'string')
    throw new Error("invalid related-resource definition: 'ref' value required in object")
  return typeof description === 'string' ? { ref, description } : { ref }
}

function schema(raw: unknown): Record<string, unknown> {
  const [path, value] = Object.entries((raw ?? {}) as Record<string, unknown>)[0] ?? []
  if (path === undefined) throw new Error('invalid document reference')
  const parts = path.split('.')
  if (typeof value === 'string') return { path: parts, schema: value.split('.') }
  return { path: parts, definition: value }
}
