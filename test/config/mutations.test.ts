/** Whatever happens to the text of a configuration, the answer is a configuration or a list of faults. */
import { writeFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ConfigFaults } from '../../src/config/read/fault.ts'
import { aConfig, load, wholeConfig } from './fixture.ts'

const lines = wholeConfig.split('\n')

const snippet = fc.oneof(
  fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ': ',
    '- ',
    '&a ',
    '*a',
    '!!str ',
    '<<: *a',
    '\t',
    '"',
    "'",
    '|',
    '>',
    '#',
    '%',
    '\0',
  ),
  fc.constantFrom(
    '__proto__',
    'constructor',
    'null',
    '~',
    'yes',
    '.inf',
    '0x10',
    '1e999',
    '-1',
    '2026-11-23',
  ),
  fc.string({ maxLength: 12 }),
)

interface Change {
  readonly at: number
  readonly kind: 'insert' | 'replace' | 'remove' | 'line'
  readonly text: string
}

const change: fc.Arbitrary<Change> = fc.record({
  at: fc.nat(wholeConfig.length - 1),
  kind: fc.constantFrom('insert', 'replace', 'remove', 'line'),
  text: snippet,
})

const changed = (text: string, { at, kind, text: more }: Change): string => {
  if (kind === 'insert') return text.slice(0, at) + more + text.slice(at)
  if (kind === 'replace') return text.slice(0, at) + more + text.slice(at + more.length)
  if (kind === 'remove') return text.slice(0, at) + text.slice(at + 1 + more.length)
  const each = text.split('\n')
  return each.toSpliced(at % each.length, 1, lines[(at * 7) % lines.length]!).join('\n')
}

describe('a configuration with arbitrary changes', () => {
  it('is used, or refused with the place of each fault and a hint', () => {
    const file = aConfig()
    let refused = 0
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
        const text = changes.reduce(changed, wholeConfig)
        writeFileSync(file, text)
        try {
          load(file)
        } catch (error) {
          if (!(error instanceof ConfigFaults)) throw error
          refused += 1
          const rows = text.split('\n').length
          expect(error.faults.length).toBeGreaterThan(0)
          for (const fault of error.faults) {
            expect(fault.line).toBeGreaterThanOrEqual(1)
            if (fault.file === file) expect(fault.line).toBeLessThanOrEqual(rows)
            expect(fault.column).toBeGreaterThanOrEqual(1)
            expect(fault.expected).not.toBe('')
            expect(fault.got).not.toBe('')
            expect(fault.got).not.toContain('\n')
            expect(fault.hint).not.toBe('')
          }
        }
      }),
      { numRuns: 600 },
    )
    expect(refused).toBeGreaterThan(100)
  })
})
