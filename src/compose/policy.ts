/** Compiles the policies into one revision that the authorize stage asks. */
import { createHash } from 'node:crypto'
import { dirname, isAbsolute, relative } from 'node:path'
import type { PolicySources } from '../config/checks/policies.ts'
import { policyFaults } from '../config/checks/compile.ts'
import { ConfigFaults } from '../config/read/fault.ts'
import { RegoErrors } from '../rego/errors.ts'
import {
  compileBundle,
  compileInSlices,
  type Bundle,
  type Policy,
  type Query,
} from '../rego/policy.ts'
import { politePace } from '../rego/run/slices.ts'
import { toJson } from '../rego/value-text.ts'
import type { Value } from '../rego/values.ts'
import type { Evaluation, PolicyRevision } from '../stages/authorize.ts'
import type { PolicySection } from '../stages/section.ts'

/** What one decision may cost, and the clock that policies see. */
export interface PolicyLimits {
  readonly budget: PolicySection['budget']
  readonly now: () => number
  /** Folder of the policies: files are named from its parent, so that records do not hold paths of one machine. */
  readonly directory: string
}

/**
 * Compiles.
 *
 * @throws RegoErrors with every error of every module
 */
export const compilePolicies = (sources: PolicySources, limits: PolicyLimits): PolicyRevision =>
  revisionOf(compileBundle(bundleOf(sources, limits)), revisionName(sources), limits)

/**
 * Compiles between requests, so that a large bundle delays none of them. The policies in force stay until the caller
 * puts the new ones in their place.
 *
 * @throws ConfigFaults with every error of every module
 */
export const compilePoliciesInSlices = async (
  sources: PolicySources,
  limits: PolicyLimits,
  check: 'strict' | 'lenient',
): Promise<PolicyRevision> => {
  try {
    const policy = await compileInSlices(bundleOf(sources, limits), { check }, politePace)
    return revisionOf(policy, revisionName(sources), limits)
  } catch (error) {
    throw error instanceof RegoErrors ? faultsOf(error, sources, limits) : error
  }
}

/** Errors at the files that people edit, not at the names that records hold. */
const faultsOf = (error: RegoErrors, { modules }: PolicySources, limits: PolicyLimits) => {
  const paths = new Map(modules.map(({ file }) => [shortName(file, limits), file]))
  return new ConfigFaults(
    policyFaults(error).map((fault) => ({ ...fault, file: paths.get(fault.file) ?? fault.file })),
  )
}

const shortName = (file: string, { directory }: PolicyLimits): string =>
  isAbsolute(file) ? relative(dirname(directory), file) : file

const bundleOf = ({ modules, data }: PolicySources, limits: PolicyLimits): Bundle => ({
  modules: modules.map((module) => ({
    ...module,
    file: shortName(module.file, limits),
  })),
  data,
})

/** Twelve hexadecimal digits of what the policies are; what a bundle calls its revision stands in front. */
const revisionName = ({ origin, modules, data }: PolicySources): string => {
  if (origin === undefined) {
    const digest = createHash('sha256')
      .update(JSON.stringify([modules, data]))
      .digest('hex')
    return digest.slice(0, 12)
  }
  const digest = origin.digest.slice(0, 12)
  return origin.revision === '' ? digest : `${origin.revision.slice(0, 64)}@${digest}`
}

/** Booleans are the common answer and cost nothing; objects of the engine become plain ones. */
const plainValue = (value: Value): unknown => (typeof value === 'boolean' ? value : toJson(value))

const revisionOf = (policy: Policy, revision: string, limits: PolicyLimits): PolicyRevision => {
  const prepared = new Map<string, Query>()
  const queryOf = (rule: string): Query => {
    const known = prepared.get(rule)
    if (known !== undefined) return known
    const made = policy.prepare(rule)
    prepared.set(rule, made)
    return made
  }
  const budget = { steps: limits.budget.steps, wallMs: limits.budget.wall }
  return {
    revision,
    evaluate: (rule, input): Evaluation => {
      try {
        const {
          defined,
          value,
          error,
          rule: location,
        } = queryOf(rule).decide(input, {
          nowNs: BigInt(limits.now()) * 1_000_000n,
          budget,
        })
        return {
          value: defined ? plainValue(value!) : undefined,
          ...(error === undefined ? {} : { error }),
          ...(location === undefined ? {} : { rule: location }),
        }
      } catch (thrown) {
        const message = thrown instanceof Error ? thrown.message : String(thrown)
        return { value: undefined, error: { code: 'eval_internal_error', message } }
      }
    },
  }
}
