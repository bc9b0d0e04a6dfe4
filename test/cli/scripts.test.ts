import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { asExpected, folderOf, parseScript, runIn } from './script.ts'

const scripts = join(import.meta.dirname, 'scripts')
const now = Date.UTC(2026, 10, 23, 12)

describe('the command line', () => {
  it.each(readdirSync(scripts))('does what %s says', async (name) => {
    const script = parseScript(readFileSync(join(scripts, name), 'utf8'))
    const [folder, remove] = folderOf(script)
    onTestFinished(remove)
    for (const step of script.steps) {
      const outcome = await runIn(folder, step.words, now)
      const where = `${name}:${step.line}: sallyport ${step.words.join(' ')}`
      const short = (lines: readonly string[]) =>
        lines.map((line) => line.replaceAll(`${folder}/`, ''))
      expect(asExpected(short(outcome.err), step.err), where).toEqual(step.err)
      expect(asExpected(short(outcome.out), step.out), where).toEqual(step.out)
      expect(outcome.code, where).toBe(step.code)
    }
  })
})
