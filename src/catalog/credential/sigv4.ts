/**
 * AWS Signature Version 4, from the published algorithm ("Signature Version 4 signing process", AWS General Reference).
 *
 * Signs exactly the headers it is given; which headers must be signed is `attach.ts`'s choice. No chunked signing, no
 * presigned URLs.
 */
import { createHash, createHmac } from 'node:crypto'
import type { Secret } from '../../secret.ts'

/** What is signed. */
export interface SigV4Request {
  readonly method: string
  /** Path as it is sent, already percent-encoded. */
  readonly path: string
  /** Query as it is sent, without `?`. */
  readonly query: string
  /** Headers to sign, `host` and `x-amz-date` among them. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Lower-case hex SHA-256 of the body, or `UNSIGNED-PAYLOAD`. */
  readonly payloadHash: string
}

/** Where and with what it is signed. */
export interface SigV4Scope {
  readonly service: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: Secret
  /** Time of signing in ms. */
  readonly now: number
}

/** `20150830T123600Z` for a time in ms. */
export const amzDate = (now: number): string =>
  new Date(now).toISOString().replace(/[-:]|\.\d{3}/g, '')

/** Lower-case hex SHA-256. */
export const sha256Hex = (data: string | Buffer): string =>
  createHash('sha256').update(data).digest('hex')

/** The `Authorization` header for a request. */
export const sigV4Authorization = (request: SigV4Request, scope: SigV4Scope): string => {
  const time = amzDate(scope.now)
  const day = time.slice(0, 8)
  const credentialScope = `${day}/${scope.region}/${scope.service}/aws4_request`
  const { text, signedHeaders } = canonicalRequest(request, scope.service)
  const toSign = ['AWS4-HMAC-SHA256', time, credentialScope, sha256Hex(text)].join('\n')
  const key = [day, scope.region, scope.service, 'aws4_request'].reduce<Buffer | string>(
    (secret, part) => createHmac('sha256', secret).update(part).digest(),
    `AWS4${scope.secretAccessKey.reveal()}`,
  )
  const signature = createHmac('sha256', key).update(toSign).digest('hex')
  return `AWS4-HMAC-SHA256 Credential=${scope.accessKeyId}/${credentialScope}, SignedHeaders=${signedHeaders}, Signature=${signature}`
}

const canonicalRequest = (
  request: SigV4Request,
  service: string,
): { readonly text: string; readonly signedHeaders: string } => {
  const headers = new Map<string, string[]>()
  for (const [name, value] of request.headers) {
    const key = name.toLowerCase()
    headers.set(key, [...(headers.get(key) ?? []), value.trim().replaceAll(/ +/g, ' ')])
  }
  const names = [...headers.keys()].sort()
  const text = [
    request.method,
    // S3 signs the path as sent; every other service signs it encoded once more.
    service === 's3' ? request.path : request.path.split('/').map(encode).join('/'),
    canonicalQuery(request.query),
    ...names.map((name) => `${name}:${headers.get(name)!.join(',')}`),
    '',
    names.join(';'),
    request.payloadHash,
  ].join('\n')
  return { text, signedHeaders: names.join(';') }
}

const canonicalQuery = (query: string): string => {
  if (query === '') return ''
  const pairs = query.split('&').map((pair) => {
    const at = pair.indexOf('=')
    const [name, value] = at === -1 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)]
    return [encode(decode(name)), encode(decode(value))] as const
  })
  pairs.sort(([a, x], [b, y]) => (a === b ? compare(x, y) : compare(a, b)))
  return pairs.map(([name, value]) => `${name}=${value}`).join('&')
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** RFC 3986 encoding: everything but the unreserved characters. */
const encode = (text: string): string =>
  encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
