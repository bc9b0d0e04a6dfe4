/** The page on policies: its files and commands work as it says, and its input document is the one that rules get. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { asExpected, folderOf, parseScript, runIn } from '../cli/script.ts'
import { startInboundSidecar } from '../support/inbound-sidecar.ts'

const page = readFileSync(resolve(import.meta.dirname, '../../docs/policies.md'), 'utf8')

const files = Object.fromEntries(
  [...page.matchAll(/```\w+\n# file: (\S+)\n([\s\S]*?)```/g)].map((match) => [
    match[1]!,
    match[2]!,
  ]),
)
const commands = [...page.matchAll(/```console\n([\s\S]*?)```/g)].map((match) => match[1]!).join('')

/** The paths of all members of an object, lists counted as one value. */
const paths = (value: unknown, above = ''): readonly string[] =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.entries(value).flatMap(([key, member]) => [
        `${above}/${key}`,
        ...paths(member, `${above}/${key}`),
      ])
    : []

/** Members whose own members depend on the request. */
const open =
  /^\/(?:claims|user|caller|parsed_query|route\/params|request\/headers)\/|http\/headers\//

describe('the page on policies', () => {
  it('has files and commands that do what it says', async () => {
    const { steps } = parseScript(commands)
    expect(steps.length).toBeGreaterThan(5)
    const [folder, remove] = folderOf({ steps, files })
    onTestFinished(remove)
    for (const step of steps) {
      const { out, err, code } = await runIn(folder, step.words, Date.UTC(2026, 10, 23))
      const where = `sallyport ${step.words.join(' ')}`
      expect(asExpected(err, step.err), where).toEqual(step.err)
      expect(asExpected(out, step.out), where).toEqual(step.out)
      expect(code, where).toBe(step.code)
    }
  })

  it('shows the members of the input document that a rule gets', async () => {
    const shown = paths(JSON.parse(files['request.json']!)).filter((path) => !open.test(path))
    const first = [...new Set(shown.map((path) => path.split('/')[1]))]
    const keys = shown.map((path) => path.split('/').slice(1))
    const mesh = await startInboundSidecar({
      routes: '    - {name: any, methods: [GET], path: "/"}',
      policy: `difference contains concat("/", keys) if {
	some keys in ${JSON.stringify(keys)}
	object.get(input, keys, "absent") == "absent"
}

difference contains key if {
	some key, _ in input
	not key in ${JSON.stringify(first)}
}

allow := {"allowed": false, "http_status": 418, "body": concat(" ", difference)}`,
    })
    const { status, body } = await mesh.get('/')
    await mesh.stop()
    expect([status, body]).toEqual([418, ''])
  })
})
