/** Where an entry says that its key comes from and how old it may get. Shape only; `credential/` reads it. */
import { z } from 'zod'
import { duration } from '../../units.ts'

/** One place that a key can be read from; exactly one of its keys is given. */
export const credentialSource = z
  .strictObject({
    file: z
      .string()
      .min(1)
      .optional()
      .describe('File whose content, without a final line end, is the key.'),
    environment: z.string().min(1).optional().describe('Environment variable of the sidecar.'),
    command: z
      .array(z.string().min(1))
      .min(1)
      .optional()
      .describe('Program and arguments, run without a shell; its output is the key.'),
    vault: z
      .strictObject({
        address: z
          .url({ protocol: /^https?$/, error: 'expected an http(s) URL' })
          .describe('Address of the Vault-compatible server.'),
        path: z
          .string()
          .min(1)
          .describe('Path of the secret below /v1/, such as secret/data/stripe.'),
        field: z.string().min(1).default('value').describe('Field of the secret.'),
        token_file: z.string().min(1).describe('File with the Vault token.'),
        namespace: z.string().optional().describe('Vault namespace.'),
      })
      .optional()
      .describe('Secret of a HashiCorp-Vault-compatible HTTP API.'),
    field: z
      .string()
      .min(1)
      .optional()
      .describe('Member to take when the content read is a JSON object.'),
    timeout: duration().prefault('5s').describe('Longest time that reading may take.'),
    refresh: duration().prefault('1m').describe('How often the source is read again.'),
  })
  .refine(
    (source) =>
      ['file', 'environment', 'command', 'vault'].filter((kind) => kind in source).length === 1,
    {
      error: 'expected exactly one of file, environment, command, vault',
    },
  )

/** The `credential` part of an entry. */
export const credential = z
  .strictObject({
    id: z.string().min(1).describe('Name of the key in spans and reports; never its value.'),
    from: credentialSource.describe('Where the key is read.'),
    previous: credentialSource
      .optional()
      .describe('The older key during a rotation; used once when the new one is answered 401.'),
    rotate_every: duration()
      .prefault('90d')
      .describe('Age at which the key must have been replaced.'),
    issued: z
      .string()
      .regex(/^\d{4}-\d{2}-\d{2}$/, { error: 'expected a date such as 2026-11-01' })
      .optional()
      .describe('Day of issue; default: the day it was first seen here.'),
    at_limit: z
      .enum(['warn', 'refuse'])
      .default('warn')
      .describe('What happens when rotate_every has passed.'),
    from_app: z
      .enum(['strip', 'refuse'])
      .default('strip')
      .describe('A credential that the app brings itself.'),
  })
  .describe('The key. The app never holds it.')

/** One key as declared. */
export type CredentialSettings = z.infer<typeof credential>
/** One place to read a key from. */
export type CredentialSource = z.infer<typeof credentialSource>
