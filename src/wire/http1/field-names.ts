/**
 * What each header name means to the codec: which are framing, which belong to one hop, which may stand only once.
 *
 * One look-up for each name that arrives. Names in their usual spelling are found without lower-casing them.
 */

export const plain = 0
export const host = 1
export const contentLength = 2
export const transferEncoding = 3
export const connection = 4
export const upgrade = 5
export const expect = 6
/** Belongs to one hop: read by nobody, forwarded to nobody. */
export const hopByHop = 7
/** Two of it could be read differently by two readers (security: H10); the request is refused. */
export const single = 8
/** Holds an underscore, which CGI-like servers cannot tell from a dash. */
export const underscored = 9

export interface FieldName {
  readonly name: string
  readonly meaning: number
}

const hopByHopNames = [
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-authentication-info',
  'te',
  'trailer',
  'http2-settings',
  'alt-used',
]

const singleNames = [
  'authorization',
  'content-type',
  'content-encoding',
  'content-language',
  'content-location',
  'content-range',
  'content-disposition',
  'content-md5',
  'content-digest',
  'dpop',
  'from',
  'max-forwards',
  'referer',
  'user-agent',
  'workload-identity-token',
  'workload-proof-token',
  'txn-token',
  'x-forwarded-client-cert',
  'x-spiffe-id',
]

const singlePrefixes = ['content-', 'x-sallyport-', 'x-spiffe-', 'x-jwt-', 'x-auth-request-']

const plainNames = [
  'accept',
  'accept-encoding',
  'accept-language',
  'accept-ranges',
  'access-control-allow-origin',
  'age',
  'allow',
  'baggage',
  'cache-control',
  'cookie',
  'date',
  'etag',
  'expires',
  'forwarded',
  'idempotency-key',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'last-modified',
  'link',
  'location',
  'origin',
  'pragma',
  'priority',
  'range',
  'retry-after',
  'sec-fetch-dest',
  'sec-fetch-mode',
  'sec-fetch-site',
  'sec-websocket-accept',
  'sec-websocket-extensions',
  'sec-websocket-key',
  'sec-websocket-protocol',
  'sec-websocket-version',
  'server',
  'set-cookie',
  'strict-transport-security',
  'traceparent',
  'tracestate',
  'vary',
  'via',
  'www-authenticate',
  'x-content-type-options',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-powered-by',
  'x-request-id',
]

const known = new Map<string, FieldName>()

const learn = (name: string, meaning: number): void => {
  const field: FieldName = { name, meaning }
  known.set(name, field)
  known.set(
    name.replaceAll(/(^|-)[a-z]/g, (first) => first.toUpperCase()),
    field,
  )
}

learn('host', host)
learn('content-length', contentLength)
learn('transfer-encoding', transferEncoding)
learn('connection', connection)
learn('upgrade', upgrade)
learn('expect', expect)
for (const name of hopByHopNames) learn(name, hopByHop)
for (const name of singleNames) learn(name, single)
for (const name of plainNames) learn(name, plain)

/** The lower-case name and its meaning, for a name as it was spelled in the message. */
export const fieldName = (spelled: string): FieldName => {
  const field = known.get(spelled)
  if (field !== undefined) return field
  const name = spelled.toLowerCase()
  const other = known.get(name)
  if (other !== undefined) return other
  if (name.includes('_')) return { name, meaning: underscored }
  for (const prefix of singlePrefixes) if (name.startsWith(prefix)) return { name, meaning: single }
  return { name, meaning: plain }
}

const connectionTokens = new Set([...hopByHopNames, 'close', 'upgrade', 'trailers'])

const endToEndNames = new Set([
  ...singleNames,
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'expect',
  'cookie',
  'set-cookie',
  'origin',
  'via',
  'date',
  'cache-control',
  'forwarded',
  'traceparent',
  'tracestate',
  'baggage',
  'x-real-ip',
  'x-request-id',
])

const endToEndPrefixes = [...singlePrefixes, 'x-forwarded-', 'x-envoy-', 'sec-']

/** Whether a Connection token is one that this hop honours: a standard option, never an arbitrary field name. */
export const isConnectionOption = (token: string): boolean => connectionTokens.has(token)

/** Whether a Connection token tries to make a proxy drop a field that decisions rest on (security: H5). */
export const isEndToEnd = (token: string): boolean =>
  endToEndNames.has(token) || endToEndPrefixes.some((prefix) => token.startsWith(prefix))
