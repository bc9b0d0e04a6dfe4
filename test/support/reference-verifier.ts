/**
 * A second opinion on user tokens, written apart from the product from the RFCs alone and with JSON.parse, WebCrypto and
 * no cache, so that both are unlikely to be wrong in the same way. It may refuse less than the product; never more may
 * be accepted by the product than by it.
 */
import { webcrypto } from 'node:crypto'

export interface ReferenceSetting {
  readonly issuer: string
  readonly audience: string
  readonly skewSeconds: number
  /** Public JWKs by key id. */
  readonly keys: ReadonlyMap<string, Readonly<Record<string, unknown>>>
}

const text = /^[A-Za-z0-9_-]+$/
const schemes: Readonly<Record<string, { readonly load: object; readonly check: object }>> = {
  ES256: {
    load: { name: 'ECDSA', namedCurve: 'P-256' },
    check: { name: 'ECDSA', hash: 'SHA-256' },
  },
  RS256: {
    load: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
    check: { name: 'RSASSA-PKCS1-v1_5' },
  },
}

const decode = (part: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(part.replaceAll('-', '+').replaceAll('_', '/')), (letter) =>
    letter.charCodeAt(0),
  )
const object = (part: string): Record<string, unknown> => {
  const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(decode(part)))
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error('not an object')
  return value as Record<string, unknown>
}

const isSigned = async (parts: readonly string[], setting: ReferenceSetting): Promise<boolean> => {
  const header = object(parts[0]!)
  if (header['crit'] !== undefined) return false
  const scheme = Object.hasOwn(schemes, String(header['alg']))
    ? schemes[String(header['alg'])]
    : undefined
  const jwk = setting.keys.get(String(header['kid']))
  if (scheme === undefined || jwk === undefined || jwk['alg'] !== header['alg']) return false
  const key = await webcrypto.subtle.importKey('jwk', { ...jwk }, scheme.load as never, false, [
    'verify',
  ])
  const signed = new TextEncoder().encode(`${parts[0]}.${parts[1]}`)
  return webcrypto.subtle.verify(scheme.check as never, key, decode(parts[2]!), signed)
}

const areClaimsGood = (
  claims: Record<string, unknown>,
  setting: ReferenceSetting,
  nowSeconds: number,
): boolean => {
  const audiences = [claims['aud']].flat()
  const { exp, nbf, iat } = claims
  if (claims['iss'] !== setting.issuer || !audiences.includes(setting.audience)) return false
  if (typeof exp !== 'number' || exp + setting.skewSeconds <= nowSeconds) return false
  return [nbf, iat].every(
    (time) =>
      time === undefined || (typeof time === 'number' && time - setting.skewSeconds <= nowSeconds),
  )
}

/** Whether a verifier that only follows the RFCs accepts `token`. Never rejects. */
export const referenceAccepts = async (
  token: string,
  setting: ReferenceSetting,
  nowSeconds: number,
): Promise<boolean> => {
  try {
    const parts = token.split('.')
    if (parts.length !== 3 || !parts.every((part) => text.test(part))) return false
    return (await isSigned(parts, setting)) && areClaimsGood(object(parts[1]!), setting, nowSeconds)
  } catch {
    return false
  }
}
