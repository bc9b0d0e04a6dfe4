/**
 * Reads the configuration and everything that it names, and gives either a whole that can be used or every fault in it.
 *
 * For the start, for `sallyport check` and for each reload. Opens no socket. The result belongs together: one file, one
 * set of policies, one catalog, under one revision.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { Catalog } from '../catalog/catalog.ts'
import { checkCatalog, checkHosts } from './checks/catalog.ts'
import { checkCertificates } from './checks/certificates.ts'
import type { CheckSubject } from './checks/check.ts'
import { checkKeySets } from './checks/key-sets.ts'
import { checkPolicies } from './checks/compile.ts'
import { checkFiles, resolvePaths } from './checks/files.ts'
import { readPolicies, type PolicySources } from './checks/policies.ts'
import { readPolicyBundle } from './checks/policy-bundle.ts'
import { checkReferences } from './checks/references.ts'
import { unsafeSettings } from './checks/unsafe.ts'
import { withEnvironment, type Environment } from './environment.ts'
import { ConfigFaults, formatPath, type ConfigFault, type Path, type Place } from './read/fault.ts'
import { judgeOf } from './read/judge.ts'
import { readYaml, type YamlDocument } from './read/yaml-document.ts'
import { sidecarSchema, type SidecarConfig } from './schema.ts'

/** What to load. */
export interface LoadOptions {
  /** The configuration file; messages name it as it is given here. */
  readonly file: string
  readonly environment: Environment
  /** Milliseconds since 1970, for the validity of certificates. */
  readonly now: () => number
  /** Folder that a relative `file` starts from; that of the process when absent. */
  readonly directory?: string
  /** `later` leaves the policies uncompiled, for a reload that compiles them between requests; `now` when absent. */
  readonly compiling?: 'now' | 'later'
}

/** A configuration that can be used, with what it names. */
export interface LoadedConfig {
  /** Absolute path of the configuration file. */
  readonly file: string
  readonly config: SidecarConfig
  readonly policies: PolicySources
  readonly catalog: Catalog
  /** Changes when the file, a policy or a catalog entry changes; 16 hexadecimal digits. */
  readonly revision: string
  /** Settings in force that weaken security, each with its place. */
  readonly unsafe: readonly UnsafeSetting[]
}

/** A setting in force that weakens security. */
export interface UnsafeSetting {
  readonly setting: string
  readonly line: number
}

const judge = judgeOf(sidecarSchema)

/**
 * Loads and checks.
 *
 * @throws ConfigFaults with every fault of the file and of what it names
 */
export const loadConfig = (options: LoadOptions): LoadedConfig => {
  const path = resolve(options.directory ?? '.', options.file)
  const text = readConfigFile(options.file, path)
  const document = withVariables(readYaml(options.file, text), options.environment)
  const { value, faults } = judge.judge(document)
  if (document.faults.length > 0) throw new ConfigFaults(faults)

  const config = value ?? wellFormedSections(document.value)
  const directory = dirname(path)
  resolvePaths(config, directory)
  const subject = subjectOf(document, config)
  const missing = checkFiles(subject)
  const policies = policiesOf(subject, missing)
  const { catalog, faults: catalogFaults } = catalogOf(config)
  const all = [
    ...faults,
    ...missing,
    ...checkReferences(subject),
    ...(missing.some(({ setting }) => setting.startsWith('identity.source'))
      ? []
      : checkCertificates(subject, options.now())),
    ...checkKeySets(subject),
    ...policies.faults,
    ...checkPolicies(subject, policies, options.compiling ?? 'now'),
    ...catalogFaults,
    ...checkHosts(subject, catalog),
  ]
  if (!value || all.length > 0) throw new ConfigFaults(inOrder(all, options.file))
  return {
    file: path,
    config: value,
    policies,
    catalog,
    revision: revisionOf(document.value, policies, catalog),
    unsafe: unsafeSettings(document.value).map((path) => ({
      setting: formatPath(path),
      line: document.locateKey(path).line,
    })),
  }
}

/**
 * Reads one section and nothing else, for a command that needs an address and must be quick.
 *
 * @throws ConfigFaults with the faults of the file, when the section cannot be used
 */
