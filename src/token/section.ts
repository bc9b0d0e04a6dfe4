/**
 * The `tokens` section of `sallyport.yaml`, and what one route may ask of the tokens that come with a request.
 *
 * For the configuration loader and for the stages that are built from it. Checks shapes and the rules that one
 * section can check alone; that a route names a provider which exists is {@link requirementFaults}.
 */
import { z } from 'zod'
import { duration } from '../units.ts'

/** Signature algorithms that can be allowed. HMAC and `none` are not among them: a verifier must not be able to sign. */
export const signatureAlgorithms = [
  'ES256',
  'ES384',
  'ES512',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'EdDSA',
  'Ed25519',
] as const

/** One of {@link signatureAlgorithms}. */
export type SignatureAlgorithm = (typeof signatureAlgorithms)[number]

const maxClockSkewMs = 60_000
const maxHopLifetimeMs = 60_000
const loopbackHosts: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]'])

const headerName = z
  .string()
  .regex(/^[A-Za-z0-9!#$%&'*+.^`|~-]+$/, { error: 'expected a header name such as x-user-id' })
  .transform((name) => name.toLowerCase())

const boundedDuration = (fallback: string, mostMs: number, mostText: string) =>
  duration()
    .refine((ms) => ms <= mostMs, { error: `expected at most ${mostText}` })
    .prefault(fallback)

const positiveDuration = (fallback: string, leastMs: number, leastText: string) =>
  duration()
    .refine((ms) => ms >= leastMs, { error: `expected at least ${leastText}` })
    .prefault(fallback)

const documentUrl = z.string().refine((text) => URL.canParse(text) && /^https?:\/\//.test(text), {
  error: 'expected an https URL',
})

const isPlainHttp = (text: string): boolean => text.startsWith('http://')
const isLoopback = (text: string): boolean => loopbackHosts.has(new URL(text).hostname)

/** One header that may carry the user's token. */
const tokenHeader = z.strictObject({
  name: headerName.describe('Header that carries the token.'),
  value_prefix: z
    .string()
    .default('')
    .describe('Text before the token, such as "Bearer "; compared without regard to case.'),
})

/** One claim that the application is given as a header. */
export const claimToHeader = z.strictObject({
  header_name: headerName.describe(
    'Header to set. It is removed from every incoming request first.',
  ),
  claim_name: z
    .string()
    .min(1)
    .describe(
      'Claim to copy; a dot steps into an object. Only strings, numbers and booleans are copied.',
    ),
})

/** A claim that the application is given as a header: `header_name` in lower case, `claim_name`. */
export type ClaimToHeader = z.output<typeof claimToHeader>

const providerFields = z.strictObject({
  issuer: z
    .string()
    .min(1)
    .describe(
      'The exact text of the `iss` claim. Not a prefix, not a pattern; case and a trailing slash count.',
    ),
  audiences: z
    .array(z.string().min(1))
    .min(1)
    .describe(
      'Texts that name this service in the `aud` claim; one of them must be there exactly.',
    ),
  jwks_file: z
    .string()
    .min(1)
    .optional()
    .describe('File with the issuer’s keys (JWK Set); read again when it changes.'),
  jwks_uri: documentUrl.optional().describe('URL of the issuer’s keys (JWK Set).'),
  discovery: z
    .union([z.literal(true), documentUrl])
    .optional()
    .describe(
      'Find the keys by OpenID discovery: `true` for the well-known path under the issuer, or the URL of the document.',
    ),
  unsafe_loopback_http: z
    .boolean()
    .default(false)
    .describe('Allow http:// for key documents on a loopback host. For development only.'),
  algorithms: z
    .array(z.enum(signatureAlgorithms))
    .min(1)
    .default(['ES256', 'ES384', 'RS256', 'PS256', 'EdDSA', 'Ed25519'])
    .describe('Signature algorithms that are accepted from this issuer.'),
  clock_skew: boundedDuration('30s', maxClockSkewMs, '60s').describe(
    'How far the issuer’s clock may be off, at most 60s.',
  ),
  require_expiration: z
    .union([z.literal(true), z.literal('unsafe_optional')])
    .default(true)
    .describe('Tokens must have `exp`. `unsafe_optional` accepts tokens that never expire.'),
  max_lifetime: positiveDuration('24h', 1_000, '1s').describe(
    'Longest life of a token, from `iat` to `exp`; without `iat`, from now to `exp`.',
  ),
  from_headers: z
    .array(tokenHeader)
    .min(1)
    .default([{ name: 'authorization', value_prefix: 'Bearer ' }])
    .describe('Headers that may carry the token. Exactly one token may be present in a request.'),
  claim_to_headers: z
    .array(claimToHeader)
    .default([])
    .describe('Claims that the application is given as headers.'),
  forward: z
    .boolean()
    .default(true)
    .describe(
      'Hand the token itself to the application, which needs it to call further services for the user.',
    ),
  certificate_binding: z
    .enum(['enforce', 'require', 'unsafe_ignore'])
    .default('enforce')
    .describe(
      'What a `cnf` claim means: `enforce` checks it when it is there (RFC 8705), `require` refuses a token without one, `unsafe_ignore` takes a bound token from anyone.',
    ),
  id_tokens: z
    .enum(['refuse', 'unsafe_accept'])
    .default('refuse')
    .describe('OpenID ID tokens prove a sign-in to a client, not a right to call this service.'),
  max_stale: positiveDuration('1h', 1_000, '1s').describe(
    'How long the last good keys serve when their source fails, from the time they were read; then 503.',
  ),
  cache: z
    .strictObject({
      keys: positiveDuration('10m', 1_000, '1s').describe(
        'How long fetched keys are fresh; a key that the issuer removes stops working within this time.',
      ),
      cooldown: positiveDuration('30s', 1_000, '1s').describe(
        'Least time between two fetches that an unknown key id causes.',
      ),
      tokens: z
        .int()
        .min(0)
        .max(1_000_000)
        .default(10_000)
        .describe('How many verified tokens are remembered.'),
    })
    .prefault({})
    .describe('What is remembered.'),
})

type ProviderFields = z.output<typeof providerFields>

const checkKeySource = (provider: ProviderFields, context: z.RefinementCtx): void => {
  const sources = [provider.jwks_file, provider.jwks_uri, provider.discovery].filter(
    (source) => source !== undefined,
  )
  if (sources.length !== 1) {
    context.addIssue({
      code: 'custom',
      message: 'expected exactly one of jwks_file, jwks_uri and discovery',
    })
  }
  const discoveryUrl = provider.discovery === true ? provider.issuer : provider.discovery
  for (const [field, url] of [
    ['jwks_uri', provider.jwks_uri],
    ['discovery', discoveryUrl],
  ] as const) {
    if (url === undefined) continue
    if (!URL.canParse(url)) {
      context.addIssue({
        code: 'custom',
        path: [field],
        message: 'the issuer is not a URL; give the URL of the discovery document',
      })
      continue
    }
    if (!isPlainHttp(url)) continue
    if (isLoopback(url) && provider.unsafe_loopback_http) continue
    context.addIssue({
      code: 'custom',
      path: [field],
      message: isLoopback(url)
        ? 'expected https; set unsafe_loopback_http for a development issuer on this host'
        : 'expected https',
    })
  }
}

const checkFreshness = (provider: ProviderFields, context: z.RefinementCtx): void => {
  if (provider.max_stale >= provider.cache.keys) return
  context.addIssue({ code: 'custom', path: ['max_stale'], message: 'expected at least cache.keys' })
}

/** One issuer of user tokens. */
export const providerSection = providerFields
  .superRefine(checkKeySource)
  .superRefine(checkFreshness)

/** One issuer of user tokens, durations in milliseconds. */
export type ProviderSection = z.output<typeof providerSection>

/** How the token of the calling sidecar is made and judged. */
export const hopSection = z.strictObject({
  profile: z
    .enum(['bound'])
    .default('bound')
    .describe('Form of the hop token. `bound`: a JWT bound to the mTLS certificate.'),
  lifetime: boundedDuration('60s', maxHopLifetimeMs, '60s')
    .refine((ms) => ms >= 5_000, { error: 'expected at least 5s' })
    .describe('Life of a hop token, at most 60s.'),
  clock_skew: boundedDuration('30s', maxClockSkewMs, '60s').describe(
    'How far the peers’ clocks may be off, at most 60s.',
  ),
  transaction: z
    .enum(['shared', 'per_request'])
    .default('shared')
    .describe(
      '`shared`: calls to one audience for one user share a token, and a transaction id, for part of its life. `per_request`: a new token for each request.',
    ),
  cache: z
    .int()
    .min(0)
    .max(1_000_000)
    .default(10_000)
    .describe('How many hop tokens each side remembers.'),
})

/** How the token of the calling sidecar is made and judged, durations in milliseconds. */
export type HopSection = z.output<typeof hopSection>

/** The `tokens` section. */
export const tokensSection = z.strictObject({
  providers: z
    .record(
      z.string().regex(/^[a-z0-9][a-z0-9_.-]*$/, { error: 'expected a lower-case name' }),
      providerSection,
    )
    .default({})
    .describe('Issuers of user tokens, by a name of your choice.'),
  hop: hopSection.prefault({}).describe('The token that the calling sidecar makes for each hop.'),
})

/** The `tokens` section, durations in milliseconds. */
export type TokensSection = z.output<typeof tokensSection>

const claimValue = z.union([z.string(), z.number(), z.boolean()])

/** What a token must say beyond being valid. */
const requiresFields = z.strictObject({
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/))
    .default([])
    .describe('Scopes that must all be granted.'),
  claims: z
    .record(z.string().min(1), z.union([claimValue, z.array(claimValue).min(1)]))
    .default({})
    .describe(
      'Claims and the value, or one of the values, that each must have. A claim that is a list must contain it.',
    ),
})

