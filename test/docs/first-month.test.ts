import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { commands } from '../../src/cli/commands.ts'

const root = resolve(import.meta.dirname, '../..')
const page = readFileSync(join(root, 'docs/first-month.md'), 'utf8')
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (?:when|---)/.test(line))

describe('docs/first-month.md', () => {
  it('says of every row whether it is met, and otherwise what is missing', () => {
    expect(rows.length).toBeGreaterThan(15)
    for (const row of rows) expect(row).toMatch(/\| (?:met|partly: .+|planned: .+) \|$/)
  })

  it('names commands that exist', () => {
    const named = [...page.matchAll(/`sallyport ([a-z ]+)`/g)].map((match) => match[1]!)
    const known = commands.map(({ name }) => name)
    for (const name of named) expect(known).toContain(name)
    const scripts = (
      JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
        readonly scripts: Readonly<Record<string, string>>
      }
    ).scripts
    for (const [, name] of page.matchAll(/`npm (?:run )?([a-z]+)`/g)) {
      expect(Object.keys(scripts)).toContain(name)
    }
  })

  it('names files that exist', () => {
    const named = [...page.matchAll(/`((?:deploy|docs|schema)\/[\w./-]+)`/g)].map(
      (match) => match[1]!,
    )
    for (const path of named) expect(existsSync(join(root, path)), path).toBe(true)
  })
})
