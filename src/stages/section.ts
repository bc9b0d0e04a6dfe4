/**
 * The `policy` section of the configuration, and the policy and limit blocks that a route, a service or an API carries.
 *
 * Read by the stages `authorize` and `limit-rate`. Whether the rule exists in the bundle is checked by `config/`.
 */
import { z } from 'zod'
import { signatureAlgorithms } from '../rego/bundle/signature.ts'
import { duration, rate } from '../units.ts'

/** Where the policies are and what one decision may cost. */
export const policySection = z
  .strictObject({
    directory: z
      .string()
      .min(1)
      .default('policies')
      .describe(
        'Folder with `*.rego` and `data.json` or `data.yaml` files; relative to the configuration file',
      ),
    bundle: z
      .strictObject({
        file: z
          .string()
          .min(1)
          .describe('The archive, `bundle.tar.gz`; relative to the configuration file'),
        key: z
          .strictObject({
            file: z
              .string()
              .min(1)
              .describe('Public key or certificate in PEM; relative to the configuration file'),
            id: z
              .string()
              .min(1)
              .default('default')
              .describe('Name of the key; a signature that names a key must name this one'),
            algorithm: z
              .enum(signatureAlgorithms)
              .default('ES256')
              .describe('The only algorithm that the signature may use'),
            scope: z.string().default('').describe('The scope that the signature must state'),
          })
          .optional()
          .describe('Who must have signed the bundle; without it a signed bundle is refused'),
      })
      .optional()
      .describe('An OPA bundle with the policies; stands in for `directory`'),
    budget: z
      .strictObject({
        steps: z
          .int()
          .min(1_000)
          .max(100_000_000)
          .default(1_000_000)
          .describe('Evaluation steps that one decision may take before it is denied'),
        wall: duration()
          .prefault('50ms')
          .describe('Time that one decision may take before it is denied'),
      })
      .prefault({})
      .describe('What one decision may cost; over it the answer is no'),
    strict: z
      .boolean()
      .default(true)
      .describe('Treat unused variables and imports in policies as errors'),
  })
  .prefault({})
  .describe('Rego policies')

/** The settings of the policy engine as the sidecar uses them. */
export type PolicySection = z.output<typeof policySection>

const rulePattern = /^data(\.[A-Za-z_][A-Za-z0-9_]*)+$/

/**
 * The `policy` block of a route, a service or the egress line.
 *
 * @param rule the rule that decides when the file names none
 */
export const policyChoice = (rule: string) =>
  z
    .strictObject({
      rule: z
        .string()
        .regex(rulePattern, { error: `expected a rule such as ${rule}` })
        .default(rule)
        .describe('The rule that decides'),
      mode: z
        .enum(['enforce', 'shadow'])
        .default('enforce')
        .describe('`shadow` records what the rule would deny and lets the request pass'),
    })
    .prefault({})
    .describe('Who decides, and whether the decision is enforced')

/** A rule and whether its decision is enforced. */
export type PolicyChoice = z.output<ReturnType<typeof policyChoice>>

/** The `limit` block of a route or a service. */
export const rateLimit = z
  .strictObject({
    rate: rate().describe('Requests that pass, such as `100/s`'),
    burst: z
      .int()
      .min(1)
      .optional()
      .describe('Requests that may come at once; the count of `rate` when absent'),
    per: z
      .enum(['peer', 'all'])
      .default('peer')
      .describe('`peer` gives each caller its own allowance, `all` shares one'),
  })
  .describe('Local rate limit; no limit when absent')

/** A local rate limit. */
export type RateLimit = z.output<typeof rateLimit>
