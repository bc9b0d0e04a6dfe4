/**
 * Runs a script of the command line: what is typed, what is printed, how it ends.
 *
 * ```
 * $ sallyport check        a command; words may be in double quotes
 * ok                       a line of standard output
 * ! sallyport: error: …    a line of standard error
 * ? 78                     the exit code, 0 when absent
 * -- sallyport.yaml --     a file of the folder that the commands run in, until the next such line
 * ```
 * `…` stands for any text within a line. Lines before the first command that begin with `#` are for readers.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { runCommandLine } from '../../src/cli/run.ts'
import { terminalOn } from '../../src/cli/terminal.ts'

/** One command of a script, with what it must do. */
export interface Step {
  readonly words: readonly string[]
  readonly out: readonly string[]
  readonly err: readonly string[]
  readonly code: number
  readonly line: number
}

/** A parsed script. */
export interface Script {
  readonly steps: readonly Step[]
  readonly files: Readonly<Record<string, string>>
}

interface OpenStep extends Step {
  readonly out: string[]
  readonly err: string[]
  code: number
}

const wordsOf = (line: string): readonly string[] =>
  [...line.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2]!).slice(1)

/** Parses a script. */
export const parseScript = (text: string): Script => {
  const steps: OpenStep[] = []
  const files: Record<string, string> = {}
  let file: string | undefined
  for (const [index, line] of text.split('\n').entries()) {
    const name = /^-- (\S+) --$/.exec(line)?.[1]
    if (name !== undefined) {
      file = name
      files[name] = ''
      continue
    }
    if (file !== undefined) {
      files[file] += `${line}\n`
      continue
    }
    if (line === '' || (line.startsWith('#') && steps.length === 0)) continue
    if (line.startsWith('$ ')) {
      steps.push({ words: wordsOf(line.slice(2)), out: [], err: [], code: 0, line: index + 1 })
      continue
    }
    const step = steps.at(-1)
    if (!step) throw new Error(`line ${index + 1} stands before any command`)
    if (line.startsWith('? ')) step.code = Number(line.slice(2))
    else if (line.startsWith('! ')) step.err.push(line.slice(2))
    else step.out.push(line)
  }
  return { steps, files }
}

/** What a command did. */
export interface Outcome {
  readonly out: readonly string[]
  readonly err: readonly string[]
  readonly code: number
}

const linesOf = (text: string): readonly string[] =>
  text.split('\n').filter((line) => line.trim() !== '')

/** Runs one command in a folder, at a fixed time. */
export const runIn = async (
  directory: string,
  words: readonly string[],
  now: number,
): Promise<Outcome> => {
  let out = ''
  let err = ''
  const environment = { NO_COLOR: '1' }
  const code = await runCommandLine(words, {
    terminal: terminalOn(
      { write: (text) => (out += text) },
      { write: (text) => (err += text) },
      environment,
    ),
    environment,
    directory,
    now: () => now,
    stopped: () => new Promise(() => {}),
    onHangup: () => {},
  })
  return { out: linesOf(out), err: linesOf(err), code }
}

/** Makes a folder with the files of a script; the second function removes it. */
export const folderOf = (script: Script): readonly [string, () => void] => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-cli-'))
  for (const [name, text] of Object.entries(script.files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  return [folder, () => rmSync(folder, { recursive: true, force: true })]
}

/** The lines, with each one that fits its expectation put as that expectation, so that a difference stands out. */
export const asExpected = (
  actual: readonly string[],
  expected: readonly string[],
): readonly string[] =>
  actual.map((line, index) => {
    const wanted = expected[index]
    return wanted !== undefined && fits(line, wanted) ? wanted : line
  })

const fits = (line: string, wanted: string): boolean =>
  new RegExp(
    `^${wanted
      .split('…')
      .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('.*')}$`,
  ).test(line)
