/**
 * Which third-party API the app calls, and whether its entry in the catalog allows this call: operation, caller, data,
 * review date. What is not declared is refused, with the lines that would declare it and whom to ask.
 *
 * In `observe` an undeclared call goes on and is learned; it is still guarded, decided on and recorded.
 */
import type { Code } from '../exchange/codes.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { Stage } from '../exchange/line.ts'
import { Refusal } from '../exchange/refusal.ts'
import type { Catalog, HostMatch, HostRefusal } from '../catalog/catalog.ts'
import type { ApiEntry, Operation } from '../catalog/entry/entry.ts'
import { callRefusalCode, judgeCall, type CallWarning } from '../catalog/judge-call.ts'
import type { Live } from '../live.ts'
import type { ServerRequest } from '../wire/message.ts'
import type { Target } from '../wire/target.ts'
import type { InternalStripped } from './strip-internal.ts'

/** A call, as the catalog knows it. */
export interface ApiCall {
  /** Undefined only for an undeclared call in `observe`. */
  readonly entry: ApiEntry | undefined
  readonly operation: Operation | undefined
  /** The one authority: canonical host that is resolved, named in SNI and verified. */
  readonly host: string
  readonly port: number
  /** What the `Host` field says: the host, with the port where it is not the default. */
  readonly authority: string
  /** Data classes that leave with this call. */
  readonly data: readonly string[]
  readonly warnings: readonly CallWarning[]
}

/** The facts that this stage learns. */
export interface ApiMatched {
  readonly api: ApiCall
  readonly target: Target
  /** Decoded parameters of the path template. */
  readonly parameters: Readonly<Record<string, string>>
}

/** What the stage is built from. */
export interface MatchParts {
  readonly catalog: Live<Catalog>
  readonly mode: () => 'enforce' | 'observe'
  readonly reviewWarningMs: () => number
  readonly now: () => number
  /** SPIFFE ID of the workload beside us: the caller. */
  readonly ownId: () => string
  /** Told of every call that no entry declares. */
  readonly onUndeclared: (host: string, port: number) => void
}

type Needs = { readonly request: ServerRequest } & InternalStripped

/** The stage. */
export const matchApi = (parts: MatchParts): Stage<Needs, ApiMatched> => ({
  name: 'match-api',
  run: (x) => {
    const { target } = x.request.head
    const match = findEntry(parts.catalog.current, target)
    if (match.kind === 'entry') {
      return { ...declaredCall(x, parts, match), target }
    }
    parts.onUndeclared(target.host, target.port)
    if (parts.mode() === 'enforce' || match.draft === '') throw undeclared(match)
    return { api: observedCall(target), target, parameters: {} }
  },
})

/** The refusal of what no entry declares, with the lines that would declare it and whom to ask. */
export const undeclared = (match: HostRefusal): Refusal =>
  new Refusal('api.undeclared', {
    detail: match.detail,
    hint: match.hint,
    members: { nearest: match.nearest, add: match.draft },
  })

/** An app that speaks plain HTTP to us names port 80 where the entry declares TLS on 443. */
const findEntry = (catalog: Catalog, target: Target): HostMatch => {
  const exact = catalog.match({ host: target.host, port: target.port })
  if (exact.kind === 'entry' || target.scheme !== 'http' || target.port !== 80) return exact
  const overTls = catalog.match({ host: target.host, port: 443 })
  return overTls.kind === 'entry' ? overTls : exact
}

const declaredCall = (
  x: Exchange & Needs,
  parts: MatchParts,
  match: HostMatch & { readonly kind: 'entry' },
): Omit<ApiMatched, 'target'> => {
  const { head } = x.request
  const { entry, host, port } = match
  const verdict = judgeCall(
    entry,
    { method: head.method, path: head.target.path, caller: parts.ownId(), data: x.declaredData },
    parts.now(),
    parts.reviewWarningMs(),
  )
  if (verdict.decision === 'refuse') {
    throw new Refusal(callRefusalCode[verdict.reason] satisfies Code, {
      detail: verdict.detail,
      hint: verdict.hint,
      members: {
        api: entry.name,
        owner: entry.owner,
        ...(verdict.draft === '' ? {} : { add: verdict.draft }),
      },
    })
  }
  return {
    parameters: verdict.parameters,
    api: {
      entry,
      operation: verdict.operation,
      host,
      port,
      authority: authorityOf(host, port, entry.unsafe_plaintext === true ? 80 : 443),
      data: verdict.data,
      warnings: verdict.warnings,
    },
  }
}

const observedCall = (target: Target): ApiCall => {
  const port = target.scheme === 'http' && target.port === 80 ? 443 : target.port
  return {
    entry: undefined,
    operation: undefined,
    host: target.host,
    port,
    authority: authorityOf(target.host, port, 443),
    data: [],
    warnings: [],
  }
}

/** `host` or `host:port`, the default port left out. */
export const authorityOf = (host: string, port: number, defaultPort: number): string => {
  const name = host.includes(':') ? `[${host}]` : host
  return port === defaultPort ? name : `${name}:${port}`
}
