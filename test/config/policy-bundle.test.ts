/** A bundle in place of the policy folder: loaded, verified, and told apart from the next one. */
import { generateKeyPairSync } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { compilePolicies } from '../../src/compose/policy.ts'
import { bundleOf, listed, signed, type Files } from '../rego/bundle/archive.ts'
import { aConfig, faultsOf, load, wholeConfig } from './fixture.ts'

const inbound = 'package sallyport.inbound\n\ndefault allow := false\n\nallow if data.open\n'
const outbound = 'package sallyport.outbound\n\ndefault allow := true\n'

const filesOf = (open: string): Files => [
  ['.manifest', '{"revision":"v7"}'],
  ['policies/inbound.rego', inbound],
  ['policies/outbound.rego', outbound],
  ['data.json', `{"limit":12345678901234567890,"open":${open}}`],
]

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })

const signedFiles = (files: Files): Files => {
  const list = files.map(([name, content]) => listed(name, content))
  const token = signed({ files: list }, privateKey, { alg: 'ES256', kid: 'default' })
  return [...files, ['.signatures.json', JSON.stringify({ signatures: [token] })]]
}

const settings = (key: 'signed' | 'unsigned'): string =>
  wholeConfig.replace(
    '  directory: policies\n  strict',
    `  bundle:\n    file: bundle.tar.gz\n${key === 'signed' ? '    key:\n      file: release.pem\n' : ''}  strict`,
  )

const aBundleConfig = (files: Files, key: 'signed' | 'unsigned'): string => {
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const file = aConfig(settings(key), { 'release.pem': pem })
  writeFileSync(join(dirname(file), 'bundle.tar.gz'), bundleOf(files))
  return file
}

describe('a policy bundle', () => {
  it('decides in place of the folder', () => {
    const file = aBundleConfig(filesOf('true'), 'unsigned')
    for (const name of ['inbound', 'outbound']) rmSync(join(dirname(file), `policies/${name}.rego`))
    const { policies, config } = load(file)
    const { budget, directory } = config.policy
    const policy = compilePolicies(policies, { budget, now: Date.now, directory })
    expect(policy.revision).toMatch(/^v7@[0-9a-f]{12}$/)
    const { value, rule } = policy.evaluate('data.sallyport.inbound.allow', {})
    expect(value).toBe(true)
    expect(rule?.file).toBe('bundle.tar.gz/policies/inbound.rego')
  })

  it('changes the revision of the configuration when it changes', () => {
    const one = load(aBundleConfig(filesOf('true'), 'unsigned'))
    const same = load(aBundleConfig(filesOf('true'), 'unsigned'))
    const other = load(aBundleConfig(filesOf('false'), 'unsigned'))
    expect(one.revision).toBe(same.revision)
    expect(one.revision).not.toBe(other.revision)
  })

  it('is accepted with the signature of the configured key', () => {
    const { policies } = load(aBundleConfig(signedFiles(filesOf('true')), 'signed'))
    expect(policies.modules).toHaveLength(2)
  })

  it('is refused without a signature where a key is configured', () => {
    const [fault, ...others] = faultsOf(aBundleConfig(filesOf('true'), 'signed'))
    expect(others).toEqual([])
    expect(fault).toMatchObject({
      setting: 'policy.bundle.file',
      expected: 'a signed bundle',
      got: 'the bundle has no .signatures.json',
    })
  })

  it('is refused when it was changed after it was signed', () => {
    const files = signedFiles(filesOf('false')).map(([name, content]) =>
      name === 'data.json'
        ? ([name, content.toString().replace('false', 'true')] as const)
        : ([name, content] as const),
    )
    const [fault] = faultsOf(aBundleConfig(files, 'signed'))
    expect(fault).toMatchObject({ got: 'data.json is not what was signed' })
  })

  it('is refused with a signature where no key is configured', () => {
    const [fault] = faultsOf(aBundleConfig(signedFiles(filesOf('true')), 'unsigned'))
    expect(fault).toMatchObject({ hint: 'set policy.bundle.key' })
  })

  it('is refused when a file of it does not compile, at its place in the bundle', () => {
    const [fault] = faultsOf(
      aBundleConfig([...filesOf('true'), ['x.rego', 'package x\n\np if {']], 'unsigned'),
    )
    expect(fault).toMatchObject({ file: 'bundle.tar.gz/x.rego', expected: 'Rego' })
  })

  it('is refused when it or its key is not there', () => {
    const file = aBundleConfig(signedFiles(filesOf('true')), 'signed')
    rmSync(join(dirname(file), 'bundle.tar.gz'))
    rmSync(join(dirname(file), 'release.pem'))
    expect(faultsOf(file).map(({ setting }) => setting)).toEqual([
      'policy.bundle.file',
      'policy.bundle.key.file',
    ])
  })

  it('is refused when its key is a private key', () => {
    const file = aBundleConfig(signedFiles(filesOf('true')), 'signed')
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    writeFileSync(join(dirname(file), 'release.pem'), pem)
    expect(faultsOf(file)[0]).toMatchObject({ setting: 'policy.bundle.key.file' })
  })
})

describe('the data of the policy folder', () => {
  it('keeps every digit of its numbers, and lets several files fill one object', () => {
    const file = aConfig(wholeConfig, {
      'policies/limits/data.json': '{"most": 12345678901234567890}',
      'policies/limits/high/data.yaml': 'more: 2\n',
    })
    const { policies, config } = load(file)
    const { budget, directory } = config.policy
    const policy = compilePolicies(policies, { budget, now: Date.now, directory })
    expect(policy.revision).toMatch(/^[0-9a-f]{12}$/)
    const { value } = policy.evaluate('data.limits', {})
    expect(value).toEqual({ most: 12345678901234567890n, high: { more: 2 } })
  })

  it('has the same revision on every machine', () => {
    const revision = () => {
      const { policies, config } = load(aConfig())
      const { budget, directory } = config.policy
      return compilePolicies(policies, { budget, now: Date.now, directory }).revision
    }
    expect(revision()).toBe(revision())
  })
})
