/** How an entry says that the key is presented to the vendor. Shape only; `credential/` does what it says. */
import { z } from 'zod'
import { duration } from '../../units.ts'

const headerName = z.string().regex(/^[A-Za-z0-9-]+$/, { error: 'expected a header name' })

const tokenEndpoint = {
  token_url: z
    .url({ protocol: /^https$/, error: 'expected an https URL' })
    .describe('Token endpoint; its host must be in the catalog too.'),
  client_id: z.string().min(1).describe('Client id.'),
  scope: z.string().optional().describe('Scopes, separated by spaces.'),
  audience: z.string().optional().describe('Audience or resource asked for.'),
  client_authentication: z
    .enum(['client_secret_basic', 'private_key_jwt', 'tls_client_auth'])
    .default('client_secret_basic')
    .describe('How we prove who we are to the token endpoint.'),
}

/** The `authentication` part of an entry. */
export const authentication = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('none') }),
    z.strictObject({
      kind: z.literal('header'),
      name: headerName.default('authorization').describe('Header that carries the key.'),
      format: z
        .string()
        .includes('{key}', { error: 'expected {key} in the format' })
        .default('Bearer {key}')
        .describe('Value; {key} is replaced.'),
    }),
    z.strictObject({
      kind: z.literal('query'),
      name: z.string().min(1).describe('Query parameter that carries the key.'),
    }),
    z.strictObject({
      kind: z.literal('basic'),
      username: z
        .string()
        .optional()
        .describe('User name; without it the key itself is `user:password`.'),
    }),
    z.strictObject({
      kind: z.literal('hmac'),
      algorithm: z.enum(['sha256', 'sha384', 'sha512']).default('sha256').describe('Hash.'),
      header: headerName.default('x-signature').describe('Header for the signature.'),
      timestamp_header: headerName
        .optional()
        .describe('Header for the time in seconds, which is signed too.'),
      key_id: z.string().optional().describe('Public name of the key.'),
      format: z
        .string()
        .includes('{signature}', { error: 'expected {signature} in the format' })
        .default('{signature}')
        .describe('Value; {signature}, {key_id} and {timestamp} are replaced.'),
      message: z
        .string()
        .default('{method}\\n{path}\\n{timestamp}\\n{body_sha256}')
        .describe(
          'What is signed: {method} {host} {path} {query} {timestamp} {body} {body_sha256}; \\n is a line end.',
        ),
      encoding: z
        .enum(['hex', 'base64', 'base64url'])
        .default('hex')
        .describe('Form of the signature.'),
    }),
    z.strictObject({
      kind: z.literal('aws-sigv4'),
      service: z.string().min(1).describe('AWS service, such as s3.'),
      region: z.string().min(1).describe('AWS region.'),
      payload: z
        .enum(['signed', 'unsigned'])
        .default('signed')
        .describe('Whether the body is part of the signature.'),
    }),
    z.strictObject({
      kind: z.literal('oauth2-client-credentials'),
      ...tokenEndpoint,
    }),
    z.strictObject({
      kind: z.literal('oauth2-jwt-bearer'),
      ...tokenEndpoint,
      issuer: z.string().describe('iss of the assertion (RFC 7523).'),
      subject: z.string().describe('sub of the assertion.'),
      lifetime: duration().prefault('5m').describe('Lifetime of the assertion.'),
    }),
    z.strictObject({
      kind: z.literal('oauth2-token-exchange'),
      ...tokenEndpoint,
      subject_token_type: z
        .string()
        .default('urn:ietf:params:oauth:token-type:jwt')
        .describe('RFC 8693 type of the token given.'),
    }),
  ])
  .default({ kind: 'none' })
  .describe('How the key is presented.')

/** One way to present a key. */
export type Authentication = z.infer<typeof authentication>
