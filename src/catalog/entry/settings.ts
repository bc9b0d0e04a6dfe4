/**
 * The schema of one third-party API entry, `policies/apis/<name>.yaml`, as its author writes it.
 *
 * It yields the parser, the defaults, the editor completion and the reference. It judges the shape of a single file
 * only: what needs a second file (duplicate hosts, unknown dependencies, a missing OpenAPI document) is judged by
 * `load.ts`. Host grammar is judged there too, because it needs the whole entry to give a hint.
 */
import { z } from 'zod'
import { duration } from '../../units.ts'
import { authentication } from './authentication.ts'
import { credential } from './credential.ts'
import { distrust } from './distrust.ts'
import { limits } from './limits.ts'

const name = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, {
  error: 'expected lower-case letters, digits and dashes, such as card-api',
})

const dataClass = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, {
  error: 'expected a data class in lower case, such as pci or personal',
})

const caller = z.string().regex(/^spiffe:\/\/[a-z0-9._-]+(\/[A-Za-z0-9._-]+)*(\/\*)?$/, {
  error: 'expected a SPIFFE ID such as spiffe://shop.test/payments, or one that ends in /*',
})

const operation = z.union(
  [
    z.string().regex(/^[A-Z]+ \/\S*$/, {
      error: 'expected a method and a path template, such as POST /v1/charges/{id}',
    }),
    z.strictObject({
      id: z
        .string()
        .min(1)
        .optional()
        .describe('Name in spans and reports; default: method and path.'),
      method: z
        .string()
        .regex(/^[A-Z]+$/, { error: 'expected a method in upper case' })
        .describe('HTTP method.'),
      path: z
        .string()
        .startsWith('/', { error: 'expected a path template that starts with /' })
        .describe('Path template; `{id}` is one segment, a final `{rest*}` is all that follows.'),
      data: z
        .array(dataClass)
        .optional()
        .describe('Data classes that this operation sends; default: those of the entry.'),
      callers: z
        .array(caller)
        .optional()
        .describe('Who may call this operation; default: the callers of the entry.'),
      idempotent: z
        .boolean()
        .optional()
        .describe('May be repeated after a failure; default: by method (RFC 9110 §9.2.2).'),
      request_schema: z
        .string()
        .optional()
        .describe('JSON Schema 2020-12 file for the request body.'),
      response_schema: z
        .string()
        .optional()
        .describe('JSON Schema 2020-12 file for the body of a 2xx answer.'),
      text: z
        .array(z.string())
        .optional()
        .describe('JSON pointers of answer fields that hold plain text; `*` is any key or index.'),
    }),
  ],
  { error: 'expected `METHOD /path` or an object with method and path' },
)

const validationMode = z.enum(['off', 'observe', 'enforce'])

