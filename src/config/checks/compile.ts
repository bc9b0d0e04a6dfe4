/**
 * Compiles the policies to find what is wrong with them, and that every rule which the configuration names is there.
 *
 * The compiled policy is thrown away: whoever uses the configuration compiles its own, with its own clock and budget.
 */
import { RegoErrors, type CompileErrorCode, type RegoError } from '../../rego/errors.ts'
import { compileBundle } from '../../rego/policy.ts'
import { nearest } from '../read/nearest.ts'
import type { ConfigFault, Path } from '../read/fault.ts'
import type { CheckSubject } from './check.ts'
import type { PolicySources } from './policies.ts'

const expectations: Readonly<Record<CompileErrorCode, readonly [expected: string, hint: string]>> =
  {
    rego_parse_error: ['Rego', 'mend the syntax at this place'],
    rego_compile_error: ['a policy that compiles', 'mend what the message names'],
    rego_type_error: ['values of types that fit', 'compare the types of both sides'],
    rego_unsafe_var_error: [
      'variables that are given a value',
      'bind the variable in the same body, or import what it names',
    ],
    rego_recursion_error: ['rules that do not need themselves', 'break the circle'],
  }

const toFault = ({ code, message, location }: RegoError): ConfigFault => {
  const [expected, hint] = expectations[code]
  return {
    file: location.file,
    line: Math.max(location.row, 1),
    column: Math.max(location.col, 1),
    setting: '',
    expected,
    got: `${code}: ${message.split('\n')[0] ?? ''}`,
    hint,
  }
}

interface NamedRule {
  readonly rule: string
  readonly path: Path
}

const namedRules = ({ config }: CheckSubject): readonly NamedRule[] => [
  ...(config.inbound?.routes ?? []).map(({ policy }, index) => ({
    rule: policy.rule,
    path: ['inbound', 'routes', index, 'policy', 'rule'],
  })),
  ...(config.outbound?.services ?? []).map(({ policy }, index) => ({
    rule: policy.rule,
    path: ['outbound', 'services', index, 'policy', 'rule'],
  })),
]

const packagePattern = /^\s*package\s+([A-Za-z_][\w.]*)/m
const rulePattern = /^(?:default\s+)?([A-Za-z_]\w*)/gm
const words = new Set(['package', 'import', 'default', 'else', 'not', 'some', 'every', 'if'])

/** The rules that stand at the start of a line, as `data.package.rule`; good enough to say whether a name is there. */
const rulesOf = (text: string): readonly string[] => {
  const name = packagePattern.exec(text)?.[1]
  if (name === undefined) return []
  return [...text.matchAll(rulePattern)]
    .map((match) => match[1]!)
    .filter((word) => !words.has(word))
    .map((word) => `data.${name}.${word}`)
}

const missingRules = (subject: CheckSubject, sources: PolicySources): readonly ConfigFault[] => {
  const known = new Set(sources.modules.flatMap(({ text }) => rulesOf(text)))
  return namedRules(subject)
    .filter(({ rule }) => ![...known].some((each) => rule === each || rule.startsWith(`${each}.`)))
    .map(({ rule, path }) => {
      const meant = nearest(rule, [...known])
      return subject.fault(path, {
        expected: 'a rule of the policies',
        got: `${rule}, which no policy defines`,
        hint:
          meant === undefined ? `define it, or every request is denied` : `did you mean ${meant}`,
      })
    })
}

/** The errors of policies as faults of the configuration. */
export const policyFaults = ({ errors }: RegoErrors): readonly ConfigFault[] => errors.map(toFault)

/**
 * What keeps the policies from being used; a policy folder that could not be read has been reported already.
 *
 * @param compiling `later` leaves the compiling to whoever puts the policies into force
 */
export const checkPolicies = (
  subject: CheckSubject,
  sources: PolicySources,
  compiling: 'now' | 'later',
): readonly ConfigFault[] => {
  if (sources.modules.length === 0) return []
  if (compiling === 'later') return missingRules(subject, sources)
  try {
    compileBundle(
      { modules: sources.modules, data: sources.data },
      { check: subject.config.policy?.strict === false ? 'lenient' : 'strict' },
    )
  } catch (error) {
    if (error instanceof RegoErrors) return policyFaults(error)
    throw error
  }
  return missingRules(subject, sources)
}
