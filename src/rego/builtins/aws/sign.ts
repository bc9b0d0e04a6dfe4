/** AWS Signature Version 4 of a request: the headers that prove who sends it. */
import { createHash, createHmac } from 'node:crypto'
import { escapeUrl, type GoUrl } from '../go/url.ts'
import { formatMoment } from '../time/format.ts'
import { momentOf } from '../time/moment.ts'
import { utc } from '../time/zone.ts'
import { compareStrings } from '../../values.ts'

export interface AwsCredentials {
  readonly accessKey: string
  readonly secretKey: string
  readonly region: string
  /** Empty when there is none. */
  readonly sessionToken: string
  readonly service: string
}

export interface SignedRequest {
  readonly method: string
  readonly url: GoUrl
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
  readonly payload: 'signed' | 'unsigned'
}

/** Proxies change these on the way. */
const unsignedHeaders = new Set(['authorization', 'user-agent', 'x-amzn-trace-id'])
/** Services that want the digest of the body in a header. */
const digestServices = new Set(['s3', 'glacier'])

/** The headers to add, `Authorization` among them. `ns` is nanoseconds since 1970. */
export function signRequest(
  request: SignedRequest,
  credentials: AwsCredentials,
  ns: bigint,
): ReadonlyMap<string, string> {
  const { region, service } = credentials
  const moment = momentOf(ns, utc)
  const date = formatMoment(moment, '20060102')
  const time = formatMoment(moment, '20060102T150405Z')
  const digest = bodyDigest(request, service)
  const added = new Map([
    ['host', request.url.host],
    ['x-amz-date', time],
  ])
  if (digestServices.has(service)) added.set('x-amz-content-sha256', digest)
  if (credentials.sessionToken !== '') added.set('x-amz-security-token', credentials.sessionToken)
  const signed = new Map(added)
  for (const [name, value] of request.headers) {
    const lower = name.toLowerCase()
    if (!unsignedHeaders.has(lower)) signed.set(lower, value)
  }
  const names = [...signed.keys()].sort(compareStrings)
  const canonical = [
    request.method,
    escapedPath(request.url),
    request.url.rawQuery,
    ...names.map((name) => `${name}:${signed.get(name)}`),
    '',
    names.join(';'),
    digest,
  ].join('\n')
  const scope = `${date}/${region}/${service}/aws4_request`
  const toSign = ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n')
  let key = mac(`AWS4${credentials.secretKey}`, date)
  for (const part of [region, service, 'aws4_request']) key = mac(key, part)
  const signature = mac(key, toSign).toString('hex')
  added.set(
    'Authorization',
    `AWS4-HMAC-SHA256 Credential=${credentials.accessKey}/${scope},SignedHeaders=${names.join(';')},Signature=${signature}`,
  )
  return added
}

function bodyDigest(request: SignedRequest, service: string): string {
  const unsigned = request.payload === 'unsigned' && digestServices.has(service)
  return unsigned ? 'UNSIGNED-PAYLOAD' : sha256(request.body)
}

function escapedPath(url: GoUrl): string {
  return url.rawPath === '' ? escapeUrl(url.path, 'path') : url.rawPath
}

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex')
}

function mac(key: string | Buffer, message: string): Buffer {
  return createHmac('sha256', key).update(message).digest()
}