export const loadSection = <Name extends keyof SidecarConfig>(
  options: LoadOptions,
  name: Name,
): SidecarConfig[Name] => {
  const path = resolve(options.directory ?? '.', options.file)
  const document = withVariables(
    readYaml(options.file, readConfigFile(options.file, path)),
    options.environment,
  )
  const section = wellFormedSections(document.value)[name]
  if (section === undefined) throw new ConfigFaults(judge.judge(document).faults)
  return section
}

const readConfigFile = (file: string, path: string): string => {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path))
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    throw new ConfigFaults([
      {
        file,
        line: 1,
        column: 1,
        setting: '',
        expected: 'a readable UTF-8 file',
        got:
          code === 'ENOENT' ? 'no file' : code === 'EISDIR' ? 'a folder' : (code ?? 'other bytes'),
        hint: 'name the configuration with --config or SALLYPORT_CONFIG',
      },
    ])
  }
}

/** The document with the environment put in; a setting that came from a variable is located there. */
const withVariables = (document: YamlDocument, environment: Environment): YamlDocument => {
  if (document.faults.length > 0) return document
  const { value, used } = withEnvironment(document.value ?? {}, environment)
  const variableAt = (path: Path): Place | undefined => {
    const variable = used.find(({ setting }) => formatPath(setting) === formatPath(path))
    return variable && { file: variable.name, line: 1, column: 1 }
  }
  return {
    ...document,
    value,
    locate: (path) => variableAt(path) ?? document.locate(path),
    locateKey: (path) => variableAt(path) ?? document.locateKey(path),
  }
}

const wellFormedSections = (value: unknown): Partial<SidecarConfig> => {
  if (typeof value !== 'object' || value === null) return {}
  const given = value as Record<string, unknown>
  return Object.fromEntries(
    Object.entries(sidecarSchema.shape).flatMap(([name, section]) => {
      const parsed = section.safeParse(given[name])
      return parsed.success && parsed.data !== undefined ? [[name, parsed.data]] : []
    }),
  )
}

const subjectOf = (document: YamlDocument, config: Partial<SidecarConfig>): CheckSubject => ({
  config,
  isWritten: (path) => isWritten(document.value, path),
  fault: (path, words) => ({
    ...document.locate(path),
    setting: formatPath(path),
    ...words,
  }),
})

const isWritten = (value: unknown, path: Path): boolean => {
  const [first, ...rest] = path
  if (first === undefined) return value !== undefined
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, first)) return false
  return isWritten((value as Record<string | number, unknown>)[first], rest)
}

const nothing: PolicySources = { modules: [], data: {}, faults: [] }

const policiesOf = (subject: CheckSubject, missing: readonly ConfigFault[]): PolicySources => {
  const { config } = subject
  if (!config.policy || missing.some(({ setting }) => setting.startsWith('policy.'))) return nothing
  if (config.policy.bundle) return readPolicyBundle(subject, config.policy.bundle)
  return readPolicies(config.policy.directory, config.egress?.apis.directory)
}

const catalogOf = (config: Partial<SidecarConfig>): ReturnType<typeof checkCatalog> =>
  config.egress
    ? checkCatalog(config.egress.apis.directory)
    : { catalog: new Catalog([]), faults: [] }

/** What tells two sets of policies apart. */
const contentOf = ({ origin, modules, data }: PolicySources): unknown =>
  origin?.digest ?? [modules, data]

const revisionOf = (value: unknown, policies: PolicySources, catalog: Catalog): string =>
  createHash('sha256')
    .update(JSON.stringify([value, contentOf(policies), catalog.entries]))
    .digest('hex')
    .slice(0, 16)

/** The configuration file first, then the others by name; within a file from top to bottom. */
const inOrder = (faults: readonly ConfigFault[], first: string): readonly ConfigFault[] => {
  const rank = (fault: ConfigFault) => (fault.file === first ? '' : fault.file)
  return faults.toSorted(
    (left, right) =>
      rank(left).localeCompare(rank(right)) || left.line - right.line || left.column - right.column,
  )
}
