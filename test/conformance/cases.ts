/** OPA's conformance cases from YAML files, with numbers of any size kept exact. */

import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, dirname } from 'node:path'

import { isAlias, isMap, isScalar, isSeq, parseDocument, type Document, type Node } from 'yaml'

import { parseNumber } from '../../src/rego/numbers.ts'

export interface Case {
  readonly file: string
  /** The folder of the file below the root. */
  readonly folder: string
  readonly note: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** Every case below a directory, in order of file and place. */
export function loadCases(root: string): Case[] {
  return yamlFiles(root).flatMap((file) => {
    const document = parseDocument(readFileSync(file, 'utf8'), { logLevel: 'silent' })
    const content = plain(document.contents, document) as {
      cases?: Record<string, unknown>[]
    } | null
    const folder = dirname(relative(root, file))
    return (content?.cases ?? []).map((fields) => ({
      file: relative(root, file),
      folder,
      note: String(fields['note']),
      fields,
    }))
  })
}

function yamlFiles(root: string): string[] {
  const found: string[] = []
  const entries = readdirSync(root, { withFileTypes: true }).sort((a, b) =>
    a.name < b.name ? -1 : 1,
  )
  for (const entry of entries) {
    const path = join(root, entry.name)
    if (entry.isDirectory()) found.push(...yamlFiles(path))
    else if (/\.ya?ml$/.test(entry.name)) found.push(path)
  }
  return found
}

/** A YAML node as plain values; numbers come from their text. */
export function plain(node: unknown, document: Document): unknown {
  if (isAlias(node)) return plain(node.resolve(document), document)
  if (isScalar(node)) {
    if (typeof node.value !== 'number') return node.value
    return parseNumber(node.source ?? String(node.value)) ?? node.value
  }
  if (isSeq(node)) return node.items.map((item) => plain(item as Node, document))
  if (!isMap(node)) return null
  const result: Record<string, unknown> = {}
  for (const pair of node.items) {
    const key = isScalar(pair.key) ? String(pair.key.source ?? pair.key.value) : String(pair.key)
    Object.defineProperty(result, key, {
      value: plain(pair.value, document),
      enumerable: true,
      configurable: true,
      writable: true,
    })
  }
  return result
}
