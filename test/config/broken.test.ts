/** Breaks every line of a good configuration in several ways and demands a message that leads to the line. */
import { describe, expect, it } from 'vitest'
import { aConfig, faultsOf, load, wholeConfig } from './fixture.ts'

interface Broken {
  readonly what: string
  readonly text: string
  readonly line: number
  readonly column: number
  readonly got: string
  readonly hint?: string
}

const lines = wholeConfig.split('\n')

const withLine = (index: number, line: string): string =>
  lines.map((each, at) => (at === index ? line : each)).join('\n')

/** One letter left out of each key: the message must show the wrong name and the right one. */
const misspelled = (): readonly Broken[] =>
  lines.flatMap((line, index) => {
    const match = /^( *(?:- )?)([a-z_]{4,}):/.exec(line)
    if (!match || match[2] === 'shop') return []
    const [, indent, key] = match as unknown as [string, string, string]
    const wrong = key.slice(0, -2) + key.slice(-1)
    return [
      {
        what: `misspells ${key} as ${wrong} in line ${index + 1}`,
        text: withLine(index, line.replace(key, wrong)),
        line: index + 1,
        column: indent.length + 1,
        got: wrong,
        hint: `did you mean ${key}`,
      },
    ]
  })

/** A mapping where a plain value belongs. */
const wrongKind = (): readonly Broken[] =>
  lines.flatMap((line, index) => {
    const match = /^( *(?:- )?[a-z_]+: )(\S.*)$/.exec(line)
    if (!match) return []
    return [
      {
        what: `gives a mapping in line ${index + 1}: ${line.trim()}`,
        text: withLine(index, `${match[1]}{}`),
        line: index + 1,
        column: match[1]!.length + 1,
        got: 'a mapping',
      },
    ]
  })

/** A word that fits no setting which is not free text. */
const wrongWord = (): readonly Broken[] =>
  lines.flatMap((line, index) => {
    const match = /^( *(?:- )?([a-z_]+): )(\S.*)$/.exec(line)
    const free = ['directory', 'path', 'issuer', 'providers', 'namespace']
    if (!match || free.includes(match[2]!)) return []
    return [
      {
        what: `gives a word that does not fit in line ${index + 1}: ${line.trim()}`,
        text: withLine(index, `${match[1]}"¿ ?"`),
        line: index + 1,
        column: match[1]!.length + 1,
        got: '"¿ ?"',
      },
    ]
  })

const all = [...misspelled(), ...wrongKind(), ...wrongWord()]

describe('a broken configuration', () => {
  it('is one of at least a hundred', () => {
    expect(all.length).toBeGreaterThanOrEqual(100)
  })

  it('starts from a good one', () => {
    expect(load(aConfig()).config.service.name).toBe('orders')
  })

  it.each(all)('is reported where it $what', ({ text, line, column, got, hint }) => {
    const file = aConfig(text)
    const faults = faultsOf(file)
    const found = faults.find(
      (fault) => fault.line === line && fault.column === column && fault.got.includes(got),
    )
    expect(found, JSON.stringify(faults, undefined, 1)).toBeDefined()
    expect(found!.file).toBe(file)
    expect(found!.setting).not.toBe('')
    expect(found!.expected).not.toBe('')
    expect(found!.expected).not.toContain('Invalid')
    expect(found!.hint).not.toBe('')
    if (hint !== undefined) expect(found!.hint).toBe(hint)
  })
})