const stepUpFields = z.strictObject({
  acr: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/))
    .min(1)
    .optional()
    .describe('Authentication context classes of which one is needed, best first.'),
  amr: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe('Authentication methods that must all have been used.'),
  max_age: duration().optional().describe('The longest time since the user signed in.'),
})

/** What a route asks of the tokens of a request. */
export const tokenRequirement = z.strictObject({
  caller: z
    .enum(['required', 'off'])
    .default('required')
    .describe('The calling sidecar’s hop token.'),
  user: z
    .enum(['required', 'optional', 'off'])
    .default('required')
    .describe(
      'The user’s token. `optional` still refuses one that is not valid; `off` does not look at it.',
    ),
  providers: z
    .array(z.string())
    .min(1)
    .optional()
    .describe('Providers whose tokens are accepted; all when left out.'),
  requires: requiresFields.prefault({}).describe('What the user’s token must say.'),
  step_up: stepUpFields
    .optional()
    .describe('How and how recently the user must have signed in (RFC 9470).'),
  claim_to_headers: z
    .array(claimToHeader)
    .default([])
    .describe('Further claims that the application is given as headers on this route.'),
})

/** What a route asks of the tokens of a request, durations in milliseconds. */
export type TokenRequirement = z.output<typeof tokenRequirement>

/** What is wrong with a route's requirement in the light of the whole section: one line each, empty when nothing is. */
export const requirementFaults = (
  requirement: TokenRequirement,
  tokens: TokensSection,
): readonly string[] => {
  const known = Object.keys(tokens.providers)
  const faults = (requirement.providers ?? [])
    .filter((name) => !Object.hasOwn(tokens.providers, name))
    .map((name) => `no token provider is called ${name}; known: ${known.join(', ') || 'none'}`)
  if (requirement.user !== 'off' && known.length === 0) {
    faults.push(
      `user tokens are ${requirement.user}, but tokens.providers is empty; add a provider or set user: off`,
    )
  }
  const asksUser =
    requirement.requires.scopes.length > 0 || Object.keys(requirement.requires.claims).length > 0
  if (requirement.user === 'off' && (asksUser || requirement.step_up !== undefined)) {
    faults.push('requires and step_up need a user token; set user: required')
  }
  return faults
}
