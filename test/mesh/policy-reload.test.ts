/** A large bundle of policies comes into force while requests pass, for all of them at once. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { startInboundSidecar } from '../support/inbound-sidecar.ts'

const rules = 10_000

const largePolicy = `package sallyport.inbound

default allow := false

allow := {"allowed": true, "response_headers_to_add": {"x-policy": "new"}} if input.route.name == "any"

${Array.from(
  { length: rules },
  (_, at) => `other if {\n\tinput.route.name == "r${at}"\n\tinput.request.method == "GET"\n}\n`,
).join('\n')}`

it('answers every request while a bundle of ten thousand rules is compiled', async () => {
  const mesh = await startInboundSidecar({
    routes: '    - {name: any, methods: [GET], path: "/"}',
  })
  writeFileSync(join(mesh.folder, 'policies', 'inbound.rego'), largePolicy)
  const progress = { done: false }
  const reloaded = mesh.sidecar.reload.reload().then(() => (progress.done = true))
  const answers: string[] = []
  while (!progress.done) {
    const { status, head } = await mesh.get('/')
    answers.push(`${status} ${/x-policy: new/i.test(head) ? 'new' : 'old'}`)
  }
  await reloaded
  const { head } = await mesh.get('/')
  await mesh.stop()
  expect(mesh.sidecar.reload.status.current.state).toBe('current')
  expect(head).toMatch(/x-policy: new/i)
  expect(answers.length).toBeGreaterThan(1)
  expect([...new Set(answers.map((answer) => answer.slice(0, 3)))]).toEqual(['200'])
  const first = answers.findIndex((answer) => answer.endsWith('new'))
  if (first >= 0) expect(answers.slice(first).every((answer) => answer.endsWith('new'))).toBe(true)
}, 30_000)
