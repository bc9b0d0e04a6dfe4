/**
 * Reads the policy bundle that the configuration names: the archive, and the key that it must be signed with.
 *
 * Compiling is the policy engine's; a bundle that cannot be read or verified is a fault at its setting.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { BundleError, type BundleErrorCode } from '../../rego/bundle/bundle-error.ts'
import { readBundle, type BundleTrust } from '../../rego/bundle/read-bundle.ts'
import { readBundleKey } from '../../rego/bundle/signature.ts'
import type { Path } from '../read/fault.ts'
import type { SidecarConfig } from '../schema.ts'
import type { CheckSubject } from './check.ts'
import type { PolicySources } from './policies.ts'

type BundleSetting = NonNullable<SidecarConfig['policy']['bundle']>

const filePath = ['policy', 'bundle', 'file']
const keyPath = ['policy', 'bundle', 'key']

const expectations: Readonly<Record<BundleErrorCode, readonly [expected: string, hint: string]>> = {
  archive: ['a gzipped tar archive', 'make the bundle anew, with opa build or with tar'],
  'too-large': ['a bundle within the limits', 'split the bundle, or move data out of it'],
  manifest: ['a manifest that can be used', 'mend .manifest and make the bundle anew'],
  data: ['data that can be put together', 'give each key once, as JSON or YAML'],
  roots: ['packages and data below its roots', 'name the roots in .manifest'],
  unsigned: ['a signed bundle', 'sign it with opa sign, or remove policy.bundle.key'],
  'unexpected-signature': ['a key for the signature', 'set policy.bundle.key'],
  signature: ['a signature by the configured key', 'compare the key, its algorithm and the scope'],
  files: ['exactly the files that were signed', 'fetch the bundle again, or sign it again'],
}

/** Reads and verifies; everything that is wrong is among the faults. */
export const readPolicyBundle = (subject: CheckSubject, setting: BundleSetting): PolicySources => {
  const refused = (path: Path, error: unknown): PolicySources => {
    if (!(error instanceof BundleError)) throw error
    const [expected, hint] = expectations[error.code]
    return {
      modules: [],
      data: {},
      faults: [subject.fault(path, { expected, got: error.message, hint })],
    }
  }
  let trust: BundleTrust = { kind: 'none' }
  try {
    trust = trustOf(setting)
  } catch (error) {
    return refused([...keyPath, 'file'], error)
  }
  const archive = readFileSync(setting.file)
  try {
    const { modules, data, revision } = readBundle(archive, trust)
    const name = basename(setting.file)
    return {
      modules: modules.map((module) => ({ ...module, file: `${name}/${module.file}` })),
      data,
      faults: [],
      origin: { revision, digest: createHash('sha256').update(archive).digest('hex') },
    }
  } catch (error) {
    return refused(filePath, error)
  }
}

const trustOf = ({ key }: BundleSetting): BundleTrust => {
  if (key === undefined) return { kind: 'none' }
  const { id, algorithm, scope } = key
  return {
    kind: 'key',
    key: { key: readBundleKey(readFileSync(key.file, 'utf8')), id, algorithm, scope },
  }
}
