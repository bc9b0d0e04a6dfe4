/**
 * Reads the key of an OAuth client out of the one secret that its credential holds.
 *
 * For the token requests. The secret is a client secret as it stands; or PEM with a private key, and the certificate to
 * present if there is one; or a JSON object with `client_secret`, `private_key`, `private_key_id`, `certificate`, of
 * which key files of service accounts are a case. Says what is missing, never what is there.
 */
import { createPrivateKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { Secret } from '../../secret.ts'
import { isJsonObject } from '../strict-json.ts'
import { OAuthError } from './oauth-error.ts'

/** The key of a client, taken apart. */
export interface OAuthKey {
  readonly clientSecret: Secret | undefined
  readonly privateKey: KeyObject | undefined
  readonly privateKeyPem: Secret | undefined
  /** `kid` for assertions. */
  readonly keyId: string | undefined
  readonly certificatePem: string | undefined
}

const privateKeyPattern = /-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*-----END [A-Z ]*PRIVATE KEY-----/
const certificatePattern = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g

const readPrivateKey = (pem: string): KeyObject => {
  try {
    return createPrivateKey(pem)
  } catch {
    throw new OAuthError('key', 'the private key cannot be read; store it as unencrypted PEM')
  }
}

const readPem = (
  text: string,
  keyId: string | undefined,
  clientSecret: Secret | undefined,
): OAuthKey => {
  const pem = privateKeyPattern.exec(text)?.[0]
  const certificates = text.match(certificatePattern)
  return {
    clientSecret,
    privateKey: pem === undefined ? undefined : readPrivateKey(pem),
    privateKeyPem: pem === undefined ? undefined : new Secret(pem),
    keyId,
    certificatePem: certificates === null ? undefined : certificates.join('\n'),
  }
}

const readJson = (text: string): OAuthKey | undefined => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!isJsonObject(value)) return undefined
  const member = (name: string): string | undefined => {
    const found = Object.hasOwn(value, name) ? value[name] : undefined
    return typeof found === 'string' ? found : undefined
  }
  const secret = member('client_secret')
  const pems = `${member('private_key') ?? ''}\n${member('certificate') ?? ''}`
  return readPem(
    pems,
    member('private_key_id'),
    secret === undefined ? undefined : new Secret(secret),
  )
}

/**
 * Takes the secret of a client apart; without one, everything is undefined.
 *
 * @throws {OAuthError} `key` when a private key cannot be read
 */
export const readOAuthKey = (secret: Secret | undefined): OAuthKey => {
  const text = secret?.reveal().trim() ?? ''
  if (text.startsWith('{')) {
    const key = readJson(text)
    if (key !== undefined) return key
  }
  const isPem = text.includes('-----BEGIN ')
  return readPem(
    isPem ? text : '',
    undefined,
    isPem || secret === undefined || text === '' ? undefined : secret,
  )
}
