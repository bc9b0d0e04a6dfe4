/**
 * Reads the policy folder: every `*.rego` that is not a test, and the data files beside them.
 *
 * Gives texts to compile, bounded in number and size, in a fixed order. Compiling is the policy engine's.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { readDocument } from '../../rego/bundle/document.ts'
import { isMapping, mount } from '../../rego/bundle/mount.ts'
import type { ConfigFault } from '../read/fault.ts'
import { readYaml } from '../read/yaml-document.ts'

/** The text of one policy module. */
export interface PolicyText {
  readonly file: string
  readonly text: string
  /** The version of Rego that a bundle names for it. */
  readonly regoVersion?: 'v0' | 'v1'
}

/** What the policy folder, or the bundle in its place, holds. */
export interface PolicySources {
  readonly modules: readonly PolicyText[]
  /** The data document: each file's content at the path of its folder, as OPA loads a bundle. */
  readonly data: Readonly<Record<string, unknown>>
  readonly faults: readonly ConfigFault[]
  /** The revision that a bundle names, empty for a folder; the SHA-256 of what was read in hexadecimal digits. */
  readonly origin?: { readonly revision: string; readonly digest: string }
}

const mostFiles = 2_000
const mostBytes = 64 * 1024 * 1024

const isModule = (name: string): boolean => name.endsWith('.rego') && !name.endsWith('_test.rego')
const isData = (name: string): boolean => /^data\.(json|ya?ml)$/.test(name)

/** Every module and data file below `directory`, sorted; the catalog folder and hidden names are left out. */
const list = (directory: string, skip: string | undefined): readonly string[] =>
  readdirSync(directory)
    .sort()
    .filter((name) => !name.startsWith('.'))
    .flatMap((name) => {
      const path = join(directory, name)
      if (path === skip) return []
      if (statSync(path).isDirectory()) return list(path, skip)
      return isModule(name) || isData(name) ? [path] : []
    })

const fileFault = (file: string, expected: string, got: string, hint: string): ConfigFault => ({
  file,
  line: 1,
  column: 1,
  setting: '',
  expected,
  got,
  hint,
})

/** JSON data may be far larger than what people write by hand, so it does not go through the YAML reader. */
const readJson = (
  file: string,
  text: string,
): { readonly value: unknown; readonly faults: readonly ConfigFault[] } => {
  try {
    JSON.parse(text)
    return { value: readDocument(file, text), faults: [] }
  } catch (error) {
    const message = error instanceof Error ? error.message : 'no JSON'
    const got = message.split(/,? (?:in JSON )?(?:at position|\.\.\."|")/)[0]!
    const before = text.slice(0, brokenAt(text)).split('\n')
    return {
      value: undefined,
      faults: [
        {
          ...fileFault(file, 'JSON', got.charAt(0).toLowerCase() + got.slice(1), 'mend the syntax'),
          line: before.length,
          column: before.at(-1)!.length + 1,
        },
      ],
    }
  }
}

/** True when the text only lacks its end: it may be the beginning of JSON. */
const mayGoOn = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch (error) {
    const message = error instanceof Error ? error.message : ''
    const position = /at position (\d+)/.exec(message)?.[1]
    if (position !== undefined && !message.startsWith('Unterminated'))
      return Number(position) >= text.length
    return /^(?:Unexpected end|Unterminated)/.test(message)
  }
}

/** Where JSON stops being JSON; the parser does not always say, so its longest good beginning is looked for. */
const brokenAt = (text: string): number => {
  let [good, bad] = [0, text.length]
  while (good + 1 < bad) {
    const middle = (good + bad) >> 1
    if (mayGoOn(text.slice(0, middle))) good = middle
    else bad = middle
  }
  return good
}

/**
 * Reads the folder.
 *
 * @param skip the catalog folder, when it lies inside
 */
export const readPolicies = (directory: string, skip: string | undefined): PolicySources => {
  const faults: ConfigFault[] = []
  const modules: PolicyText[] = []
  const data: Record<string, unknown> = {}
  const paths = list(directory, skip)
  if (paths.length > mostFiles) {
    return {
      modules,
      data,
      faults: [
        fileFault(directory, `at most ${mostFiles} files`, `${paths.length}`, 'split the policies'),
      ],
    }
  }
  const digest = createHash('sha256')
  let bytes = 0
  for (const file of paths) {
    const text = readFileSync(file, 'utf8')
    bytes += text.length
    digest.update(JSON.stringify([relative(directory, file), text]))
    if (file.endsWith('.rego')) {
      modules.push({ file, text })
      continue
    }
    const { value, faults: found } = file.endsWith('.json')
      ? readJson(file, text)
      : readYaml(file, text)
    faults.push(...found)
    if (found.length > 0) continue
    const folders = relative(directory, file).split(sep).slice(0, -1)
    if (!isMapping(value)) {
      faults.push(fileFault(file, 'a mapping', 'another value', 'give the data under a key'))
      continue
    }
    if (mount(data, { path: folders, value }) !== undefined) {
      faults.push(
        fileFault(
          file,
          'data that no other file gives',
          'a key that is taken',
          'keep each key in one file',
        ),
      )
    }
  }
  if (bytes > mostBytes) {
    faults.push(
      fileFault(
        directory,
        'at most 64 MiB of policies and data',
        `${bytes} bytes`,
        'move data out of the folder',
      ),
    )
  }
  if (modules.length === 0 && faults.length === 0) {
    faults.push(
      fileFault(
        directory,
        'at least one *.rego file',
        'none',
        'write a policy: without one, every request is denied',
      ),
    )
  }
  return { modules, data, faults, origin: { revision: '', digest: digest.digest('hex') } }
}
