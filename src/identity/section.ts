/**
 * The `identity` section of `sallyport.yaml`: where our certificate comes from, whom we trust, and what is revoked.
 *
 * Checks shapes only; whether the files exist and fit together is found by the source when it opens.
 */
import { z } from 'zod'
import { duration } from '../units.ts'
import { isSpiffeId, parseTrustDomain } from './spiffe-id.ts'

const spiffeIdText = () =>
  z.string().refine(isSpiffeId, {
    error: 'expected a spiffe id such as spiffe://shop.local/orders',
  })

const trustDomainText = () =>
  z.string().refine(
    (text) => {
      try {
        return parseTrustDomain(text) === text
      } catch {
        return false
      }
    },
    { error: 'expected a trust domain name such as shop.local' },
  )

const directorySource = z
  .strictObject({
    path: z.string().min(1).describe('Folder that holds the files, watched for changes.'),
    certificate: z
      .string()
      .default('tls.crt')
      .describe('PEM file with the certificate chain, leaf first. `svid.pem` for spiffe-helper.'),
    key: z.string().default('tls.key').describe('PEM file with the private key of the leaf.'),
    bundle: z
      .string()
      .default('ca.crt')
      .describe(
        'Trust bundle of our own trust domain: PEM, or a SPIFFE bundle document when it ends in `.json`.',
      ),
    credential_bundle: z
      .string()
      .optional()
      .describe(
        'One PEM file with the key first and the chain after it (Kubernetes podCertificate); replaces `certificate` and `key`.',
      ),
    check_every: duration()
      .prefault('2s')
      .describe('How often the files are compared by content, beside file notifications.'),
  })
  .describe('Files that something else writes and renews.')

const developmentSource = z
  .strictObject({
    path: z
      .string()
      .default('certs')
      .describe('Folder of the development authority, made by `sallyport certs init`.'),
    spiffe_id: spiffeIdText().describe('Identity to issue to this workload.'),
    dns_names: z
      .array(z.string().min(1))
      .default([])
      .describe('DNS names to add to the certificate, for clients that do not know SPIFFE.'),
    lifetime: duration()
      .prefault('1h')
      .describe('Life of each certificate; renewed at half of it.'),
  })
  .describe(
    'The built-in authority, for development: anyone who can read its folder is any workload.',
  )

const workloadApiSource = z
  .strictObject({
    socket: z
      .string()
      .default('')
      .describe(
        'Address of the SPIFFE Workload API, `unix:///path` or `tcp://IP:port`; empty means SPIFFE_ENDPOINT_SOCKET.',
      ),
    spiffe_id: spiffeIdText()
      .optional()
      .describe('Which identity to use when the agent offers several; the first one otherwise.'),
    start_timeout: duration()
      .prefault('30s')
      .describe('How long the start waits for the first identity.'),
  })
  .describe('A SPIFFE Workload API such as the SPIRE agent.')

const exactlyOneSource = (source: Record<string, unknown>): boolean =>
  Object.values(source).filter((value) => value !== undefined).length === 1

/** Schema of the `identity` section. */
export const identitySection = z
  .strictObject({
    source: z
      .strictObject({
        directory: directorySource.optional(),
        development: developmentSource.optional(),
        workload_api: workloadApiSource.optional(),
      })
      .refine(exactlyOneSource, {
        error: 'expected exactly one of directory, development and workload_api',
      })
      .describe('Where the certificate, key and own trust bundle of this workload come from.'),
    trust_domain: trustDomainText()
      .optional()
      .describe('Our trust domain. When set, a certificate of another one is refused at load.'),
    bundles: z
      .array(
        z.strictObject({
          trust_domain: trustDomainText().describe('The foreign trust domain.'),
          file: z
            .string()
            .min(1)
            .describe(
              'Its trust bundle: PEM, or a SPIFFE bundle document when it ends in `.json`.',
            ),
        }),
      )
      .default([])
      .describe('Federation: one bundle for each foreign trust domain whose workloads are let in.'),
    crl: z
      .strictObject({
        files: z
          .array(z.string().min(1))
          .min(1)
          .describe('CRL files, PEM or DER, one for each authority that issues certificates.'),
        max_age: duration()
          .prefault('7d')
          .describe('A CRL older than this is stale even if its nextUpdate is later.'),
      })
      .optional()
      .describe(
        'Revocation. When present, a missing or stale CRL refuses every peer it speaks for.',
      ),
    key_files: z
      .enum(['private', 'unsafe_readable'])
      .default('private')
      .describe(
        'Whether a private key file that group or others can read is refused, or taken with a warning.',
      ),
  })
  .describe('Who this workload is and which workloads it believes.')

/** The parsed `identity` section. */
export type IdentitySection = z.infer<typeof identitySection>
export type DirectorySection = z.infer<typeof directorySource>
export type DevelopmentSection = z.infer<typeof developmentSource>
export type WorkloadApiSection = z.infer<typeof workloadApiSource>
