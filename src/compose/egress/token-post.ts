/**
 * Posts to the token endpoint of a third party through the same guard as any other call: declared, reviewed, an allowed
 * caller, a checked address, verified TLS, bounded; a CLIENT span and an audit record each time.
 *
 * The policy is not asked: it was, for the call that needs the token.
 */
import { randomUUID } from 'node:crypto'
import type { Catalog } from '../../catalog/catalog.ts'
import { callRefusalCode, judgeCall } from '../../catalog/judge-call.ts'
import type { ResolveGuarded } from '../../egress/guard-address.ts'
import { authorityOf, type ApiCall } from '../../egress/match-api.ts'
import type { EgressFacts } from '../../egress/record.ts'
import type { Exchange } from '../../exchange/exchange.ts'
import type { Observer } from '../../exchange/outcome.ts'
import { asRefusal, Refusal, UpstreamFault } from '../../exchange/refusal.ts'
import type { Live } from '../../live.ts'
import { BufferBody } from '../../stages/hold-body.ts'
import { wireFault } from '../../stages/wire-fault.ts'
import { spanName, type Traces } from '../../telemetry/traces/span.ts'
import { OAuthError } from '../../token/oauth/oauth-error.ts'
import type {
  ClientCertificate,
  PostTokenRequest,
  TokenAnswer,
  TokenRequest,
} from '../../token/oauth/oauth-client.ts'
import { collectBody } from '../../wire/body.ts'
import { HeaderList } from '../../wire/headers.ts'
import type { ServerRequest } from '../../wire/message.ts'
import type { Origin } from '../../wire/origin.ts'
import type { Pool } from '../../wire/pool.ts'
import { readTarget } from '../../wire/target.ts'
import { WireError } from '../../wire/wire-error.ts'

/** What the poster is made of. */
export interface TokenPostParts {
  readonly catalog: Live<Catalog>
  readonly resolve: ResolveGuarded
  readonly pool: Pool
  readonly originOf: (
    api: ApiCall,
    addresses: readonly string[],
    client: ClientCertificate | undefined,
  ) => Origin
  readonly traces: Traces
  readonly record: Observer<EgressFacts>
  readonly ownId: () => string
  readonly now: () => number
  readonly monotonic: () => number
}

/** Makes it. */
export const tokenPost =
  (parts: TokenPostParts): PostTokenRequest =>
  async (request, limits) => {
    const url = new URL(request.url)
    const span = parts.traces.start({
      name: spanName('POST', undefined),
      kind: 'client',
      parent: undefined,
      always: 'sampled-always',
    })
    const x = exchangeOf(url, span, parts.now())
    const finish = (answer: TokenAnswer | undefined, failure: Refusal | undefined): void =>
      parts.record(x, {
        status: answer?.status,
        requestBytes: request.body.length,
        responseBytes: answer?.body.length ?? 0,
        decision:
          failure === undefined ? 'allow' : failure instanceof UpstreamFault ? 'fault' : 'deny',
        refusal: failure,
        stage: 'fetch-token',
        endedAt: parts.now(),
      })
    let answer: TokenAnswer
    try {
      answer = await send(x, url, request, limits, parts)
    } catch (thrown) {
      const refusal = thrown instanceof WireError ? wireFault('api', thrown) : asRefusal(thrown)
      finish(undefined, refusal)
      throw new OAuthError('unavailable', `${url.host}: ${refusal.code}: ${refusal.message}`)
    }
    finish(answer, undefined)
    return answer
  }

type Known = { -readonly [name in keyof EgressFacts]?: EgressFacts[name] } & Exchange

const exchangeOf = (url: URL, span: EgressFacts['span'], now: number): Known => ({
  id: randomUUID(),
  direction: 'egress',
  startedAt: now,
  channel: {
    audience: 'app',
    protocol: 'http',
    responseStarted: false,
    send: () => undefined,
    abort: () => undefined,
  },
  span,
  request: {
    head: {
      method: 'POST',
      headers: new HeaderList(),
      version: '1.1',
      target: readTarget('POST', url.pathname + url.search, url.host, {
        scheme: 'https',
        maxSegments: 100,
        slashes: 'keep',
      }),
    },
  } as unknown as ServerRequest,
})

const send = async (
  x: Known,
  url: URL,
  request: TokenRequest,
  limits: { readonly timeoutMs: number; readonly maxBytes: number; readonly signal: AbortSignal },
  parts: TokenPostParts,
): Promise<TokenAnswer> => {
  const api = declaredApi(url, parts)
  x.api = api
  x.target = x.request!.head.target
  const { entry } = api
  const addresses = await parts.resolve(api.host, api.port, entry!.allow_cidrs)
  x.addresses = addresses
  return await new Promise((resolve, reject) => {
    const call = parts.pool.request(
      parts.originOf(api, addresses, request.clientCertificate),
      {
        method: 'POST',
        target: url.pathname + url.search,
        authority: api.authority,
        headers: HeaderList.from(Object.fromEntries(request.headers)),
      },
      new BufferBody(Buffer.from(request.body)),
      {
        onHead: (head, source) =>
          collectBody(source, limits.maxBytes, (error, body) => {
            if (error !== undefined) reject(error)
            else {
              resolve({
                status: head.status,
                contentType: head.headers.get('content-type'),
                retryAfter: head.headers.get('retry-after'),
                body,
              })
            }
          }),
        onFault: reject,
      },
      { responseTimeoutMs: limits.timeoutMs, deadline: parts.monotonic() + limits.timeoutMs },
    )
    limits.signal.addEventListener('abort', () => {
      const reason = new WireError('response-timeout', 'the token endpoint did not answer in time')
      call.cancel(reason)
      reject(reason)
    })
  })
}

/** The catalog declares token endpoints too: nothing leaves without an entry. */
const declaredApi = (url: URL, parts: TokenPostParts): ApiCall => {
  const port = url.port === '' ? 443 : Number(url.port)
  const match = parts.catalog.current.match({ host: url.hostname, port })
  if (match.kind === 'refused') {
    throw new Refusal('api.undeclared', { detail: match.detail, hint: match.hint })
  }
  const { entry, host } = match
  const call = { method: 'POST', path: url.pathname, caller: parts.ownId(), data: [] }
  const verdict = judgeCall(entry, call, parts.now(), 0)
  if (verdict.decision === 'refuse') {
    throw new Refusal(callRefusalCode[verdict.reason], { detail: verdict.detail })
  }
  return {
    entry,
    operation: verdict.operation,
    host,
    port,
    authority: authorityOf(host, port, 443),
    data: verdict.data,
    warnings: verdict.warnings,
  }
}
