import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { startMesh, type DemoMesh } from '../../demo/mesh.ts'
import { story } from '../../demo/story.ts'

describe('the story of the quickstart', () => {
  let mesh: DemoMesh
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-story-'))

  beforeAll(async () => {
    mesh = await startMesh(resolve(import.meta.dirname, '../..'), undefined, join(folder, 'state'))
  })

  afterAll(async () => {
    await mesh.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  for (const { title, run } of story) {
    it(title, async () => {
      await run(mesh)
    })
  }
})
