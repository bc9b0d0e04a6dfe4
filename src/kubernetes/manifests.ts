/**
 * Puts sidecars into a stream of Kubernetes manifests, and takes them out again.
 *
 * Documents that hold no pod are passed on as they are. Lines are inserted and removed where the manifest is written
 * in the usual style; a document in another style, such as the output of a tool, is written anew, with its comments.
 * Only the structure is looked at: whether the manifest is a good one is for the API server to say.
 */
import { isCollection, isSeq, LineCounter, parseDocument, type Document } from 'yaml'
import { insertInto, withoutMarked } from './insert-text.ts'
import { findPods, type FoundPod, type Path } from './pod.ts'
import {
  isInjected,
  planInjection,
  planRemoval,
  type Addition,
  type InjectOptions,
} from './plan.ts'

/** What was done with one pod, for people. */
export interface Report {
  /** `Deployment web`. */
  readonly title: string
  readonly outcome: 'injected' | 'removed' | 'left' | 'refused'
  /** Why it was left or refused, or what else there is to know. */
  readonly notes: readonly string[]
}

/** The changed stream. */
export interface Manifests {
  readonly text: string
  readonly reports: readonly Report[]
}

/** A manifest is not YAML; the message says where. */
export class ManifestError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ManifestError'
  }
}

interface Change {
  readonly text: string
  /** Whether the document was written anew, since what was to be changed did not stand in lines of its own. */
  readonly anew?: boolean
  readonly reports: readonly Report[]
}

/** The texts of the documents; joined they are the stream again. */
const split = (text: string): readonly string[] => {
  const parts: string[] = []
  let part = ''
  for (const line of text.split(/(?<=\n)/)) {
    if (/^---(\s|$)/.test(line) && part !== '') {
      parts.push(part)
      part = ''
    }
    part += line
  }
  return [...parts, part]
}

const parse = (text: string, firstLine: number): Document => {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, merge: true })
  const [error] = document.errors
  if (error) {
    const { line, col } = lines.linePos(error.pos[0])
    const [what] = error.message.split('\n')
    throw new ManifestError(
      `line ${firstLine + line - 1}, column ${col}: ${what!.replace(/ at line.*$/, '')}`,
    )
  }
  return document
}

const plain = (document: Document): unknown => document.toJS({ maxAliasCount: 1_000 }) as unknown

const printed = (document: Document, original: string): string => {
  if (original.trimStart().startsWith('{'))
    return `${JSON.stringify(plain(document), undefined, 2)}\n`
  return document.toString({ lineWidth: 0 })
}

/** The text of a document from which marked lines and, in what remains, injected parts are taken out. */
const clean = (text: string, firstLine: number): Change => {
  const before = findPods(plain(parse(text, firstLine))).filter(({ pod }) => isInjected(pod))
  if (before.length === 0) return { text, reports: [] }
  const unmarked = withoutMarked(text)
  const document = parse(unmarked, firstLine)
  const left = findPods(plain(document)).filter(({ pod }) => isInjected(pod))
  for (const { pod, path } of left) {
    for (const removal of planRemoval(pod)) document.deleteIn([...path, ...removal])
  }
  return {
    text: left.length === 0 ? unmarked : printed(document, text),
    anew: left.length > 0,
    reports: before.map(({ title }) => ({ title, outcome: 'removed', notes: [] })),
  }
}

const insertAnew = (
  text: string,
  firstLine: number,
  additions: readonly (readonly [Path, Addition])[],
): string => {
  const document = parse(text, firstLine)
  for (const [pod, addition] of additions) {
    const path = [...pod, ...addition.path]
    const target = document.getIn(path, true)
    // What was empty is written over several lines from now on, as it would be if it had not been there.
    if (isCollection(target) && target.items.length === 0) target.flow = false
    if ('entries' in addition) {
      for (const [key, entry] of Object.entries(addition.entries)) {
        document.setIn([...path, key], entry)
      }
    } else if (isSeq(target)) {
      target.items.unshift(...addition.items.map((item) => document.createNode(item)))
    } else document.setIn(path, document.createNode(addition.items))
  }
  return printed(document, text)
}

const injectDocument = (text: string, firstLine: number, options: InjectOptions): Change => {
  const { text: cleaned, anew } = clean(text, firstLine)
  const document = parse(cleaned, firstLine)
  const reports: Report[] = []
  const additions: (readonly [Path, Addition])[] = []
  for (const found of findPods(plain(document))) {
    const plan = planInjection(found, options)
    reports.push(reportOf(found, plan))
    if (plan.kind === 'add') for (const each of plan.additions) additions.push([found.path, each])
  }
  if (additions.length === 0) return { text: reports.length === 0 ? text : cleaned, reports }
  // What was written anew once stays so: injecting twice gives the same as injecting once.
  const inserted = anew === true ? undefined : insertInto(cleaned, document, additions)
  return { text: inserted ?? insertAnew(cleaned, firstLine, additions), reports }
}

const reportOf = ({ title }: FoundPod, plan: ReturnType<typeof planInjection>): Report => {
  switch (plan.kind) {
    case 'add':
      return { title, outcome: 'injected', notes: plan.notes }
    case 'leave':
      return { title, outcome: 'left', notes: [plan.reason] }
    case 'refuse':
      return { title, outcome: 'refused', notes: plan.problems }
  }
}

const eachDocument = (
  text: string,
  change: (text: string, firstLine: number) => Change,
): Manifests => {
  const reports: Report[] = []
  let firstLine = 1
  const texts = split(text).map((part) => {
    const changed = change(part, firstLine)
    firstLine += part.split('\n').length - 1
    reports.push(...changed.reports)
    return changed.text
  })
  return { text: texts.join(''), reports }
}

/**
 * Puts a sidecar into every pod of the stream; a pod that has one gets it anew.
 *
 * @throws ManifestError when the stream is not YAML
 */
export const injectManifests = (text: string, options: InjectOptions): Manifests =>
  eachDocument(text, (part, line) => injectDocument(part, line, options))

/**
 * Takes the sidecars out of the stream.
 *
 * @throws ManifestError when the stream is not YAML
 */
export const uninjectManifests = (text: string): Manifests => eachDocument(text, clean)
