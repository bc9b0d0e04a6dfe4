import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { annotationNames } from '../../src/kubernetes/annotations.ts'
import { folderOf, runIn } from '../cli/script.ts'
import { findTool } from '../deploy/tools.ts'
import { judgeManifests, objectsOf } from '../deploy/judge-manifests.ts'

const root = resolve(import.meta.dirname, '../..')
const page = readFileSync(join(root, 'docs/kubernetes.md'), 'utf8')

const files = Object.fromEntries(
  [...page.matchAll(/```\w+\n# file: (\S+)\n([\s\S]*?)```/g)].map((match) => [
    match[1]!,
    match[2]!,
  ]),
)
const commands = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap((match) =>
  match[1]!.trim().split('\n'),
)

const tools = {
  helm: findTool('helm', 'SALLYPORT_HELM', ['version']),
  kubectl: findTool('kubectl', 'SALLYPORT_KUBECTL', ['version', '--client']),
}

describe('docs/kubernetes.md', () => {
  const [folder, remove] = folderOf({ steps: [], files })
  afterAll(remove)

  for (const command of commands) {
    const [name, ...words] = command.split(' ')
    if (name === 'sallyport') {
      it(`has a command that works: ${command}`, async () => {
        const { code, out } = await runIn(folder, words, Date.UTC(2026, 10, 23))
        expect(code).toBe(0)
        if (words[0] === 'inject') expect(judgeManifests(objectsOf(out.join('\n')))).toEqual([])
        if (words[0] === 'uninject') expect(`${out.join('\n')}\n`).toBe(files['web.yaml'])
      })
      continue
    }
    const tool = name === 'helm' || name === 'kubectl' ? tools[name] : undefined
    it.skipIf(tool === undefined)(`has a command that works: ${command}`, () => {
      const words = command
        .split(' ')
        .slice(1)
        .map((word) => (word.startsWith('deploy/') ? join(root, word) : word))
      expect(tool!(words)).toMatchObject({ code: 0 })
    })
  }

  it('has no command that this test does not know', () => {
    expect(commands.filter((each) => !/^(?:sallyport|helm|kubectl) /.test(each))).toEqual([])
  })

  it('lists the annotations that there are', () => {
    const listed = [...page.matchAll(/^\| `sallyport\.dev\/([a-z-]+)` \|/gm)].map(
      (match) => match[1]!,
    )
    expect(listed.sort()).toEqual([...annotationNames].sort())
  })

  it('names files that exist', () => {
    const named = [...page.matchAll(/`(deploy\/[\w./-]+)`/g)].map((match) => match[1]!)
    expect(named.length).toBeGreaterThan(3)
    for (const path of named) expect(() => readFileSync(join(root, path))).not.toThrow(/ENOENT/)
  })
})

describe('the namespace that the page shows', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-shop-'))
  const shop = join(root, 'deploy/kustomize/examples/shop')
  const copy = (from: string, to: string): void => {
    mkdirSync(dirname(join(folder, to)), { recursive: true })
    cpSync(join(shop, from), join(folder, to))
  }

  beforeAll(() => {
    copy('sallyport.yaml', 'config/sallyport.yaml')
    for (const name of ['inbound', 'outbound', 'egress']) {
      copy(`${name}.rego`, `policies/${name}.rego`)
    }
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  it('has a configuration and policies that the check accepts, laid out as in a pod', async () => {
    const outcome = await runIn(
      folder,
      ['check', '--config', 'config/sallyport.yaml'],
      Date.UTC(2026, 10, 23),
    )
    expect(outcome.err).toEqual([])
    expect(outcome.code).toBe(0)
  })

  it('has a policy that is refused when it is broken', async () => {
    writeFileSync(join(folder, 'policies/inbound.rego'), 'package sallyport.inbound\nallow if')
    const outcome = await runIn(folder, ['check', '--config', 'config/sallyport.yaml'], 0)
    expect(outcome.code).toBe(78)
  })
})
