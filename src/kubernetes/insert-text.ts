/**
 * Writes additions into the text of a manifest as whole lines, between two comments that mark them, and takes marked
 * lines out again.
 *
 * No other character of the file is touched: comments, quotes and the order of keys stay as they were, a review shows
 * added lines alone, and taking them out gives the same bytes back. It works where lists and mappings are written over
 * several lines; where they are not, the caller is told so.
 */
import { isMap, isSeq, stringify, type Document, type Pair, type YAMLMap, type YAMLSeq } from 'yaml'
import type { Path } from './pod.ts'
import type { Addition } from './plan.ts'

const begin = '# sallyport: begin'
const end = '# sallyport: end'

/** Lines that are to stand before the line that begins at `offset`. */
interface Insertion {
  readonly offset: number
  readonly indent: number
  readonly lines: readonly string[]
}

/** The text without what was marked. Lines in a text that only look like our marks are kept when they are not a pair. */
export const withoutMarked = (text: string): string => {
  const kept: string[] = []
  let from: number | undefined
  for (const line of text.split('\n')) {
    const mark = line.trim()
    kept.push(line)
    if (mark === begin) from = kept.length - 1
    if (mark === end && from !== undefined) {
      kept.length = from
      from = undefined
    }
  }
  return kept.join('\n')
}

const startOf = (node: unknown): number | undefined =>
  (node as { readonly range?: readonly number[] | null } | null)?.range?.[0]

const lineStart = (text: string, offset: number): number => text.lastIndexOf('\n', offset - 1) + 1

/** The column of a key that begins its line, or undefined. */
const keyPlace = (pair: Pair, text: string): { offset: number; indent: number } | undefined => {
  const at = startOf(pair.key)
  if (at === undefined) return undefined
  const offset = lineStart(text, at)
  return text.slice(offset, at).trim() === '' ? { offset, indent: at - offset } : undefined
}

const mapPlace = (map: YAMLMap, text: string): { offset: number; indent: number } | undefined => {
  if (map.flow === true) return undefined
  for (const pair of map.items.slice(0, 2)) {
    const place = keyPlace(pair, text)
    if (place) return place
  }
  return undefined
}

const listPlace = (list: YAMLSeq, text: string): { offset: number; indent: number } | undefined => {
  const at = startOf(list.items[0])
  if (list.flow === true || at === undefined) return undefined
  const offset = lineStart(text, at)
  const dash = /^( *)- +$/.exec(text.slice(offset, at))
  return dash ? { offset, indent: dash[1]!.length } : undefined
}

const render = (value: unknown): readonly string[] =>
  stringify(value, { lineWidth: 0, indentSeq: false, aliasDuplicateObjects: false })
    .trimEnd()
    .split('\n')

const place = (
  document: Document,
  podPath: Path,
  addition: Addition,
  text: string,
): Insertion | undefined => {
  const value = 'items' in addition ? addition.items : addition.entries
  const whole = [...podPath, ...addition.path]
  const target = document.getIn(whole, true)
  if (isSeq(target) && 'items' in addition) {
    const found = listPlace(target, text)
    return found && { ...found, lines: render(value) }
  }
  if (isMap(target) && 'entries' in addition) {
    const found = mapPlace(target, text)
    return found && { ...found, lines: render(value) }
  }
  if (target !== undefined) return undefined
  let wrapped: unknown = value
  for (let length = whole.length - 1; length >= podPath.length; length -= 1) {
    wrapped = { [whole[length]!]: wrapped }
    const parent = length === 0 ? document.contents : document.getIn(whole.slice(0, length), true)
    if (parent === undefined) continue
    const found = isMap(parent) ? mapPlace(parent, text) : undefined
    return found && { ...found, lines: render(wrapped) }
  }
  return undefined
}

/**
 * The text with the additions put into the pods at the given paths, or undefined when a part of a pod is written on
 * one line, by an alias or otherwise so that lines cannot be added to it.
 *
 * @param text the text that `document` was parsed from; offsets of its nodes are offsets of this text
 */
export const insertInto = (
  text: string,
  document: Document,
  additions: readonly (readonly [pod: Path, addition: Addition])[],
): string | undefined => {
  const insertions: Insertion[] = []
  for (const [pod, addition] of additions) {
    const insertion = place(document, pod, addition, text)
    if (!insertion) return undefined
    insertions.push(insertion)
  }
  const newline = text.includes('\r\n') ? '\r\n' : '\n'
  const sorted = insertions
    .map((insertion, index) => ({ ...insertion, index }))
    .sort((left, right) => right.offset - left.offset || right.index - left.index)
  let result = text
  for (const { offset, indent, lines } of sorted) {
    const block = [begin, ...lines, end].map((line) => `${' '.repeat(indent)}${line}${newline}`)
    result = result.slice(0, offset) + block.join('') + result.slice(offset)
  }
  return result
}
