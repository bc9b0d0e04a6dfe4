import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const readme = readFileSync(join(root, 'README.md'), 'utf8')

/** The fenced blocks that name a file in their first line. */
const files = [...readme.matchAll(/```\w+\n# file: (\S+)\n([\s\S]*?)```/g)].map(
  (match) => [match[1]!, match[2]!] as const,
)

/** The commands of the shell blocks that run sallyport itself. */
const commands = [...readme.matchAll(/^npm run -s sallyport -- (.+)$/gm)].map((match) => match[1]!)

describe('README', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-readme-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const sallyport = (text: string): string =>
    execFileSync(process.execPath, [join(root, 'src', 'main.ts'), ...text.split(' ')], {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, CARDS_KEY: 'for-the-test' },
    })

  it('shows a configuration, a policy and an API entry', () => {
    expect(files.map(([name]) => name)).toEqual([
      'sallyport.yaml',
      'policies/inbound.rego',
      'policies/outbound.rego',
      'policies/egress.rego',
      'policies/apis/cards.yaml',
    ])
  })

  it('has commands that make certificates and examples that the check accepts', () => {
    for (const [name, content] of files) {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), content)
    }
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'ES256', use: 'sig' }
    writeFileSync(join(folder, 'jwks.json'), JSON.stringify({ keys: [jwk] }))
    expect(commands.slice(0, 3).map((command) => command.split(' ')[0])).toEqual([
      'certs',
      'certs',
      'check',
    ])
    for (const command of commands.slice(0, 3)) sallyport(command)
  })

  it('names documents that exist', () => {
    const links = [...readme.matchAll(/\]\(([^)#]+)\)/g)].map((match) => match[1]!)
    for (const link of links) expect(() => readFileSync(join(root, link))).not.toThrow()
  })
})