/** One API entry as read from YAML, defaults filled in. Keys are those of the file. */
export const entrySettings = z
  .strictObject({
    name: name.describe('Name of the API in policies, spans, metrics and reports.'),
    owner: z.string().min(1).describe('Who answers for this API, such as group:payments.'),
    purpose: z.string().min(3).describe('Why we call it, in one sentence.'),
    lifecycle: z
      .enum(['experimental', 'production', 'deprecated', 'retired'])
      .default('production')
      .describe('Life of our use of it; a retired API is refused.'),
    data: z.array(dataClass).default([]).describe('Data classes that may leave with a request.'),
    callers: z
      .array(caller)
      .min(1, { error: 'expected at least one SPIFFE ID' })
      .describe('SPIFFE IDs that may call it; a final /* stands for all below.'),
    hosts: z
      .array(z.string())
      .min(1, { error: 'expected at least one host' })
      .describe(
        '`host`, `host:port`, `*.host` or `[IPv6]:port`; port 443 unless given. `*.host` is not the apex.',
      ),
    ip_literals: z
      .enum(['refuse', 'allow-declared'])
      .default('refuse')
      .describe('Whether the IP addresses that `hosts` names may be called by address.'),
    unsafe_plaintext: z
      .literal(true)
      .optional()
      .describe('Call without TLS. Keys and data travel in the open; reports name it.'),
    connect: z
      .enum(['originate', 'intercept', 'tunnel'])
      .default('originate')
      .describe(
        'How the app reaches it: plain HTTP to us, CONNECT that we open up, or CONNECT that we only count.',
      ),
    operations: z
      .union(
        [
          z.array(operation).min(1, { error: 'expected at least one operation' }),
          z.strictObject({
            openapi: z
              .string()
              .min(1)
              .describe('OpenAPI 3.0 or 3.1 document, relative to this file.'),
            only: z
              .array(z.string())
              .optional()
              .describe('operationIds or `METHOD /path` to allow; default: all in the document.'),
          }),
        ],
        { error: 'expected a list of operations, or `openapi: <file>`' },
      )
      .describe('What may be called.'),
    authentication,
    credential: credential.optional(),
    limits,
    distrust,
    validation: z
      .strictObject({
        request: validationMode.default('off').describe('Request against the contract.'),
        response: z
          .enum(['off', 'observe', 'enforce', 'strip'])
          .default('off')
          .describe('Answer against the contract; strip drops what it does not name.'),
        text: z
          .enum(['off', 'refuse', 'escape'])
          .default('off')
          .describe('Fields tagged text that carry markup.'),
      })
      .prefault({})
      .describe('Contract validation.'),
    redirects: z
      .strictObject({
        mode: z
          .enum(['observe', 'enforce'])
          .default('enforce')
          .describe('What to do with a 3xx whose target is not declared.'),
        targets: z
          .array(z.string())
          .default([])
          .describe(
            'Hosts that a 3xx may point at, in the grammar of `hosts`; its own are always allowed.',
          ),
      })
      .prefault({})
      .describe('3xx answers. They are never followed.'),
    propagation: z
      .enum(['strip', 'restart', 'pass'])
      .default('strip')
      .describe(
        'Trace context that crosses to the vendor: none, a fresh one that we link, or ours.',
      ),
    depends_on: z.array(name).default([]).describe('Other entries that this API needs.'),
    review_by: z
      .string()
      .regex(/^\d{4}-\d{2}-\d{2}$/, { error: 'expected a date such as 2027-02-01' })
      .describe('Day (UTC) after which this entry is overdue.'),
    review_mode: z
      .enum(['warn', 'enforce'])
      .default('warn')
      .describe('What happens to calls after review_by.'),
    policy: z
      .strictObject({
        rule: z
          .string()
          .regex(/^data(\.[A-Za-z_][A-Za-z0-9_]*)+$/, {
            error: 'expected a rule such as data.sallyport.egress.allow',
          })
          .default('data.sallyport.egress.allow')
          .describe('Rule that decides.'),
        mode: z
          .enum(['enforce', 'shadow'])
          .default('enforce')
          .describe('shadow records what would be denied and changes no answer.'),
      })
      .prefault({})
      .describe('Authorisation.'),
    allow_cidrs: z
      .array(z.string())
      .default([])
      .describe('Address ranges that this API may resolve to although they are guarded.'),
    tls: z
      .strictObject({
        ca: z
          .string()
          .optional()
          .describe('PEM file of the authorities to trust instead of the system roots.'),
        pins: z
          .array(
            z.string().regex(/^sha256\/[A-Za-z0-9+/]{43}=$/, {
              error: 'expected sha256/ and the base64 of a SHA-256',
            }),
          )
          .refine((pins) => pins.length !== 1, {
            error: 'expected a second, backup pin, so that a renewal does not lock us out',
          })
          .default([])
          .describe('SHA-256 of the public keys (SPKI) to accept; give a backup pin.'),
        client_certificate: z
          .strictObject({
            certificate: z.string().describe('PEM file with the chain, leaf first.'),
            key: z.string().describe('PEM file with the private key.'),
          })
          .optional()
          .describe('Client certificate for this API.'),
        min_version: z.enum(['1.2', '1.3']).default('1.2').describe('Lowest TLS version.'),
      })
      .prefault({})
      .describe('TLS towards the vendor.'),
    contacts: z
      .array(
        z.strictObject({
          name: z.string(),
          email: z.string().optional(),
          url: z.string().optional(),
        }),
      )
      .default([])
      .describe('Whom to ask.'),
    links: z
      .array(z.strictObject({ title: z.string(), url: z.string() }))
      .default([])
      .describe('Status page, documentation, contract.'),
    quiet_after: duration()
      .prefault('30d')
      .describe('Time without a call after which reports call it unused.'),
  })
  .describe('One third-party API.')

/** The parsed contents of one entry file. */
export type EntrySettings = z.infer<typeof entrySettings>
