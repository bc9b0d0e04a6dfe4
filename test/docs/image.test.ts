/** The image is built by nobody in these tests; what its recipe promises is read. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { commands } from '../../src/cli/commands.ts'

const root = join(import.meta.dirname, '../..')
const recipe = readFileSync(join(root, 'Dockerfile'), 'utf8').replaceAll('\\\n', ' ')
const stages = recipe.split(/^FROM /m).slice(1)
const last = stages.at(-1)!

describe('the image', () => {
  it('is built in one stage and runs in another, without a shell and as nobody', () => {
    expect(stages).toHaveLength(2)
    expect(recipe).toMatch(/^ARG RUN_BASE=gcr\.io\/distroless\//m)
    expect(last).toMatch(/^USER 65532:65532$/m)
    expect(last).not.toMatch(/^RUN /m)
  })

  it('starts and asks for its health with commands that exist', () => {
    const names = commands.map(({ name }) => name)
    const used = [...last.matchAll(/"dist\/main\.js", "(\w+)"/g)].map((match) => match[1]!)
    expect(used).toEqual(['health', 'run'])
    for (const name of used) expect(names).toContain(name)
  })

  it('says what it is in the labels of the Open Container Initiative', () => {
    for (const label of [
      'title',
      'description',
      'version',
      'revision',
      'created',
      'licenses',
      'base.name',
    ]) {
      expect(last).toContain(`org.opencontainers.image.${label}=`)
    }
  })

  it('runs no install script and takes only what .dockerignore names', () => {
    for (const install of recipe.match(/npm (?:ci|prune)[^&\n]*/g) ?? []) {
      expect(install).toContain('--ignore-scripts')
    }
    expect(readFileSync(join(root, '.dockerignore'), 'utf8').split('\n')[0]).toBe('*')
  })
})
