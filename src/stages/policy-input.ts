/**
 * The document that policies read. It has the shape of OPA's Envoy plugin, so that existing policies work, and our
 * own members beside it: `peer`, `claims`, `caller`, `route`, `api`, `request`.
 *
 * Built from the canonical request, after forged headers are gone: what a policy sees is what is forwarded.
 * `attributes.request.http.headers` joins repeated headers with a comma as Envoy does; `request.headers` keeps lists,
 * where a rule can see that there are two.
 */
import type { Exchange } from '../exchange/exchange.ts'
import type { ServerRequest } from '../wire/message.ts'
import type { Target } from '../wire/target.ts'

/** What a direction knows beside the request. */
export interface InputFacts {
  readonly target: Target
  /** SPIFFE ID of the one who asks, or the empty string for the app beside us. */
  readonly source: string
  /** SPIFFE ID of the one who is asked, or the name of an API. */
  readonly destination: string
  readonly body: Buffer | undefined
  /** Further members of the document. */
  readonly members: Readonly<Record<string, unknown>>
}

/** Builds the document for one exchange. */
export const policyInput = (
  x: Exchange & { readonly request: ServerRequest },
  facts: InputFacts,
): object => {
  const { head, connection } = x.request
  const { target } = facts
  const lists = head.headers.toRecord()
  const joined: Record<string, string> = {
    ':authority': target.authority,
    ':method': head.method,
    ':path': pathAndQuery(target),
  }
  for (const name in lists)
    joined[name] = lists[name]!.length === 1 ? lists[name]![0]! : lists[name]!.join(',')
  const body = facts.body === undefined ? undefined : facts.body.toString('utf8')
  return {
    attributes: {
      source: {
        address: {
          socketAddress: {
            address: connection.remoteAddress,
            portValue: connection.remotePort,
          },
        },
        principal: facts.source,
      },
      destination: { principal: facts.destination },
      request: {
        time: new Date(x.startedAt).toISOString(),
        http: {
          id: x.id,
          method: head.method,
          headers: joined,
          host: target.authority,
          path: pathAndQuery(target),
          scheme: target.scheme,
          protocol: head.version === '2' ? 'HTTP/2' : `HTTP/${head.version}`,
          ...(body === undefined ? {} : { body, size: facts.body!.length }),
        },
      },
    },
    parsed_path: target.segments,
    parsed_query: parseQuery(target.query),
    parsed_body: body === undefined ? null : parseJson(lists, body),
    truncated_body: false,
    source_principal: facts.source,
    request: { method: head.method, path: target.path, segments: target.segments, headers: lists },
    version: { ext_authz: 'v3', encoding: 'protojson' },
    ...facts.members,
  }
}

const pathAndQuery = (target: Target): string =>
  target.hasQuery ? `${target.path}?${target.query}` : target.path

const noQuery: Readonly<Record<string, readonly string[]>> = Object.freeze({})

/** Every parameter as a list, decoded once; a part that does not decode is kept as it was sent. */
export const parseQuery = (query: string): Readonly<Record<string, readonly string[]>> => {
  if (query === '') return noQuery
  const parsed = Object.create(null) as Record<string, string[]>
  for (const pair of query.split('&')) {
    if (pair === '') continue
    const cut = pair.indexOf('=')
    const name = decoded(cut === -1 ? pair : pair.slice(0, cut))
    const value = cut === -1 ? '' : decoded(pair.slice(cut + 1))
    const list = parsed[name]
    if (list === undefined) parsed[name] = [value]
    else list.push(value)
  }
  return parsed
}

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return text
  }
}

/** The body as JSON where the request says that it is JSON, else null. A body that does not parse is null too. */
const parseJson = (headers: Record<string, string[]>, body: string): unknown => {
  const type = headers['content-type']?.[0] ?? ''
  if (!/^application\/([a-z0-9.+-]+\+)?json\s*(;|$)/i.test(type)) return null
  try {
    return JSON.parse(body)
  } catch {
    return null
  }
}
