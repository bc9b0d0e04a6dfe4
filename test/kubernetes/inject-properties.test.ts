import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { addTo } from '../../src/kubernetes/edit-value.ts'
import { injectManifests, uninjectManifests } from '../../src/kubernetes/manifests.ts'
import { planInjection } from '../../src/kubernetes/plan.ts'
import { findPods } from '../../src/kubernetes/pod.ts'
import { injectOptions } from './options.ts'

const name = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/).filter((text) => text !== 'sallyport')
const text = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.constantFrom('a\nb\n', '# x\n  # sallyport: end\n', 'yes', '---', "it's", '- a', '{a: b}', ''),
)
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })

const container = fc.record(
  {
    name,
    image: text,
    args: fc.array(text, { maxLength: 3 }),
    env: fc.array(fc.record({ name: fc.stringMatching(/^[A-Z_]{1,8}$/), value: text }), {
      maxLength: 3,
    }),
  },
  { requiredKeys: ['name', 'image'] },
)

const containers = fc.uniqueArray(container, {
  minLength: 1,
  maxLength: 3,
  selector: (each) => each.name,
})

const pod = fc.record(
  {
    metadata: fc.record(
      {
        name,
        labels: fc.dictionary(name, text, { maxKeys: 2 }),
        annotations: fc.dictionary(name, text, { maxKeys: 2 }),
      },
      { requiredKeys: [] },
    ),
    spec: fc.record(
      {
        volumes: fc.array(fc.record({ name, emptyDir: fc.constant({}) }), { maxLength: 2 }),
        initContainers: containers,
        containers,
        restartPolicy: fc.constant('Never'),
      },
      { requiredKeys: ['containers'] },
    ),
  },
  { requiredKeys: ['spec'] },
)

const style = fc.record({
  indent: fc.constantFrom(2, 4, 3),
  indentSeq: fc.boolean(),
  newline: fc.constantFrom('\n', '\r\n'),
  comments: fc.boolean(),
  start: optional(fc.constantFrom('---\n', '# first\n---\n', '# first\n')),
})

type Style = typeof style extends fc.Arbitrary<infer T> ? T : never

const write = (value: unknown, { indent, indentSeq, newline, comments, start }: Style): string => {
  const plain = stringify(value, { indent, indentSeq, lineWidth: 0 })
  const commented = comments
    ? plain.replaceAll(/^( *)(image: \w+)$/gm, '$1# about\n$1$2 # is')
    : plain
  return `${start ?? ''}${commented}`.replaceAll('\n', newline)
}

/** What injection makes of the manifest as data, without any text. */
const asData = (value: unknown): unknown => {
  const copy = structuredClone(value)
  for (const found of findPods(copy)) {
    const plan = planInjection(found, injectOptions)
    if (plan.kind === 'add') for (const each of plan.additions) addTo(found.pod, each)
  }
  return copy
}

const marked = /^ *# sallyport: begin\r?$/m

describe('inject, for any manifest in any style', () => {
  it('writes what the plan says, is idempotent, and is undone', () => {
    fc.assert(
      fc.property(pod, style, fc.boolean(), (some, how, isDeployment) => {
        const value = isDeployment
          ? { kind: 'Deployment', metadata: { name: 'web' }, spec: { template: some } }
          : { kind: 'Pod', ...some }
        const original = write(value, how)
        const before = parse(original) as unknown
        const once = injectManifests(original, injectOptions).text
        expect(parse(once)).toEqual(asData(before))
        const twice = injectManifests(once, injectOptions).text
        expect(parse(twice)).toEqual(parse(once))
        if (!marked.test(once)) return
        expect(twice).toBe(once)
        expect(uninjectManifests(once).text).toBe(original)
      }),
      { numRuns: 60 },
    )
  }, 30_000)
})
